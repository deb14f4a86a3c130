"""Announcing ends: each threshold of each end once, whoever looks and however often."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain.account import Account
from domain.configuration import Configuration
from domain.errors import Unavailable
from domain.forecast import ForecastKind
from domain.grant import Grant, GrantState, basis_of
from domain.providers.preset import OAuthProvider
from domain.settings.model import MailSettings, OAuthAuthentication
from service.usecases.announce_ends import AnnounceEnds
from tests.builders import (
    CONFIGURATION_ID,
    NOW,
    TENANT,
    a_configuration,
    a_draft,
    a_revision,
    an_oauth_authentication,
    some_settings,
)
from tests.consent_builders import a_grant
from tests.unit.service.world import World

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
ACCOUNT = Account(TENANT, CONFIGURATION_ID)
SECRET, IDLE = ForecastKind.CLIENT_SECRET_EXPIRING, ForecastKind.GRANT_IDLE


def oauth(**changes: Any) -> MailSettings:
    return some_settings(authentication=an_oauth_authentication(**changes))


def microsoft(**changes: Any) -> MailSettings:
    return oauth(provider=OAuthProvider.MICROSOFT, **changes)


def a_grant_for(settings: MailSettings, **changes: Any) -> Grant:
    assert isinstance(settings.authentication, OAuthAuthentication)
    return a_grant(basis=basis_of(settings.authentication), **changes)


class Keeper:
    """A mailport whose ends are looked at."""

    def __init__(self) -> None:
        self.world = World()
        self.world.clock.set(NOW)
        self.announce = AnnounceEnds(uow=self.world.uow, clock=self.world.clock, events=self.world.events)

    async def looks(
        self, configuration: Configuration, *grants: Grant, after: timedelta = timedelta(0)
    ) -> list[tuple[ForecastKind, int]]:
        """Looks at *after* from NOW, and returns what was announced: what, and how many days are left."""
        self.world.clock.set(NOW + after)
        told = len(self.world.events.announced)
        found = await self.announce(configuration, grants)
        new = self.world.events.announced[told:]
        assert [forecast for _, forecast, _ in new] == list(found)
        assert {account for account, _, _ in new} <= {ACCOUNT}
        return [(forecast.kind, left) for _, forecast, left in new]


async def test_given_a_secret_with_a_date_when_looked_at_each_day_then_announced_at_each_threshold_once() -> None:
    keeper = Keeper()
    configuration = await keeper.world.given(a_configuration(settings=oauth(client_secret_expire_time=NOW + 35 * DAY)))

    said = [await keeper.looks(configuration, after=day * DAY + MINUTE) for day in range(38)]

    assert [(day, *each) for day, found in enumerate(said) for each in found] == [
        (5, SECRET, 30),
        (21, SECRET, 14),
        (28, SECRET, 7),
        (34, SECRET, 1),
    ]


async def test_given_several_processes_when_all_look_at_once_then_one_announces() -> None:
    keeper = Keeper()
    configuration = await keeper.world.given(a_configuration(settings=oauth(client_secret_expire_time=NOW + 6 * DAY)))

    await asyncio.gather(*(keeper.announce(configuration, ()) for _ in range(8)))

    assert [forecast.kind for _, forecast, _ in keeper.world.events.announced] == [SECRET]


async def test_given_a_grant_that_nobody_used_when_it_is_used_again_then_the_next_idling_is_announced_anew() -> None:
    keeper = Keeper()
    settings = microsoft()
    configuration = await keeper.world.given(a_configuration(settings=settings))
    idle, used = a_grant_for(settings), a_grant_for(settings, refresh_time=NOW + 65 * DAY)

    said = [
        await keeper.looks(configuration, grant, after=days * DAY)
        for grant, days in ((idle, 59), (idle, 60), (idle, 61), (used, 65), (used, 66), (used, 125), (used, 126))
    ]

    assert said == [[], [(IDLE, 30)], [], [], [], [(IDLE, 30)], []]


async def test_given_two_ends_when_both_are_near_then_both_are_announced_the_nearest_first() -> None:
    keeper = Keeper()
    settings = microsoft(client_secret_expire_time=NOW + 10 * DAY)
    configuration = await keeper.world.given(a_configuration(settings=settings))

    said = await keeper.looks(configuration, a_grant_for(settings, refresh_token_expire_time=NOW + 2 * DAY))

    assert said == [(ForecastKind.GRANT_EXPIRING, 2), (SECRET, 10)]


async def test_given_an_active_revision_and_a_draft_when_looked_at_then_the_active_one_counts() -> None:
    keeper = Keeper()
    draft = a_revision(number=2, settings=oauth(client_secret_expire_time=NOW + 3 * DAY))
    active = await keeper.world.given(a_configuration(settings=oauth(), draft=draft))
    alone = a_draft(settings=oauth(client_secret_expire_time=NOW + 3 * DAY))

    said = await keeper.looks(active), await keeper.looks(alone)

    assert said == ([], [(SECRET, 3)])


async def test_given_a_grant_that_does_not_cover_the_settings_when_looked_at_then_its_ends_do_not_matter() -> None:
    keeper = Keeper()
    settings = microsoft()
    configuration = await keeper.world.given(a_configuration(settings=settings))
    other = a_grant_for(microsoft(client_id="another"), refresh_token_expire_time=NOW + DAY)

    assert await keeper.looks(configuration, other) == []
    assert keeper.world.events.foreseen == {ACCOUNT: ()}


async def test_given_two_consents_when_looked_at_then_the_one_that_mail_is_sent_with_counts() -> None:
    keeper = Keeper()
    settings = microsoft()
    configuration = await keeper.world.given(a_configuration(settings=settings))
    old = a_grant_for(settings, grant_id="g-1", refresh_token_expire_time=NOW + DAY)
    new = a_grant_for(settings, grant_id="g-2", now=NOW + MINUTE, refresh_token_expire_time=NOW + 7 * DAY)

    assert await keeper.looks(configuration, old, new, after=2 * MINUTE) == [(ForecastKind.GRANT_EXPIRING, 7)]


async def test_given_an_end_when_foreseen_then_shown_long_before_it_is_announced_and_gone_with_it() -> None:
    keeper = Keeper()
    settings = microsoft()
    configuration = await keeper.world.given(a_configuration(settings=settings))

    said = await keeper.looks(configuration, a_grant_for(settings))
    shown = dict(keeper.world.events.foreseen)
    await keeper.looks(configuration, a_grant_for(settings, state=GrantState.REAUTHORIZATION_REQUIRED))

    assert said == []
    assert [each.kind for each in shown[ACCOUNT]] == [IDLE]
    assert keeper.world.events.foreseen == {ACCOUNT: ()}


async def test_given_a_dead_grant_when_consented_to_anew_then_the_new_end_is_announced() -> None:
    keeper = Keeper()
    settings = oauth()
    configuration = await keeper.world.given(a_configuration(settings=settings))
    living = a_grant_for(settings, refresh_token_expire_time=NOW + 7 * DAY)
    dead = a_grant_for(settings, state=GrantState.REAUTHORIZATION_REQUIRED)

    said = [await keeper.looks(configuration, grant) for grant in (living, dead, living)]

    assert said == [[(ForecastKind.GRANT_EXPIRING, 7)], [], [(ForecastKind.GRANT_EXPIRING, 7)]]


@pytest.mark.parametrize(
    "configuration", [a_configuration(), a_draft(draft=None)], ids=["password", "nothing_configured"]
)
async def test_given_settings_without_oauth_when_looked_at_then_nothing_is_foreseen(
    configuration: Configuration,
) -> None:
    keeper = Keeper()
    await keeper.world.given(configuration)

    assert await keeper.looks(configuration) == []


async def test_given_a_store_that_is_away_when_it_comes_back_then_announced_once() -> None:
    keeper = Keeper()
    configuration = await keeper.world.given(a_configuration(settings=oauth(client_secret_expire_time=NOW + DAY)))
    keeper.world.store.fail_next("commit")

    with pytest.raises(Unavailable):
        await keeper.looks(configuration)
    said = [await keeper.looks(configuration) for _ in range(2)]

    assert keeper.world.events.announced[:-1] == []
    assert said == [[(SECRET, 1)], []]


async def test_given_a_configuration_deleted_meanwhile_when_looked_at_then_nothing_is_announced() -> None:
    keeper = Keeper()
    gone = a_configuration(settings=oauth(client_secret_expire_time=NOW + DAY))

    assert await keeper.looks(gone) == []


async def test_given_a_secret_that_has_ended_when_first_looked_at_then_announced_with_no_day_left() -> None:
    keeper = Keeper()
    configuration = await keeper.world.given(a_configuration(settings=oauth(client_secret_expire_time=NOW)))

    assert await keeper.looks(configuration, after=MINUTE) == [(SECRET, 0)]
