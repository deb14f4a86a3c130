"""How long Send takes, and how soon mail is out, at 100 Sends a second."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final

from tests.bench import contestants as c
from tests.bench.child import Child, child, python
from tests.bench.mailports import Mailports, plain_settings
from tests.bench.measure import number, percentile, spread
from tests.bench.plan import TEXT, Plan
from tests.bench.sinks import TimedSink, arrival, timed_sink
from tests.bench.table import Section

_RATE: Final = 100
_SECONDS: Final = 10
_ECHO: Final = "empty gRPC echo"
_SEND: Final = "Send"
_CREATED: Final = "created → accepted by the server"
_ANSWERED: Final = "answer at the caller → accepted by the server"
_LIMITS: Final = {_CREATED: ("< 3", "< 10"), _ANSWERED: ("", "")}


@dataclass(frozen=True, slots=True)
class _Setting:
    running: Mailports
    calling: Child
    echoing: Child
    sink: TimedSink
    count: int
    refused: list[int]


async def measure(plan: Plan) -> Section:
    """Measures rounds of the echo and of Send, which take turns in going first."""
    samples: dict[str, list[list[float]]] = {name: [] for name in (_ECHO, _SEND, _CREATED, _ANSWERED)}
    async with AsyncExitStack() as stack:
        database = stack.enter_context(plan.database())
        sink = await stack.enter_async_context(timed_sink())
        running, calling = await stack.enter_async_context(
            c.configured(plan, database, settings=plain_settings(sink.port))
        )
        echo = await stack.enter_async_context(child(*python("echo", {})))
        caller = {"addresses": [echo.ready["address"]], "configurations": [""], "text": TEXT}
        echoing = await stack.enter_async_context(child(*python("clients.send", caller)))
        setting = _Setting(running, calling, echoing, sink, _RATE * (plan.seconds or _SECONDS), [])
        await _send(setting, {}, count=_RATE)
        await _echo(setting, {}, count=_RATE)
        for turn in range(plan.rounds):
            for step in (_echo, _send) if turn % 2 == 0 else (_send, _echo):
                await step(setting, samples, count=setting.count)
    return Section(
        f"Latency at {_RATE} Sends a second",
        f"Milliseconds; a call begins every {1000 // _RATE} ms, whatever became of those before it. Medians of"
        f" {plan.rounds} rounds with {setting.count:,} calls each, Sends with an idempotency key."
        " Created: the delivery's create_time, before it is"
        " stored, so that the time from there to the server's acceptance has the commit in it; the time from the answer"
        " lacks the way of the answer. Stored → accepted lies between them.",
        ("", "p50", "p99", "wanted p50", "wanted p99"),
        _rows(samples),
        [f"{sum(setting.refused)} calls were refused at first and made again 50 ms later."]
        if any(setting.refused)
        else [],
    )


def _rows(samples: dict[str, list[list[float]]]) -> list[list[str]]:
    rows = []
    for name in (_ECHO, _SEND, "Send ÷ echo", _CREATED, _ANSWERED):
        if name in samples:
            figures = [
                str(spread([percentile(each, percent) * 1000 for each in samples[name]])) for percent in (50, 99)
            ]
            wanted = _LIMITS.get(name, ("", ""))
        else:
            pairs = list(zip(samples[_SEND], samples[_ECHO], strict=True))
            figures = [
                number(median(percentile(send, percent) / percentile(echo, percent) for send, echo in pairs))
                for percent in (50, 99)
            ]
            wanted = ("≤ 4", "≤ 6")
        rows.append([name, *figures, *wanted])
    return rows


async def _echo(setting: _Setting, samples: dict[str, list[list[float]]], *, count: int) -> None:
    answer = await setting.echoing.ask({"rate": _RATE, "messages": count, "echo": True})
    if samples:
        samples[_ECHO].append(answer["took"])


async def _send(setting: _Setting, samples: dict[str, list[list[float]]], *, count: int) -> None:
    before = await setting.sink.count()
    answer = await setting.calling.ask({"rate": _RATE, "messages": count, "keys": True, "note": True})
    await arrival(setting.sink, before + count, within_seconds=120)
    await setting.running.settled()
    arrivals = await setting.sink.arrivals()
    setting.refused.append(answer["refused"])
    if samples:
        samples[_SEND].append(answer["took"])
        sent = answer["sent"].items()
        samples[_CREATED].append([arrivals[message_id] - created for message_id, (created, _) in sent])
        samples[_ANSWERED].append([max(arrivals[message_id] - answered, 0) for message_id, (_, answered) in sent])
