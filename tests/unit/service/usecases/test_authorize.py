"""Authorize: a session for the user's browser, and everything that stands in the way named at once (rule 7)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.configuration import Configuration
from domain.consent import CONSENT_LIFETIME, ConsentState
from domain.consent_request import code_challenge
from domain.errors import ConcurrentChange, InputInvalid, NotFound, NotReady, SecretUnreadable
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import GrantType
from service.usecases.authorize import state_digest
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    TENANT,
    a_configuration,
    a_draft,
    a_revision,
    a_warning,
    some_settings,
)
from tests.fakes.vault import FakeVault
from tests.unit.service.consenting import begun, oauth_settings, parameters_of, record_of
from tests.unit.service.world import World

PUBLIC = "https://mail.example.com/oauth/callback"


def both() -> Configuration:
    """An active revision 1, and a draft 2 of another client."""
    draft = a_revision(number=2, settings=oauth_settings(client_id="client-2"), warnings=(a_warning(),))
    return a_configuration(settings=oauth_settings(), draft=draft, last_revision=2)


async def test_given_a_draft_beside_active_settings_when_authorized_then_the_session_is_for_the_draft() -> None:
    world = World()
    await world.given(both())

    authorization = await begun(world)

    (session,) = (stored.session for stored in world.store.consents.values())
    assert session.revision == 2
    assert parameters_of(authorization.authorization_url)["client_id"] == "client-2"
    assert authorization.warnings == (a_warning(),)


async def test_given_what_a_providers_page_may_show_when_authorized_then_it_is_told_with_the_sessions_values() -> None:
    world = World()
    await world.given(both())

    authorization = await begun(world)

    told = " ".join(page.failure.remedy for page in authorization.page_refusals)
    assert authorization.redirect_url in told
    assert "client-2" in told


async def test_given_active_settings_alone_when_authorized_then_the_session_is_for_them() -> None:
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))

    authorization = await begun(world)

    (session,) = (stored.session for stored in world.store.consents.values())
    assert (session.revision, session.tenant, session.configuration_id) == (1, TENANT, CONFIGURATION_ID)
    assert parameters_of(authorization.authorization_url)["client_id"] == "client-1"


async def test_given_a_session_when_begun_then_the_browser_gets_its_state_and_challenge_and_the_store_neither() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))

    authorization = await begun(world)

    parameters = parameters_of(authorization.authorization_url)
    stored = repr(world.store.consents) + repr(world.store.consent_records)
    async with world.uow() as work:
        session = await work.consents.take(state_digest(world.vault, authorization.state), tenant=TENANT)
    assert session is not None
    assert parameters["state"] == authorization.state
    assert len(authorization.state) * 6 >= 256
    assert parameters["code_challenge"] == code_challenge(session.verifier)
    assert parameters["code_challenge_method"] == "S256"
    assert authorization.state not in stored
    assert session.verifier.reveal() not in stored
    assert session.verifier.reveal() not in authorization.authorization_url


async def test_given_a_session_when_begun_then_it_is_pending_for_ten_minutes_and_then_it_has_expired() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))

    authorization = await begun(world)
    pending = await record_of(world)
    world.clock.advance(CONSENT_LIFETIME - timedelta(microseconds=1))
    still = await record_of(world)
    world.clock.advance(timedelta(microseconds=1))
    late = await record_of(world)

    assert authorization.expire_time == pending.expire_time == pending.create_time + timedelta(minutes=10)
    assert (pending.state, still.state, late.state) == (
        ConsentState.PENDING,
        ConsentState.PENDING,
        ConsentState.EXPIRED,
    )
    assert late.failure is not None
    assert late.failure.reason is Reason.STATE_EXPIRED


async def test_given_f33_a_second_session_when_begun_then_it_shares_nothing_random_and_the_first_stays() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))

    first, second = await begun(world), await begun(world)

    one, two = (parameters_of(each.authorization_url) for each in (first, second))
    assert one["state"] != two["state"]
    assert one["code_challenge"] != two["code_challenge"]
    assert len(world.store.consents) == 2


@pytest.mark.parametrize(
    ("requested", "configured", "expected"),
    [
        ("https://app.example.com/back", "https://set.example.com/back", "https://app.example.com/back"),
        ("", "https://set.example.com/back", "https://set.example.com/back"),
        ("", "", PUBLIC),
        ("http://127.0.0.1:8123/back", "", "http://127.0.0.1:8123/back"),
    ],
)
async def test_given_several_redirect_urls_when_authorized_then_the_nearest_one_is_used_and_frozen(
    requested: str, configured: str, expected: str
) -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings(redirect_url=configured)))

    authorization = await begun(world, redirect_url=requested)

    (session,) = (stored.session for stored in world.store.consents.values())
    assert authorization.redirect_url == session.redirect_url == expected
    assert parameters_of(authorization.authorization_url)["redirect_uri"] == expected
    assert (await record_of(world)).redirect_url == expected


async def test_given_settings_without_anything_when_authorized_then_all_of_it_is_named_at_once() -> None:
    world = World()
    bare = oauth_settings(
        client_id="",
        client_secret=Secret(""),
        authorization_endpoint="",
        token_endpoint="",
        scopes=(),
        username="",
    )
    await world.given(a_draft(settings=bare))

    with pytest.raises(InputInvalid) as refused:
        await begun(world, redirect_url="http://app.example.com/back", login_hint="a\nb")

    assert {violation.field: violation.reason for violation in refused.value.violations} == {
        "settings.oauth.client_id": Reason.FIELD_REQUIRED,
        "settings.oauth.client_secret": Reason.FIELD_REQUIRED,
        "settings.oauth.authorization_endpoint": Reason.FIELD_REQUIRED,
        "settings.oauth.token_endpoint": Reason.FIELD_REQUIRED,
        "settings.oauth.scopes": Reason.FIELD_REQUIRED,
        "settings.oauth.username": Reason.FIELD_REQUIRED,
        "redirect_url": Reason.REDIRECT_URL_INVALID,
        "login_hint": Reason.CONTROL_CHARACTER,
    }
    assert all(violation.remedy for violation in refused.value.violations)
    assert world.store.consents == {}
    assert world.store.consent_records == {}


@pytest.mark.parametrize(
    "settings",
    [some_settings(), oauth_settings(grant_type=GrantType.CLIENT_CREDENTIALS, authorization_endpoint="")],
    ids=["a password", "no person"],
)
async def test_given_settings_that_nobody_consents_to_when_authorized_then_is_told_so(settings: object) -> None:
    world = World()
    await world.given(a_draft(settings=settings))  # type: ignore[arg-type]

    with pytest.raises(NotReady) as refused:
        await begun(world)

    assert refused.value.reason is Reason.NOT_CONFIGURED
    assert refused.value.remedy
    assert world.store.consents == {}


async def test_given_a_foreign_configuration_when_authorized_then_it_looks_missing() -> None:
    """P19: byte for byte."""
    world, empty = World(), World()
    await world.given(a_draft(settings=oauth_settings(), tenant=OTHER_TENANT))

    with pytest.raises(NotFound) as foreign:
        await begun(world)
    with pytest.raises(NotFound) as missing:
        await begun(empty)

    assert vars(foreign.value) == vars(missing.value)
    assert world.store.consents == {}


async def test_given_a_client_secret_that_does_not_open_when_authorized_then_nobody_is_sent_to_the_provider() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    world.store.vault = FakeVault(keys=(2,))

    with pytest.raises(SecretUnreadable):
        await begun(world)

    assert world.store.consents == {}


async def test_given_a_configuration_that_is_deleted_meanwhile_when_authorized_then_it_is_not_found() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    world.store.fail_next("consents.add", ConcurrentChange("The configuration is gone."))

    with pytest.raises(NotFound) as refused:
        await begun(world)

    assert refused.value.metadata == {"configuration_id": CONFIGURATION_ID}
    assert world.store.consents == {}
