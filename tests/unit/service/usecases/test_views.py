"""What a configuration shows of its grants and consents, and what it says each revision waits for (rules 6 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.configuration import RevisionState
from domain.consent import CONSENT_LIFETIME, ConsentRecord, ConsentState
from domain.failures.failure import FailureKind
from domain.grant import Grant, GrantState
from domain.pause import Pause
from domain.reasons import Reason
from domain.settings.model import MailSettings
from domain.token_life import Freshness
from service.usecases.views import ConfigurationView, view_configuration, view_configurations
from tests.builders import CONFIGURATION_ID, NOW, a_configuration, a_draft, a_failure, a_revision, some_settings
from tests.consent_builders import a_basis, a_grant, a_token_failure, an_access_token
from tests.unit.service.consenting import oauth_settings
from tests.unit.service.world import World

HOUR = timedelta(hours=1)
EVE = "eve@example.com"
DEAD: dict[str, Any] = {"state": GrantState.REAUTHORIZATION_REQUIRED, "failure": a_token_failure()}
OF_EVE = a_grant(grant_id="grant-2", basis=a_basis(username=EVE), account=EVE)


def viewed(
    settings: MailSettings, *grants: Grant, draft: MailSettings | None = None, later: timedelta = timedelta(0)
) -> ConfigurationView:
    """Views an active revision 1, and a draft 2 if there is one."""
    revision = a_revision(number=2, settings=draft) if draft is not None else None
    configuration = a_configuration(settings=settings, draft=revision)
    return view_configuration(configuration, now=NOW + later, grants=grants)


def states(view: ConfigurationView) -> tuple[RevisionState | None, RevisionState | None]:
    return (view.active.state if view.active else None, view.draft.state if view.draft else None)


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ((), (RevisionState.NEEDS_AUTHORIZATION, RevisionState.NEEDS_AUTHORIZATION)),
        ((a_grant(),), (RevisionState.ACTIVE, RevisionState.NEEDS_AUTHORIZATION)),
        ((OF_EVE,), (RevisionState.NEEDS_AUTHORIZATION, RevisionState.READY_TO_VALIDATE)),
        ((a_grant(), OF_EVE), (RevisionState.ACTIVE, RevisionState.READY_TO_VALIDATE)),
        ((a_grant(**DEAD),), (RevisionState.NEEDS_AUTHORIZATION, RevisionState.NEEDS_AUTHORIZATION)),
        ((a_grant(basis=a_basis(client_id="other")),), (RevisionState.NEEDS_AUTHORIZATION,) * 2),
    ],
    ids=["none", "the active one's", "the draft's", "both", "a dead one", "another client's"],
)
def test_given_grants_when_viewed_then_each_revision_waits_for_the_consent_that_it_lacks(
    grants: Sequence[Grant], expected: tuple[RevisionState, RevisionState]
) -> None:
    assert states(viewed(oauth_settings(), *grants, draft=oauth_settings(username=EVE))) == expected


@pytest.mark.parametrize("changes", [{"redirect_url": "https://x.example.com/"}, {"username": "ROBOT@example.com"}])
def test_given_a_draft_that_its_consent_covers_when_viewed_then_nobody_is_asked_again(changes: dict[str, str]) -> None:
    """Rule 6."""
    draft = replace(oauth_settings(**changes), from_name="New")

    assert states(viewed(oauth_settings(), a_grant(), draft=draft)) == (
        RevisionState.ACTIVE,
        RevisionState.READY_TO_VALIDATE,
    )


def test_given_settings_with_a_password_when_viewed_then_no_consent_is_waited_for() -> None:
    view = viewed(some_settings())

    assert states(view) == (RevisionState.ACTIVE, None)
    assert view.grant is None


@pytest.mark.parametrize(
    ("grants", "shown"),
    [
        ((OF_EVE, a_grant()), "grant-1"),
        ((OF_EVE,), "grant-2"),
        ((a_grant(grant_id="former", basis=a_basis(client_id="other")),), None),
    ],
    ids=["the active one's", "the draft's", "none that is of use"],
)
def test_given_several_grants_when_viewed_then_the_one_that_is_sent_with_is_shown(
    grants: Sequence[Grant], shown: str | None
) -> None:
    view = viewed(oauth_settings(), *grants, draft=oauth_settings(username=EVE))

    assert (view.grant.grant.grant_id if view.grant is not None else None) == shown


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (timedelta(0), Freshness.FRESH),
        (timedelta(minutes=56), Freshness.STALE),
        (HOUR, Freshness.EXPIRED),
    ],
)
def test_given_time_when_viewed_then_the_grant_tells_how_fresh_its_token_is(
    later: timedelta, expected: Freshness
) -> None:
    view = viewed(oauth_settings(), a_grant(), later=later)

    assert view.grant is not None
    assert (view.grant.freshness, view.grant.access_token_expire_time) == (expected, NOW + HOUR)


def test_given_a_grant_without_a_token_of_the_resource_when_viewed_then_there_is_no_expiry() -> None:
    view = viewed(oauth_settings(), a_grant(access_tokens=()))

    assert view.grant is not None
    assert (view.grant.freshness, view.grant.access_token_expire_time) == (Freshness.EXPIRED, None)


def test_given_a_living_grant_beside_a_dead_one_when_viewed_then_the_living_one_counts() -> None:
    dead = a_grant(grant_id="dead", authorize_time=NOW + HOUR, **DEAD)

    view = viewed(oauth_settings(), dead, a_grant())

    assert view.active is not None
    assert view.active.grant is not None
    assert (view.active.state, view.active.grant.grant.grant_id) == (RevisionState.ACTIVE, "grant-1")


@pytest.mark.parametrize(("revision", "is_shown"), [(1, True), (2, False)])
def test_given_a_pause_when_viewed_then_that_of_another_revision_is_left_out(revision: int, is_shown: bool) -> None:
    pause = Pause(
        revision=revision, until=NOW + HOUR, failure=a_failure(FailureKind.MISCONFIGURED, reason=Reason.AUTH_REJECTED)
    )

    view = view_configuration(a_configuration(), now=NOW, pause=pause)

    assert (view.pause is not None) is is_shown


@pytest.mark.parametrize(
    ("state", "later", "expected"),
    [
        (ConsentState.PENDING, timedelta(0), ConsentState.PENDING),
        (ConsentState.PENDING, CONSENT_LIFETIME, ConsentState.EXPIRED),
        (ConsentState.AUTHORIZED, CONSENT_LIFETIME, ConsentState.AUTHORIZED),
        (ConsentState.REFUSED, CONSENT_LIFETIME, ConsentState.REFUSED),
    ],
)
def test_given_a_consent_record_when_viewed_then_it_stands_as_it_does_now(
    state: ConsentState, later: timedelta, expected: ConsentState
) -> None:
    record = ConsentRecord(
        state=state, create_time=NOW, expire_time=NOW + CONSENT_LIFETIME, redirect_url="https://x.example.com/"
    )

    view = view_configuration(a_draft(settings=oauth_settings()), now=NOW + later, consent=record)

    assert view.consent is not None
    assert view.consent.state is expected


def test_given_a_client_secret_that_ends_when_viewed_then_it_is_foreseen_and_a_risk_when_near() -> None:
    settings = oauth_settings(client_secret_expire_time=NOW + timedelta(days=40))

    far = viewed(settings, a_grant())
    near = viewed(settings, a_grant(), later=timedelta(days=30))

    assert NOW + timedelta(days=40) in [each.expected_time for each in far.forecasts]
    assert far.risks == ()
    assert NOW + timedelta(days=40) in [each.expected_time for each in near.risks]


async def test_given_several_configurations_when_viewed_then_each_has_what_is_stored_beside_it() -> None:
    world = World()
    first = await world.given(a_configuration(settings=oauth_settings()))
    second = await world.given(a_draft(settings=oauth_settings(), configuration_id="other"))
    await world.given_grant(a_grant(access_tokens=(an_access_token(),)))

    async with world.uow() as work:
        one, other = await view_configurations(work, first, second, now=NOW)
        none = await view_configurations(work, now=NOW)

    assert one.configuration.configuration_id == CONFIGURATION_ID
    assert one.grant is not None
    assert one.grant.grant == await world.grant()
    assert (other.grant, none) == (None, [])
