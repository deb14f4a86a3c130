"""Ends that can be foreseen, and when they are announced."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.forecast import Forecast, ForecastKind, forecasts, threshold
from domain.grant import Grant, GrantState
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import GrantType
from tests.builders import NOW, an_oauth_authentication
from tests.consent_builders import a_basis, a_grant

DAY = timedelta(days=1)


def foreseen(
    grant: Grant | None = None,
    *,
    provider: OAuthProvider = OAuthProvider.CUSTOM,
    after: timedelta = timedelta(0),
    **changes: Any,
) -> list[tuple[ForecastKind, timedelta, bool]]:
    authentication = an_oauth_authentication(provider=provider, **changes)
    found = forecasts(authentication, grant, now=NOW + after)
    assert all(each.message and each.remedy for each in found)
    return [(each.kind, each.expected_time - NOW, each.is_certain) for each in found]


@pytest.mark.parametrize("kind", ForecastKind)
def test_given_a_kind_of_end_when_told_to_callers_then_its_word_is_a_documented_reason(kind: ForecastKind) -> None:
    assert Reason(kind.value).value == kind.value


def test_given_a_client_secret_with_a_date_when_foreseen_then_certain_even_without_a_grant() -> None:
    expected = [(ForecastKind.CLIENT_SECRET_EXPIRING, 20 * DAY, True)]

    assert foreseen(client_secret_expire_time=NOW + 20 * DAY) == expected
    dead = a_grant(state=GrantState.REAUTHORIZATION_REQUIRED)
    assert foreseen(dead, provider=OAuthProvider.GOOGLE, client_secret_expire_time=NOW + 20 * DAY) == expected


def test_given_nothing_known_when_foreseen_then_nothing() -> None:
    assert foreseen(a_grant()) == []


def test_given_a_grant_that_takes_no_person_when_foreseen_then_the_client_secret_alone() -> None:
    client = a_grant(basis=a_basis(grant_type=GrantType.CLIENT_CREDENTIALS), refresh_token=Secret(""))

    found = foreseen(client, provider=OAuthProvider.MICROSOFT, client_secret_expire_time=NOW + DAY)

    assert found == [(ForecastKind.CLIENT_SECRET_EXPIRING, DAY, True)]


def test_given_idle_limits_when_foreseen_then_they_count_from_the_last_use() -> None:
    used = a_grant(refresh_time=NOW + 10 * DAY)

    assert foreseen(a_grant(), provider=OAuthProvider.MICROSOFT) == [(ForecastKind.GRANT_IDLE, 90 * DAY, False)]
    assert foreseen(used, provider=OAuthProvider.MICROSOFT) == [(ForecastKind.GRANT_IDLE, 100 * DAY, False)]
    assert foreseen(used, provider=OAuthProvider.GOOGLE) == [(ForecastKind.GRANT_IDLE, 190 * DAY, False)]


def test_given_google_when_consent_is_new_then_test_mode_is_suspected_until_a_refresh_after_seven_days() -> None:
    suspicion = (ForecastKind.GOOGLE_TEST_MODE, 7 * DAY, False)
    google = OAuthProvider.GOOGLE

    assert suspicion in foreseen(a_grant(), provider=google)
    assert suspicion in foreseen(a_grant(refresh_time=NOW + 6 * DAY), provider=google, after=6 * DAY)
    assert suspicion not in foreseen(a_grant(refresh_time=NOW + 8 * DAY), provider=google, after=8 * DAY)
    assert suspicion not in foreseen(a_grant(), provider=google, after=30 * DAY)
    assert suspicion not in foreseen(a_grant(), provider=OAuthProvider.MICROSOFT)


def test_given_google_when_it_says_seven_days_then_test_mode_is_certain_and_said_once() -> None:
    told = a_grant(refresh_token_expire_time=NOW + timedelta(seconds=604_799))

    kinds = {kind: is_certain for kind, _, is_certain in foreseen(told, provider=OAuthProvider.GOOGLE)}

    assert kinds == {ForecastKind.GOOGLE_TEST_MODE: True, ForecastKind.GRANT_IDLE: False}


def test_given_a_refresh_token_with_an_end_when_foreseen_then_that_end() -> None:
    month = a_grant(refresh_token_expire_time=NOW + 30 * DAY)

    assert foreseen(month) == [(ForecastKind.GRANT_EXPIRING, 30 * DAY, True)]
    assert (ForecastKind.GRANT_EXPIRING, 30 * DAY, True) in foreseen(month, provider=OAuthProvider.GOOGLE)


def test_given_several_ends_when_foreseen_then_the_nearest_first() -> None:
    grant = a_grant(refresh_token_expire_time=NOW + 60 * DAY)

    found = foreseen(grant, provider=OAuthProvider.MICROSOFT, client_secret_expire_time=NOW + 70 * DAY)

    assert [span for _, span, _ in found] == [60 * DAY, 70 * DAY, 90 * DAY]


@pytest.mark.parametrize(
    ("remaining", "expected"),
    [
        (31 * DAY, None),
        (30 * DAY, 30 * DAY),
        (15 * DAY, 30 * DAY),
        (14 * DAY, 14 * DAY),
        (7 * DAY, 7 * DAY),
        (1 * DAY, 1 * DAY),
        (timedelta(0), 1 * DAY),
        (-5 * DAY, 1 * DAY),
    ],
)
def test_given_an_end_when_it_comes_nearer_then_thirty_fourteen_seven_and_one_days_ahead(
    remaining: timedelta, expected: timedelta | None
) -> None:
    assert threshold(NOW + remaining, now=NOW) == expected


def test_given_a_forecast_when_printed_then_it_says_what_to_do() -> None:
    (found,) = forecasts(an_oauth_authentication(client_secret_expire_time=NOW), None, now=NOW)

    assert isinstance(found, Forecast)
    assert "2026-03-01" in found.message
    assert "Configure" in found.remedy
