"""Data centers as callers meet them: what waits says why, and goes along when its settings move."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.data_center import Reach
from domain.delivery import Delivery, DeliveryState
from domain.ports.deliveries import DeliveryFilter
from domain.ports.delivery_queue import Claim
from domain.reasons import Reason
from domain.settings.model import DataCenterPolicy
from service.rpc.render import render_validated
from service.usecases.attempt import LEASE
from service.usecases.send_test import SendTest
from service.usecases.validate_and_save import ValidateAndSave
from tests.builders import (
    CONFIGURATION_ID,
    a_configuration,
    a_delivery,
    a_draft,
    a_revision,
    some_settings,
)
from tests.unit.service.world import CALLER, MINUTE, World

PREFERRED, STRICT = DataCenterPolicy.PREFERRED, DataCenterPolicy.STRICT
DAY = timedelta(days=1)


async def a_world(*sites: str) -> World:
    """Returns a world with a live worker at each of *sites*."""
    world = World()
    async with world.uow() as work:
        for site in sites:
            await work.workers.seen(f"worker at {site}", site, lives_for=2 * DAY)
        await work.commit()
    return world


async def shown(world: World, delivery: Delivery) -> Delivery:
    """Returns the delivery as GetDelivery tells it; ListDeliveries tells the same."""
    got = (await world.get_delivery(CALLER, delivery.delivery_id)).delivery
    page = await world.list_deliveries(CALLER, DeliveryFilter(), size=10, after=None)
    assert got in [each.delivery for each in page.items]
    return got


def reason_of(delivery: Delivery) -> Reason | None:
    return delivery.failure.reason if delivery.failure is not None else None


async def claimed_at(world: World, site: str) -> tuple[Claim, ...]:
    async with world.uow() as work:
        claims = await work.deliveries.claim(worker="w", lease=LEASE, limit=10, reach=Reach(site))
        await work.commit()
    return claims


@pytest.mark.parametrize(
    ("alive", "policy", "expected"),
    [
        (["us-1"], STRICT, Reason.DATA_CENTER_AWAY),
        ([], STRICT, Reason.DATA_CENTER_AWAY),
        ([], PREFERRED, Reason.DATA_CENTER_AWAY),
        (["us-1"], PREFERRED, None),
        (["eu-1"], STRICT, None),
    ],
)
async def test_given_mail_that_is_due_when_looked_at_then_it_says_whether_nobody_is_there(
    alive: list[str], policy: DataCenterPolicy, expected: Reason | None
) -> None:
    world = await a_world(*alive)
    delivery = await world.accepted(a_delivery(data_center="eu-1", data_center_policy=policy))

    told = await shown(world, delivery)

    assert reason_of(told) is expected
    assert world.store.delivery(delivery.delivery_id) == delivery


@pytest.mark.parametrize(
    "changes",
    [
        {"data_center": ""},
        {"next_attempt_time": a_delivery().next_attempt_time + 400 * DAY},  # type: ignore[operator]
        {"state": DeliveryState.SENT, "next_attempt_time": None},
        {"state": DeliveryState.HELD, "next_attempt_time": None},
    ],
)
async def test_given_mail_that_waits_for_no_worker_when_looked_at_then_nothing_is_said_of_workers(
    changes: dict[str, Any],
) -> None:
    world = await a_world()
    delivery = await world.accepted(a_delivery(**{"data_center": "eu-1", "data_center_policy": STRICT, **changes}))

    assert await shown(world, delivery) == delivery


async def test_given_strict_mail_that_nobody_came_for_when_its_time_is_over_then_it_says_why_for_good() -> None:
    world = await a_world("us-1")
    delivery = await world.accepted(a_delivery(data_center="gone-9", data_center_policy=STRICT))
    world.clock.set(delivery.expire_time)

    await world.reap()

    ended = world.store.delivery(delivery.delivery_id)
    assert ended.state is DeliveryState.EXPIRED
    assert reason_of(ended) is Reason.DATA_CENTER_AWAY


async def test_given_settings_of_another_site_when_proven_then_what_waits_goes_along() -> None:
    world = await a_world("us-1")
    moved = some_settings(data_center="us-1", data_center_policy=STRICT)
    before = some_settings(data_center="eu-1", data_center_policy=STRICT)
    await world.given(a_configuration(settings=before, draft=a_revision(number=2, settings=moved), last_revision=2))
    queued = a_delivery(data_center="eu-1", data_center_policy=STRICT)
    held = a_delivery(data_center="eu-1", data_center_policy=STRICT, state=DeliveryState.HELD, next_attempt_time=None)
    waiting = [await world.accepted(each) for each in (queued, held)]
    unclaimed = await claimed_at(world, "us-1")

    await world.validated(user_email="me@example.com")

    claims = await claimed_at(world, "us-1")
    assert unclaimed == ()
    assert {each.delivery.delivery_id for each in claims} == {each.delivery_id for each in waiting}


async def test_given_settings_of_another_site_when_their_code_comes_back_then_what_waits_goes_along() -> None:
    world = await a_world("us-1")
    moved = some_settings(data_center="us-1")
    await world.given(a_configuration(draft=a_revision(number=2, settings=moved), last_revision=2))
    waiting = await world.accepted(a_delivery(data_center="eu-1", data_center_policy=STRICT))
    world.entropy.codes.append("12345678")
    await world.validated(user_email="me@example.com", require_confirmation=True)
    too_early = world.store.delivery(waiting.delivery_id)

    await world.confirm_validation(CALLER, CONFIGURATION_ID, "12345678")

    after = world.store.delivery(waiting.delivery_id)
    assert too_early.data_center == "eu-1"
    assert (after.data_center, after.data_center_policy) == ("us-1", PREFERRED)


async def test_given_a_failed_delivery_of_a_site_that_is_no_more_when_retried_then_it_goes_where_the_settings_are() -> (
    None
):
    world = await a_world("us-1")
    await world.given(a_configuration(settings=some_settings(data_center="us-1")))
    failed = await world.accepted(
        a_delivery(state=DeliveryState.FAILED, next_attempt_time=None, data_center="gone-9", data_center_policy=STRICT)
    )

    await world.retry_delivery(CALLER, failed.delivery_id, expire_after=None)

    (claim,) = await claimed_at(world, "us-1")
    assert claim.delivery.delivery_id == failed.delivery_id


async def test_given_settings_with_a_site_when_sent_then_the_delivery_has_site_and_policy() -> None:
    world = await a_world("eu-1")
    await world.given(a_configuration(settings=some_settings(data_center="eu-1", data_center_policy=STRICT)))

    sent = await world.sent()

    stored = world.store.delivery(sent.view.delivery.delivery_id)
    assert (stored.data_center, stored.data_center_policy, stored.attempted_from) == ("eu-1", STRICT, "")


@pytest.mark.parametrize(("alive", "policy"), [("us-1", PREFERRED), ("eu-1", STRICT)])
async def test_given_active_settings_of_a_site_when_read_then_health_knows_whether_somebody_is_there(
    alive: str, policy: DataCenterPolicy
) -> None:
    world = await a_world(alive)
    await world.given(a_configuration(settings=some_settings(data_center="eu-1", data_center_policy=policy)))

    view = await world.get_configuration(CALLER, CONFIGURATION_ID)
    async with world.uow() as work:
        await work.workers.leave(f"worker at {alive}")
        await work.commit()
    alone = await world.get_configuration(CALLER, CONFIGURATION_ID)

    assert view.nobody_there is None
    assert alone.nobody_there is not None
    assert alone.nobody_there.reason is Reason.DATA_CENTER_AWAY


async def test_given_a_draft_alone_when_read_then_its_site_is_not_judged_before_it_sends() -> None:
    world = await a_world()
    await world.given(a_draft(settings=some_settings(data_center="eu-1", data_center_policy=STRICT)))

    view = await world.get_configuration(CALLER, CONFIGURATION_ID)

    assert view.nobody_there is None


@pytest.mark.parametrize(("site", "is_warned"), [("us-1", True), ("", True), ("eu-1", False)])
async def test_given_settings_of_a_site_when_proven_by_a_process_then_the_result_says_whether_it_was_there(
    site: str, is_warned: bool
) -> None:
    world = await a_world()
    settings = some_settings(data_center="eu-1", data_center_policy=STRICT)
    await world.given(a_draft(settings=settings))
    parts = {"uow": world.uow, "prove": world.prove, "sources": world.sources, "clock": world.clock}
    send_test = SendTest(**parts, rules=world.rules, data_center=site)  # type: ignore[arg-type]
    validate = ValidateAndSave(**parts, entropy=world.entropy, vault=world.vault, data_center=site)  # type: ignore[arg-type]

    tested = await send_test(CALLER, CONFIGURATION_ID, to="me@example.com", unsaved=None, time_left=MINUTE)
    validated = await validate(
        CALLER, CONFIGURATION_ID, user_email="me@example.com", require_confirmation=False, etag="", time_left=MINUTE
    )

    for warnings in (tested.warnings, validated.warnings):
        assert [each.reason for each in warnings] == [Reason.PROVEN_ELSEWHERE] * is_warned
    told = [each.reason for each in render_validated(validated).warnings]
    assert told == ["PROVEN_ELSEWHERE"] * is_warned


async def test_given_settings_of_any_site_when_proven_anywhere_then_nothing_is_said_of_it() -> None:
    world = await a_world()
    await world.given(a_draft())

    assert (await world.validated(user_email="me@example.com")).warnings == ()
