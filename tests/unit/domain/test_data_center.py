"""Whose mail a worker takes: its own site's, and what is PREFERRED of dead sites where it stands in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.data_center import TAKEN_OVER_AFTER, Presence, Reach, is_served, nobody_there, reach_of
from domain.failures.failure import Fix
from domain.reasons import Reason
from domain.settings.model import DataCenterPolicy

PREFERRED, STRICT = DataCenterPolicy.PREFERRED, DataCenterPolicy.STRICT
ORDER = ("eu-1", "us-1", "ap-1")
MOMENT = timedelta(seconds=1)

SITES = st.sampled_from(["", "eu-1", "us-1", "ap-1", "old-9"])
LONG_AWAY = st.integers(0, 60).map(lambda seconds: timedelta(seconds=seconds))
PRESENT = st.dictionaries(SITES, st.tuples(st.integers(0, 3), LONG_AWAY)).map(
    lambda found: [Presence(name, live, timedelta(0) if live else away) for name, (live, away) in found.items()]
)


def test_given_all_sites_alive_when_asked_then_the_first_stands_in_for_none_of_them_and_the_rest_for_nobody() -> None:
    present = [Presence(name, 1) for name in ORDER]

    assert reach_of("eu-1", present, order=ORDER) == Reach("eu-1", frozenset(ORDER))
    assert reach_of("us-1", present, order=ORDER) == Reach("us-1")


def test_given_a_site_gone_for_long_enough_when_asked_then_the_next_in_order_takes_its_mail() -> None:
    present = [Presence("eu-1", 0, TAKEN_OVER_AFTER), Presence("ap-1", 1), Presence("us-1", 1)]

    assert reach_of("us-1", present, order=ORDER) == Reach("us-1", frozenset({"us-1", "ap-1"}))
    assert reach_of("ap-1", present, order=ORDER) == Reach("ap-1")


def test_given_a_site_gone_for_a_moment_when_asked_then_its_mail_waits_for_it() -> None:
    present = [Presence("eu-1", 0, TAKEN_OVER_AFTER - MOMENT), Presence("us-1", 1)]

    assert reach_of("us-1", present, order=ORDER) == Reach("us-1", frozenset({"eu-1", "us-1"}))


def test_given_workers_of_no_named_site_when_asked_then_they_stand_in_last() -> None:
    with_another = [Presence("", 1), Presence("old-9", 1)]

    assert reach_of("", with_another, order=ORDER) == Reach("")
    assert reach_of("old-9", with_another, order=ORDER) == Reach("old-9", frozenset({"old-9"}))
    assert reach_of("", [Presence("", 1)], order=()) == Reach("", frozenset())


def test_given_nothing_known_when_asked_then_a_worker_takes_its_own_mail_alone() -> None:
    assert reach_of("us-1", [], order=ORDER) == Reach("us-1")


@given(present=PRESENT, order=st.permutations(ORDER))
def test_given_any_workers_when_one_site_stands_in_then_no_other_does_and_no_living_site_loses_mail(
    present: list[Presence], order: list[str]
) -> None:
    live = {each.data_center for each in present if each.live}

    reaches = [reach_of(name, present, order=order) for name in live]

    standing_in = [each for each in reaches if each.stands_in_except is not None]
    assert len(standing_in) == bool(live)
    for reach in standing_in:
        assert live - {""} <= (reach.stands_in_except or frozenset())


@pytest.mark.parametrize(
    ("site", "policy", "expected"),
    [
        ("eu-1", STRICT, True),
        ("us-1", STRICT, False),
        ("us-1", PREFERRED, True),
        ("", PREFERRED, True),
    ],
)
def test_given_one_site_alive_when_asked_then_only_strict_mail_of_others_has_nobody(
    site: str, policy: DataCenterPolicy, expected: bool
) -> None:
    assert is_served(site, policy, [Presence("eu-1", 1), Presence("us-1", 0, MOMENT)]) is expected


@pytest.mark.parametrize("policy", list(DataCenterPolicy))
def test_given_nobody_alive_when_asked_then_nothing_is_served_and_the_failure_names_the_site(
    policy: DataCenterPolicy,
) -> None:
    failure = nobody_there("us-1", policy)

    assert not is_served("us-1", policy, [Presence("us-1", 0, MOMENT)])
    assert not is_served("", PREFERRED, [])
    assert failure.reason is Reason.DATA_CENTER_AWAY
    assert not failure.is_final
    assert "us-1" in failure.cause
    assert failure.fixes == ((Fix("settings.data_center_policy", "PREFERRED"),) if policy is STRICT else ())
