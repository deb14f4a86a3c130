"""CompleteAuth: each state is good for one exchange, and what was granted is stored whatever happens (rule 7, F33)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.configuration import RevisionState
from domain.consent import CONSENT_LIFETIME, ConsentState
from domain.consent_callback import WrittenCallback
from domain.consent_request import code_challenge
from domain.errors import InputInvalid, NotFound, NotReady, ProviderRefused, Unavailable
from domain.reasons import Reason
from domain.secret import Secret
from domain.token import TokenRefusal
from service.usecases.complete_auth import CompleteAuth
from service.usecases.exchange_code import ExchangeCode
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    TENANT,
    a_caller,
    a_configuration,
    a_draft,
    an_oauth_authentication,
)
from tests.fakes.authorization import Question, a_silence
from tests.unit.service.consenting import (
    begun,
    callback_url,
    came_back,
    consented,
    oauth_settings,
    parameters_of,
    record_of,
    some_written_oauth,
)
from tests.unit.service.world import CALLER, World, until

STRANGER = a_caller(tenant=OTHER_TENANT)


async def a_world() -> World:
    """A draft that waits for a consent."""
    world = World()
    await world.given(a_draft(settings=oauth_settings()))
    return world


async def no_state_left(world: World, authorization: object) -> bool:
    with pytest.raises(InputInvalid) as refused:
        await came_back(world, authorization)  # type: ignore[arg-type]
    return refused.value.reason is Reason.STATE_INVALID


async def test_given_a_user_who_consents_when_completed_then_the_grant_is_stored_and_the_draft_may_be_proven() -> None:
    world = await a_world()

    completed = await consented(world)

    grant = await world.grant()
    assert completed.grant == grant
    assert (grant.account, grant.granted_scopes, grant.generation) == ("robot@example.com", ("mail",), 1)
    assert completed.warnings == ()
    assert completed.view.draft is not None
    assert completed.view.draft.state is RevisionState.READY_TO_VALIDATE
    assert completed.view.active is None
    assert completed.view.consent is not None
    assert completed.view.consent.state is ConsentState.AUTHORIZED
    assert [failure for _, failure in world.events.consented] == [None]


async def test_given_a_session_when_completed_then_the_exchange_repeats_what_was_frozen_in_it() -> None:
    """Also the redirect URL, when the settings have another one by now."""
    world = await a_world()
    authorization = await begun(world, redirect_url="https://app.example.com/back")
    client = an_oauth_authentication(redirect_url="https://new.example.com/back")
    await world.configure(CALLER, CONFIGURATION_ID, some_written_oauth(client))

    await came_back(world, authorization, code="4/0AbC+dE")

    (asked,) = world.server.questions(Question.EXCHANGE)
    challenge = parameters_of(authorization.authorization_url)["code_challenge"]
    assert asked.secret == "4/0AbC+dE"
    assert asked.redirect_url == "https://app.example.com/back"
    assert code_challenge(Secret(asked.verifier)) == challenge
    assert asked.scopes == ("mail",)


async def test_given_f32_a_callback_url_when_completed_then_it_is_as_good_as_its_parameters() -> None:
    world = await a_world()
    authorization = await begun(world)
    landed = callback_url(authorization, code="4/0AbC+dE", scope="mail", iss="https://id.example.com")

    await world.complete_auth(CALLER, WrittenCallback(callback_url=landed))

    (asked,) = world.server.questions(Question.EXCHANGE)
    assert asked.secret == "4/0AbC+dE"
    assert (await record_of(world)).state is ConsentState.AUTHORIZED


async def test_given_a_browser_without_a_credential_when_completed_then_the_state_is_credential_enough() -> None:
    world = World()
    await world.given(a_draft(settings=oauth_settings(), tenant=OTHER_TENANT))
    authorization = await begun(world, caller=STRANGER)

    completed = await came_back(world, authorization, caller=None)

    assert completed.grant.tenant == OTHER_TENANT


async def test_given_another_tenants_state_when_completed_then_it_is_unknown_and_stays_good_for_its_owner() -> None:
    """P19: it looks exactly like a state that was never given out."""
    world = await a_world()
    authorization = await begun(world)

    with pytest.raises(InputInvalid) as foreign:
        await came_back(world, authorization, caller=STRANGER)
    with pytest.raises(InputInvalid) as invented:
        await came_back(world, authorization, caller=STRANGER, state="invented")

    assert vars(foreign.value) == vars(invented.value)
    assert world.server.asked == []
    assert (await came_back(world, authorization)).grant.tenant == TENANT


@pytest.mark.parametrize("through", ["state", "callback_url"])
async def test_given_an_unknown_state_when_completed_then_the_field_that_holds_it_is_named(through: str) -> None:
    world = await a_world()
    authorization = replace(await begun(world), state="never-issued")
    written = WrittenCallback(state="never-issued", code=Secret("code-1"))
    if through == "callback_url":
        written = WrittenCallback(callback_url=callback_url(authorization))

    with pytest.raises(InputInvalid) as refused:
        await world.complete_auth(CALLER, written)

    (violation,) = refused.value.violations
    assert (violation.field, violation.reason) == (through, Reason.STATE_INVALID)
    assert "never-issued" not in str(vars(refused.value))
    assert (await record_of(world)).state is ConsentState.PENDING


async def test_given_one_state_when_many_come_back_with_it_then_one_exchanges_and_the_others_are_told() -> None:
    world = await a_world()
    authorization = await begun(world)

    outcomes = await asyncio.gather(
        *(came_back(world, authorization, caller=caller) for caller in (CALLER, None) * 4), return_exceptions=True
    )

    assert [type(outcome).__name__ for outcome in outcomes].count("Completed") == 1
    assert [getattr(outcome, "reason", None) for outcome in outcomes].count(Reason.STATE_INVALID) == 7
    assert len(world.server.questions(Question.EXCHANGE)) == 1
    assert len(world.store.grants) == 1


async def test_given_f33_two_sessions_when_the_first_comes_back_then_it_is_complete_and_the_second_stays_good() -> None:
    world = await a_world()
    first, second = await begun(world), await begun(world)

    await came_back(world, first, code="code-1")
    pending = await record_of(world)
    await came_back(world, second, code="code-2")

    assert pending.state is ConsentState.PENDING
    assert (await record_of(world)).state is ConsentState.AUTHORIZED
    assert len(world.server.questions(Question.EXCHANGE)) == 2


async def test_given_another_replica_when_the_browser_lands_there_then_it_completes_what_the_first_began() -> None:
    world = await a_world()
    authorization = await begun(world)
    exchange = ExchangeCode(server=world.server, transport=world.transport, clock=world.clock, entropy=world.entropy)
    replica = CompleteAuth(uow=world.uow, exchange=exchange, clock=world.clock, vault=world.vault, events=world.events)

    completed = await replica(None, WrittenCallback(callback_url=callback_url(authorization)))

    assert completed.grant == await world.grant()


async def test_given_a_user_who_is_too_late_when_completed_then_no_code_is_exchanged() -> None:
    world = await a_world()
    authorization = await begun(world)
    world.clock.advance(CONSENT_LIFETIME)

    with pytest.raises(NotReady) as refused:
        await came_back(world, authorization)

    assert refused.value.reason is Reason.STATE_EXPIRED
    assert world.server.asked == []
    failure = (await record_of(world)).failure
    assert failure is not None
    assert failure.reason is Reason.STATE_EXPIRED
    assert await no_state_left(world, authorization)


async def test_given_the_last_moment_when_completed_then_it_still_counts() -> None:
    world = await a_world()
    authorization = await begun(world)
    world.clock.advance(CONSENT_LIFETIME - timedelta(microseconds=1))

    await came_back(world, authorization)

    assert (await record_of(world)).state is ConsentState.AUTHORIZED


async def test_given_f31_a_user_who_cancels_when_completed_then_it_is_explained_and_the_state_is_used_up() -> None:
    world = await a_world()
    authorization = await begun(world)

    with pytest.raises(ProviderRefused) as refused:
        await came_back(world, authorization, code="", error="access_denied", error_description="User cancelled")

    assert refused.value.reason is Reason.AUTHORIZATION_DENIED
    assert refused.value.remedy
    record = await record_of(world)
    assert (record.state, record.failure) == (ConsentState.REFUSED, refused.value.failure)
    assert [failure for _, failure in world.events.consented] == [refused.value.failure]
    assert world.server.asked == []
    assert await no_state_left(world, authorization)


@pytest.mark.parametrize("fields", [{}, {"code": "", "error": "access_denied"}], ids=["code", "error"])
async def test_given_another_issuer_when_completed_then_neither_its_code_nor_its_error_is_believed(
    fields: dict[str, Any],
) -> None:
    """RFC 9207: a mix-up."""
    world = await a_world()
    authorization = await begun(world)

    with pytest.raises(ProviderRefused) as refused:
        await came_back(world, authorization, iss="https://evil.example.com", **fields)

    assert refused.value.reason is Reason.ISSUER_MISMATCH
    assert world.server.asked == []
    record = await record_of(world)
    assert (record.state, record.failure) == (ConsentState.REFUSED, refused.value.failure)


async def test_given_no_callback_at_all_when_completed_then_the_state_is_not_used_up() -> None:
    world = await a_world()
    authorization = await begun(world)

    with pytest.raises(InputInvalid) as refused:
        await came_back(world, authorization, code="")

    assert refused.value.reason is Reason.FIELD_REQUIRED
    await came_back(world, authorization)
    assert (await record_of(world)).state is ConsentState.AUTHORIZED


@pytest.mark.parametrize("operation", ["enter", "consents.take", "configurations.find", "commit"])
async def test_given_a_store_that_is_away_before_the_exchange_when_completed_then_the_same_callback_works_later(
    operation: str,
) -> None:
    """The page says that nothing was done with the consent, and to reload."""
    world = await a_world()
    authorization = await begun(world)
    world.store.fail_next(operation)

    with pytest.raises(Unavailable):
        await came_back(world, authorization)

    assert world.server.asked == []
    await came_back(world, authorization)
    assert (await record_of(world)).state is ConsentState.AUTHORIZED


@pytest.mark.parametrize(
    ("operation", "afterwards"),
    [
        ("enter", False),
        ("configurations.lock", False),
        ("grants.save", False),
        ("consents.conclude", False),
        ("commit", False),
        ("commit", True),
    ],
)
async def test_given_a_store_that_goes_away_after_the_exchange_when_it_is_back_then_the_grant_is_stored(
    operation: str, afterwards: bool
) -> None:
    """P11: also when only the answer to the commit was lost."""
    world = await a_world()
    authorization = await begun(world)

    async def go_away() -> None:
        for _ in range(1 if afterwards else 3):
            world.store.fail_next(operation, afterwards=afterwards)

    world.server.while_asked = go_away

    completed = await came_back(world, authorization)

    assert await world.grant() == completed.grant
    assert len(world.store.grants) == 1
    assert len(world.server.questions(Question.EXCHANGE)) == 1
    assert (await record_of(world)).state is ConsentState.AUTHORIZED
    assert [failure for _, failure in world.events.consented] == [None]


async def test_given_the_answer_to_a_commit_that_is_lost_when_stored_again_then_the_draft_is_saved_once() -> None:
    world = await a_world()
    authorization = await begun(world, save=True)

    async def lose_the_answer() -> None:
        world.store.fail_next("commit", afterwards=True)

    world.server.while_asked = lose_the_answer

    completed = await came_back(world, authorization)

    assert completed.view.active is not None
    assert completed.view.configuration.version == 2


async def test_given_a_caller_who_leaves_during_the_exchange_when_it_ends_then_the_grant_is_stored_all_the_same() -> (
    None
):
    world = await a_world()
    authorization = await begun(world)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def think() -> None:
        asked.set()
        await answer.wait()

    world.server.while_asked = think
    call = asyncio.create_task(came_back(world, authorization))
    await asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert world.store.grants == {}

    answer.set()
    await world.complete_auth.drain(timedelta(seconds=5))

    assert len(world.store.grants) == 1
    assert (await record_of(world)).state is ConsentState.AUTHORIZED


@pytest.mark.parametrize("turns", range(12))
async def test_given_a_caller_who_leaves_at_any_moment_when_it_ends_then_no_state_is_used_up_for_nothing(
    turns: int,
) -> None:
    world = await a_world()
    authorization = await begun(world)
    call = asyncio.create_task(came_back(world, authorization))
    for _ in range(turns):
        await asyncio.sleep(0)

    call.cancel()
    await asyncio.wait([call])
    await world.complete_auth.drain(timedelta(seconds=5))

    assert (await record_of(world)).state is (ConsentState.AUTHORIZED if world.store.grants else ConsentState.PENDING)
    if not world.store.grants:
        assert (await came_back(world, authorization)).grant == await world.grant()


async def test_given_a_provider_that_never_answers_when_draining_then_it_is_given_up_in_time() -> None:
    world = await a_world()
    authorization = await begun(world)
    asked = asyncio.Event()

    async def hang() -> None:
        asked.set()
        await asyncio.Event().wait()

    world.server.while_asked = hang
    call = asyncio.create_task(came_back(world, authorization))
    await asked.wait()

    await world.complete_auth.drain(timedelta(milliseconds=1))

    with pytest.raises(asyncio.CancelledError):
        await call
    assert world.store.grants == {}


async def test_given_nothing_under_way_when_draining_then_it_is_over_at_once() -> None:
    world = await a_world()
    await consented(world)

    await world.complete_auth.drain(timedelta(0))

    assert len(world.store.grants) == 1


async def test_given_a_store_that_stays_away_when_draining_then_the_grant_is_given_up_in_time() -> None:
    world = await a_world()
    authorization = await begun(world)

    async def go_away() -> None:
        world.store.away = True

    world.server.while_asked = go_away
    call = asyncio.create_task(came_back(world, authorization))
    await until(lambda: world.store.away)

    await world.complete_auth.drain(timedelta(milliseconds=1))

    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize("told", [a_silence(), a_silence(was_sent=False)], ids=["sent", "not sent"])
async def test_given_no_answer_from_the_provider_when_completed_then_it_is_never_asked_twice_with_one_code(
    told: TokenRefusal,
) -> None:
    world = await a_world()
    authorization = await begun(world)
    world.server.answers.append(told)

    with pytest.raises(ProviderRefused) as refused:
        await came_back(world, authorization)

    assert "Authorize again" in refused.value.remedy
    assert refused.value.failure.retry_time is None
    assert len(world.server.asked) == 1
    assert await no_state_left(world, authorization)
    assert len(world.server.asked) == 1


async def test_given_a_configuration_that_is_deleted_meanwhile_when_completed_then_the_state_is_gone_with_it() -> None:
    world = await a_world()
    authorization = await begun(world)
    await world.delete_configuration(CALLER, CONFIGURATION_ID)

    assert await no_state_left(world, authorization)
    assert world.server.asked == []


async def test_given_a_configuration_that_is_deleted_during_the_exchange_when_stored_then_it_is_not_found() -> None:
    world = await a_world()
    authorization = await begun(world)

    async def delete() -> None:
        await world.delete_configuration(CALLER, CONFIGURATION_ID)

    world.server.while_asked = delete

    with pytest.raises(NotFound):
        await came_back(world, authorization)

    assert world.store.grants == {}
    assert world.store.configurations == {}


async def test_given_a_store_that_is_away_when_a_refusal_is_recorded_then_the_caller_hears_of_it_all_the_same() -> None:
    world = await a_world()
    world.server.refusing = "invalid_grant"
    authorization = await begun(world)

    async def go_away() -> None:
        world.store.away = True

    world.server.while_asked = go_away

    with pytest.raises(ProviderRefused):
        await came_back(world, authorization)
    world.store.away = False

    assert (await record_of(world)).state is ConsentState.PENDING


async def test_given_an_older_session_when_it_is_refused_then_the_record_of_the_newer_one_stays() -> None:
    world = await a_world()
    older = await begun(world)
    await begun(world)

    with pytest.raises(ProviderRefused):
        await came_back(world, older, code="", error="access_denied")

    assert (await record_of(world)).state is ConsentState.PENDING


async def test_given_active_settings_when_their_owner_consents_again_then_they_are_active_as_before() -> None:
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))
    await world.given_grant()

    completed = await consented(world)

    assert completed.view.active is not None
    assert completed.view.active.state is RevisionState.ACTIVE
    assert completed.view.configuration.version == 2
