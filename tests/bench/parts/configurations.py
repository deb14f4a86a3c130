"""Throughput and memory with many configurations in use."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from tests.bench import contestants as c
from tests.bench.contest import COLUMNS, Contestant, hold, notes, rows
from tests.bench.mailports import Mailports, plain_settings
from tests.bench.measure import number
from tests.bench.plan import Plan
from tests.bench.sinks import smtp_sink
from tests.bench.table import Section

_MESSAGES: Final = 3_000


async def measure(plan: Plan) -> Section:
    """Measures mailport with one configuration and with many, each message from the next one."""
    callers = max(plan.callers)
    async with AsyncExitStack() as stack:
        database = stack.enter_context(plan.database())
        everybody: list[tuple[Contestant, Mailports]] = []
        for count in (1, plan.configurations):
            sink = await stack.enter_async_context(smtp_sink())
            names = [f"bench-{number}" for number in range(count)]
            running, calling = await stack.enter_async_context(
                c.configured(plan, database, settings=plain_settings(sink.port), configurations=names)
            )
            name = f"mailport, {callers} callers, {count:,} configuration{'s' if count > 1 else ''}"
            each = c.mailport(running, calling, sink, name=name, callers=callers, messages=plan.messages or _MESSAGES)
            each.is_reference = count == 1
            everybody.append((each, running))
        await hold(plan, [each for each, _ in everybody])
        memory = [number(running.resident_mib()) for _, running in everybody]
    contestants = [each for each, _ in everybody]
    return Section(
        f"{plan.configurations:,} configurations",
        "As above; each message is sent from the next configuration, all to the same sink. Reference: one."
        " Memory: resident, of the mailport process, after the last round.",
        (*COLUMNS, "memory MiB"),
        [[*row, size] for row, size in zip(rows(contestants), memory, strict=True)],
        notes(contestants),
    )
