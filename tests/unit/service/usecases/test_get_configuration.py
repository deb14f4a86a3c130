"""GetConfiguration, and what it says about secrets that do not open."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domain.account import Account
from domain.allowance import Allowance
from domain.errors import NotFound
from domain.failures.failure import FailureKind, Stage
from domain.limits import AccountLimits
from service.usecases.views import AllowanceView
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    TENANT,
    a_configuration,
    a_draft,
    a_failure,
    an_oauth_authentication,
    some_settings,
)
from tests.fakes.vault import FakeVault
from tests.unit.service.world import CALLER, World


async def test_given_an_active_configuration_when_read_then_says_so() -> None:
    world = World()
    await world.given()

    view = await world.get_configuration(CALLER, CONFIGURATION_ID)

    assert view.active is not None
    assert view.active.state == "ACTIVE"
    assert view.draft is None


async def test_given_an_oauth_draft_when_read_then_needs_authorization() -> None:
    world = World()
    await world.given(a_draft(settings=some_settings(authentication=an_oauth_authentication())))

    view = await world.get_configuration(CALLER, CONFIGURATION_ID)

    assert view.draft is not None
    assert view.draft.state == "NEEDS_AUTHORIZATION"


async def test_given_a_lost_key_when_read_then_everything_but_the_secret_is_there() -> None:
    """F42."""
    world = World()
    before = await world.given()
    world.store.vault = FakeVault(keys=[2])

    view = await world.get_configuration(CALLER, CONFIGURATION_ID)

    assert view.active is not None
    assert before.active is not None
    assert view.active.unreadable == ("settings.basic.password",)
    assert view.active.revision.settings.from_address == before.active.settings.from_address


async def test_given_a_foreign_configuration_when_read_then_the_answer_is_that_of_a_missing_one() -> None:
    """P19: byte for byte."""
    world, empty = World(), World()
    await world.given(a_configuration(tenant=OTHER_TENANT))

    with pytest.raises(NotFound) as foreign:
        await world.get_configuration(CALLER, CONFIGURATION_ID)
    with pytest.raises(NotFound) as missing:
        await empty.get_configuration(CALLER, CONFIGURATION_ID)

    assert vars(foreign.value) == vars(missing.value)
    assert str(foreign.value) == str(missing.value)


async def given_allowance(world: World, allowance: Allowance, *, wait_until: datetime | None = None) -> None:
    account = Account(TENANT, CONFIGURATION_ID)
    async with world.uow() as work:
        await work.allowances.lock(account)
        await work.allowances.save(account, allowance, wait_until=wait_until)
        await work.commit()


async def test_given_no_limits_when_read_then_no_allowance_is_shown() -> None:
    world = World()
    await world.given()

    assert (await world.get_configuration(CALLER, CONFIGURATION_ID)).allowance is None


async def test_given_limits_when_mail_waits_for_them_then_they_and_the_time_are_shown() -> None:
    world = World()
    limits = AccountLimits(messages_per_minute=30)
    await world.given(a_configuration(settings=some_settings(limits=limits)))
    until = world.clock.now() + timedelta(minutes=1)

    unused = await world.get_configuration(CALLER, CONFIGURATION_ID)
    await given_allowance(world, Allowance(), wait_until=until)
    waiting = await world.get_configuration(CALLER, CONFIGURATION_ID)
    world.clock.advance(timedelta(minutes=2))
    over = await world.get_configuration(CALLER, CONFIGURATION_ID)

    assert unused.allowance == AllowanceView(limits)
    assert waiting.allowance == AllowanceView(limits, wait_until=until)
    assert over.allowance == AllowanceView(limits)


async def test_given_a_throttling_answer_when_read_then_what_is_left_and_why_is_shown_until_all_is_raised() -> None:
    world = World()
    await world.given()
    failure = a_failure(FailureKind.THROTTLED, stage=Stage.DATA, code="432 4.3.2")
    await given_allowance(world, Allowance().lowered(failure, now=world.clock.now()))

    lowered = await world.get_configuration(CALLER, CONFIGURATION_ID)
    world.clock.advance(timedelta(hours=24))
    raised = await world.get_configuration(CALLER, CONFIGURATION_ID)

    assert lowered.allowance is not None
    assert (lowered.allowance.share, lowered.allowance.failure) == (0.5, failure)
    assert lowered.allowance.limits.connections == 2
    assert raised.allowance is None
