"""One refresh: asked once a generation, stored before it is used, and what a refusal means for the grant."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from domain.account import Account
from domain.errors import ProviderRefused, SecretUnreadable, Unavailable
from domain.grant import Grant, GrantState
from domain.reasons import Reason
from domain.resource import GRAPH, OUTLOOK, SINGLE
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import GrantType
from domain.token import TokenRefusal
from domain.token_life import may_ask
from service.usecases.refresh_grant import LEASE, Refresh
from tests.builders import NOW, an_oauth_authentication, some_settings
from tests.consent_builders import a_token_answer
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
)
from tests.unit.service.world import World, until

CLIENT: Final = an_oauth_authentication()
SECOND: Final = timedelta(seconds=1)
HEALS: Final = {
    "server error": a_refusal("", status=503),
    "temporarily_unavailable": a_refusal("temporarily_unavailable"),
    "too many requests": a_refusal("", status=429),
    "invalid_client": a_refusal("invalid_client", status=401),
    "unreachable": a_silence(was_sent=False),
    "timeout": a_silence(),
}


def tokens_of(grant: Grant) -> tuple[str, str]:
    """Returns the grant's refresh token and its access token of the single resource."""
    held = grant.access_token(SINGLE)
    return grant.refresh_token.reveal(), held.token.reveal() if held else ""


async def test_given_a_provider_that_rotates_when_refreshed_then_the_new_pair_is_stored() -> None:
    world = World()
    world.server.rotates = True
    grant = await given_consent(world)

    outcome = await world.refresh_grant(grant, CLIENT, SINGLE)

    after = await world.grant()
    assert outcome is Refresh.STORED
    assert after.generation == 2
    assert after.refresh_time == world.clock.now()
    assert (tokens_of(after)[0], after.state) == ("RT2", GrantState.AUTHORIZED)
    assert tokens_of(after)[1] != "AT1"
    assert [asked.secret for asked in world.server.asked] == ["RT1"]
    assert world.events.refreshed == [(Account(grant.tenant, grant.configuration_id), None)]


@pytest.mark.parametrize("refresh_token", [None, Secret("")], ids=["none", "empty"])
async def test_given_an_answer_without_refresh_token_when_refreshed_twice_then_the_old_one_is_kept_and_used(
    refresh_token: Secret | None,
) -> None:
    world = World()
    grant = await given_consent(world)
    world.server.answers.append(a_token_answer(refresh_token=refresh_token, scopes=None))

    await world.refresh_grant(grant, CLIENT, SINGLE)
    after = await world.grant()
    await world.refresh_grant(after, CLIENT, SINGLE)

    assert tokens_of(after) == ("RT1", "AT2")
    assert after.granted_scopes == grant.granted_scopes
    assert [asked.secret for asked in world.server.asked] == ["RT1", "RT1"]


async def test_given_the_same_generation_when_two_processes_refresh_at_once_then_one_asks() -> None:
    world = World()
    world.server.rotates = True
    other, gate = Process(world), Gate(world.server)
    grant = await given_consent(world)

    first = asyncio.create_task(world.refresh_grant(grant, CLIENT, SINGLE))
    await gate.reached()
    second = await other.refresh_grant(grant, CLIENT, SINGLE)
    gate.open()

    assert (await first, second) == (Refresh.STORED, Refresh.NOT_OURS)
    assert len(world.server.asked) == 1


async def test_given_a_generation_that_somebody_has_refreshed_when_refreshed_again_then_nothing_is_asked() -> None:
    world = World()
    grant = await given_consent(world)
    await world.refresh_grant(grant, CLIENT, SINGLE)

    outcome = await Process(world).refresh_grant(grant, CLIENT, SINGLE)

    assert outcome is Refresh.NOT_OURS
    assert len(world.server.asked) == 1


async def test_given_the_store_is_away_before_the_request_when_refreshed_then_nothing_is_asked() -> None:
    world = World()
    grant = await given_consent(world)
    world.store.away = True

    with pytest.raises(Unavailable):
        await world.refresh_grant(grant, CLIENT, SINGLE)

    assert world.server.asked == []


async def test_given_the_store_does_not_take_the_lease_when_refreshed_then_nothing_is_asked() -> None:
    world = World()
    grant = await given_consent(world)
    world.store.fail_next("commit")

    with pytest.raises(Unavailable):
        await world.refresh_grant(grant, CLIENT, SINGLE)

    assert world.server.asked == []
    assert await world.refresh_grant(grant, CLIENT, SINGLE) is Refresh.STORED


async def test_given_the_store_goes_away_between_answer_and_commit_when_it_is_back_then_the_new_pair_is_stored() -> (
    None
):
    world = World()
    world.server.rotates = True
    gate = Gate(world.server)
    grant = await given_consent(world)

    refreshing = asyncio.create_task(world.refresh_grant(grant, CLIENT, SINGLE))
    await gate.reached()
    world.store.away = True
    gate.open()
    await until(lambda: bool(world.events.refreshed))
    await asyncio.sleep(0.01)  # some attempts at storing
    assert not refreshing.done()
    world.store.away = False

    assert await refreshing is Refresh.STORED
    assert tokens_of(await world.grant())[0] == "RT2"
    assert await world.refresh_grant(await world.grant(), CLIENT, SINGLE) is Refresh.STORED
    assert world.server.reused == []


@pytest.mark.parametrize(
    ("operation", "afterwards"), [("enter", False), ("grants.save", False), ("commit", False), ("commit", True)]
)
async def test_given_the_commit_of_the_new_pair_fails_when_repeated_then_the_pair_is_stored_once(
    operation: str, afterwards: bool
) -> None:
    world = World()
    world.server.rotates = True
    gate = Gate(world.server)
    grant = await given_consent(world)

    refreshing = asyncio.create_task(world.refresh_grant(grant, CLIENT, SINGLE))
    await gate.reached()
    for _ in range(3):
        world.store.fail_next(operation, afterwards=afterwards)
    gate.open()

    assert await refreshing is Refresh.STORED
    after = await world.grant()
    assert (after.generation, tokens_of(after)[0]) == (2, "RT2")
    assert len(world.server.asked) == 1


async def test_given_a_holder_that_died_when_its_lease_lapses_then_the_grant_is_in_doubt_and_asked_once_more() -> None:
    world = World()
    grant = await given_consent(world)
    gate, other = Gate(world.server), Process(world)
    dying = asyncio.create_task(other.refresh_grant(grant, CLIENT, SINGLE))
    await gate.reached()
    dying.cancel()
    gate.open()

    early = await world.refresh_grant(grant, CLIENT, SINGLE)
    world.clock.advance(LEASE)
    late = await world.refresh_grant(grant, CLIENT, SINGLE)

    assert (early, late) == (Refresh.NOT_OURS, Refresh.STORED)
    assert len(world.server.asked) == 2
    assert (await world.grant()).state is GrantState.AUTHORIZED


async def test_given_a_holder_that_died_with_the_new_pair_when_asked_once_more_then_dead_and_the_reason_told() -> None:
    world = World()
    world.server.rotates = True
    grant = await given_consent(world)
    other = Process(world)
    dying = await cut_off_with_its_answer(other, grant, world)
    dying.cancel()
    world.clock.advance(LEASE)

    await world.refresh_grant(grant, CLIENT, SINGLE)
    again = await world.refresh_grant(await world.grant(), CLIENT, SINGLE)

    after = await world.grant()
    assert (after.state, again) == (GrantState.REAUTHORIZATION_REQUIRED, Refresh.NOT_OURS)
    assert after.failure is not None
    assert "answer to an earlier refresh was lost" in after.failure.cause
    assert len(world.events.died) == 1
    assert len(world.server.asked) == 2


async def test_given_a_former_holder_that_only_waited_for_the_store_when_it_stores_in_time_then_nothing_is_asked() -> (
    None
):
    world = World()
    world.server.rotates = True
    grant = await given_consent(world)
    former, taker = Process(world), Process(world, former_holder=timedelta(milliseconds=300))
    waiting = await cut_off_with_its_answer(former, grant, world)
    world.clock.advance(LEASE)

    taking = asyncio.create_task(taker.refresh_grant(grant, CLIENT, SINGLE))
    await until(lambda: grant_in_store(world).state is GrantState.REFRESH_IN_DOUBT)
    former.away = False

    assert (await waiting, await taking) == (Refresh.STORED, Refresh.NOT_OURS)
    assert len(world.server.asked) == 1
    assert (tokens_of(await world.grant())[0], world.server.reused) == ("RT2", [])


async def test_given_the_pair_of_another_process_when_an_older_answer_comes_to_be_stored_then_it_does_not_win() -> None:
    world = World()
    grant = await given_consent(world)
    former = Process(world)
    world.server.answers.extend([a_token_answer(access_token=Secret("OLDER")), a_token_answer()])
    waiting = await cut_off_with_its_answer(former, grant, world)
    world.clock.advance(LEASE)
    await world.refresh_grant(grant, CLIENT, SINGLE)

    former.away = False
    await waiting

    after = await world.grant()
    assert (after.generation, tokens_of(after)) == (2, ("RT2", "AT2"))


async def test_given_invalid_grant_for_the_stored_token_when_refreshed_then_it_ends_once_and_is_told_once() -> None:
    world = World()
    world.server.refusing = "invalid_grant"
    grant = await given_consent(world)

    outcome = await world.refresh_grant(grant, CLIENT, SINGLE)
    again = await world.refresh_grant(await world.grant(), CLIENT, SINGLE)

    after = await world.grant()
    assert (outcome, again) == (Refresh.STORED, Refresh.NOT_OURS)
    assert (after.state, after.access_tokens) == (GrantState.REAUTHORIZATION_REQUIRED, ())
    assert [failure.reason for _, failure in world.events.died] == [Reason.REAUTH_REQUIRED]
    assert len(world.server.asked) == 1


@pytest.mark.parametrize("afterwards", [False, True], ids=["lost", "only its answer lost"])
async def test_given_the_commit_of_a_death_fails_when_repeated_then_it_is_stored_and_told_once(
    afterwards: bool,
) -> None:
    world = World()
    world.server.refusing = "invalid_grant"
    gate = Gate(world.server)
    grant = await given_consent(world)

    refreshing = asyncio.create_task(world.refresh_grant(grant, CLIENT, SINGLE))
    await gate.reached()
    world.store.fail_next("commit", afterwards=afterwards)
    gate.open()
    await refreshing

    assert (await world.grant()).is_dead
    assert len(world.events.died) == 1


async def test_given_a_refusal_of_a_token_no_longer_stored_when_recorded_then_grant_and_lease_are_left_alone() -> None:
    world = World()
    gate = Gate(world.server)
    grant = await given_consent(world)
    world.server.answers.append(a_refusal())

    refusing = asyncio.create_task(world.refresh_grant(grant, CLIENT, SINGLE))
    await gate.reached()
    newer = await stored_by_another(world, replace(grant, generation=2, refresh_token=Secret("RT9")))
    async with world.uow() as work:
        assert await work.grants.lease_refresh(newer.key, generation=2, lease=LEASE) is not None
        await work.commit()
    before = world.snapshot()
    gate.open()
    await refusing

    assert world.snapshot() == before  # the lease of whoever refreshes the newer generation too
    assert world.events.died == []


async def test_given_a_refusal_of_a_token_that_is_no_longer_stored_when_recorded_then_the_next_refresh_works() -> None:
    world = World()
    gate = Gate(world.server)
    grant = await given_consent(world)
    world.server.answers.append(a_refusal())
    refusing = asyncio.create_task(world.refresh_grant(grant, CLIENT, SINGLE))
    await gate.reached()
    newer = await stored_by_another(world, replace(grant, generation=2, refresh_token=Secret("RT9")))
    world.server.adopt("RT9")
    gate.open()
    await refusing

    outcome = await world.refresh_grant(newer, CLIENT, SINGLE)

    assert outcome is Refresh.STORED
    assert [asked.secret for asked in world.server.asked] == ["RT1", "RT9"]


async def test_given_a_refusal_when_the_grant_was_given_up_meanwhile_then_nothing_is_stored_or_told() -> None:
    world = World()
    gate = Gate(world.server)
    grant = await given_consent(world)
    world.server.answers.append(a_refusal())

    refusing = asyncio.create_task(world.refresh_grant(grant, CLIENT, SINGLE))
    await gate.reached()
    async with world.uow() as work:
        await work.grants.delete(grant.key)
        await work.commit()
    gate.open()
    await refusing

    assert (dict(world.store.grants), world.events.died) == ({}, [])


@pytest.mark.parametrize("refusal", HEALS.values(), ids=HEALS)
async def test_given_a_failure_that_heals_when_refreshed_then_the_grant_lives_keeps_its_tokens_and_pauses(
    refusal: TokenRefusal,
) -> None:
    world = World()
    grant = await given_consent(world)
    world.server.answers.append(refusal)

    await world.refresh_grant(grant, CLIENT, SINGLE)

    after = await world.grant()
    assert not after.is_dead
    assert (tokens_of(after), after.generation) == (("RT1", "AT1"), 1)
    assert (after.failure, after.failing_since) == (refusal.failure, NOW)
    assert not may_ask(after, now=world.clock.now() + SECOND / 2)
    assert world.events.died == []


@pytest.mark.parametrize("refusal", HEALS.values(), ids=HEALS)
async def test_given_a_failure_that_healed_when_refreshed_then_nothing_is_left_of_it(refusal: TokenRefusal) -> None:
    world = World()
    grant = await given_consent(world)
    world.server.answers.append(refusal)
    await world.refresh_grant(grant, CLIENT, SINGLE)

    outcome = await world.refresh_grant(await world.grant(), CLIENT, SINGLE)

    after = await world.grant()
    assert outcome is Refresh.STORED
    assert (after.state, after.failure, after.failing_since, after.failure_count, after.retry_time) == (
        GrantState.AUTHORIZED,
        None,
        None,
        0,
        None,
    )


async def test_given_a_lost_answer_when_invalid_grant_follows_then_the_grant_is_in_doubt_first_and_then_dead() -> None:
    world = World()
    grant = await given_consent(world)
    world.server.answers.extend([a_silence(), a_refusal("", status=503), a_refusal()])

    states = []
    for _ in range(3):
        await world.refresh_grant(await world.grant(), CLIENT, SINGLE)
        states.append((await world.grant()).state)

    assert states == [GrantState.REFRESH_IN_DOUBT, GrantState.REFRESH_IN_DOUBT, GrantState.REAUTHORIZATION_REQUIRED]
    assert [asked.secret for asked in world.server.asked] == [grant.refresh_token.reveal()] * 3


async def test_given_failures_in_a_row_when_refreshed_then_the_pauses_grow_up_to_five_minutes() -> None:
    world = World()
    await given_consent(world)
    world.server.answers.extend([a_refusal("", status=503)] * 12)

    pauses = []
    for _ in range(12):
        await world.refresh_grant(await world.grant(), CLIENT, SINGLE)
        retry_time = (await world.grant()).retry_time
        assert retry_time is not None
        pauses.append(retry_time - world.clock.now())
        world.clock.set(retry_time)

    assert SECOND <= pauses[0] <= 2 * SECOND
    assert pauses[3] > pauses[0]
    assert all(timedelta(minutes=2.5) <= pause <= timedelta(minutes=5) for pause in pauses[9:])
    assert (await world.grant()).failing_since == NOW


@pytest.mark.parametrize(
    "refusal",
    [a_refusal("invalid_client", status=401), a_refusal("", status=503), a_refusal("unauthorized_client")],
    ids=["invalid_client", "server error", "unauthorized_client"],
)
async def test_given_a_trial_when_its_client_is_refused_then_it_is_raised_and_leaves_no_trace(
    refusal: TokenRefusal,
) -> None:
    world = World()
    grant = await given_consent(world)
    before = world.snapshot()
    world.server.answers.append(refusal)

    with pytest.raises(ProviderRefused) as raised:
        await world.refresh_grant(grant, CLIENT, SINGLE, is_trial=True)

    assert raised.value.failure == refusal.failure
    assert world.snapshot() == before
    assert await world.refresh_grant(grant, CLIENT, SINGLE) is Refresh.STORED


async def test_given_a_trial_without_a_person_when_its_key_is_refused_then_it_leaves_no_trace_on_the_shared_grant() -> (
    None
):
    world = World()
    settings = oauth_settings(grant_type=GrantType.CLIENT_CREDENTIALS)
    grant = await given_consent(world, settings, refresh_token=Secret(""))
    before = world.snapshot()
    refusal = a_refusal(without_person=True)
    world.server.answers.append(refusal)

    with pytest.raises(ProviderRefused) as raised:
        await world.refresh_grant(
            grant, an_oauth_authentication(grant_type=GrantType.CLIENT_CREDENTIALS), SINGLE, is_trial=True
        )

    assert raised.value.failure == refusal.failure
    assert world.snapshot() == before


async def test_given_a_trial_when_the_grant_itself_is_refused_then_it_ends_as_in_use() -> None:
    world = World()
    world.server.refusing = "invalid_grant"
    grant = await given_consent(world)

    outcome = await world.refresh_grant(grant, CLIENT, SINGLE, is_trial=True)

    assert outcome is Refresh.STORED
    assert (await world.grant()).is_dead
    assert len(world.events.died) == 1


async def test_given_a_trial_whose_answer_is_lost_when_refreshed_then_the_doubt_is_stored_for_all() -> None:
    world = World()
    grant = await given_consent(world)
    world.server.answers.append(a_silence())

    outcome = await world.refresh_grant(grant, CLIENT, SINGLE, is_trial=True)

    assert (outcome, (await world.grant()).state) == (Refresh.STORED, GrantState.REFRESH_IN_DOUBT)


async def test_given_a_trial_when_the_store_is_away_for_giving_the_lease_back_then_it_is_given_back_later() -> None:
    world = World()
    gate = Gate(world.server)
    grant = await given_consent(world)
    world.server.answers.append(a_refusal("invalid_client", status=401))
    trial = asyncio.create_task(world.refresh_grant(grant, CLIENT, SINGLE, is_trial=True))
    await gate.reached()
    world.store.fail_next("commit")
    world.store.fail_next("grants.end_lease")
    gate.open()

    with pytest.raises(ProviderRefused):
        await trial

    assert await world.refresh_grant(grant, CLIENT, SINGLE) is Refresh.STORED


async def test_given_a_refresh_token_that_does_not_open_when_refreshed_then_nothing_is_asked_or_stored() -> None:
    world = World()
    await given_consent(world)
    world.store.vault = FakeVault((2,))
    grant = await world.grant()
    assert isinstance(grant.refresh_token, UnreadableSecret)
    before = world.snapshot()

    with pytest.raises(SecretUnreadable) as raised:
        await world.refresh_grant(grant, CLIENT, SINGLE)

    assert "Authorize" in raised.value.remedy
    assert raised.value.metadata["field"] == "the refresh token"
    assert (world.server.asked, world.snapshot()) == ([], before)


async def test_given_a_client_secret_that_does_not_open_when_refreshed_then_the_lease_is_given_back() -> None:
    world = World()
    grant = await given_consent(world)
    before = world.snapshot()

    with pytest.raises(SecretUnreadable):
        await world.refresh_grant(grant, an_oauth_authentication(client_secret=UnreadableSecret()), SINGLE)

    assert world.snapshot() == before  # no doubt: nothing was sent
    assert await world.refresh_grant(grant, CLIENT, SINGLE) is Refresh.STORED


async def test_given_microsoft_when_two_resources_are_refreshed_then_each_gets_a_token_of_its_own() -> None:
    world = World()
    world.server.rotates = True
    client = microsoft_client()
    await given_consent(world, some_settings(authentication=client), access_tokens=())

    await world.refresh_grant(await world.grant(), client, OUTLOOK)
    await world.refresh_grant(await world.grant(), client, GRAPH)

    after = await world.grant()
    outlook, graph = after.access_token(OUTLOOK), after.access_token(GRAPH)
    assert outlook is not None
    assert graph is not None
    assert (outlook.generation, graph.generation, after.generation) == (2, 3, 3)
    assert outlook.token != graph.token
    assert [asked.scopes for asked in world.server.asked] == [
        ("offline_access", OUTLOOK_SCOPE),
        ("offline_access", GRAPH_SCOPE),
    ]
    assert world.server.reused == []


async def test_given_other_providers_when_refreshed_then_no_scope_is_asked_for() -> None:
    world = World()
    grant = await given_consent(world)

    await world.refresh_grant(grant, CLIENT, SINGLE)

    assert [asked.scopes for asked in world.server.asked] == [()]


class TestWithoutPerson:
    CLIENT: Final = an_oauth_authentication(grant_type=GrantType.CLIENT_CREDENTIALS)

    async def given(self, world: World, **changes: object) -> Grant:
        settings = some_settings(authentication=self.CLIENT)
        return await given_consent(world, settings, refresh_token=Secret(""), **changes)

    async def test_given_no_person_when_refreshed_then_the_client_asks_for_itself_with_its_scopes(self) -> None:
        world = World()
        grant = await self.given(world, access_tokens=())

        await world.refresh_grant(grant, self.CLIENT, SINGLE)

        after = await world.grant()
        assert [(asked.question, asked.secret, asked.scopes) for asked in world.server.asked] == [
            (Question.ACQUIRE, "client secret", ("mail",))
        ]
        assert after.refresh_token == Secret("")
        assert after.access_token(SINGLE) is not None

    @pytest.mark.parametrize(
        "refusal", [a_refusal(without_person=True), a_silence(), a_refusal("invalid_client", status=401)]
    )
    async def test_given_no_person_when_refused_whatever_way_then_the_grant_lives_without_doubt(
        self, refusal: TokenRefusal
    ) -> None:
        world = World()
        grant = await self.given(world)
        world.server.answers.append(refusal)

        await world.refresh_grant(grant, self.CLIENT, SINGLE)

        after = await world.grant()
        assert (after.state, after.failure) == (GrantState.AUTHORIZED, refusal.failure)
        assert world.events.died == []
        assert not may_ask(after, now=world.clock.now() + SECOND / 2)


async def cut_off_with_its_answer(process: Process, grant: Grant, world: World) -> asyncio.Task[Refresh]:
    """Lets *process* get its answer and then lose the store; *grant* is spent and only the process has the new pair."""
    gate = Gate(world.server)
    refreshing = asyncio.create_task(process.refresh_grant(grant, CLIENT, SINGLE))
    await gate.reached()
    process.away = True
    gate.open()
    await until(lambda: bool(world.events.refreshed))
    return refreshing


def grant_in_store(world: World) -> Grant:
    """Returns the only grant as it is committed, without its tokens."""
    (stored,) = world.store.grants.values()
    return stored.grant


async def stored_by_another(world: World, newer: Grant) -> Grant:
    """Stores another generation as another process does."""
    async with world.uow() as work:
        await work.grants.save(newer, expected_generation=newer.generation - 1)
        await work.commit()
    return newer
