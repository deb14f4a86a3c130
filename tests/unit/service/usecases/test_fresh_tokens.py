"""The refreshes of a process: one under way for each grant, whoever waits, and none that is cut off."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from domain.errors import AuthorizationRequired, NotFound, ProviderRefused, SecretUnreadable, Unavailable
from domain.grant import Grant, GrantState
from domain.reasons import Reason
from domain.resource import SINGLE
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import GrantType
from domain.token_life import Freshness
from service.logs import REFRESH_FAILED
from service.usecases.refresh_grant import LEASE, Refresh
from tests.builders import CONFIGURATION_ID, NOW, TENANT, a_configuration, an_oauth_authentication
from tests.consent_builders import a_token_failure, an_access_token
from tests.fakes.authorization import Question, a_refusal
from tests.unit.service.processes import Gate, Process, given_consent, oauth_settings
from tests.unit.service.world import World, until

CLIENT: Final = an_oauth_authentication()
SETTINGS: Final = oauth_settings()
ALONE: Final = oauth_settings(grant_type=GrantType.CLIENT_CREDENTIALS)
LONG: Final = timedelta(seconds=5)
SHORT: Final = timedelta(milliseconds=20)


async def test_given_a_refresh_under_way_when_begun_again_then_it_is_the_same_one() -> None:
    world = World()
    gate = Gate(world.server)
    grant = await given_consent(world)

    tasks = {world.fresh_tokens.begin(grant, CLIENT, SINGLE) for _ in range(20)}
    gate.open()

    assert len(tasks) == 1
    assert await tasks.pop() is Refresh.STORED
    assert len(world.server.asked) == 1


async def test_given_a_refresh_that_has_ended_when_begun_again_then_it_is_another_one() -> None:
    world = World()
    grant = await given_consent(world)
    first = world.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await first

    second = world.fresh_tokens.begin(await world.grant(), CLIENT, SINGLE)

    assert await second is Refresh.STORED
    assert len(world.server.asked) == 2


async def test_given_another_process_refreshes_when_begun_then_it_ends_when_that_one_has_stored() -> None:
    world = World()
    gate, other = Gate(world.server), Process(world)
    grant = await given_consent(world)
    theirs = other.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await gate.reached()

    ours = world.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await asyncio.sleep(0.01)  # looks a few times
    was_done = ours.done()
    gate.open()

    assert (was_done, await ours, await theirs) == (False, Refresh.NOT_OURS, Refresh.STORED)
    assert (await world.grant()).generation == 2
    assert len(world.server.asked) == 1


async def test_given_another_process_is_refused_when_waited_for_then_the_wait_ends_with_its_refusal_stored() -> None:
    world = World()
    gate, other = Gate(world.server), Process(world)
    grant = await given_consent(world)
    world.server.answers.append(a_refusal("", status=503))
    theirs = other.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await gate.reached()

    ours = world.fresh_tokens.begin(grant, CLIENT, SINGLE)
    gate.open()

    assert (await ours, await theirs) == (Refresh.NOT_OURS, Refresh.STORED)
    with pytest.raises(ProviderRefused):
        world.fresh_tokens.check_may_ask(await world.grant())
    assert len(world.server.asked) == 1


async def test_given_another_process_that_died_when_its_lease_lapses_then_this_one_asks_once() -> None:
    world = World()
    gate, other = Gate(world.server), Process(world)
    grant = await given_consent(world)
    dying = other.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await gate.reached()
    ours = world.fresh_tokens.begin(grant, CLIENT, SINGLE)
    dying.cancel()
    gate.open()
    await asyncio.sleep(0.01)
    before = len(world.server.asked)

    world.clock.advance(LEASE)

    assert await ours is Refresh.STORED
    assert (before, len(world.server.asked)) == (1, 2)


async def test_given_a_grant_given_up_while_another_process_refreshes_it_when_waited_for_then_the_wait_ends() -> None:
    world = World()
    gate, other = Gate(world.server), Process(world)
    grant = await given_consent(world)
    theirs = other.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await gate.reached()
    ours = world.fresh_tokens.begin(grant, CLIENT, SINGLE)

    async with world.uow() as work:
        await work.grants.delete(grant.key)
        await work.commit()

    assert await ours is Refresh.NOT_OURS
    gate.open()
    await theirs
    assert dict(world.store.grants) == {}


async def test_given_waiters_when_cancelled_then_the_refresh_goes_on_and_is_stored() -> None:
    world = World()
    gate = Gate(world.server)
    grant = await given_consent(world)
    refreshing = world.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await gate.reached()

    async def waits() -> None:
        await asyncio.shield(world.fresh_tokens.begin(grant, CLIENT, SINGLE))

    waiters = [asyncio.create_task(waits()) for _ in range(3)]
    await asyncio.sleep(0)
    for waiter in waiters:
        waiter.cancel()
    ends = await asyncio.gather(*waiters, return_exceptions=True)
    gate.open()

    assert [type(end) for end in ends] == [asyncio.CancelledError] * 3
    assert await refreshing is Refresh.STORED
    assert (await world.grant()).generation == 2


async def test_given_a_refresh_under_way_when_drained_then_its_answer_is_stored_first() -> None:
    world = World()
    gate = Gate(world.server)
    grant = await given_consent(world)
    refreshing = world.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await gate.reached()

    draining = asyncio.create_task(world.fresh_tokens.drain(LONG))
    await asyncio.sleep(0.01)
    was_done = draining.done()
    gate.open()
    await draining

    assert not was_done
    assert refreshing.done()
    assert (await world.grant()).generation == 2


async def test_given_the_store_is_away_when_drained_then_drain_waits_for_it() -> None:
    world = World()
    gate = Gate(world.server)
    grant = await given_consent(world)
    refreshing = world.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await gate.reached()
    world.store.away = True
    gate.open()

    draining = asyncio.create_task(world.fresh_tokens.drain(LONG))
    await until(lambda: bool(world.events.refreshed))
    assert not draining.done()
    world.store.away = False
    await draining

    assert refreshing.done()
    assert (await world.grant()).generation == 2


async def test_given_a_refresh_that_does_not_end_when_drained_then_it_is_cancelled_in_time() -> None:
    world = World()
    gate = Gate(world.server)
    grant = await given_consent(world)
    refreshing = world.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await gate.reached()

    await world.fresh_tokens.drain(SHORT)

    assert refreshing.cancelled()
    again = world.fresh_tokens.begin(grant, CLIENT, SINGLE)  # it is no longer the one under way
    assert again is not refreshing
    gate.open()
    world.clock.advance(LEASE)
    assert await again is Refresh.STORED


async def test_given_nothing_under_way_when_drained_then_at_once() -> None:
    await World().fresh_tokens.drain(timedelta(0))


async def test_given_a_refresh_that_nobody_waits_for_when_the_store_is_away_then_only_the_next_one_hears_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    grant = await given_consent(world)
    world.store.away = True

    refreshing = world.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await asyncio.wait([refreshing])

    assert isinstance(refreshing.exception(), Unavailable)
    assert caplog.records == []
    world.store.away = False
    assert await world.fresh_tokens.begin(grant, CLIENT, SINGLE) is Refresh.STORED


async def test_given_a_fault_of_mailports_own_when_nobody_waits_then_it_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    grant = await given_consent(world)

    async def breaks() -> None:
        raise RuntimeError("a fault of our own")

    world.server.while_asked = breaks

    with caplog.at_level(logging.ERROR):
        await asyncio.wait([world.fresh_tokens.begin(grant, CLIENT, SINGLE)])
        await asyncio.sleep(0)

    (record,) = caplog.records
    assert (record.msg, record.exc_info is not None) == (REFRESH_FAILED, True)


async def test_given_a_trial_and_use_at_once_when_begun_then_they_are_two_and_one_asks_at_a_time() -> None:
    world = World()
    gate = Gate(world.server)
    grant = await given_consent(world)
    world.server.answers.append(a_refusal("invalid_client", status=401))

    trial = world.fresh_tokens.begin(grant, an_oauth_authentication(client_id="x"), SINGLE, is_trial=True)
    await gate.reached()
    use = world.fresh_tokens.begin(grant, CLIENT, SINGLE)
    await asyncio.sleep(0.01)
    meanwhile = len(world.server.asked)
    gate.open()

    with pytest.raises(ProviderRefused):
        await trial
    assert await use is Refresh.STORED
    assert (meanwhile, len(world.server.asked)) == (1, 2)


async def test_given_unreadable_secrets_when_begun_then_raised_to_who_waits() -> None:
    world = World()
    grant = await given_consent(world)

    with pytest.raises(SecretUnreadable):
        await world.fresh_tokens.begin(replace(grant, refresh_token=UnreadableSecret()), CLIENT, SINGLE)
    with pytest.raises(SecretUnreadable):
        await world.fresh_tokens.begin(grant, an_oauth_authentication(client_secret=UnreadableSecret()), SINGLE)

    assert world.server.asked == []


class TestHeld:
    async def test_given_a_consent_when_held_then_its_grant(self) -> None:
        world = World()
        grant = await given_consent(world)

        assert await world.fresh_tokens.held(TENANT, CONFIGURATION_ID, SETTINGS) == grant

    async def test_given_nobody_consented_when_held_then_authorization_required(self) -> None:
        world = World()
        await world.given(a_configuration(settings=SETTINGS))

        with pytest.raises(AuthorizationRequired) as raised:
            await world.fresh_tokens.held(TENANT, CONFIGURATION_ID, SETTINGS)

        assert raised.value.reason is Reason.NEEDS_AUTHORIZATION

    async def test_given_a_dead_grant_when_held_then_refused_with_why(self) -> None:
        world = World()
        why = a_token_failure()
        await given_consent(world, state=GrantState.REAUTHORIZATION_REQUIRED, access_tokens=(), failure=why)

        with pytest.raises(ProviderRefused) as raised:
            await world.fresh_tokens.held(TENANT, CONFIGURATION_ID, SETTINGS)

        assert raised.value.failure == why

    async def test_given_no_person_when_two_processes_come_first_then_they_hold_one_grant(self) -> None:
        world = World()
        await world.given(a_configuration(settings=ALONE))
        other = Process(world)

        ours, theirs = await asyncio.gather(
            world.fresh_tokens.held(TENANT, CONFIGURATION_ID, ALONE),
            other.fresh_tokens.held(TENANT, CONFIGURATION_ID, ALONE),
        )

        assert ours.key == theirs.key
        assert [key for key in world.store.grants] == [ours.key]  # noqa: C416 - the only one
        assert (ours.generation, ours.access_tokens) == (1, ())

    async def test_given_no_configuration_any_more_when_held_without_a_person_then_not_found(self) -> None:
        world = World()

        with pytest.raises(NotFound):
            await world.fresh_tokens.held(TENANT, CONFIGURATION_ID, ALONE)

        assert dict(world.store.grants) == {}

    async def test_given_no_person_when_refreshed_and_held_again_then_the_same_grant_with_its_token(self) -> None:
        world = World()
        await world.given(a_configuration(settings=ALONE))
        client = an_oauth_authentication(grant_type=GrantType.CLIENT_CREDENTIALS)
        grant = await world.fresh_tokens.held(TENANT, CONFIGURATION_ID, ALONE)
        await world.fresh_tokens.begin(grant, client, SINGLE)
        stored = await world.fresh_tokens.held(TENANT, CONFIGURATION_ID, ALONE)
        await world.fresh_tokens.begin(stored, client, SINGLE)

        after = await world.fresh_tokens.held(TENANT, CONFIGURATION_ID, ALONE)

        assert (after.key, after.generation) == (grant.key, 3)
        assert [asked.question for asked in world.server.asked] == [Question.ACQUIRE] * 2


class TestFreshness:
    def at(self, world: World, grant: Grant, minutes: float) -> Freshness:
        world.clock.set(NOW + timedelta(minutes=minutes))
        return world.fresh_tokens.freshness(grant, SINGLE)

    async def test_given_an_hour_when_time_passes_then_fresh_stale_between_50_and_55_minutes_and_expired(self) -> None:
        world = World()
        grant = await given_consent(world)

        seen = [self.at(world, grant, minutes) for minutes in (0, 49.9, 55, 59.9, 60)]

        assert seen == [Freshness.FRESH, Freshness.FRESH, Freshness.STALE, Freshness.STALE, Freshness.EXPIRED]

    async def test_given_many_grants_when_they_come_due_then_not_all_in_the_same_minute(self) -> None:
        world = World()
        grants = [replace(await given_consent(World()), grant_id=f"grant-{number}") for number in range(40)]

        stale = [
            sum(self.at(world, grant, minutes) is Freshness.STALE for grant in grants) for minutes in range(50, 56)
        ]

        assert stale == sorted(stale)
        assert len(set(stale)) >= 4
        assert stale[-1] == 40

    async def test_given_several_processes_when_a_grant_comes_due_then_not_in_all_at_the_same_moment(self) -> None:
        world = World()
        grant = await given_consent(world)
        processes = [Process(world, seed=seed) for seed in range(20)]
        world.clock.set(NOW + timedelta(minutes=52.5))

        seen = {process.fresh_tokens.freshness(grant, SINGLE) for process in processes}

        assert seen == {Freshness.FRESH, Freshness.STALE}

    async def test_given_a_pause_when_it_is_over_then_the_endpoint_may_be_asked(self) -> None:
        world = World()
        failure = a_token_failure()
        grant = await given_consent(
            world, failure=failure, retry_time=NOW + LONG, access_tokens=(an_access_token(token=Secret("AT1")),)
        )

        with pytest.raises(ProviderRefused) as raised:
            world.fresh_tokens.check_may_ask(grant)
        world.clock.advance(LONG)
        world.fresh_tokens.check_may_ask(grant)

        assert raised.value.failure == replace(failure, retry_time=NOW + LONG)
