"""Statements of one transaction, their errors turned into the domain's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg.abc import QueryNoTemplate
from psycopg.rows import DictRow, dict_row

from adapters.postgres.connection import BoundedConnection
from adapters.postgres.failures import translated

Parameters = Mapping[str, Any]


class Session:
    """
    What repositories say to the database.

    Each call raises Unavailable or Overloaded when the database does not answer; what is a fault of ours, such as SQL
    that is wrong, passes through as it is.
    """

    def __init__(self, connection: BoundedConnection) -> None:
        self._connection = connection

    async def allow_for(self, size: int) -> None:
        """Gives the rest of the unit of work the time that *size* octets of content need."""
        async with translated():
            await self._connection.allow_for(size)

    async def row(self, query: QueryNoTemplate, parameters: Parameters, *, binary: bool = False) -> DictRow | None:
        """Returns the first row, or None; *binary* spares large bytes the way through text."""
        async with translated(), self._connection.cursor(row_factory=dict_row, binary=binary) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchone()

    async def rows(self, query: QueryNoTemplate, parameters: Parameters, *, binary: bool = False) -> list[DictRow]:
        """Returns all rows; *binary* as with `row`."""
        async with translated(), self._connection.cursor(row_factory=dict_row, binary=binary) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()

    async def execute(self, query: QueryNoTemplate, parameters: Parameters) -> int:
        """Returns the number of rows that were changed."""
        async with translated():
            cursor = await self._connection.execute(query, parameters)
            return cursor.rowcount

    async def execute_each(self, query: QueryNoTemplate, parameters: Sequence[Parameters]) -> None:
        """Runs the statement once for each of *parameters*, in one round trip; in none when there are none."""
        if not parameters:
            return
        async with translated(), self._connection.cursor() as cursor:
            await cursor.executemany(query, parameters)

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Makes the statements inside all or nothing, also where each would be durable by itself otherwise."""
        if not self._connection.autocommit:
            yield
            return
        async with translated(), self._connection.transaction():
            yield
