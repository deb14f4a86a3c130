"""Whether the memory of a process that works stays as it is."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import Final

from tests.bench import contestants as c
from tests.bench.mailports import plain_settings
from tests.bench.measure import number
from tests.bench.plan import Plan
from tests.bench.sinks import smtp_sink
from tests.bench.table import Section

_SECONDS: Final = 120
_BATCH: Final = 500
_ROWS: Final = 6


async def measure(plan: Plan) -> Section:
    """Measures the resident memory while messages go through as fast as they can."""
    seconds = plan.seconds or _SECONDS
    callers = max(plan.callers)
    samples: list[tuple[float, int, float]] = []
    async with AsyncExitStack() as stack:
        database = stack.enter_context(plan.database())
        sink = await stack.enter_async_context(smtp_sink())
        running, calling = await stack.enter_async_context(
            c.configured(plan, database, settings=plain_settings(sink.port))
        )
        batch = plan.messages or _BATCH
        each = c.mailport(running, calling, sink, name="mailport", callers=callers, messages=batch)
        begun = time.monotonic()
        sent = 0
        samples.append((0, 0, running.resident_mib()))
        while time.monotonic() - begun < seconds:
            await each.run(batch)
            sent += batch
            samples.append((time.monotonic() - begun, sent, running.resident_mib()))
    half, end = samples[len(samples) // 2], samples[-1]
    grown = (end[2] - half[2]) / max(end[1] - half[1], 1) * 10_000
    return Section(
        "Memory over time",
        f"Resident memory of one mailport process, without its database, while {callers} callers send as fast as they"
        " can. Wanted: flat.",
        ("seconds", "messages", "memory MiB"),
        [[f"{at:.0f}", f"{count:,}", number(size)] for at, count, size in _some(samples)],
        [f"In the second half it grew by {grown:.1f} MiB for 10,000 messages."],
    )


def _some(samples: list[tuple[float, int, float]]) -> list[tuple[float, int, float]]:
    if len(samples) <= _ROWS:
        return samples
    return [samples[round(number * (len(samples) - 1) / (_ROWS - 1))] for number in range(_ROWS)]
