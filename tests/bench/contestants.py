"""Who sends: mailport and the programs that people would use instead, each set up and ready to run."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from mailport.v1 import configuration_pb2
from tests.bench.child import Child, child, python
from tests.bench.contest import Contestant, Run
from tests.bench.mailports import Database, Mailports, mailports
from tests.bench.peers import postfix
from tests.bench.plan import SIZE_BYTES, TEXT, Plan
from tests.bench.sinks import Lost, Sink, arrival

NODEMAILER: Final = Path(__file__).parent / "clients" / "nodemailer"
_NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})
_SLOWEST_RATE: Final = 10
_LATE_SECONDS: Final = 0.2


@asynccontextmanager
async def callers_of(running: Mailports, configurations: Sequence[str]) -> AsyncIterator[Child]:
    """A process that calls *running*, see `tests.bench.clients.send`."""
    arguments = {"addresses": running.addresses, "configurations": list(configurations), "text": TEXT}
    async with child(*python("clients.send", arguments)) as process:
        yield process


@asynccontextmanager
async def configured(
    plan: Plan,
    database: Database,
    *,
    settings: configuration_pb2.Settings,
    processes: int = 1,
    configurations: Sequence[str] = ("bench",),
) -> AsyncIterator[tuple[Mailports, Child]]:
    """mailports with proven *configurations*, and a process that calls them."""
    kind = f"{processes}-process{'-oauth' if settings.HasField('oauth') else ''}-{len(configurations)}-config"
    profile = plan.profile and plan.profile.with_name(f"{plan.profile.stem}-{kind}.pstats")
    async with mailports(plan.new_folder("mailport"), database, processes=processes, profile=profile) as running:
        await running.configure(configurations, settings)
        async with callers_of(running, configurations) as calling:
            yield running, calling


def mailport(
    running: Mailports, calling: Child, sink: Sink, *, name: str, callers: int, messages: int, keys: bool = False
) -> Contestant:
    """mailport, asked by *callers* that each send the next message as soon as they have their answer."""

    async def run(count: int) -> Run:
        before = await sink.count()
        answer = await calling.ask({"callers": callers, "messages": count, "keys": keys})
        try:
            last = await _arrival(sink, before, count)
        except Lost as lost:
            raise Lost(f"{lost}; {await running.trouble()}") from None
        await running.settled()
        await _nothing_twice(sink, before + count)
        return Run(count, last - answer["begun"], answer["took"], answer["refused"])

    return Contestant(name, run, messages)


@asynccontextmanager
async def relay(
    plan: Plan, sink: Sink, *, port: int | None = None, settings: Mapping[str, str] = _NO_SETTINGS
) -> AsyncIterator[int]:
    """A Postfix that relays to *sink*, or to *port* which leads there; yields its own port."""
    async with postfix.relay(plan.new_folder("postfix"), sink=port or sink.port, settings=settings) as own:
        yield own


def through(relay_port: int, sink: Sink, *, name: str, sessions: int, messages: int) -> Contestant:
    """A Postfix, given mail by smtp-source over *sessions* connections."""

    async def run(count: int) -> Run:
        before = await sink.count()
        begun = time.monotonic()
        await postfix.source(relay_port, messages=count, sessions=sessions, size_bytes=SIZE_BYTES)
        last = await _arrival(sink, before, count)
        await _nothing_twice(sink, before + count)
        return Run(count, last - begun)

    return Contestant(name, run, messages)


@asynccontextmanager
async def nodemailer(
    sink: Sink, *, name: str, connections: int, callers: int, messages: int, port: int | None = None
) -> AsyncIterator[Contestant]:
    """Nodemailer with its pool: nothing is stored, and what is under way is lost with the process."""
    arguments = {"port": port or sink.port, "connections": connections, "text": TEXT}
    command = ("node", str(NODEMAILER / "send.mjs"), json.dumps(arguments))
    async with child(*command) as process:
        yield _direct(process, sink, name, {"callers": callers}, messages)


@asynccontextmanager
async def aiosmtplib(
    sink: Sink,
    *,
    name: str,
    connections: int,
    messages: int,
    keep: bool = True,
    ca: Path | None = None,
    port: int | None = None,
) -> AsyncIterator[Contestant]:
    """aiosmtplib over *connections* that are kept, or over a new one for each message; nothing is stored."""
    arguments = {
        "port": port or sink.port, "ca": str(ca) if ca else None, "connections": connections, "keep": keep,
        "text": TEXT,
    }  # fmt: skip
    async with child(*python("clients.direct", arguments)) as process:
        yield _direct(process, sink, name, {}, messages)


@asynccontextmanager
async def long_way(port: int, *, round_trip_seconds: float) -> AsyncIterator[int]:
    """A way to *port* that takes so long; yields the port where it begins."""
    async with child(*python("proxy", {"port": port, "one_way_seconds": round_trip_seconds / 2})) as process:
        yield process.ready["port"]


def _direct(process: Child, sink: Sink, name: str, question: Mapping[str, int], messages: int) -> Contestant:
    async def run(count: int) -> Run:
        before = await sink.count()
        answer = await process.ask({**question, "messages": count})
        await _nothing_twice(sink, before + count)
        return Run(count, answer["ended"] - answer["begun"])

    return Contestant(name, run, messages, is_durable=False)


async def _arrival(sink: Sink, before: int, count: int) -> float:
    return await arrival(sink, before + count, within_seconds=60 + count / _SLOWEST_RATE)


async def _nothing_twice(sink: Sink, count: int) -> None:
    await arrival(sink, count, within_seconds=_LATE_SECONDS)
    if (there := await sink.count()) > count:
        raise Lost(f"{there - count} messages too many arrived")
