"""Rounds of contestants against each other, in an order that turns around each time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from tests.bench.measure import Spread, number, percentile, spread
from tests.bench.plan import Plan

_WARM_UP: Final = 200
_REST_SECONDS: Final = 0.3
COLUMNS: Final = ("", "durable", "messages/s", "× reference", "Send p50 ms", "Send p99 ms")


@dataclass(frozen=True, slots=True)
class Run:
    """One round of one contestant."""

    messages: int
    seconds: float
    """From the first call to the last arrival."""
    took: Sequence[float] = ()
    """Of each call of mailport, in seconds."""
    refused: int = 0

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


@dataclass
class Contestant:
    """Sends so many messages and tells how that went."""

    name: str
    run: Callable[[int], Awaitable[Run]]
    messages: int
    is_durable: bool = True
    is_reference: bool = False
    """Whether the others are compared with it."""
    runs: list[Run] = field(default_factory=list)

    @property
    def rates(self) -> Spread:
        """Of all rounds."""
        return spread([run.rate for run in self.runs])


async def hold(plan: Plan, contestants: Sequence[Contestant]) -> None:
    """Lets each run once to warm up, then `Plan.rounds` times; `Contestant.runs` has the result."""
    for contestant in contestants:
        _say(f"warming up {contestant.name}")
        await contestant.run(min(_WARM_UP, contestant.messages))
    for turn in range(plan.rounds):
        # A machine that grows slower or busier meanwhile is as bad for the last as for the first.
        for contestant in contestants if turn % 2 == 0 else reversed(contestants):
            await asyncio.sleep(_REST_SECONDS)
            contestant.runs.append(await contestant.run(contestant.messages))
            _say(f"round {turn + 1}: {contestant.name}: {number(contestant.runs[-1].rate)} messages/s")


def rows(contestants: Iterable[Contestant]) -> list[list[str]]:
    """Returns a row of `COLUMNS` for each."""
    everybody = list(contestants)
    reference = next((each for each in everybody if each.is_reference), None)
    return [
        [
            each.name,
            "yes" if each.is_durable else "no",
            str(each.rates),
            number(ratio(each, reference)) if reference else "–",
            *(_took(each, percent) for percent in (50, 99)),
        ]
        for each in everybody
    ]


def ratio(contestant: Contestant, reference: Contestant) -> float:
    """Returns the median of how much faster *contestant* was, round by round: both had the machine as it was then."""
    pairs = zip(contestant.runs, reference.runs, strict=True)
    return median(mine.rate / theirs.rate for mine, theirs in pairs)


def notes(contestants: Iterable[Contestant]) -> list[str]:
    """Returns what was odd about the rounds."""
    return [
        f"{each.name}: {refused} calls of {sum(run.messages for run in each.runs)} were refused at first"
        " (above mailport's bound of calls) and made again 50 ms later."
        for each in contestants
        if (refused := sum(run.refused for run in each.runs))
    ]


def _took(contestant: Contestant, percent: float) -> str:
    every = [took for run in contestant.runs for took in run.took]
    return number(percentile(every, percent) * 1000) if every else "–"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
