"""ListConfigurations: one tenant's, page by page."""

from __future__ import annotations

import pytest

from domain.errors import InputInvalid
from service.usecases.paging import DEFAULT_SIZE, MAX_SIZE, page_size
from tests.builders import OTHER_TENANT, a_configuration
from tests.unit.service.world import CALLER, World


async def a_world(*names: str) -> World:
    world = World()
    for name in names:
        await world.given(a_configuration(configuration_id=name))
    return world


async def test_given_three_configurations_when_paged_by_two_then_each_comes_once_in_order() -> None:
    world = await a_world("c", "a", "b")

    first = await world.list_configurations(CALLER, size=2, after="")
    second = await world.list_configurations(CALLER, size=2, after="b")

    assert [view.configuration.configuration_id for view in first.items] == ["a", "b"]
    assert first.has_more
    assert [view.configuration.configuration_id for view in second.items] == ["c"]
    assert not second.has_more


async def test_given_as_many_as_fit_when_paged_then_there_are_no_more() -> None:
    world = await a_world("a", "b")

    page = await world.list_configurations(CALLER, size=2, after="")

    assert len(page.items) == 2
    assert not page.has_more


async def test_given_a_foreign_configuration_when_listed_then_is_not_there() -> None:
    world = await a_world("mine")
    await world.given(a_configuration(tenant=OTHER_TENANT, configuration_id="theirs"))

    page = await world.list_configurations(CALLER, size=0, after="")

    assert [view.configuration.configuration_id for view in page.items] == ["mine"]


async def test_given_a_negative_size_when_listed_then_is_refused() -> None:
    world = World()

    with pytest.raises(InputInvalid) as refused:
        await world.list_configurations(CALLER, size=-1, after="")

    assert refused.value.violations[0].field == "page_size"


@pytest.mark.parametrize(("asked", "used"), [(0, DEFAULT_SIZE), (1, 1), (MAX_SIZE, MAX_SIZE), (10**6, MAX_SIZE)])
def test_given_a_size_when_used_then_is_bounded(asked: int, used: int) -> None:
    assert page_size(asked) == used
