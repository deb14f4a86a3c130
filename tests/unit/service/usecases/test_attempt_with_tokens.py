"""Attempts that sign in with OAuth: held while there is no consent, released by one, a token refused tried anew."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Self

import pytest

from domain.configuration import Configuration
from domain.delivery import Delivery, DeliveryState
from domain.failures.failure import FailureKind, Stage
from domain.grant import GrantState
from domain.reasons import Reason
from service.groups import grants_together
from service.usecases.attempt import AttemptDelivery
from tests.builders import (
    CONFIGURATION_ID,
    a_configuration,
    a_failure,
    a_revision,
    some_written_settings,
)
from tests.consent_builders import a_grant, a_token_failure
from tests.fakes.authorization import Question, a_refusal
from tests.fakes.storage import FakeStore, FakeUnitOfWork
from tests.fakes.transport import Answer
from tests.unit.service.consenting import begun, came_back, consented, oauth_settings
from tests.unit.service.world import CALLER, MINUTE, World

HOUR = timedelta(hours=1)


async def a_world(configuration: Configuration | None = None) -> World:
    """Active settings with OAuth, and one delivery; nobody has consented."""
    world = World()
    await world.given(configuration or a_configuration(settings=oauth_settings()))
    await world.accepted()
    return world


async def test_given_a_consent_when_attempted_then_its_token_signs_in() -> None:
    world = await a_world()
    await world.given_grant()

    after = await world.attempted()

    assert after.state is DeliveryState.SENT
    assert world.transport.signed_in_with == ["AT1"]
    assert world.server.asked == []


async def test_given_a_token_that_has_ended_when_attempted_then_a_fresh_one_signs_in() -> None:
    world = await a_world()
    await world.given_grant()
    world.clock.advance(HOUR)

    after = await world.attempted()

    assert after.state is DeliveryState.SENT
    assert len(world.server.questions(Question.REFRESH)) == 1
    assert world.transport.signed_in_with == [(await world.grant()).access_tokens[0].token.reveal()]


async def test_given_a_dead_grant_when_attempted_then_is_held_with_its_reason_and_nobody_is_connected() -> None:
    world = await a_world()
    failure = a_token_failure()
    await world.given_grant(a_grant(state=GrantState.REAUTHORIZATION_REQUIRED, failure=failure))

    after = await world.attempted()

    (attempt,) = world.store.attempts(after.delivery_id)
    assert (after.state, after.failure) == (DeliveryState.HELD, failure)
    assert after.next_attempt_time is None
    assert attempt.trace is not None
    assert [(step.stage, step.succeeded) for step in attempt.trace.steps] == [(failure.stage, False)]
    assert world.transport.submitted == []
    assert world.server.asked == []


async def test_given_a_grant_that_dies_during_the_attempt_when_recorded_then_is_held_until_a_consent() -> None:
    world = await a_world()
    await world.given_grant()
    world.clock.advance(HOUR)
    world.server.answers.append(a_refusal("invalid_grant"))

    after = await world.attempted()

    assert after.state is DeliveryState.HELD
    assert after.failure is not None
    assert after.failure.reason is Reason.REAUTH_REQUIRED
    assert (await world.grant()).is_dead
    assert len(world.events.died) == 1
    assert world.transport.accepted == []


async def test_given_a_held_delivery_when_hours_pass_then_nothing_is_tried_and_nothing_fails() -> None:
    world = await a_world()
    held = await world.attempted()
    world.clock.advance(23 * HOUR)

    async with world.uow() as work:
        claims = await work.deliveries.claim(worker="worker-1", lease=MINUTE, limit=10)

    assert claims == ()
    assert world.store.delivery(held.delivery_id).state is DeliveryState.HELD


async def test_given_a_token_that_the_mail_server_refuses_when_attempted_then_one_refresh_and_one_more_try() -> None:
    """In the same attempt (F23, rule 8)."""
    world = await a_world()
    await world.given_grant()
    world.transport.refuses = lambda token: token.reveal() == "AT1"

    after = await world.attempted()

    assert after.state is DeliveryState.SENT
    assert len(world.server.questions(Question.REFRESH)) == 1
    assert len(world.transport.submitted) == 1
    assert len(world.store.attempts(after.delivery_id)) == 1


async def test_given_a_mail_server_that_refuses_every_token_when_attempted_then_one_refresh_is_all() -> None:
    world = await a_world()
    await world.given_grant()
    world.transport.refuses = lambda _: True

    after = await world.attempted()

    assert len(world.server.questions(Question.REFRESH)) == 1
    assert after.state is not DeliveryState.SENT
    assert after.failure is not None
    assert after.failure.reason is Reason.AUTH_REJECTED
    assert not (await world.grant()).is_dead


@pytest.mark.parametrize("error", ["invalid_client", "temporarily_unavailable"])
async def test_given_a_token_endpoint_that_gives_none_for_now_when_attempted_then_it_is_tried_again_and_not_held(
    error: str,
) -> None:
    world = await a_world()
    await world.given_grant()
    world.clock.advance(HOUR)
    world.server.refusing = error

    after = await world.attempted()

    assert after.state is DeliveryState.RETRYING
    assert not (await world.grant()).is_dead


class _Interrupted(FakeUnitOfWork):
    """A unit of work that lets something happen before it begins."""

    def __init__(self, store: FakeStore, before: Callable[[], Awaitable[object]] | None) -> None:
        super().__init__(store)
        self._before = before

    async def __aenter__(self) -> Self:
        if self._before is not None:
            await self._before()
        return await super().__aenter__()


async def attempted_while(world: World, happens: Callable[[], Awaitable[object]]) -> Delivery:
    """Attempts the delivery; *happens* takes place when everything was read and nothing was recorded yet."""
    between: deque[Callable[[], Awaitable[object]] | None] = deque([None, happens])
    attempt = AttemptDelivery(
        uow=lambda: _Interrupted(world.store, between.popleft()),
        mark=world.progress,
        record=world.progress,
        grants=grants_together(world.uow),
        known=world.known,
        transport=world.transport,
        sources=world.sources,
        clock=world.clock,
        entropy=world.entropy,
    )
    claim = await world.claim()
    await attempt(claim)
    assert not between
    return world.store.delivery(claim.delivery.delivery_id)


async def test_given_a_consent_between_reading_and_recording_when_held_then_it_is_due_at_once() -> None:
    world = await a_world()

    between = await attempted_while(world, lambda: consented(world))
    after = await world.attempted()

    assert between.state is DeliveryState.QUEUED
    assert after.state is DeliveryState.SENT


async def test_given_an_exchange_that_began_before_the_attempt_when_it_ends_during_it_then_it_is_due_at_once() -> None:
    """The grant is older than the attempt, by its time, and was not there yet when the attempt looked."""
    world = await a_world()
    authorization = await begun(world)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def think() -> None:
        asked.set()
        await answer.wait()

    world.server.while_asked = think
    consent = asyncio.create_task(came_back(world, authorization))
    await asked.wait()
    world.clock.advance(timedelta(seconds=1))

    async def the_provider_answers() -> None:
        answer.set()
        await consent

    between = await attempted_while(world, the_provider_answers)
    after = await world.attempted()

    assert between.state is DeliveryState.QUEUED
    assert after.state is DeliveryState.SENT


async def test_given_other_settings_between_reading_and_recording_when_held_then_it_is_due_at_once() -> None:
    world = await a_world()
    await world.configure(CALLER, CONFIGURATION_ID, some_written_settings())

    between = await attempted_while(world, world.validated)
    after = await world.attempted()

    assert between.state is DeliveryState.QUEUED
    assert after.state is DeliveryState.SENT


async def test_given_the_configuration_deleted_between_reading_and_recording_when_held_then_it_fails_at_once() -> None:
    world = await a_world()

    between = await attempted_while(world, lambda: world.delete_configuration(CALLER, CONFIGURATION_ID))
    after = await world.attempted()

    assert between.state is DeliveryState.QUEUED
    assert after.state is DeliveryState.FAILED
    assert after.failure is not None
    assert after.failure.reason is Reason.NOT_CONFIGURED


async def test_given_a_consent_to_the_draft_between_reading_and_recording_when_held_then_it_stays_held() -> None:
    draft = a_revision(number=2, settings=oauth_settings(username="eve@example.com"))
    world = await a_world(a_configuration(settings=oauth_settings(), draft=draft, last_revision=2))
    world.server.account = "eve@example.com"

    between = await attempted_while(world, lambda: consented(world))

    assert between.state is DeliveryState.HELD


async def test_given_a_consent_that_came_and_died_between_reading_and_recording_when_held_then_it_stays_held() -> None:
    world = await a_world()
    dead = a_grant(state=GrantState.REAUTHORIZATION_REQUIRED, failure=a_token_failure())

    between = await attempted_while(world, lambda: world.given_grant(dead))

    assert between.state is DeliveryState.HELD


async def test_given_a_mail_server_that_wants_another_consent_when_the_grant_is_brand_new_then_is_held() -> None:
    """Else it would be tried again and again without a pause."""
    world = await a_world()
    await consented(world)
    wants = a_failure(FailureKind.REAUTHORIZE, reason=Reason.REAUTH_REQUIRED, stage=Stage.AUTH)
    world.transport.answers.append(Answer(failure=wants))

    after = await world.attempted()

    assert (after.state, after.failure) == (DeliveryState.HELD, wants)
