"""A way to a server that loses answers: now and then a connection is cut when a request has just gone through."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

_CHUNK: Final = 64 * 1024


class Cutting:
    """Forwards to one address; see `cutting`."""

    def __init__(self, host: str, port: int, *, choices: random.Random, share: float) -> None:
        self._upstream = host, port
        self._choices = choices
        self.share = share
        """Of pieces of requests after which the connection ends, all its other calls too."""
        self.cuts = 0
        self.address = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream: asyncio.StreamWriter | None = None
        try:
            answers, upstream = await asyncio.open_connection(*self._upstream)
            ways = [
                asyncio.create_task(self._carry(reader, upstream, may_cut=True)),
                asyncio.create_task(self._carry(answers, writer, may_cut=False)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # the end of a connection, ours or theirs
        finally:
            self._tasks.discard(task)
            for each in (writer, upstream):
                if each is not None:
                    each.close()  # in order, so that what was written upstream arrives there

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, may_cut: bool) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                writer.write(chunk)
                await writer.drain()
                if may_cut and self._choices.random() < self.share:
                    self.cuts += 1
                    return

    async def close(self) -> None:
        """Ends what is open."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def cutting(address: str, *, choices: random.Random, share: float) -> AsyncIterator[Cutting]:
    """Gives a way to ``host:port``, on which *share* of the pieces that go there are the last."""
    host, _, port = address.rpartition(":")
    way = Cutting(host, int(port), choices=choices, share=share)
    listener = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield way
    finally:
        listener.close()
        await way.close()
