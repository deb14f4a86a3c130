"""The life of a grant's tokens: F26 to F29, P10 to P12."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.failure import FailureKind
from domain.grant import Grant, GrantState
from domain.providers.preset import OAuthProvider
from domain.resource import GRAPH, OUTLOOK, SINGLE
from domain.secret import Secret
from domain.token import TokenAnswer, TokenRefusal
from domain.token_life import (
    KEEP_INTERVAL,
    MAXIMUM_LIFETIME,
    Freshness,
    freshness,
    keep_time,
    may_ask,
    refreshed,
    refused,
)
from tests.builders import NOW
from tests.consent_builders import a_grant, a_token_answer, a_token_failure, a_token_refusal, an_access_token

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
RT1 = Secret("RT1")


def after(grant: Grant, *, at: datetime = NOW, resource: Any = SINGLE, **changes: Any) -> Grant:
    answer = a_token_answer(**changes)
    issuer = OAuthProvider.CUSTOM if resource == SINGLE else OAuthProvider.MICROSOFT
    return refreshed(grant, answer, resource=resource, issuer=issuer, asked_time=at)


def failed(
    grant: Grant,
    refusal: TokenRefusal,
    *,
    posted: Secret = RT1,
    at: datetime = NOW,
    issuer: OAuthProvider = OAuthProvider.CUSTOM,
    jitter: float = 0.0,
) -> Grant:
    return refused(grant, refusal, posted=posted, issuer=issuer, now=at, jitter=jitter)


def no_answer() -> TokenRefusal:
    return a_token_refusal("", is_answer=False)


@pytest.mark.parametrize(
    ("age", "jitter", "expected"),
    [
        (timedelta(0), 0.0, Freshness.FRESH),
        (timedelta(minutes=54, seconds=59), 0.0, Freshness.FRESH),
        (timedelta(minutes=55), 0.0, Freshness.STALE),
        (timedelta(minutes=49, seconds=59), 1.0, Freshness.FRESH),
        (timedelta(minutes=50), 1.0, Freshness.STALE),
        (timedelta(minutes=59, seconds=59), 0.5, Freshness.STALE),
        (HOUR, 0.0, Freshness.EXPIRED),
        (timedelta(days=400), 0.0, Freshness.EXPIRED),
    ],
)
def test_given_a_token_for_an_hour_when_it_ages_then_due_five_to_ten_minutes_ahead(
    age: timedelta, jitter: float, expected: Freshness
) -> None:
    assert freshness(a_grant(), SINGLE, now=NOW + age, jitter=jitter) is expected


@given(seconds=st.integers(1, 10**7), jitter=st.floats(0, 1))
def test_given_any_lifetime_when_just_issued_then_fresh_so_that_not_every_send_refreshes(
    seconds: int, jitter: float
) -> None:
    grant = after(a_grant(), expires_in=timedelta(seconds=seconds))

    assert freshness(grant, SINGLE, now=NOW, jitter=jitter) is Freshness.FRESH


def test_given_no_token_for_a_resource_when_judged_then_expired() -> None:
    assert freshness(a_grant(), GRAPH, now=NOW, jitter=0.0) is Freshness.EXPIRED


def test_given_an_answer_when_refreshed_then_the_next_generation_with_the_rotated_token() -> None:
    grant = after(a_grant(), at=NOW + HOUR)

    token = grant.access_token(SINGLE)
    assert token is not None
    assert (grant.generation, grant.refresh_token, grant.refresh_time) == (2, Secret("RT2"), NOW + HOUR)
    assert (token.token, token.generation, token.expire_time) == (Secret("AT2"), 2, NOW + 2 * HOUR)


@pytest.mark.parametrize("rotated", [None, Secret("")])
def test_given_f27_an_answer_without_a_refresh_token_when_refreshed_then_the_old_one_stays(
    rotated: Secret | None,
) -> None:
    first = after(a_grant(), refresh_token=rotated, scopes=None)
    second = after(first, refresh_token=rotated, scopes=None)

    assert (first.refresh_token, second.refresh_token) == (RT1, RT1)
    assert second.granted_scopes == ("mail",)
    assert second.generation == 3


@pytest.mark.parametrize(
    ("told", "lifetime"),
    [
        (None, HOUR),
        (timedelta(seconds=3600), HOUR),
        (timedelta(seconds=90), timedelta(seconds=90)),
        (timedelta(0), timedelta(0)),
        (timedelta(seconds=-1), timedelta(0)),
        (timedelta(days=-999_999_999), timedelta(0)),
        (timedelta(days=999_999_999), MAXIMUM_LIFETIME),
    ],
)
def test_given_f28_whatever_lifetime_when_refreshed_then_never_for_ever_and_never_a_crash(
    told: timedelta | None, lifetime: timedelta
) -> None:
    token = after(a_grant(), expires_in=told).access_token(SINGLE)

    assert token is not None
    assert token.expire_time == NOW + lifetime


def test_given_f28_a_lifetime_of_zero_when_refreshed_then_expired_already() -> None:
    grant = after(a_grant(), expires_in=timedelta(0))

    assert freshness(grant, SINGLE, now=NOW, jitter=0.0) is Freshness.EXPIRED


def test_given_two_resources_when_one_is_refreshed_then_the_other_keeps_token_and_scopes() -> None:
    outlook = an_access_token(resource=OUTLOOK, token=Secret("outlook"))
    smtp, send = "https://outlook.office.com/SMTP.Send", "https://graph.microsoft.com/Mail.Send"
    grant = a_grant(access_tokens=(outlook,), granted_scopes=(smtp, "openid"))

    both = after(grant, resource=GRAPH, scopes=(send,))

    assert both.access_token(OUTLOOK) == outlook
    assert [token.resource for token in both.access_tokens] == [GRAPH, OUTLOOK]
    assert set(both.granted_scopes) == {smtp, send}


def test_given_a_refresh_token_with_an_end_when_refreshed_then_told_anew_or_forgotten_with_the_old_token() -> None:
    week = timedelta(days=7)
    grant = a_grant(refresh_token_expire_time=NOW + week)

    assert after(grant, refresh_token_expires_in=2 * week).refresh_token_expire_time == NOW + 2 * week
    assert after(grant, refresh_token=None).refresh_token_expire_time == NOW + week
    assert after(grant).refresh_token_expire_time is None


@pytest.mark.parametrize("state", [GrantState.AUTHORIZED, GrantState.REFRESH_IN_DOUBT])
def test_given_former_failures_when_refreshed_then_they_are_forgotten(state: GrantState) -> None:
    troubled = a_grant(
        state=state, failure=a_token_failure(), failing_since=NOW, failure_count=5, retry_time=NOW + HOUR
    )

    healed = after(troubled)

    assert (healed.state, healed.failure, healed.failing_since) == (GrantState.AUTHORIZED, None, None)
    assert (healed.failure_count, healed.retry_time) == (0, None)


def test_given_f29_invalid_grant_for_the_stored_token_when_refused_then_dead_and_nothing_is_asked_any_more() -> None:
    dead = failed(a_grant(), a_token_refusal())

    assert dead.state is GrantState.REAUTHORIZATION_REQUIRED
    assert (dead.access_tokens, dead.generation, dead.refresh_token) == ((), 1, RT1)
    assert dead.failure is not None
    assert dead.failure.kind is FailureKind.REAUTHORIZE
    assert not may_ask(dead, now=NOW + timedelta(days=999))
    assert keep_time(dead) is None


def test_given_f26_invalid_grant_for_a_token_that_was_replaced_meanwhile_when_refused_then_healthy() -> None:
    rotated = a_grant(generation=2, refresh_token=Secret("RT2"))

    assert failed(rotated, a_token_refusal(), posted=RT1) == rotated


def test_given_a_dead_grant_when_refused_again_then_it_stays_as_it_is() -> None:
    dead = failed(a_grant(), a_token_refusal())

    assert failed(dead, a_token_refusal(), at=NOW + HOUR) == dead


@pytest.mark.parametrize(
    "refusal",
    [
        a_token_refusal("temporarily_unavailable"),
        a_token_refusal("server_error"),
        a_token_refusal("invalid_client"),
        a_token_refusal("unauthorized_client"),
        a_token_refusal("invalid_scope"),
        a_token_refusal(""),
        a_token_refusal("INVALID_GRANT"),
        no_answer(),
    ],
)
def test_given_f29_any_other_refusal_when_repeated_for_a_month_then_the_grant_lives(refusal: TokenRefusal) -> None:
    grant = a_grant()

    for day in range(30):
        grant = failed(grant, refusal, at=NOW + timedelta(days=day))

    assert not grant.is_dead
    assert grant.access_tokens == a_grant().access_tokens
    assert (grant.failing_since, grant.failure_count, grant.generation) == (NOW, 30, 1)
    assert after(grant).state is GrantState.AUTHORIZED


def test_given_invalid_grant_that_heals_by_waiting_when_repeated_then_believed_after_half_an_hour() -> None:
    passing = a_token_refusal(failure=a_token_failure(kind=FailureKind.THROTTLED))

    early = failed(failed(a_grant(), passing), passing, at=NOW + 29 * MINUTE)
    late = failed(early, passing, at=NOW + 30 * MINUTE)

    assert not early.is_dead
    assert late.is_dead


def test_given_a_token_that_microsoft_may_take_back_when_refused_then_tried_for_half_an_hour_without_a_person() -> None:
    """AADSTS70000 has passed on a later try; meanwhile mail waits as for a server that is away."""
    refusal = a_token_refusal(failure=a_token_failure(provider_code="400 invalid_grant AADSTS70000"))

    early = failed(a_grant(), refusal)
    late = failed(early, refusal, at=NOW + 30 * MINUTE)

    assert early.state is GrantState.AUTHORIZED
    assert early.failure is not None
    assert early.failure.kind is FailureKind.TRANSIENT
    assert late.is_dead
    assert late.failure is not None
    assert late.failure.kind is FailureKind.REAUTHORIZE


def test_given_a_policy_that_blocks_the_account_when_refused_for_a_month_then_the_grant_waits_for_its_end() -> None:
    """AADSTS53003, 50053, 50057: the refresh token is as good as before once the policy or the account is put right."""
    grant = a_grant()
    blocked = a_token_refusal(failure=a_token_failure(kind=FailureKind.MISCONFIGURED))

    for day in range(30):
        grant = failed(grant, blocked, at=NOW + timedelta(days=day))

    assert not grant.is_dead
    assert after(grant).failure is None


def test_given_p12_a_lost_answer_when_refused_then_in_doubt_until_a_definite_one() -> None:
    doubtful = failed(a_grant(), no_answer())
    after_a_server_error = failed(doubtful, a_token_refusal("server_error"))
    dead = failed(doubtful, a_token_refusal())

    assert doubtful.state is GrantState.REFRESH_IN_DOUBT
    assert after_a_server_error.state is GrantState.REFRESH_IN_DOUBT
    assert after(after_a_server_error).state is GrantState.AUTHORIZED
    assert dead.is_dead
    assert dead.failure is not None
    assert "lost" in dead.failure.cause


def test_given_a_grant_that_was_not_in_doubt_when_it_ends_then_no_answer_is_said_to_be_lost() -> None:
    dead = failed(a_grant(), a_token_refusal())

    assert dead.failure == a_token_failure()


@pytest.mark.parametrize(
    ("issuer", "days", "is_suspected"),
    [
        (OAuthProvider.GOOGLE, 7, True),
        (OAuthProvider.GOOGLE, 3, False),
        (OAuthProvider.GOOGLE, 30, False),
        (OAuthProvider.MICROSOFT, 7, False),
    ],
)
def test_given_a_grant_that_lived_seven_days_when_google_ends_it_then_test_mode_is_named(
    issuer: OAuthProvider, days: int, is_suspected: bool
) -> None:
    dead = failed(a_grant(), a_token_refusal(), at=NOW + timedelta(days=days, minutes=3), issuer=issuer)

    assert dead.failure is not None
    assert ("test mode" in dead.failure.remedy) is is_suspected


def test_given_failures_in_a_row_when_paused_then_doubling_up_to_five_minutes() -> None:
    grant, pauses = a_grant(), []

    for _ in range(300):
        grant = failed(grant, a_token_refusal("server_error"), jitter=1.0)
        assert grant.retry_time is not None
        pauses.append((grant.retry_time - NOW).total_seconds())

    assert pauses[:9] == [2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert set(pauses[9:]) == {300}


@given(count=st.integers(0, 10**6), jitter=st.floats(0, 1))
def test_given_any_number_of_failures_when_paused_then_within_bounds(count: int, jitter: float) -> None:
    grant = failed(a_grant(failure_count=count), a_token_refusal("server_error"), jitter=jitter)

    assert grant.retry_time is not None
    assert timedelta(seconds=1) <= grant.retry_time - NOW <= timedelta(minutes=5)


@pytest.mark.parametrize(
    ("wish", "pause"),
    [
        (NOW + timedelta(seconds=90), timedelta(seconds=90)),
        (NOW - HOUR, timedelta(seconds=2)),
        (NOW + timedelta(days=99), HOUR),
    ],
)
def test_given_a_pause_that_the_provider_asks_for_when_refused_then_kept_within_reason(
    wish: datetime, pause: timedelta
) -> None:
    refusal = a_token_refusal("slow_down", failure=a_token_failure(kind=FailureKind.THROTTLED, retry_time=wish))

    grant = failed(a_grant(), refusal)

    assert grant.retry_time == NOW + pause
    assert not may_ask(grant, now=NOW + pause - timedelta(seconds=1))
    assert may_ask(grant, now=NOW + pause)


def test_given_a_grant_when_nobody_uses_it_then_kept_a_week_after_its_last_use() -> None:
    assert keep_time(a_grant()) == NOW + KEEP_INTERVAL
    assert keep_time(a_grant(refresh_time=NOW + HOUR)) == NOW + HOUR + KEEP_INTERVAL


@pytest.mark.parametrize(
    ("life", "kept_after"),
    [
        (timedelta(days=90), KEEP_INTERVAL),
        (timedelta(days=1), timedelta(hours=12)),
        (timedelta(seconds=30), MINUTE),
        (timedelta(0), MINUTE),
    ],
)
def test_given_a_refresh_token_with_an_end_when_idle_then_kept_at_half_its_life(
    life: timedelta, kept_after: timedelta
) -> None:
    assert keep_time(a_grant(refresh_token_expire_time=NOW + life)) == NOW + kept_after


def test_given_a_refresh_that_failed_when_idle_then_kept_an_hour_after_its_pause() -> None:
    """A client secret that ended months ago is not asked about all day long."""
    later = NOW + timedelta(days=10)

    assert keep_time(a_grant(retry_time=later)) == later + HOUR


@given(
    answers=st.lists(
        st.builds(
            TokenAnswer,
            access_token=st.just(Secret("AT")),
            expires_in=st.none() | st.timedeltas(),
            refresh_token=st.none() | st.just(Secret("")) | st.text(min_size=1, max_size=5).map(Secret),
            scopes=st.none() | st.lists(st.sampled_from(["a", "b", "openid"])).map(tuple),
            refresh_token_expires_in=st.none() | st.timedeltas(),
        ),
        max_size=6,
    )
)
def test_given_any_answers_in_a_row_when_refreshed_then_there_is_always_a_refresh_token_and_generations_rise(
    answers: list[TokenAnswer],
) -> None:
    grant = a_grant()

    for number, answer in enumerate(answers, start=2):
        grant = refreshed(grant, answer, resource=SINGLE, issuer=OAuthProvider.CUSTOM, asked_time=NOW)
        assert grant.generation == number

    told = [answer.refresh_token for answer in answers if answer.refresh_token]
    assert grant.refresh_token == (told[-1] if told else RT1)
    assert replace(grant, state=GrantState.AUTHORIZED) == grant
    assert len(grant.access_tokens) == 1
