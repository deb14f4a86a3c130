"""What a process lets go of when an account changes anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from domain.account import Account
from service.usecases.changed_accounts import ChangedAccounts, lanes_of
from service.usecases.known_configurations import KnownConfigurations
from tests.builders import CONFIGURATION_ID, TENANT, a_configuration
from tests.fakes.environment import FakeClock
from tests.fakes.signals import FakeSignals
from tests.fakes.transport import FakeTransport

ALERTS = Account(TENANT, CONFIGURATION_ID)
NEWS = Account(TENANT, "news")


@asynccontextmanager
async def following(signals: FakeSignals, lanes: FakeTransport, known: KnownConfigurations) -> AsyncIterator[None]:
    """Runs it, listening, and lets it take all that was told inside."""
    task = asyncio.create_task(ChangedAccounts(signals=signals, lanes=[lanes], known=known).run())
    await asyncio.sleep(0)
    yield
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


def two_known() -> KnownConfigurations:
    known = KnownConfigurations()
    known.learn(a_configuration())
    known.learn(replace(a_configuration(), configuration_id=NEWS.configuration_id))
    return known


async def test_given_an_account_that_changed_when_told_then_its_lanes_and_settings_are_forgotten_and_no_others() -> (
    None
):
    signals, lanes, known = FakeSignals(), FakeTransport(clock=FakeClock()), two_known()

    async with following(signals, lanes, known):
        signals.raise_account(ALERTS)

    assert lanes.forgotten == [lanes_of(ALERTS)]
    assert known.latest(ALERTS) is None
    assert known.latest(NEWS) is not None


async def test_given_news_that_may_have_been_missed_when_told_then_everything_is_forgotten() -> None:
    signals, lanes, known = FakeSignals(), FakeTransport(clock=FakeClock()), two_known()

    async with following(signals, lanes, known):
        signals.raise_account(None)

    assert lanes.forgotten == [""]
    assert known.latest(ALERTS) is None
    assert known.latest(NEWS) is None
