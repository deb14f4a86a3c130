"""Serves the web side on the process's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import uvicorn
from starlette.types import ASGIApp

_STOP_WITHIN: Final = timedelta(seconds=5)
_HEADER_BYTES: Final = 64 * 1024


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves SIGTERM and SIGINT to the process, which drains everything in order."""
        yield


class WebServer:
    """One listening web side: takes its port at once, and answers when it is started."""

    def __init__(self, *, host: str, port: int) -> None:
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, app: ASGIApp) -> None:
        """Begins to answer."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # a URL of the web side may hold an authorization code
            lifespan="off",
            server_header=False,
            h11_max_incomplete_event_size=_HEADER_BYTES,
            timeout_graceful_shutdown=int(_STOP_WITHIN.total_seconds()),
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="web")

    async def stop(self) -> None:
        """Finishes the requests that are under way, within five seconds."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        self._listener.close()


def _listen(host: str, port: int) -> socket.socket:
    """Binds at once, so that a port that is taken is known before anything else has started. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(128)
    return listener
