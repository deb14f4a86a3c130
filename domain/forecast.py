"""Ends of a consent that can be foreseen, and when to say so (rule 8; provider pages as of 2026-11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.grant import Grant, issuer_of
from domain.providers.preset import OAuthProvider
from domain.settings.model import OAuthAuthentication

THRESHOLDS: Final = (timedelta(days=30), timedelta(days=14), timedelta(days=7), timedelta(days=1))
"""How long before an end a warning goes out, the first one first."""
IDLE_LIMITS: Final = {OAuthProvider.GOOGLE: timedelta(days=180), OAuthProvider.MICROSOFT: timedelta(days=90)}
"""How long a refresh token may lie unused: six months at Google, 90 days at Microsoft; elsewhere not known."""
TEST_MODE_LIFETIME: Final = timedelta(days=7)
"""Google ends consents to an External application in status Testing after it ("Refresh token expiration")."""
TEST_MODE_HINT: Final = (
    "It lived for seven days, as in Google's test mode: make the application Internal, or publish it, before."
)
_TEST_MODE_TOLERANCE: Final = timedelta(days=1)


class ForecastKind(StrEnum):
    """What will end sending; the values are words of the API."""

    CLIENT_SECRET_EXPIRING = "CLIENT_SECRET_EXPIRING"
    GRANT_IDLE = "GRANT_IDLE"
    """The provider drops refresh tokens that nobody uses."""
    GRANT_EXPIRING = "GRANT_EXPIRING"
    """The provider gave the refresh token an end."""
    GOOGLE_TEST_MODE = "GOOGLE_TEST_MODE"


@dataclass(frozen=True, slots=True)
class Forecast:
    """One end that can be foreseen."""

    kind: ForecastKind
    expected_time: datetime
    message: str
    remedy: str
    is_certain: bool = True
    """False: a suspicion that only time can settle, or an end that mailport itself averts while it runs."""


def forecasts(authentication: OAuthAuthentication, grant: Grant | None, *, now: datetime) -> tuple[Forecast, ...]:
    """
    Returns what will end sending if nobody acts, the nearest first.

    Of a dead grant, and of one that takes no person and so has no refresh token, only the client secret's end.
    """
    found = [_client_secret(authentication)]
    if grant is not None and grant.takes_person and not grant.is_dead:
        issuer = issuer_of(authentication)
        test_mode = _test_mode(grant, issuer, now)
        found += [test_mode or _expiry(grant), _idle(grant, issuer)]
    return tuple(sorted((each for each in found if each is not None), key=lambda each: each.expected_time))


def threshold(expected_time: datetime, *, now: datetime) -> timedelta | None:
    """
    Returns the threshold that *now* lies within: 30, 14, 7 or 1 days; None while more than 30 days remain.

    What has passed already is within the last one.
    """
    return min((each for each in THRESHOLDS if expected_time - now <= each), default=None)


def is_near(forecast: Forecast, *, now: datetime) -> bool:
    """
    Tells whether somebody should act on *forecast* by now: within 30 days of its end.

    Not on a suspicion. An idle grant counts although mailport averts its end: near it, nothing has averted it.
    """
    counts = forecast.is_certain or forecast.kind is ForecastKind.GRANT_IDLE
    return counts and threshold(forecast.expected_time, now=now) is not None


def ended_like_test_mode(grant: Grant, *, issuer: OAuthProvider, now: datetime) -> bool:
    """Tells whether a grant that Google has just ended lived for the seven days that test mode allows, give or take."""
    age = now - grant.authorize_time
    return issuer is OAuthProvider.GOOGLE and abs(age - TEST_MODE_LIFETIME) <= _TEST_MODE_TOLERANCE


def _client_secret(authentication: OAuthAuthentication) -> Forecast | None:
    end = authentication.client_secret_expire_time
    if end is None:
        return None
    return Forecast(
        ForecastKind.CLIENT_SECRET_EXPIRING,
        end,
        f"The client secret ends on {end:%Y-%m-%d}; from then on no token is refreshed.",
        "Make a new client secret at the provider and enter it with Configure; the consent stays valid.",
    )


def _test_mode(grant: Grant, issuer: OAuthProvider, now: datetime) -> Forecast | None:
    """Google says so in ``refresh_token_expires_in``; without that, only a refresh after the seven days clears it."""
    if issuer is not OAuthProvider.GOOGLE:
        return None
    end = grant.authorize_time + TEST_MODE_LIFETIME
    told = grant.refresh_token_expire_time
    if told is not None:
        if abs(told - end) > _TEST_MODE_TOLERANCE:
            return None
        end = told
    elif now >= end + _TEST_MODE_TOLERANCE or grant.last_use_time > end:
        return None
    message = "The consent ends on" if told else "If the application is External in status Testing, the consent ends on"
    return Forecast(
        ForecastKind.GOOGLE_TEST_MODE,
        end,
        f"{message} {end:%Y-%m-%d}: seven days are all that Google gives in test mode.",
        "Make the application Internal, or publish it, in the Google Cloud console; then call Authorize once more.",
        is_certain=told is not None,
    )


def _expiry(grant: Grant) -> Forecast | None:
    end = grant.refresh_token_expire_time
    if end is None:
        return None
    return Forecast(
        ForecastKind.GRANT_EXPIRING,
        end,
        f"The provider lets the refresh token end on {end:%Y-%m-%d} unless a refresh brings a new one.",
        "If this day comes nearer although mail is sent, let the user consent again with Authorize.",
    )


def _idle(grant: Grant, issuer: OAuthProvider) -> Forecast | None:
    limit = IDLE_LIMITS.get(issuer)
    if limit is None:
        return None
    end = grant.last_use_time + limit
    return Forecast(
        ForecastKind.GRANT_IDLE,
        end,
        f"The provider drops the refresh token on {end:%Y-%m-%d} if it is not used until then.",
        "Keep mailport running with the role keeper: it refreshes idle consents every week.",
        is_certain=False,
    )
