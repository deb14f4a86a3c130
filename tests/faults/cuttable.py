"""A way to the database that a test can cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CHUNK: Final = 64 * 1024


class Way(StrEnum):
    """How the way is."""

    OPEN = "OPEN"
    CUT = "CUT"
    """Every connection is closed at once, as by a server that is gone."""
    FROZEN = "FROZEN"
    """Connections are taken, and nothing comes through in either direction."""
    CUT_AFTER_COMMIT = "CUT_AFTER_COMMIT"
    """Open up to the first COMMIT, which reaches the server; its answer does not come back. CUT from then on."""


class CuttableDatabase:
    """Forwards to a database; see `cuttable_database`."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = host, port
        self._way = Way.OPEN
        self._flows = asyncio.Event()
        self._flows.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    def become(self, way: Way) -> None:
        """Changes the way, for connections there are and new ones."""
        self._way = way
        if way is Way.FROZEN:
            self._flows.clear()
        else:
            self._flows.set()
        if way is Way.CUT:
            self._close_all()

    @property
    def is_now(self) -> Way:
        """How the way is: `CUT_AFTER_COMMIT` becomes `CUT` by itself."""
        return self._way

    def lead_to(self, database_url: str) -> None:
        """Leads elsewhere from the next connection on: a server that was started again may have another port."""
        server = conninfo_to_dict(database_url)
        self._upstream = str(server["host"]), int(str(server["port"]))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection."""
        if self._way is Way.CUT:
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream: asyncio.StreamWriter | None = None
        try:
            answers, upstream = await asyncio.open_connection(*self._upstream)
            async with asyncio.TaskGroup() as both:
                there = both.create_task(self._carry(reader, upstream, looks_for_commit=True))
                back = both.create_task(self._carry(answers, writer, looks_for_commit=False))
                await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
                there.cancel()
                back.cancel()
        except (OSError, asyncio.CancelledError):
            pass  # the end of a connection, ours or theirs
        finally:
            self._tasks.discard(task)
            for each in (writer, upstream):
                if each is not None:
                    each.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, looks_for_commit: bool
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self._flows.wait()
                if self._way is Way.CUT:
                    return
                is_last = looks_for_commit and self._way is Way.CUT_AFTER_COMMIT and b"COMMIT" in chunk
                if is_last:
                    self._flows.clear()  # the answer stays here
                writer.write(chunk)
                await writer.drain()
                if is_last:
                    await self._committed()

    async def _committed(self) -> None:
        await asyncio.sleep(0.2)  # the server has it; that it is done shows in the store alone
        self.become(Way.CUT)

    def _close_all(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()

    async def close(self) -> None:
        """Ends what is open."""
        tasks = tuple(self._tasks)
        self._close_all()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def cuttable_database(database_url: str) -> AsyncIterator[CuttableDatabase]:
    """Gives a way to *database_url*, open at first; `url` leads along it."""
    server = conninfo_to_dict(database_url)
    way = CuttableDatabase(str(server["host"]), int(str(server["port"])))
    listener = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.url = make_conninfo(database_url, host="127.0.0.1", port=listener.sockets[0].getsockname()[1])
    try:
        yield way
    finally:
        listener.close()
        await way.close()
