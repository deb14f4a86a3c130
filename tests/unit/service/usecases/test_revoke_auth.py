"""RevokeAuth and DeleteConfiguration: forgotten here in any case, ended at the provider where that can be done."""

from __future__ import annotations

import pytest

from domain.configuration import RevisionState
from domain.delivery import DeliveryState
from domain.errors import NotFound, Unavailable
from domain.grant import GrantRevocation, GrantState
from domain.ports.authorization import Revocation
from domain.reasons import Reason
from domain.settings.model import GrantType
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    a_configuration,
    a_draft,
    a_revision,
    an_oauth_authentication,
)
from tests.consent_builders import a_basis, a_grant, a_token_failure
from tests.fakes.authorization import Question
from tests.fakes.vault import FakeVault
from tests.unit.service.consenting import consented, oauth_settings
from tests.unit.service.world import CALLER, World

ENDPOINT = "https://id.example.com/revoke"


async def a_world(*, endpoint: str = ENDPOINT) -> World:
    """Active settings with a grant."""
    world = World()
    await world.given(a_configuration(settings=oauth_settings(revocation_endpoint=endpoint)))
    await world.given_grant()
    return world


async def given_up(world: World, how: str) -> GrantRevocation:
    """Ends the consent by *how*, one of the two RPCs."""
    if how == "delete":
        return await world.delete_configuration(CALLER, CONFIGURATION_ID)
    return (await world.revoke_auth(CALLER, CONFIGURATION_ID)).revocation


BOTH = pytest.mark.parametrize("how", ["revoke", "delete"])


@BOTH
async def test_given_a_provider_that_revokes_when_given_up_then_it_is_asked_with_the_refresh_token(how: str) -> None:
    world = await a_world()

    revocation = await given_up(world, how)

    (asked,) = world.server.asked
    assert revocation is GrantRevocation.REVOKED
    assert (asked.question, asked.secret, asked.client.revocation_endpoint) == (Question.REVOKE, "RT1", ENDPOINT)
    assert world.store.grants == {}


@BOTH
async def test_given_a_provider_without_an_endpoint_when_given_up_then_it_is_forgotten_here_and_said_so(
    how: str,
) -> None:
    world = await a_world(endpoint="")

    revocation = await given_up(world, how)

    assert revocation is GrantRevocation.NOT_SUPPORTED
    assert world.server.asked == []
    assert world.store.grants == {}


@BOTH
async def test_given_a_provider_that_fails_when_given_up_then_it_is_forgotten_here_all_the_same(how: str) -> None:
    world = await a_world()
    world.server.revocation = Revocation.FAILED

    revocation = await given_up(world, how)

    assert revocation is GrantRevocation.FAILED
    assert world.store.grants == {}


@BOTH
async def test_given_no_consent_when_given_up_then_there_is_nothing_to_revoke(how: str) -> None:
    world = World()
    await world.given(a_configuration(settings=oauth_settings(revocation_endpoint=ENDPOINT)))

    assert await given_up(world, how) is GrantRevocation.NO_GRANT
    assert world.server.asked == []


@BOTH
async def test_given_tokens_that_do_not_open_when_given_up_then_they_are_forgotten_and_it_has_failed(how: str) -> None:
    world = await a_world()
    world.store.vault = FakeVault(keys=(2,))

    revocation = await given_up(world, how)

    assert revocation is GrantRevocation.FAILED
    assert world.server.asked == []
    assert world.store.grants == {}


@BOTH
async def test_given_a_grant_of_a_former_client_when_given_up_then_nobody_can_revoke_it_and_it_is_forgotten(
    how: str,
) -> None:
    world = await a_world()
    await world.given_grant(a_grant(grant_id="former", basis=a_basis(client_id="client-0")))

    revocation = await given_up(world, how)

    assert revocation is GrantRevocation.FAILED
    assert [asked.secret for asked in world.server.asked] == ["RT1"]
    assert world.store.grants == {}


@BOTH
async def test_given_a_grant_that_nobody_gave_when_given_up_then_there_is_nothing_to_revoke(how: str) -> None:
    client = an_oauth_authentication(
        grant_type=GrantType.CLIENT_CREDENTIALS, authorization_endpoint="", revocation_endpoint=ENDPOINT
    )
    basis = a_basis(grant_type=GrantType.CLIENT_CREDENTIALS, authorization_endpoint="")
    world = World()
    await world.given(a_configuration(settings=oauth_settings(grant_type=client.grant_type)))
    await world.given_grant(a_grant(basis=basis))

    assert await given_up(world, how) is GrantRevocation.NO_GRANT
    assert world.store.grants == {}


async def test_given_a_draft_of_another_account_when_revoked_then_both_grants_are_given_up() -> None:
    world = World()
    draft = a_revision(number=2, settings=oauth_settings(username="eve@example.com", revocation_endpoint=ENDPOINT))
    active = oauth_settings(revocation_endpoint=ENDPOINT)
    await world.given(a_configuration(settings=active, draft=draft, last_revision=2))
    await world.given_grant()
    world.server.account = "eve@example.com"
    await consented(world)

    revoked = await world.revoke_auth(CALLER, CONFIGURATION_ID)

    assert revoked.revocation is GrantRevocation.REVOKED
    assert len(world.server.questions(Question.REVOKE)) == 2
    assert world.store.grants == {}


async def test_given_a_revoked_consent_when_mail_is_sent_then_it_is_accepted_and_held_and_a_consent_releases_it() -> (
    None
):
    world = await a_world()
    revoked = await world.revoke_auth(CALLER, CONFIGURATION_ID)

    sent = await world.sent()
    held = await world.attempted()
    await consented(world)
    after = await world.attempted()

    assert revoked.view.active is not None
    assert revoked.view.active.state is RevisionState.NEEDS_AUTHORIZATION
    assert revoked.view.grant is None
    assert held.delivery_id == sent.view.delivery.delivery_id
    assert held.state is DeliveryState.HELD
    assert held.failure is not None
    assert held.failure.reason is Reason.NEEDS_AUTHORIZATION
    assert after.state is DeliveryState.SENT
    assert "AT1" not in world.transport.signed_in_with


async def test_given_a_provider_that_is_asked_when_revoked_then_the_grant_is_forgotten_before() -> None:
    """No token is used once the call is under way."""
    world = await a_world()
    left: list[int] = []

    async def look() -> None:
        left.append(len(world.store.grants))

    world.server.while_asked = look

    await world.revoke_auth(CALLER, CONFIGURATION_ID)

    assert left == [0]


async def test_given_a_store_that_is_away_when_revoked_then_the_provider_is_not_asked_and_the_grant_stays() -> None:
    world = await a_world()
    world.store.fail_next("commit")

    with pytest.raises(Unavailable):
        await world.revoke_auth(CALLER, CONFIGURATION_ID)

    assert world.server.asked == []
    assert len(world.store.grants) == 1


async def test_given_a_refresh_under_way_when_revoked_then_its_tokens_are_not_stored() -> None:
    world = await a_world()
    grant = await world.grant()
    client = an_oauth_authentication(revocation_endpoint=ENDPOINT)

    async def revoke() -> None:
        world.server.while_asked = None
        await world.revoke_auth(CALLER, CONFIGURATION_ID)

    world.server.while_asked = revoke

    await world.refresh_grant(grant, client, grant.access_tokens[0].resource)

    assert world.store.grants == {}


async def test_given_a_dead_grant_when_revoked_then_it_is_forgotten_and_a_second_call_finds_none() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings(revocation_endpoint=ENDPOINT)))
    await world.given_grant(a_grant(state=GrantState.REAUTHORIZATION_REQUIRED, failure=a_token_failure()))

    await world.revoke_auth(CALLER, CONFIGURATION_ID)
    again = await world.revoke_auth(CALLER, CONFIGURATION_ID)

    assert again.revocation is GrantRevocation.NO_GRANT


async def test_given_a_foreign_configuration_when_revoked_then_it_looks_missing_and_keeps_its_grant() -> None:
    """P19: byte for byte."""
    world, empty = World(), World()
    await world.given(a_configuration(settings=oauth_settings(), tenant=OTHER_TENANT))
    await world.given_grant(a_grant(tenant=OTHER_TENANT))
    before = world.snapshot()

    with pytest.raises(NotFound) as foreign:
        await world.revoke_auth(CALLER, CONFIGURATION_ID)
    with pytest.raises(NotFound) as missing:
        await empty.revoke_auth(CALLER, CONFIGURATION_ID)

    assert vars(foreign.value) == vars(missing.value)
    assert world.snapshot() == before
