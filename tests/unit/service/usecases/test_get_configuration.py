"""GetConfiguration, and what it says about secrets that do not open."""

from __future__ import annotations

import pytest

from domain.errors import NotFound
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    a_configuration,
    a_draft,
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
