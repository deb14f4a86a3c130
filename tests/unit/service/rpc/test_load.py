"""How many calls may run at once (P27)."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import Overloaded
from service.rpc.load import LONGEST_RETRY, MOST_CALLS, MOST_CALLS_PER_TENANT, LoadBound
from tests.fakes.environment import FakeClock


def a_bound(**changes: Any) -> LoadBound:
    return LoadBound(**{"clock": FakeClock(), **changes})


def refused(load: LoadBound, tenant: str) -> timedelta:
    with pytest.raises(Overloaded) as error, load.of_tenant(tenant):
        pass
    return error.value.retry_after


def test_given_the_documented_bounds_when_asked_then_they_are_256_and_32() -> None:
    assert (MOST_CALLS, MOST_CALLS_PER_TENANT) == (256, 32)


def test_given_all_calls_taken_when_another_comes_then_it_is_refused_until_one_ends() -> None:
    load = a_bound(in_all=2, per_tenant=2)

    with load.a_call(), ExitStack() as second:
        second.enter_context(load.a_call())
        with pytest.raises(Overloaded) as refused, load.a_call():
            pass
        second.close()
        with load.a_call():
            pass

    assert refused.value.retry_after.total_seconds() > 0


def test_given_a_tenants_share_taken_when_it_calls_again_then_only_it_is_refused() -> None:
    load = a_bound(in_all=9, per_tenant=1)

    with load.of_tenant("acme"):
        with pytest.raises(Overloaded), load.of_tenant("acme"):
            pass
        with load.of_tenant("other"):
            pass

    with load.of_tenant("acme"):
        pass


def test_given_a_call_that_fails_when_it_ends_then_its_place_is_free() -> None:
    load = a_bound(in_all=1, per_tenant=1)

    with pytest.raises(RuntimeError), load.a_call(), load.of_tenant("acme"):
        raise RuntimeError

    with load.a_call(), load.of_tenant("acme"):
        pass


def test_given_a_process_in_time_when_one_tenant_has_many_calls_then_it_may_have_its_whole_bound() -> None:
    load = a_bound(is_late=lambda: False)

    with ExitStack() as running:
        for number in range(20):
            running.enter_context(load.of_tenant(f"tenant-{number}"))
        for _ in range(MOST_CALLS_PER_TENANT):
            running.enter_context(load.of_tenant("hog"))


@pytest.mark.parametrize(("others", "share"), [(1, 16), (2, 10), (3, 8), (19, 8)])
def test_given_a_process_that_is_late_when_others_call_then_a_tenant_has_an_even_share(others: int, share: int) -> None:
    load = a_bound(is_late=lambda: True)

    with ExitStack() as running:
        for number in range(others):
            running.enter_context(load.of_tenant(f"tenant-{number}"))
        for _ in range(share):
            running.enter_context(load.of_tenant("hog"))

        with pytest.raises(Overloaded), load.of_tenant("hog"):
            pass
        for number in range(others):
            with load.of_tenant(f"tenant-{number}"):
                pass


def test_given_a_process_that_is_late_when_a_tenant_is_alone_then_its_bound_alone_counts() -> None:
    load = a_bound(is_late=lambda: True)

    with ExitStack() as running:
        for _ in range(MOST_CALLS_PER_TENANT):
            running.enter_context(load.of_tenant("acme"))

        with pytest.raises(Overloaded), load.of_tenant("acme"):
            pass


def test_given_many_refusals_when_another_is_made_then_the_delay_grows_up_to_its_bound_and_falls_again() -> None:
    clock = FakeClock()
    load = a_bound(clock=clock, per_tenant=1)

    with load.of_tenant("hog"):
        delays = [refused(load, "hog") for _ in range(50)]
        clock.advance(timedelta(seconds=5))
        later = refused(load, "hog")

    assert delays[0] == later == timedelta(seconds=1)
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_RETRY


def test_given_refusals_of_very_many_tenants_when_time_has_passed_then_they_are_forgotten() -> None:
    clock = FakeClock()
    load = a_bound(clock=clock, per_tenant=1)

    with ExitStack() as running:
        for number in range(MOST_CALLS + 1):
            running.enter_context(load.of_tenant(f"tenant-{number}"))
            refused(load, f"tenant-{number}")
        clock.advance(timedelta(seconds=2))
        refused(load, "tenant-0")

    assert load.remembered() == {"tenant-0"}
