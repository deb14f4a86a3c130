"""What can be done to the connection that a request came by."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from starlette.requests import ClientDisconnect, Request

MOST_DRAINED: Final = 64 * 1024 * 1024
"""Octets of a body that are read only to be thrown away."""


class Cut(Exception):
    """The connection is gone."""


async def cut(request: Request) -> None:
    """Ends the connection without a word. Always raises."""
    transport = getattr(getattr(request.receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox's Graph cut the connection")  # for clients without a network
    transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        continue
    raise Cut


async def gone(request: Request, within: timedelta) -> None:
    """Waits until the client has gone, or *within* has passed."""
    if not within:
        return
    try:
        async with asyncio.timeout(within.total_seconds()):
            while (await request.receive())["type"] != "http.disconnect":
                continue
    except TimeoutError:
        return


async def drain(request: Request) -> None:
    """Reads what a refused client still sends: it looks at the answer only once all is said."""
    if request.headers.get("expect", "").lower() == "100-continue":
        return
    read = 0
    try:
        async for chunk in request.stream():
            read += len(chunk)
            if read > MOST_DRAINED:
                return
    except (ClientDisconnect, RuntimeError):  # gone, or read to the end before
        return
