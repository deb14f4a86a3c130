"""A token endpoint on loopback that answers as the test says, octet by octet, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self, TypeAlias
from urllib.parse import parse_qsl

HANG: Final = b"hang"
"""Instead of an answer: nothing, until the client goes away."""
CUT: Final = b""
"""Instead of an answer: the end of the connection."""


def answer(
    fields: Mapping[str, object] | None = None,
    *,
    status: int = 200,
    body: bytes | None = None,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Returns an HTTP answer with *fields* as JSON, or with *body*."""
    content = json.dumps(fields).encode() if body is None else body
    lines = [
        f"HTTP/1.1 {status} Whatever",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    line: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        pairs = parse_qsl(self.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs), "a parameter is repeated"
        return dict(pairs)


Reply: TypeAlias = bytes | Callable[[Asked], bytes]
"""What is sent, or what makes it of the request."""


class TokenEndpoint:
    """``async with`` runs it. `answers` are sent one a request, the last one again and again."""

    def __init__(self, *answers: Reply, context: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self.connections = 0
        self.is_hanging = asyncio.Event()
        self._context = context
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://localhost:{self.port}/token"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=self._context)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    async def before_answer(self) -> None:
        """What happens between request and answer; nothing, unless a test's own endpoint takes its time."""

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)
        self.connections += 1
        try:
            # Cancelled by `__aexit__`; asyncio's streams would log that as an error.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(head[0], headers, body))
        await self.before_answer()
        planned = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        reply = planned(self.asked[-1]) if callable(planned) else planned
        if reply == HANG:
            self.is_hanging.set()
            await reader.read()
            return
        writer.write(reply)
        await writer.drain()
