"""Throughput to a server that is a round trip of 20 ms away."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from tests.bench import contestants as c
from tests.bench.contest import COLUMNS, Contestant, hold, notes, rows
from tests.bench.mailports import plain_settings
from tests.bench.peers import postfix
from tests.bench.plan import Plan
from tests.bench.sinks import smtp_sink
from tests.bench.table import Section
from tests.peers import npm

_ROUND_TRIP_SECONDS: Final = 0.02
_SESSIONS: Final = 10
_MESSAGES: Final = 1_000


async def measure(plan: Plan) -> Section:
    """Measures all contestants over a proxy that delays each direction by half of that."""
    messages = plan.messages or _MESSAGES
    callers = max(plan.callers)
    left_out: list[str] = []
    async with AsyncExitStack() as stack:
        everybody: list[Contestant] = []
        for contestant in ("mailport", "postfix", "nodemailer", "aiosmtplib"):
            if not plan.wants(contestant):
                continue
            sink = await stack.enter_async_context(smtp_sink())
            far = await stack.enter_async_context(c.long_way(sink.port, round_trip_seconds=_ROUND_TRIP_SECONDS))
            match contestant:
                case "mailport":
                    database = stack.enter_context(plan.database())
                    running, calling = await stack.enter_async_context(
                        c.configured(plan, database, settings=plain_settings(far, connections=_SESSIONS))
                    )
                    name = f"mailport, {callers} callers, {_SESSIONS} connections"
                    each = c.mailport(running, calling, sink, name=name, callers=callers, messages=messages)
                case "postfix":
                    if reason := postfix.missing():
                        left_out.append(f"Postfix: {reason}.")
                        continue
                    port = await stack.enter_async_context(c.relay(plan, sink, port=far))
                    name = f"Postfix, {_SESSIONS} sessions in"
                    each = c.through(port, sink, name=name, sessions=_SESSIONS, messages=messages)
                    each.is_reference = True
                case "nodemailer":
                    if reason := npm.missing(c.NODEMAILER):
                        left_out.append(f"Nodemailer: {reason}.")
                        continue
                    name = f"Nodemailer, pool of {_SESSIONS}"
                    each = await stack.enter_async_context(
                        c.nodemailer(
                            sink, name=name, connections=_SESSIONS, callers=callers, messages=messages, port=far
                        )
                    )
                case _:
                    name = f"aiosmtplib, {_SESSIONS} kept connections"
                    each = await stack.enter_async_context(
                        c.aiosmtplib(sink, name=name, connections=_SESSIONS, messages=messages, port=far)
                    )
            everybody.append(each)
        await hold(plan, everybody)
    return Section(
        "20 ms away",
        "As above, with a TCP proxy on the way to the sink that takes 10 ms in each direction. mailport is told to"
        f" open {_SESSIONS} connections. Wanted: at least 200/s.",
        COLUMNS,
        rows(everybody),
        [*left_out, *notes(everybody)],
    )
