"""Durable Send to the sink, against the relay and the libraries that people would use instead."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from tests.bench import contestants as c
from tests.bench.contest import COLUMNS, Contestant, hold, notes, rows
from tests.bench.mailports import plain_settings
from tests.bench.peers import postfix
from tests.bench.plan import SIZE_BYTES, Plan
from tests.bench.sinks import smtp_sink
from tests.bench.table import Section
from tests.peers import npm

SESSIONS: Final = 10
"""Of the reference, and connections of the libraries."""
_CONNECTIONS: Final = 40
"""Enough for both processes: one opens 16 at most, Postfix up to 20 (default_destination_concurrency_limit)."""
_MESSAGES: Final = 3_000
_MESSAGES_OF_ONE: Final = 500


async def measure(plan: Plan) -> Section:
    """Measures messages a second of all contestants."""
    left_out: list[str] = []
    async with AsyncExitStack() as stack:
        everybody: list[Contestant] = []
        if plan.wants("mailport"):
            everybody += await _mailports(plan, stack)
        if plan.wants("postfix"):
            if reason := postfix.missing():
                left_out.append(f"Postfix: {reason}.")
            else:
                everybody += await _relays(plan, stack)
        if plan.wants("nodemailer"):
            if reason := npm.missing(c.NODEMAILER):
                left_out.append(f"Nodemailer: {reason}.")
            else:
                sink = await stack.enter_async_context(smtp_sink())
                everybody.append(
                    await stack.enter_async_context(
                        c.nodemailer(
                            sink,
                            name=f"Nodemailer, pool of {SESSIONS}",
                            connections=SESSIONS,
                            callers=max(plan.callers),
                            messages=plan.messages or _MESSAGES,
                        )
                    )
                )
        if plan.wants("aiosmtplib"):
            sink = await stack.enter_async_context(smtp_sink())
            everybody.append(
                await stack.enter_async_context(
                    c.aiosmtplib(
                        sink,
                        name=f"aiosmtplib, {SESSIONS} kept connections",
                        connections=SESSIONS,
                        messages=plan.messages or _MESSAGES,
                    )
                )
            )
        await hold(plan, everybody)
    return Section(
        "Send to the sink",
        f"Messages a second from the first call to the last arrival, {SIZE_BYTES:,} bytes of text to one recipient,"
        f" plain SMTP to an smtp-sink on the same machine. Reference: Postfix as installed, fed over {SESSIONS}"
        f" sessions that are kept, which opens up to 20 connections; mailport may open {_CONNECTIONS},"
        " of which a process opens 16. Durable: what is accepted outlives a crash of the machine (fsync before the"
        " answer).",
        COLUMNS,
        rows(everybody),
        [*left_out, *notes(everybody)],
    )


async def _mailports(plan: Plan, stack: AsyncExitStack) -> list[Contestant]:
    everybody = []
    database = stack.enter_context(plan.database())
    for processes in plan.processes:
        sink = await stack.enter_async_context(smtp_sink())
        running, calling = await stack.enter_async_context(
            c.configured(
                plan, database, settings=plain_settings(sink.port, connections=_CONNECTIONS), processes=processes
            )
        )
        for callers in plan.callers:
            everybody += [
                c.mailport(
                    running,
                    calling,
                    sink,
                    name=f"mailport, {_several(processes, 'process')}, {_several(callers, 'caller')}"
                    f"{', keys' if keys else ''}",
                    callers=callers,
                    messages=plan.messages or _messages(callers),
                    keys=keys,
                )
                # Only once, for what an idempotency key costs.
                for keys in ([False, True] if callers == max(plan.callers) and processes == 1 else [False])
            ]
    return everybody


async def _relays(plan: Plan, stack: AsyncExitStack) -> list[Contestant]:
    everybody = []
    sink = await stack.enter_async_context(smtp_sink())
    port = await stack.enter_async_context(c.relay(plan, sink))
    for sessions in sorted({SESSIONS, *plan.callers}):
        name = f"Postfix, {_several(sessions, 'session')}"
        each = c.through(port, sink, name=name, sessions=sessions, messages=plan.messages or _messages(sessions))
        each.is_reference = sessions == SESSIONS
        everybody.append(each)
    # The default slows senders down who are faster than the way out.
    sink = await stack.enter_async_context(smtp_sink())
    port = await stack.enter_async_context(c.relay(plan, sink, settings={"in_flow_delay": "0"}))
    name = f"Postfix, {SESSIONS} sessions, in_flow_delay = 0"
    everybody.append(c.through(port, sink, name=name, sessions=SESSIONS, messages=plan.messages or _messages(SESSIONS)))
    return everybody


def _messages(callers: int) -> int:
    return _MESSAGES_OF_ONE if callers == 1 else _MESSAGES


def _several(count: int, noun: str) -> str:
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"
