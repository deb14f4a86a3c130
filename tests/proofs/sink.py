"""The mail server of the proofs, as the tests see it; its process is `tests.proofs.sink_process`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from tests.bench.child import Child, child
from tests.proofs.history import KEY_HEADER, Arrival

__all__ = ["KEY_HEADER", "Rule", "Seen", "Sink", "a_sink"]

_LOOK_EVERY_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    What the server does at a step instead of what is right; the first rule for a step holds.

    In this order: it waits for `delay_seconds`, it waits until `Sink.release` (`hold`), it says `say` instead of its
    answer, it cuts the connection (`cut`, without `say`: instead of the answer).
    """

    step: str
    """
    ``connect``, ``ehlo``, ``mail``, ``rcpt``, ``data``, ``content`` (its first octets came), ``dot``, ``rset``,
    ``quit``.
    """
    say: str | None = None
    cut: bool = False
    hold: bool = False
    take: bool | None = None
    """At ``dot``: whether the message counts as taken; by default if the answer is a yes that the client gets."""
    delay_seconds: float = 0.0
    times: int | None = None
    """How often it holds; None: always."""
    to: str = ""
    """Only for this address, as the recipient of a ``rcpt`` or anywhere in the envelope so far; empty: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the server counted since the last `Sink.forget`."""

    taken: int
    begun: int
    """Messages of whose content at least one octet came, whatever became of them."""
    connections: int
    ended: int
    """Connections that ended, in that time too."""
    open: int
    """Connections that there are now, whenever they began."""
    held: int
    """Sessions that a rule holds now."""


class Sink:
    """A running server; without a script it takes all mail at once."""

    def __init__(self, process: Child) -> None:
        self.port: int = process.ready["port"]
        self._process = process
        self._asking = asyncio.Lock()

    async def arrivals(self) -> list[Arrival]:
        """Returns all that it took, in order."""
        answer = await self._ask(since=0)
        return [
            Arrival(
                key=each["key"],
                message_id=each["message_id"],
                digest=each["digest"],
                sender=each["sender"],
                recipients=tuple(each["recipients"]),
                time=each["time"],
            )
            for each in answer["taken"]
        ]

    async def seen(self) -> Seen:
        """Returns its counters."""
        answer = await self._ask()
        return Seen(
            taken=answer["count"],
            begun=answer["begun"],
            connections=answer["connections"],
            ended=answer["ended"],
            open=answer["open"],
            held=sum(answer["held"].values()),
        )

    async def script(self, *rules: Rule) -> None:
        """Follows *rules* from now on, and no others."""
        await self._ask(script=[asdict(rule) for rule in rules])

    async def release(self) -> None:
        """Lets go on what a rule holds, and forgets all rules."""
        await self._ask(release=True)

    async def forget(self) -> None:
        """Forgets what it took and counted, such as the mails that proved the settings."""
        await self._ask(forget=True)

    async def until(self, condition: Callable[[Seen], bool], *, within: timedelta) -> Seen:
        """Waits until *condition* holds for its counters. Raises AssertionError with them when it does not."""
        end = time.monotonic() + within.total_seconds()
        while not condition(seen := await self.seen()):
            assert time.monotonic() < end, f"after {within} the server has seen no more than {seen}"
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        return seen

    async def _ask(self, **order: Any) -> dict[str, Any]:
        async with self._asking:
            return await self._process.ask(order)


@asynccontextmanager
async def a_sink() -> AsyncIterator[Sink]:
    """Starts one on a free port of 127.0.0.1."""
    async with child(sys.executable, "-m", "tests.proofs.sink_process") as process:
        yield Sink(process)
