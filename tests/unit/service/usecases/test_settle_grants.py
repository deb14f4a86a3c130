"""What a consent does to revisions, grants and waiting mail: the active settings keep what they send with (rule 6)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.configuration import Configuration, RevisionState
from domain.consent import ConsentState
from domain.delivery import DeliveryState
from domain.errors import NotReady, ProviderRefused
from domain.grant import GrantState
from domain.reasons import Reason
from tests.builders import (
    CONFIGURATION_ID,
    TENANT,
    a_configuration,
    a_delivery,
    a_draft,
    a_revision,
    an_oauth_authentication,
    some_settings,
)
from tests.consent_builders import a_basis, a_grant, a_token_failure
from tests.unit.service.consenting import (
    begun,
    came_back,
    consented,
    oauth_settings,
    record_of,
    some_written_oauth,
)
from tests.unit.service.world import CALLER, MINUTE, World

EVE = "eve@example.com"


def both() -> Configuration:
    """An active revision 1 of robot, and a draft 2 of eve."""
    draft = a_revision(number=2, settings=oauth_settings(username=EVE))
    return a_configuration(settings=oauth_settings(), draft=draft, last_revision=2)


async def a_world_with_two_accounts() -> World:
    """`both`, of which only the active revision has been consented to; the next user to consent is eve."""
    world = World()
    await world.given(both())
    await world.given_grant()
    world.clock.advance(MINUTE)
    world.server.account = EVE
    return world


async def accounts(world: World) -> list[str]:
    """Returns whose grants are stored."""
    async with world.uow() as work:
        held = await work.grants.of(TENANT, [CONFIGURATION_ID])
    return sorted(grant.account for grant in held.get(CONFIGURATION_ID, ()))


async def test_given_save_when_consented_then_consent_alone_makes_the_draft_active() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))

    completed = await consented(world, save=True)

    assert completed.view.draft is None
    assert completed.view.active is not None
    assert completed.view.active.state is RevisionState.ACTIVE
    assert completed.view.active.revision.number == 1
    assert completed.view.active.revision.validate_time is None
    assert (await world.sent()).view.delivery.state is DeliveryState.QUEUED


async def test_given_no_save_when_consented_then_the_draft_still_waits_for_its_proof() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))

    completed = await consented(world, save=False)

    assert completed.view.active is None
    assert completed.view.configuration.version == 1


async def test_given_save_when_the_draft_is_another_one_by_now_then_it_is_not_made_active() -> None:
    """The consent is good for the new draft, and nobody has asked to save that one."""
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    authorization = await begun(world, save=True)
    await world.configure(CALLER, CONFIGURATION_ID, some_written_oauth(from_name="New"))

    completed = await came_back(world, authorization)

    assert completed.view.active is None
    assert completed.view.draft is not None
    assert completed.view.draft.revision.number == 2
    assert completed.view.draft.state is RevisionState.READY_TO_VALIDATE


async def test_given_save_for_the_active_settings_when_a_draft_came_meanwhile_then_it_stays_a_draft() -> None:
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))
    authorization = await begun(world, save=True)
    await world.configure(CALLER, CONFIGURATION_ID, some_written_oauth(from_name="New"))

    completed = await came_back(world, authorization)

    assert completed.view.draft is not None
    assert completed.view.active is not None
    assert completed.view.active.revision.number == 1


async def test_given_a_draft_of_another_account_when_consented_then_the_active_settings_keep_their_grant_and_send() -> (
    None
):
    world = await a_world_with_two_accounts()
    await world.accepted()

    completed = await consented(world)
    after = await world.attempted()

    assert await accounts(world) == [EVE, "robot@example.com"]
    assert completed.grant.account == EVE
    assert completed.view.active is not None
    assert completed.view.active.state is RevisionState.ACTIVE
    assert after.state is DeliveryState.SENT
    assert world.transport.signed_in_with == ["AT1"]


async def test_given_a_draft_of_another_account_when_it_is_proven_then_the_former_grant_is_forgotten() -> None:
    world = await a_world_with_two_accounts()
    await consented(world)

    await world.validated()
    await world.accepted()
    await world.attempted()

    assert await accounts(world) == [EVE]
    assert "AT1" not in world.transport.signed_in_with


async def test_given_a_draft_of_another_account_when_saved_by_consent_then_the_former_grant_is_forgotten() -> None:
    world = await a_world_with_two_accounts()

    completed = await consented(world, save=True)

    assert await accounts(world) == [EVE]
    assert completed.view.active is not None
    assert completed.view.active.revision.number == 2


async def test_given_a_consent_when_the_owner_consents_again_then_the_new_grant_replaces_it() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    first = await consented(world, code="code-1")
    world.clock.advance(MINUTE)

    second = await consented(world, code="code-2")

    assert first.grant.key != second.grant.key
    assert await world.grant() == second.grant
    assert len(world.store.grants) == 1


async def test_given_a_dead_grant_when_the_owner_consents_again_then_it_sends_with_the_new_one() -> None:
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))
    await world.given_grant(a_grant(state=GrantState.REAUTHORIZATION_REQUIRED, failure=a_token_failure()))
    await world.accepted()
    held = await world.attempted()
    world.clock.advance(MINUTE)

    completed = await consented(world)
    after = await world.attempted()

    assert held.state is DeliveryState.HELD
    assert after.state is DeliveryState.SENT
    assert world.transport.signed_in_with == [completed.grant.access_tokens[0].token.reveal()]
    assert len(world.store.grants) == 1


async def test_given_held_mail_when_its_owner_consents_then_it_is_released_in_order() -> None:
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))
    sent = []
    for _ in range(3):
        sent.append(await world.accepted(a_delivery(now=world.clock.now())))
        world.clock.advance(timedelta(seconds=1))
    for _ in range(3):
        await world.attempted()
    assert {world.store.delivery(each.delivery_id).state for each in sent} == {DeliveryState.HELD}
    assert world.transport.submitted == []

    await consented(world)
    order = [(await world.attempted()).delivery_id for _ in range(3)]

    assert order == [each.delivery_id for each in sent]
    assert {world.store.delivery(each.delivery_id).state for each in sent} == {DeliveryState.SENT}


async def test_given_held_mail_when_only_the_draft_is_consented_to_then_it_stays_held() -> None:
    world = World()
    await world.given(both())
    held = await world.accepted(a_delivery(state=DeliveryState.HELD, next_attempt_time=None))
    world.server.account = EVE

    await consented(world)

    assert world.store.delivery(held.delivery_id).state is DeliveryState.HELD


async def test_given_a_from_address_changed_after_authorize_when_consented_then_the_consent_is_good_for_it() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    authorization = await begun(world)
    await world.configure(CALLER, CONFIGURATION_ID, some_written_oauth(from_address="other@example.com"))

    completed = await came_back(world, authorization)

    assert completed.view.draft is not None
    assert completed.view.draft.state is RevisionState.READY_TO_VALIDATE


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "client-2"},
        {"token_endpoint": "https://elsewhere.example.com/token"},
        {"authorization_endpoint": "https://elsewhere.example.com/authorize"},
        {"username": EVE},
        {"scopes": ("mail", "more")},
    ],
)
async def test_given_what_was_consented_to_changed_after_authorize_when_completed_then_no_code_leaves(
    changes: dict[str, object],
) -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    authorization = await begun(world)
    await world.configure(CALLER, CONFIGURATION_ID, some_written_oauth(an_oauth_authentication(**changes)))
    before = world.snapshot()

    with pytest.raises(NotReady) as refused:
        await came_back(world, authorization)

    assert refused.value.reason is Reason.NOT_CONFIGURED
    assert world.server.asked == []
    assert world.snapshot() == before
    assert (await record_of(world)).state is ConsentState.REFUSED


async def test_given_another_client_that_is_configured_during_the_exchange_when_stored_then_it_is_refused() -> None:
    """Nothing would send with the grant, so that "authorized" would be a lie."""
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    authorization = await begun(world)

    async def configure() -> None:
        other = some_written_oauth(an_oauth_authentication(client_id="client-2"))
        await world.configure(CALLER, CONFIGURATION_ID, other)

    world.server.while_asked = configure

    with pytest.raises(NotReady) as refused:
        await came_back(world, authorization)

    assert refused.value.reason is Reason.NOT_CONFIGURED
    assert world.store.grants == {}
    assert (await record_of(world)).state is ConsentState.REFUSED


async def test_given_a_draft_in_another_accounts_place_when_the_consent_fails_then_the_active_grant_sends_on() -> None:
    world = await a_world_with_two_accounts()
    world.server.account = "mallory@example.com"
    await world.accepted()
    before = world.snapshot()

    with pytest.raises(ProviderRefused):
        await consented(world, save=True)

    assert world.snapshot() == before
    assert (await world.attempted()).state is DeliveryState.SENT


async def test_given_grants_that_no_revision_would_use_when_settled_then_they_alone_are_forgotten() -> None:
    """Of two that cover the same settings the latest consent counts."""
    world = World()
    await world.given(both())
    await world.given_grant(a_grant(grant_id="of another client", basis=a_basis(client_id="client-0")))
    await world.given_grant(a_grant(grant_id="older"))
    await world.given_grant(a_grant(grant_id="newer", authorize_time=world.clock.now() + MINUTE))
    world.clock.advance(2 * MINUTE)
    world.server.account = EVE

    completed = await consented(world)

    assert {key.grant_id for key in world.store.grants} == {"newer", completed.grant.grant_id}


async def test_given_settings_with_a_password_that_are_proven_then_no_grant_is_left() -> None:
    world = World()
    draft = a_revision(number=2, settings=some_settings())
    await world.given(a_configuration(settings=oauth_settings(), draft=draft, last_revision=2))
    await world.given_grant()

    await world.validated()

    assert world.store.grants == {}
