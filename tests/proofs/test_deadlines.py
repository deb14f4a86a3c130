"""T22: a call that is cancelled at any moment leaves all of its effect or nothing, and the work for it stops (P25)."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, Final

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass

from service.options import Options
from service.rpc import interceptors
from service.rpc.call import DEFAULT_TIME, LONGEST_TIME
from tests.end_to_end.conftest import options, started, without_worker
from tests.integration.rpc.edge import an_edge, refusal
from tests.proofs.calls import CALLS, LATER, METHODS, UNCHANGING, Stage, finish
from tests.proofs.cancelling import Difference, Tasks, shape
from tests.proofs.spans import percentile

__all__ = ["options"]

POINTS: Final = 20
WARM: Final = 3
"""Calls that are let through first, which tell how long one takes."""
BEYOND: Final = 1.1
"""The last points are behind the usual end, since some calls take longer than others."""
STOPS_WITHIN: Final = 0.25
NOISE: Final = 2.0
"""Seconds that a single one may take on a machine with other work; nine of ten keep to the promise."""
FINISHING: Final = 20.0
"""For work that goes on without its caller, which only `GOES_ON` may."""
GOES_ON: Final = {"CompleteAuth", "RevokeAuth"}
"""A code is good once and a token dies once: what was asked of the provider is stored, whoever still waits (P11)."""
BARELY: Final = 0.09
SHORT: Final = timedelta(milliseconds=50)


@pytest.fixture
async def stage(options: Options) -> AsyncIterator[Stage]:
    async with started(without_worker(options)) as mailport:
        yield Stage(mailport)


def _url(options: Options) -> str:
    assert options.database_url is not None
    return options.database_url.reveal()


async def _measured(stage: Stage, method: str, url: str) -> tuple[float, Difference]:
    """Returns how long an undisturbed call takes, in seconds, and what it changes."""
    call = await CALLS[method](stage)
    before, begin = await shape(url), time.monotonic()
    await finish(call.begin(stage.mailport), method)
    return time.monotonic() - begin, Difference(before, await shape(url))


def test_given_the_service_when_its_methods_are_listed_then_each_has_a_call_here_or_is_known_to_come_later() -> None:
    assert set(CALLS) | LATER == set(METHODS)
    assert not set(CALLS) & LATER


async def test_given_a_method_that_comes_later_when_called_then_it_says_so(stage: Stage) -> None:
    for method in LATER:
        request = GetMessageClass(METHODS[method].input_type)()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await getattr(stage.mailport.stub, method)(request)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("method", sorted(CALLS))
async def test_given_a_call_when_cancelled_at_any_moment_then_all_or_nothing_is_stored_and_the_work_stops(
    method: str, stage: Stage, options: Options, figures: Callable[[str], None]
) -> None:
    url = _url(options)
    measured = [await _measured(stage, method, url) for _ in range(WARM)]
    usual = statistics.median(span for span, _ in measured)
    whole = measured[-1][1]

    outcomes: dict[str, int] = {"nothing": 0, "a part": 0, "all": 0}
    stopped = []
    for point in range(POINTS):
        call = await CALLS[method](stage)
        before, tasks = await shape(url), Tasks()
        made = call.begin(stage.mailport)
        ending = asyncio.ensure_future(finish(made, method))
        await asyncio.wait([ending], timeout=usual * BEYOND * point / POINTS)
        made.cancel()
        await asyncio.wait([ending])
        stopped.append(await tasks.until_ended(within=FINISHING if method in GOES_ON else NOISE))
        difference = Difference(before, await shape(url))
        share = difference.is_part_of(whole, call.parts)
        assert share is not None, f"cancelled at {point} of {POINTS}: {difference} instead of all or nothing of {whole}"
        outcomes["nothing" if share == 0 else "all" if share == call.parts else "a part"] += 1

    figures(
        f"T22 {method}: usually {usual * 1000:.0f} ms; cancelled at {POINTS} points: {outcomes}; half effects 0; work"
        f" stopped after {percentile(stopped, 90) * 1000:.0f} ms (p90), {max(stopped) * 1000:.0f} ms at most"
    )
    if method not in GOES_ON:
        assert percentile(stopped, 90) < STOPS_WITHIN
    if method in UNCHANGING:
        assert whole.is_empty
    else:
        assert not whole.is_empty
        assert outcomes["nothing"] >= 1


@pytest.mark.parametrize("method", sorted(name for name in CALLS if not METHODS[name].client_streaming))
async def test_given_a_deadline_that_leaves_no_time_when_called_then_refused_and_nothing_is_stored(
    method: str, stage: Stage, options: Options
) -> None:
    if METHODS[method].server_streaming:
        pytest.skip("a stream ends by itself")
    call = await CALLS[method](stage)
    before = await shape(_url(options))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(stage.mailport.stub, method)(call.request, timeout=BARELY)

    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert Difference(before, await shape(_url(options))).is_empty


@pytest.mark.parametrize(("bound", "asked"), [("DEFAULT_TIME", None), ("LONGEST_TIME", 3600)])
@pytest.mark.parametrize(
    "method", sorted(n for n in CALLS if not METHODS[n].client_streaming and not METHODS[n].server_streaming)
)
async def test_given_no_deadline_or_too_long_a_one_when_called_then_the_default_and_the_cap_end_the_call(
    method: str, bound: str, asked: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bounds are 30 and 120 seconds, and shortened here; that each method keeps to them is what is looked at."""
    assert (timedelta(seconds=30), timedelta(seconds=120)) == (DEFAULT_TIME, LONGEST_TIME)
    monkeypatch.setattr(interceptors, bound, SHORT)

    async def endless(*_: object, **__: object) -> object:
        await asyncio.Event().wait()
        return None

    request: Any = GetMessageClass(METHODS[method].input_type)()
    needed = {"configuration_id": "alerts", "delivery_id": "01990000-0000-7000-8000-000000000000", "text": "535"}
    for field, value in needed.items():
        if field in request.DESCRIPTOR.fields_by_name:
            setattr(request, field, value)
    async with an_edge() as edge:
        edge.use_cases.answers = defaultdict(lambda: endless)

        refused = await refusal(getattr(edge.mail, method)(request, timeout=asked))

    assert (refused.code, refused.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT")
