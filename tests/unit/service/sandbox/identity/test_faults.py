"""Faults by name of the account, and faults that were planned."""

from __future__ import annotations

import pytest

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.faults import CONSENT_FAULTS, MAGIC_ACCOUNTS, Fault, PlannedFaults, magic_of


def test_given_the_magic_accounts_when_counted_then_each_name_is_one_and_ten_token_faults_have_one() -> None:
    names = [magic.local_part for magic in MAGIC_ACCOUNTS]

    assert len(set(names)) == len(names)
    assert len({magic.fault for magic in MAGIC_ACCOUNTS} - CONSENT_FAULTS) >= 9


@pytest.mark.parametrize("account", ["revoked@a.example", "REVOKED+x@b.example", "revoked+y+z@c.example"])
def test_given_a_magic_account_when_refreshing_then_its_fault_strikes_and_the_exchange_works(account: str) -> None:
    faults = PlannedFaults()

    assert faults.at_token(Behaviour.GOOGLE, "authorization_code", account) is None
    assert faults.at_token(Behaviour.GOOGLE, "refresh_token", account) is Fault.INVALID_GRANT
    assert faults.at_consent(Behaviour.GOOGLE, account) is None


@pytest.mark.parametrize("account", ["robot@sandbox.example", "xrevoked@a.example", "revoked", ""])
def test_given_any_other_account_when_asked_then_it_has_no_magic(account: str) -> None:
    assert magic_of(account) is None


def test_given_planned_faults_when_requests_come_then_each_strikes_where_it_was_meant_and_as_often() -> None:
    faults = PlannedFaults()
    faults.plan(Fault.HTML_503, behaviour=Behaviour.STRICT, grant_type="refresh_token", times=2)
    faults.plan(Fault.ACCESS_DENIED)

    struck = [
        faults.at_token(Behaviour.GOOGLE, "refresh_token", ""),
        faults.at_token(Behaviour.STRICT, "authorization_code", ""),
        *(faults.at_token(Behaviour.STRICT, "refresh_token", "") for _ in range(3)),
        faults.at_consent(Behaviour.GOOGLE, "a@b.example"),
        faults.at_consent(Behaviour.GOOGLE, "a@b.example"),
    ]

    assert struck == [None, None, Fault.HTML_503, Fault.HTML_503, None, Fault.ACCESS_DENIED, None]


def test_given_planned_faults_when_cleared_then_none_strikes() -> None:
    faults = PlannedFaults()
    faults.plan(Fault.TIMEOUT, times=5)

    faults.clear()

    assert faults.at_token(Behaviour.GOOGLE, "refresh_token", "") is None


def test_given_no_times_when_planning_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="once at least"):
        PlannedFaults().plan(Fault.TIMEOUT, times=0)
