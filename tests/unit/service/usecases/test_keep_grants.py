"""A round of the keeper: idle grants are used in time, ends are announced, and nobody keeps the others waiting."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from domain.account import Account
from domain.errors import Unavailable
from domain.forecast import ForecastKind
from domain.grant import Grant, GrantKey, GrantState
from domain.providers.preset import OAuthProvider
from domain.resource import GRAPH, OUTLOOK
from domain.secret import Secret
from domain.settings.model import GrantType, MailSettings
from service.logs import CONFIGURATION_ID, KEEPING_FAILED
from service.usecases.refresh_grant import LEASE
from tests.builders import (
    CONFIGURATION_ID as ALERTS,
)
from tests.builders import (
    NOW,
    TENANT,
    a_configuration,
    a_draft,
    a_graph_transport,
    a_revision,
    some_settings,
)
from tests.consent_builders import a_consent_session, a_token_failure
from tests.fakes.authorization import a_refusal, a_silence
from tests.fakes.vault import FakeVault
from tests.unit.service.processes import (
    GRAPH_SCOPE,
    Gate,
    Process,
    a_grant_for,
    given_consent,
    microsoft_client,
    oauth_settings,
    source,
)
from tests.unit.service.world import World

DAY: Final = timedelta(days=1)
MINUTE: Final = timedelta(minutes=1)
SETTINGS: Final = oauth_settings()


async def idle(world: World, name: str, settings: MailSettings = SETTINGS, **changes: object) -> GrantKey:
    """Stores a configuration of that name with its grant, whose refresh token is the name's own."""
    await world.given(a_configuration(settings=settings, configuration_id=name))
    grant = a_grant_for(settings, configuration_id=name, refresh_token=Secret(f"RT-{name}"))
    return (await world.given_grant(replace(grant, **changes))).key  # type: ignore[arg-type]


async def found(world: World, key: GrantKey) -> Grant:
    async with world.uow() as work:
        grant = await work.grants.find(key)
    assert grant is not None
    return grant


async def test_given_a_grant_that_lies_idle_when_kept_then_it_is_refreshed_after_a_week_and_not_before() -> None:
    world = World()
    await given_consent(world)

    asked = []
    for days in (6.9, 7, 7.1, 7.2):
        world.clock.set(NOW + days * DAY)
        await world.keep_grants()
        asked.append(len(world.server.asked))

    assert asked == [0, 0, 1, 1]
    assert (await world.grant()).refresh_time == NOW + 7.1 * DAY


async def test_given_a_grant_that_mail_is_sent_with_when_kept_then_it_is_left_alone() -> None:
    world = World()
    await given_consent(world)
    world.clock.advance(5 * DAY)
    await source(world).token(rejected=None)

    world.clock.advance(5 * DAY)
    await world.keep_grants()

    assert len(world.server.asked) == 1


async def test_given_several_processes_when_all_keep_at_once_then_each_grant_is_refreshed_once() -> None:
    world = World()
    world.server.rotates = True
    keys = [await idle(world, f"c{number:02}") for number in range(45)]
    world.clock.advance(8 * DAY)
    processes = [Process(world, seed=seed) for seed in range(3)]

    await asyncio.gather(world.keep_grants(), *(process.keep_grants() for process in processes))

    assert sorted(asked.secret for asked in world.server.asked) == [f"RT-c{number:02}" for number in range(45)]
    assert {(await found(world, key)).generation for key in keys} == {2}
    assert world.server.reused == []


async def test_given_one_that_is_refused_and_one_that_fails_when_kept_then_the_others_are_refreshed() -> None:
    world = World()
    keys = [await idle(world, name) for name in ("a", "b", "c")]
    world.clock.advance(8 * DAY)
    world.server.answers.extend([a_refusal(), a_refusal("", status=503)])

    await world.keep_grants()

    assert [(await found(world, key)).state for key in keys] == [
        GrantState.REAUTHORIZATION_REQUIRED,
        GrantState.AUTHORIZED,
        GrantState.AUTHORIZED,
    ]
    assert [(await found(world, key)).generation for key in keys] == [1, 1, 2]
    assert [account for account, _ in world.events.died] == [Account(TENANT, "a")]


async def test_given_a_provider_that_is_down_when_kept_then_each_grant_is_asked_for_about_once_an_hour() -> None:
    world = World()
    for name in ("a", "b", "c"):
        await idle(world, name)
    world.clock.advance(8 * DAY)
    world.server.refusing = "temporarily_unavailable"

    await world.keep_grants()
    await world.keep_grants()
    in_the_pause = len(world.server.asked)
    world.clock.advance(50 * MINUTE)
    await world.keep_grants()
    within_the_hour = len(world.server.asked)
    world.clock.advance(15 * MINUTE)
    await world.keep_grants()

    assert (in_the_pause, within_the_hour, len(world.server.asked)) == (3, 3, 6)
    assert world.events.died == []


async def test_given_many_that_cannot_be_refreshed_when_kept_then_those_behind_them_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    old_key = world.store.vault
    for number in range(50):
        await idle(world, f"a{number:02}")
    world.store.vault = FakeVault((2,))
    last = await idle(world, "z", authorize_time=NOW + MINUTE)
    world.clock.advance(8 * DAY)

    with caplog.at_level(logging.WARNING):
        await world.keep_grants()

    assert old_key is not world.store.vault
    assert (await found(world, last)).generation == 2
    assert [record.msg for record in caplog.records] == [KEEPING_FAILED] * 50
    assert {vars(record)[CONFIGURATION_ID] for record in caplog.records} == {f"a{number:02}" for number in range(50)}


async def test_given_a_fault_of_mailports_own_with_one_when_kept_then_the_others_are_refreshed_and_announced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    settings = oauth_settings(client_secret_expire_time=NOW + 20 * DAY)
    keys = [await idle(world, f"c{number:02}", settings) for number in range(25)]
    world.clock.advance(8 * DAY)

    async def breaks_at_first() -> None:
        if len(world.server.asked) == 1:
            raise RuntimeError("a fault of our own")

    world.server.while_asked = breaks_at_first

    with caplog.at_level(logging.ERROR):
        await world.keep_grants()

    assert sorted([(await found(world, key)).generation for key in keys]) == [1] + [2] * 24
    assert len(world.events.announced) == 25
    assert KEEPING_FAILED in [record.msg for record in caplog.records]


async def test_given_a_fault_of_mailports_own_when_one_is_announced_then_the_others_are_announced_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    settings = oauth_settings(client_secret_expire_time=NOW + 20 * DAY)
    for name in ("a", "b", "c"):
        await world.given(a_configuration(settings=settings, configuration_id=name))
    world.store.fail_next("announcements.of", RuntimeError("a fault of our own"))

    with caplog.at_level(logging.ERROR):
        await world.keep_grants()
    first = [account.configuration_id for account, _, _ in world.events.announced]
    await world.keep_grants()

    assert first == ["b", "c"]
    assert [account.configuration_id for account, _, _ in world.events.announced] == ["b", "c", "a"]
    (record,) = caplog.records
    assert (record.msg, vars(record)[CONFIGURATION_ID]) == (KEEPING_FAILED, "a")


async def test_given_the_store_goes_away_when_kept_then_unavailable_and_the_next_round_does_it() -> None:
    world = World()
    await given_consent(world)
    world.clock.advance(8 * DAY)
    world.store.fail_next("grants.lease_refresh")

    with pytest.raises(Unavailable):
        await world.keep_grants()
    await world.keep_grants()

    assert (await world.grant()).generation == 2


async def test_given_another_process_that_died_refreshing_when_kept_after_its_lease_then_it_is_refreshed() -> None:
    world = World()
    await given_consent(world)
    world.clock.advance(8 * DAY)
    gate, other = Gate(world.server), Process(world)
    dying = asyncio.create_task(other.keep_grants())
    await gate.reached()
    await other.fresh_tokens.drain(timedelta(0))
    dying.cancel()
    gate.open()

    await world.keep_grants()
    under_lease = len(world.server.asked)
    world.clock.advance(LEASE)
    await world.keep_grants()

    assert (under_lease, len(world.server.asked)) == (1, 2)
    assert (await world.grant()).state is GrantState.AUTHORIZED


async def test_given_a_dead_grant_when_kept_then_nothing_is_asked() -> None:
    world = World()
    await given_consent(world, state=GrantState.REAUTHORIZATION_REQUIRED, access_tokens=(), failure=a_token_failure())
    world.clock.advance(300 * DAY)

    await world.keep_grants()

    assert world.server.asked == []


async def test_given_a_grant_without_a_person_when_kept_then_nothing_is_asked() -> None:
    world = World()
    settings = oauth_settings(grant_type=GrantType.CLIENT_CREDENTIALS)
    await given_consent(world, settings, refresh_token=Secret(""))
    world.clock.advance(300 * DAY)

    await world.keep_grants()

    assert world.server.asked == []
    assert (await world.grant()).is_dead is False


async def test_given_a_grant_in_doubt_when_kept_then_it_is_tried_until_a_definite_answer() -> None:
    world = World()
    await given_consent(world)
    world.server.answers.append(a_silence())
    world.clock.advance(8 * DAY)

    await world.keep_grants()
    doubtful = (await world.grant()).state
    world.clock.advance(65 * MINUTE)
    await world.keep_grants()

    assert (doubtful, (await world.grant()).state) == (GrantState.REFRESH_IN_DOUBT, GrantState.AUTHORIZED)


async def test_given_a_grant_of_a_draft_alone_when_kept_then_it_is_kept_too() -> None:
    world = World()
    await world.given(a_draft(settings=SETTINGS))
    await world.given_grant()
    world.clock.advance(8 * DAY)

    await world.keep_grants()

    assert (await world.grant()).generation == 2


async def test_given_an_active_revision_and_a_draft_of_one_grant_when_kept_then_the_active_client_asks() -> None:
    world = World()
    draft = a_revision(number=2, settings=oauth_settings(client_secret=Secret("not proven")))
    await world.given(a_configuration(settings=SETTINGS, draft=draft))
    await world.given_grant()
    world.clock.advance(8 * DAY)

    await world.keep_grants()

    assert [asked.client.client_secret.reveal() for asked in world.server.asked] == ["client secret"]


async def test_given_a_grant_that_no_settings_use_when_idle_then_it_is_forgotten_and_the_other_kept() -> None:
    world = World()
    await given_consent(world)
    former = a_grant_for(oauth_settings(client_id="former"), grant_id="former", authorize_time=NOW - DAY)
    await world.given_grant(former)
    world.clock.advance(8 * DAY)

    await world.keep_grants()

    assert [key.grant_id for key in world.store.grants] == ["grant-1"]
    assert (await world.grant()).generation == 2


async def test_given_microsoft_graph_when_kept_then_its_own_resource_is_asked_for() -> None:
    world = World()
    settings = some_settings(authentication=microsoft_client(), transport=a_graph_transport())
    await given_consent(world, settings, access_tokens=())
    world.clock.advance(8 * DAY)

    await world.keep_grants()

    grant = await world.grant()
    assert [asked.scopes for asked in world.server.asked] == [("offline_access", GRAPH_SCOPE)]
    assert (grant.access_token(GRAPH) is not None, grant.access_token(OUTLOOK)) == (True, None)


async def test_given_a_refresh_that_puts_an_end_off_when_kept_then_refreshed_first_and_nothing_announced() -> None:
    world = World()
    settings = oauth_settings(provider=OAuthProvider.MICROSOFT)
    await given_consent(world, settings)
    world.clock.advance(85 * DAY)

    await world.keep_grants()

    assert len(world.server.asked) == 1
    assert world.events.announced == []


async def test_given_more_configurations_than_a_page_when_kept_then_the_ends_of_all_are_foreseen() -> None:
    world = World()
    settings = oauth_settings(client_secret_expire_time=NOW + 20 * DAY)
    for number in range(205):
        await world.given(a_configuration(settings=settings, configuration_id=f"c{number:03}"))
    await world.given(a_configuration(configuration_id="password"))
    world.events.ends_foreseen(Account(TENANT, "deleted since"), ())

    await world.keep_grants()
    await Process(world).keep_grants()

    names = {f"c{number:03}" for number in range(205)}
    assert {account.configuration_id for account in world.events.foreseen} == names
    assert sorted(account.configuration_id for account, _, _ in world.events.announced) == sorted(names)
    assert {forecast.kind for _, forecast, _ in world.events.announced} == {ForecastKind.CLIENT_SECRET_EXPIRING}


async def test_given_a_consent_session_that_expired_when_kept_then_it_is_forgotten_after_a_day() -> None:
    world = World()
    await world.given(a_draft(settings=SETTINGS))
    session = a_consent_session()
    async with world.uow() as work:
        await work.consents.add(session)
        await work.commit()

    world.clock.set(session.expire_time + DAY / 2)
    await world.keep_grants()
    after_half_a_day = len(world.store.consents)
    world.clock.set(session.expire_time + DAY + MINUTE)
    await world.keep_grants()

    assert (after_half_a_day, len(world.store.consents)) == (1, 0)


async def test_given_a_configuration_that_is_deleted_when_kept_then_nothing_is_left_to_keep() -> None:
    world = World()
    configuration = await world.given(a_configuration(settings=SETTINGS))
    await world.given_grant()
    async with world.uow() as work:
        await work.configurations.delete(TENANT, ALERTS, expected_version=configuration.version)
        await work.commit()
    world.clock.advance(300 * DAY)

    await world.keep_grants()

    assert world.server.asked == []
    assert dict(world.store.grants) == {}


async def test_given_a_store_that_goes_away_under_one_grant_when_kept_then_the_round_waits_for_the_others() -> None:
    world = World()
    keys = [await idle(world, name) for name in ("a", "b")]
    world.clock.advance(8 * DAY)
    gate = Gate(world.server)
    world.store.fail_next("grants.find")

    keeping = asyncio.create_task(world.keep_grants())
    await gate.reached()
    ended_early, _ = await asyncio.wait([keeping], timeout=0.05)
    gate.open()

    with pytest.raises(Unavailable):
        await keeping
    assert ended_early == set()
    assert sorted([(await found(world, key)).generation for key in keys]) == [1, 2]
