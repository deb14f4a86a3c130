"""Tokens for a sign-in: fresh ones at once, new ones once for all, and never the provider asked in a loop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from domain.errors import AuthorizationRequired, ProviderRefused, SecretUnreadable, Unavailable
from domain.grant import GrantState
from domain.reasons import Reason
from domain.resource import GRAPH, OUTLOOK, SINGLE
from domain.secret import Secret
from domain.settings.model import GrantType
from domain.token import TokenRefusal
from service.usecases.refresh_grant import LEASE
from service.usecases.token_sources import ProvableTokens
from tests.builders import (
    CONFIGURATION_ID,
    TENANT,
    a_configuration,
    a_graph_transport,
    an_oauth_authentication,
    some_settings,
)
from tests.consent_builders import a_token_answer, an_access_token
from tests.fakes.authorization import Question, a_refusal, a_silence
from tests.fakes.vault import FakeVault
from tests.unit.service.processes import (
    GRAPH_SCOPE,
    OUTLOOK_SCOPE,
    Gate,
    Process,
    given_consent,
    microsoft_client,
    oauth_settings,
    source,
)
from tests.unit.service.world import World, until

HOUR: Final = timedelta(hours=1)
LONG: Final = timedelta(seconds=5)
STALE: Final = timedelta(minutes=56)
"""Past the margin of every process and grant, before the end."""
ALONE: Final = oauth_settings(grant_type=GrantType.CLIENT_CREDENTIALS)


async def given(*, rotates: bool = True, expired: bool = True) -> World:
    """Returns a mailport whose provider rotates and whose only access token has ended, unless the test says else."""
    world = World()
    world.server.rotates = rotates
    await given_consent(world)
    if expired:
        world.clock.advance(HOUR)
    return world


async def revealed(tokens: ProvableTokens, *, rejected: str | None = None) -> str:
    async with asyncio.timeout(LONG.total_seconds()):  # only a broken test waits in vain
        given = await tokens.token(rejected=None if rejected is None else Secret(rejected))
    return given.reveal()


async def stored_token(world: World) -> str:
    held = (await world.grant()).access_token(SINGLE)
    assert held is not None
    return held.token.reveal()


async def test_given_a_fresh_token_when_asked_then_it_is_given_and_nothing_is_asked() -> None:
    world = await given(expired=False)

    assert await revealed(source(world)) == "AT1"
    assert world.server.asked == []


async def test_given_an_expired_token_when_twenty_callers_come_at_once_then_one_request_and_all_get_the_new_token() -> (
    None
):
    world = await given()
    gate, other = Gate(world.server), Process(world)

    callers = [asyncio.create_task(revealed(source(process))) for process in (world, other) for _ in range(10)]
    await gate.reached()
    await asyncio.sleep(0.01)  # all of them have come by now
    gate.open()
    tokens = await asyncio.gather(*callers)

    assert set(tokens) == {await stored_token(world)}
    assert tokens[0] != "AT1"
    assert [asked.secret for asked in world.server.asked] == ["RT1"]
    assert (await world.grant()).refresh_token == Secret("RT2")
    assert world.server.reused == []


async def test_given_callers_when_they_are_cancelled_then_the_refresh_is_stored_for_the_next_one() -> None:
    world = await given()
    gate = Gate(world.server)
    callers = [asyncio.create_task(revealed(source(world))) for _ in range(3)]
    await gate.reached()
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    gate.open()

    assert await revealed(source(world)) == await stored_token(world)
    assert len(world.server.asked) == 1


async def test_given_a_caller_that_is_cancelled_when_others_wait_then_they_get_the_token() -> None:
    world = await given()
    gate = Gate(world.server)
    leaving, staying = (asyncio.create_task(revealed(source(world))) for _ in range(2))
    await gate.reached()
    leaving.cancel()
    await asyncio.wait([leaving])
    gate.open()

    assert await staying == await stored_token(world)


async def test_given_a_stale_token_when_a_refresh_runs_then_it_is_given_at_once_and_the_new_one_afterwards() -> None:
    world = await given(expired=False)
    world.clock.advance(STALE)
    gate = Gate(world.server)

    meanwhile = [await revealed(source(world)) for _ in range(5)]
    await gate.reached()
    gate.open()
    await world.fresh_tokens.drain(LONG)
    afterwards = await revealed(source(world))

    assert meanwhile == ["AT1"] * 5
    assert afterwards == await stored_token(world) != "AT1"
    assert len(world.server.asked) == 1


async def test_given_a_stale_token_when_the_provider_fails_then_it_serves_and_the_pause_is_kept() -> None:
    world = await given(expired=False)
    world.clock.advance(STALE)
    world.server.refusing = "temporarily_unavailable"

    first = await revealed(source(world))
    await world.fresh_tokens.drain(LONG)
    rest = [await revealed(source(world)) for _ in range(5)]
    await world.fresh_tokens.drain(LONG)

    assert {first, *rest} == {"AT1"}
    assert len(world.server.asked) == 1


async def test_given_a_stale_token_when_the_store_goes_away_for_the_refresh_then_it_serves_all_the_same() -> None:
    world = await given(expired=False)
    world.clock.advance(STALE)
    world.store.fail_next("grants.lease_refresh")

    assert await revealed(source(world)) == "AT1"
    await world.fresh_tokens.drain(LONG)
    assert await revealed(source(world)) == "AT1"
    await world.fresh_tokens.drain(LONG)

    assert (await world.grant()).generation == 2


async def test_given_a_token_that_a_server_rejected_when_asked_then_it_is_refreshed_once_for_all() -> None:
    world = await given(expired=False)
    other = Process(world)

    tokens = await asyncio.gather(
        *(revealed(source(process), rejected="AT1") for process in (world, other) for _ in range(5))
    )

    assert set(tokens) == {await stored_token(world)}
    assert tokens[0] != "AT1"
    assert len(world.server.asked) == 1


async def test_given_a_rejected_token_when_somebody_has_replaced_it_then_nothing_is_asked() -> None:
    world = await given(expired=False)
    newer = await revealed(source(world), rejected="AT1")

    late = await revealed(source(Process(world)), rejected="AT1")

    assert late == newer
    assert len(world.server.asked) == 1


async def test_given_a_provider_that_gives_the_rejected_token_again_when_asked_then_once_and_no_loop() -> None:
    world = await given(rotates=False, expired=False)
    world.server.answers.extend([a_token_answer(access_token=Secret("AT1"), refresh_token=None)] * 5)

    given_again = await revealed(source(world), rejected="AT1")

    assert given_again == "AT1"
    assert len(world.server.asked) == 1


@pytest.mark.parametrize("seconds", [0, -1, -86_400])
async def test_given_a_token_that_is_expired_from_the_start_when_asked_then_it_is_given_and_no_loop(
    seconds: int,
) -> None:
    world = await given()
    world.server.lifetime = timedelta(seconds=seconds)
    other = Process(world)

    async with asyncio.timeout(LONG.total_seconds()):
        tokens = await asyncio.gather(*(revealed(source(process)) for process in (world, other) for _ in range(5)))

    assert "AT1" not in tokens
    assert 1 <= len(world.server.asked) <= 10  # each new caller may ask, none twice
    assert world.server.reused == []


async def test_given_a_lifetime_that_is_not_told_when_asked_then_held_for_an_hour() -> None:
    world = await given()
    world.server.lifetime = None

    first = await revealed(source(world))
    world.clock.advance(timedelta(minutes=49))
    second = await revealed(source(world))
    world.clock.advance(timedelta(minutes=11))
    third = await revealed(source(world))

    assert first == second != third


async def test_given_a_lifetime_of_centuries_when_asked_then_it_is_not_held_for_ever() -> None:
    world = await given()
    world.server.lifetime = timedelta(days=365 * 500)

    first = await revealed(source(world))
    world.clock.advance(timedelta(days=366))

    assert await revealed(source(world)) != first


async def test_given_another_process_that_died_asking_when_its_lease_lapses_then_the_callers_get_a_token() -> None:
    world = await given(rotates=False)
    gate, other = Gate(world.server), Process(world)
    dying = other.fresh_tokens.begin(await world.grant(), an_oauth_authentication(), SINGLE)
    await gate.reached()
    dying.cancel()
    gate.open()
    callers = [asyncio.create_task(revealed(source(world))) for _ in range(5)]
    await asyncio.sleep(0.01)

    world.clock.advance(LEASE)

    assert set(await asyncio.gather(*callers)) == {await stored_token(world)}
    assert len(world.server.asked) == 2


async def test_given_the_store_goes_away_between_answer_and_commit_when_it_is_back_then_the_callers_get_the_token() -> (
    None
):
    world = await given()
    gate = Gate(world.server)
    callers = [asyncio.create_task(revealed(source(world))) for _ in range(5)]
    await gate.reached()
    world.store.away = True
    gate.open()
    await until(lambda: bool(world.events.refreshed))
    assert not any(caller.done() for caller in callers)  # no token before it is stored
    world.store.away = False

    assert set(await asyncio.gather(*callers)) == {await stored_token(world)}
    assert len(world.server.asked) == 1


async def test_given_invalid_grant_when_many_ask_then_all_are_refused_one_request_was_made_and_none_follows() -> None:
    world = await given()
    world.server.refusing = "invalid_grant"
    other = Process(world)

    ends = await asyncio.gather(
        *(revealed(source(process)) for process in (world, other) for _ in range(5)), return_exceptions=True
    )
    for process in (world, other):
        with pytest.raises(ProviderRefused) as raised:
            await revealed(source(process))
        assert raised.value.reason is Reason.REAUTH_REQUIRED

    assert [type(end) for end in ends] == [ProviderRefused] * 10
    assert len(world.server.asked) == len(world.events.died) == 1


@pytest.mark.parametrize(
    "refusal",
    [a_refusal("", status=503), a_silence(), a_refusal("invalid_client", status=401), a_silence(was_sent=False)],
    ids=["server error", "timeout", "invalid_client", "unreachable"],
)
async def test_given_a_failure_that_heals_when_asked_in_the_pause_then_refused_at_once_and_tokens_again_after_it(
    refusal: TokenRefusal,
) -> None:
    world = await given()
    world.server.answers.append(refusal)

    for process in (world, world, Process(world)):
        with pytest.raises(ProviderRefused) as raised:
            await revealed(source(process))
        until = (await world.grant()).retry_time
        assert until is not None
        assert raised.value.failure == replace(refusal.failure, retry_time=until)
    in_the_pause = len(world.server.asked)
    world.clock.advance(timedelta(seconds=3))

    assert await revealed(source(world)) == await stored_token(world)
    assert in_the_pause == 1
    assert world.events.died == []


async def test_given_a_rejected_token_when_the_provider_fails_then_the_rejected_one_is_not_given_again() -> None:
    world = await given(expired=False)
    world.server.refusing = "temporarily_unavailable"

    for _ in range(2):
        with pytest.raises(ProviderRefused):
            await revealed(source(world), rejected="AT1")

    assert len(world.server.asked) == 1


async def test_given_a_refusal_of_a_token_that_another_process_has_replaced_when_asked_then_the_new_one_is_given() -> (
    None
):
    world = await given()
    gate = Gate(world.server)
    world.server.answers.append(a_refusal())
    caller = asyncio.create_task(revealed(source(world)))
    await gate.reached()
    grant = await world.grant()
    newer = an_access_token(now=world.clock.now(), token=Secret("THEIRS"), generation=2)
    async with world.uow() as work:
        theirs = replace(grant, generation=2, refresh_token=Secret("RT9"), access_tokens=(newer,))
        await work.grants.save(theirs, expected_generation=1)
        await work.commit()
    gate.open()

    assert await caller == "THEIRS"
    assert ((await world.grant()).state, world.events.died) == (GrantState.AUTHORIZED, [])


async def test_given_nobody_consented_when_asked_or_checked_then_authorization_required() -> None:
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))

    for asking in (source(world).token(rejected=None), source(world).check(), source(world).prove()):
        with pytest.raises(AuthorizationRequired):
            await asking

    assert world.server.asked == []


async def test_given_a_refresh_token_that_does_not_open_when_asked_then_secret_unreadable_each_time() -> None:
    world = await given()
    world.store.vault = FakeVault((2,))

    for _ in range(2):
        with pytest.raises(SecretUnreadable):
            await revealed(source(world))

    assert world.server.asked == []


async def test_given_an_access_token_that_does_not_open_when_asked_then_another_one_is_fetched() -> None:
    world = await given(expired=False)
    keys = world.store.vault
    stored = next(iter(world.store.grants.items()))
    sealed = {field: value for field, value in stored[1].sealed.items() if field == "refresh_token"}
    world.store.grants[stored[0]] = replace(stored[1], sealed={**sealed, "access_token/default": b"altered"})

    assert await revealed(source(world)) == await stored_token(world) != "AT1"
    assert keys is world.store.vault


async def test_given_the_store_is_away_when_asked_then_unavailable() -> None:
    world = await given(expired=False)
    world.store.away = True

    with pytest.raises(Unavailable):
        await revealed(source(world))


async def test_given_settings_without_oauth_when_asked_for_a_source_then_none() -> None:
    world = World()

    assert world.sources.stored(TENANT, CONFIGURATION_ID, some_settings()) is None
    assert world.sources.unsaved(TENANT, CONFIGURATION_ID, some_settings()) is None


async def test_given_microsoft_when_smtp_and_graph_ask_at_once_then_each_has_a_token_of_its_own_resource() -> None:
    world = World()
    world.server.rotates = True
    client = microsoft_client()
    smtp = some_settings(authentication=client)
    graph = some_settings(authentication=client, transport=a_graph_transport())
    await given_consent(world, smtp, access_tokens=())

    tokens = await asyncio.gather(*(revealed(source(world, each)) for each in (smtp, graph) for _ in range(5)))
    again = [await revealed(source(Process(world), each)) for each in (smtp, graph)]

    grant = await world.grant()
    outlook, of_graph = grant.access_token(OUTLOOK), grant.access_token(GRAPH)
    assert outlook is not None
    assert of_graph is not None
    assert tokens == [outlook.token.reveal()] * 5 + [of_graph.token.reveal()] * 5
    assert again == [outlook.token.reveal(), of_graph.token.reveal()]
    assert outlook.token != of_graph.token
    assert sorted(asked.scopes for asked in world.server.asked) == sorted(
        [("offline_access", OUTLOOK_SCOPE), ("offline_access", GRAPH_SCOPE)]
    )
    assert world.server.reused == []


async def test_given_microsoft_when_one_resources_token_is_rejected_then_the_others_stays() -> None:
    world = World()
    client = microsoft_client()
    smtp = some_settings(authentication=client)
    graph = some_settings(authentication=client, transport=a_graph_transport())
    await given_consent(world, smtp, access_tokens=())
    for_smtp, for_graph = await revealed(source(world, smtp)), await revealed(source(world, graph))

    renewed = await revealed(source(world, smtp), rejected=for_smtp)

    assert renewed not in (for_smtp, for_graph)
    assert await revealed(source(world, graph)) == for_graph
    assert len(world.server.asked) == 3


class TestProve:
    async def test_given_a_fresh_token_when_proven_then_the_endpoint_is_asked_all_the_same(self) -> None:
        world = await given(expired=False)

        await source(world).prove()

        assert (len(world.server.asked), (await world.grant()).generation) == (1, 2)

    async def test_given_another_process_that_refreshes_when_proven_then_asked_after_it(self) -> None:
        world = await given(expired=False)
        gate, other = Gate(world.server), Process(world)
        theirs = other.fresh_tokens.begin(await world.grant(), an_oauth_authentication(), SINGLE)
        await gate.reached()

        proving = asyncio.create_task(source(world).prove())
        await asyncio.sleep(0.01)
        gate.open()
        await proving
        await theirs

        assert (len(world.server.asked), world.server.reused) == (2, [])

    @pytest.mark.parametrize("is_trial", [False, True])
    async def test_given_a_secret_that_is_refused_when_proven_then_raised_and_a_trial_leaves_no_trace(
        self, *, is_trial: bool
    ) -> None:
        world = await given(expired=False)
        before = world.snapshot()
        world.server.answers.append(a_refusal("invalid_client", status=401))

        with pytest.raises(ProviderRefused) as raised:
            await source(world, is_trial=is_trial).prove()

        assert raised.value.reason is Reason.CLIENT_CONFIG
        assert (world.snapshot() == before) is is_trial

    @pytest.mark.parametrize("is_trial", [False, True])
    async def test_given_a_grant_that_is_refused_when_proven_then_it_is_dead_whoever_asked(
        self, *, is_trial: bool
    ) -> None:
        world = await given(expired=False)
        world.server.refusing = "invalid_grant"

        with pytest.raises(ProviderRefused) as raised:
            await source(world, is_trial=is_trial).prove()

        assert raised.value.reason is Reason.REAUTH_REQUIRED
        assert (await world.grant()).is_dead
        assert len(world.events.died) == 1

    async def test_given_a_pause_when_proven_then_refused_with_what_was_said_last(self) -> None:
        world = await given()
        world.server.refusing = "temporarily_unavailable"
        with pytest.raises(ProviderRefused):
            await revealed(source(world))

        with pytest.raises(ProviderRefused):
            await source(world, is_trial=True).prove()

        assert len(world.server.asked) == 1


class TestWithoutPerson:
    async def given(self) -> World:
        world = World()
        await world.given(a_configuration(settings=ALONE))
        return world

    async def test_given_no_token_yet_when_two_processes_ask_then_it_is_acquired_once_into_one_grant(self) -> None:
        world = await self.given()
        processes = (world, Process(world))

        tokens = await asyncio.gather(*(revealed(source(each, ALONE)) for each in processes for _ in range(5)))

        assert set(tokens) == {await stored_token(world)}
        assert len(world.store.grants) == len(world.server.asked) == 1

    async def test_given_a_token_that_expired_when_asked_again_and_again_then_a_new_one_each_time(self) -> None:
        world = await self.given()

        tokens = []
        for _ in range(4):
            tokens.append(await revealed(source(world, ALONE)))
            world.clock.advance(HOUR)

        assert len(set(tokens)) == 4
        assert [asked.question for asked in world.server.asked] == [Question.ACQUIRE] * 4

    async def test_given_invalid_grant_for_months_when_asked_then_it_never_dies_and_works_once_it_is_mended(
        self,
    ) -> None:
        world = await self.given()
        world.server.refusing = "invalid_grant"

        for _ in range(30):
            with pytest.raises(ProviderRefused):
                await revealed(source(world, ALONE))
            world.clock.advance(timedelta(days=3))
        world.server.refusing = ""

        assert await revealed(source(world, ALONE)) == await stored_token(world)
        assert (world.events.died, (await world.grant()).failure) == ([], None)

    async def test_given_settings_that_are_not_saved_when_proven_then_asked_once_and_nothing_is_stored(self) -> None:
        world = World()
        unsaved = world.sources.unsaved(TENANT, CONFIGURATION_ID, ALONE)
        assert unsaved is not None

        await unsaved.check()
        await unsaved.prove()

        assert len(world.server.questions(Question.ACQUIRE)) == 1
        assert dict(world.store.grants) == {}

    async def test_given_settings_that_are_not_saved_when_refused_then_raised(self) -> None:
        world = World()
        world.server.refusing = "invalid_client"
        unsaved = world.sources.unsaved(TENANT, CONFIGURATION_ID, ALONE)
        assert unsaved is not None

        with pytest.raises(ProviderRefused):
            await unsaved.token(rejected=None)

    async def test_given_unsaved_settings_with_a_person_when_proven_then_a_trial_of_the_stored_grant(self) -> None:
        world = await given(expired=False)
        before = world.snapshot()
        world.server.answers.append(a_refusal("invalid_client", status=401))
        unsaved = world.sources.unsaved(TENANT, CONFIGURATION_ID, oauth_settings())
        assert unsaved is not None

        with pytest.raises(ProviderRefused):
            await unsaved.prove()

        assert world.snapshot() == before
