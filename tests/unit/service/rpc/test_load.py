"""How many calls may run at once (P27)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from domain.errors import Overloaded
from service.rpc.load import MOST_CALLS, MOST_CALLS_PER_TENANT, LoadBound


def test_given_the_documented_bounds_when_asked_then_they_are_256_and_32() -> None:
    assert (MOST_CALLS, MOST_CALLS_PER_TENANT) == (256, 32)


def test_given_all_calls_taken_when_another_comes_then_it_is_refused_until_one_ends() -> None:
    load = LoadBound(in_all=2, per_tenant=2)

    with load.a_call(), ExitStack() as second:
        second.enter_context(load.a_call())
        with pytest.raises(Overloaded) as refused, load.a_call():
            pass
        second.close()
        with load.a_call():
            pass

    assert refused.value.retry_after.total_seconds() > 0


def test_given_a_tenants_share_taken_when_it_calls_again_then_only_it_is_refused() -> None:
    load = LoadBound(in_all=9, per_tenant=1)

    with load.of_tenant("acme"):
        with pytest.raises(Overloaded), load.of_tenant("acme"):
            pass
        with load.of_tenant("other"):
            pass

    with load.of_tenant("acme"):
        pass


def test_given_a_call_that_fails_when_it_ends_then_its_place_is_free() -> None:
    load = LoadBound(in_all=1, per_tenant=1)

    with pytest.raises(RuntimeError), load.a_call(), load.of_tenant("acme"):
        raise RuntimeError

    with load.a_call(), load.of_tenant("acme"):
        pass
