"""The life of a grant's tokens: due, refreshed, rotated, refused, dead (rule 8; RFC 6749 sections 5 and 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.failures.failure import Failure, FailureKind
from domain.forecast import TEST_MODE_HINT, ended_like_test_mode
from domain.grant import AccessToken, Grant, GrantState
from domain.providers.preset import OAuthProvider
from domain.resource import Resource, resource_of
from domain.secret import Secret
from domain.token import TokenAnswer, TokenRefusal

DEFAULT_LIFETIME: Final = timedelta(hours=1)
"""Of an access token whose answer does not say (RFC 6749 section 5.1, F28)."""
MAXIMUM_LIFETIME: Final = timedelta(days=366)
"""Whatever an answer says: no token is held to be good for ever (F28)."""
REFRESH_MARGIN: Final = timedelta(minutes=5)
"""How long before its end a token is due at the latest; a short-lived one after nine tenths of its life."""
KEEP_INTERVAL: Final = timedelta(days=7)
"""How long a refresh token lies idle at most: far below every known limit, so that a keeper may be away for weeks."""
_KEEP_AGAIN: Final = timedelta(hours=1)
"""A keeper's pause after a failure: nobody waits for these tokens, and a client that ended is no emergency."""
_SHORTEST_IDLING: Final = timedelta(minutes=1)
_FIRST_PAUSE: Final = timedelta(seconds=2)
_LONGEST_PAUSE: Final = timedelta(minutes=5)
_LONGEST_WISH: Final = timedelta(hours=1)
"""The longest pause that a provider is granted: a Retry-After of weeks is a mistake."""
_PATIENCE: Final = timedelta(minutes=30)
"""How long ``invalid_grant`` is not believed where it is known to heal by waiting (AADSTS50196, `_TAKEN_BACK`)."""
_TAKEN_BACK: Final = "AADSTS70000"
"""Seen to pass on a later try with the same token, for personal accounts (BingAds-Python-SDK issue 279)."""


class Freshness(StrEnum):
    """How good an access token is."""

    FRESH = "FRESH"
    STALE = "STALE"
    """Good, and due for a refresh: whoever comes first refreshes, the others use it meanwhile."""
    EXPIRED = "EXPIRED"
    """Ended, or there is none."""


def freshness(grant: Grant, resource: Resource, *, now: datetime, jitter: float) -> Freshness:
    """
    Tells how good the access token for *resource* is at *now*.

    *jitter*, from 0.0 to 1.0, brings the refresh forward by up to one margin more, so that replicas and grants do not
    ask all at once. The margin is five minutes, and no more than a tenth of the token's life.
    """
    token = grant.access_token(resource)
    if token is None or now >= token.expire_time:
        return Freshness.EXPIRED
    margin = min(REFRESH_MARGIN, (token.expire_time - token.issue_time) / 10)
    return Freshness.STALE if now >= token.expire_time - margin * (1 + jitter) else Freshness.FRESH


def may_ask(grant: Grant, *, now: datetime) -> bool:
    """Tells whether the token endpoint may be asked: the grant is not dead (F29), and no pause is on."""
    return not grant.is_dead and (grant.retry_time is None or now >= grant.retry_time)


def refreshed(
    grant: Grant, answer: TokenAnswer, *, resource: Resource, issuer: OAuthProvider, asked_time: datetime
) -> Grant:
    """
    Returns the grant's next generation, to be committed before its tokens are used (P11).

    The old refresh token stays when the answer has none or an empty one (F27), and so do scopes that it does not name;
    access tokens of other resources stay. *asked_time*: when the request went out.
    """
    generation = grant.generation + 1
    token = access_token_of(answer, resource=resource, generation=generation, asked_time=asked_time)
    rotated = answer.refresh_token or None
    return replace(
        grant,
        generation=generation,
        refresh_token=rotated or grant.refresh_token,
        refresh_token_expire_time=_refresh_token_end(grant, answer, asked_time),
        access_tokens=_in_order((*(other for other in grant.access_tokens if other.resource != resource), token)),
        granted_scopes=merged_scopes(grant.granted_scopes, answer.scopes, resource=resource, issuer=issuer),
        account=grant.account or answer.account,
        refresh_time=asked_time,
        state=GrantState.AUTHORIZED,
        failure=None,
        failing_since=None,
        failure_count=0,
        retry_time=None,
    )


def refused(
    grant: Grant, refusal: TokenRefusal, *, posted: Secret, issuer: OAuthProvider, now: datetime, jitter: float
) -> Grant:
    """
    Returns the grant after a refresh with the refresh token *posted* brought no tokens; same generation.

    *grant* is as the store has it after the refusal. ``invalid_grant`` for a token that is no longer the stored one
    says nothing of the grant, which comes back as it is (F26). For the stored one it ends the grant (F29), unless the
    provider is known to take it back within half an hour, or to mean a policy or an account that an administrator can
    put right with the refresh token still good. Everything else leaves it alive: server errors, throttling,
    ``invalid_client``; a lost answer makes it REFRESH_IN_DOUBT (P12). A grant that takes no person neither ends nor
    comes into doubt, since nothing is used up.
    Repetitions are paused: 2 seconds, doubling up to 5 minutes, or for as long as the provider asks.
    """
    if grant.is_dead or grant.refresh_token != posted:
        return grant
    since = grant.failing_since or now
    failure = refusal.failure
    if refusal.ends_grant and grant.takes_person:
        if not _may_heal(failure, since=since, now=now):
            return ended(grant, failure, issuer=issuer, now=now)
        if failure.kind is FailureKind.REAUTHORIZE:  # nobody need consent yet
            failure = replace(failure, kind=FailureKind.TRANSIENT)
    return replace(
        grant,
        state=grant.state if refusal.is_answer or not grant.takes_person else GrantState.REFRESH_IN_DOUBT,
        failure=failure,
        failing_since=since,
        failure_count=grant.failure_count + 1,
        retry_time=_retry_time(failure, grant.failure_count, now=now, jitter=jitter),
    )


def ended(grant: Grant, failure: Failure, *, issuer: OAuthProvider, now: datetime) -> Grant:
    """
    Returns the grant dead: its access tokens are dropped, and no endpoint is asked any more.

    The failure tells more where more is known: a lost answer may have ended it and not a person's act, or Google's
    test mode.
    """
    if ended_like_test_mode(grant, issuer=issuer, now=now):
        failure = replace(failure, remedy=f"{failure.remedy} {TEST_MODE_HINT}")
    if grant.state is GrantState.REFRESH_IN_DOUBT:
        failure = replace(
            failure,
            cause=f"{failure.cause} The answer to an earlier refresh was lost on its way to mailport's store, "
            "and a new refresh token may have been in it.",
        )
    return replace(
        grant,
        state=GrantState.REAUTHORIZATION_REQUIRED,
        access_tokens=(),
        failure=replace(failure, kind=FailureKind.REAUTHORIZE),
        failing_since=grant.failing_since or now,
        failure_count=grant.failure_count + 1,
        retry_time=None,
    )


def keep_time(grant: Grant) -> datetime | None:
    """
    Returns when a grant that nobody uses is to be refreshed, so that it does not lapse.

    None when it is dead, or cannot lapse since it takes no person.

    A week after its last use, or after half the life that the provider gave the refresh token; while it fails, about
    once an hour.
    """
    if grant.is_dead or not grant.takes_person:
        return None
    due = grant.last_use_time + KEEP_INTERVAL
    if grant.refresh_token_expire_time is not None:
        half = (grant.refresh_token_expire_time - grant.last_use_time) / 2
        due = min(due, grant.last_use_time + max(half, _SHORTEST_IDLING))
    return max(due, grant.retry_time + _KEEP_AGAIN) if grant.retry_time is not None else due


def access_token_of(answer: TokenAnswer, *, resource: Resource, generation: int, asked_time: datetime) -> AccessToken:
    """Returns the answer's access token and when it ends: after an hour if it does not say, at once for 0 or less."""
    lifetime = DEFAULT_LIFETIME if answer.expires_in is None else answer.expires_in
    return AccessToken(
        resource=resource,
        token=answer.access_token,
        issue_time=asked_time,
        expire_time=asked_time + min(max(lifetime, timedelta(0)), MAXIMUM_LIFETIME),
        generation=generation,
    )


def merged_scopes(
    known: Iterable[str], answered: tuple[str, ...] | None, *, resource: Resource, issuer: OAuthProvider
) -> tuple[str, ...]:
    """Returns the granted scopes after an answer for *resource*, which speaks of it alone; None: as known."""
    if answered is None:
        return tuple(known)
    kept = (scope for scope in known if resource_of(scope, issuer=issuer) not in (resource, None))
    return tuple(dict.fromkeys((*answered, *kept)))


def refresh_token_end(answer: TokenAnswer, asked_time: datetime) -> datetime | None:
    """Returns when the answer's refresh token ends whatever happens; None when it does not say."""
    lifetime = answer.refresh_token_expires_in
    if lifetime is None:
        return None
    return asked_time + min(max(lifetime, timedelta(0)), 10 * MAXIMUM_LIFETIME)


def _in_order(tokens: Iterable[AccessToken]) -> tuple[AccessToken, ...]:
    return tuple(sorted(tokens, key=lambda token: token.resource))


def _refresh_token_end(grant: Grant, answer: TokenAnswer, asked_time: datetime) -> datetime | None:
    told = refresh_token_end(answer, asked_time)
    if told is not None or answer.refresh_token:
        return told
    return grant.refresh_token_expire_time


def _may_heal(failure: Failure, *, since: datetime, now: datetime) -> bool:
    if failure.kind is FailureKind.MISCONFIGURED:
        return True
    heals = failure.kind in (FailureKind.TRANSIENT, FailureKind.THROTTLED) or _TAKEN_BACK in failure.provider_code
    return heals and now - since < _PATIENCE


def _retry_time(failure: Failure, failures_before: int, *, now: datetime, jitter: float) -> datetime:
    if failure.retry_time is not None:
        return min(max(failure.retry_time, now + _FIRST_PAUSE), now + _LONGEST_WISH)
    # Above eight doublings the longest pause holds; the power of a large count would overflow.
    doublings: int = 1 << min(failures_before, 8)
    return now + min(_FIRST_PAUSE * doublings, _LONGEST_PAUSE) * (0.5 + jitter / 2)
