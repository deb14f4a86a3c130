"""What every Changes does (domain.ports.changes): each change of state once, in order for a delivery, none lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.delivery import Delivery, DeliveryState
from domain.errors import NotReady
from domain.ports.changes import ChangeFilter, ChangePage
from domain.reasons import Reason
from tests.builders import CONFIGURATION_ID, OTHER_TENANT, TENANT, a_delivery, a_failure, an_attempt
from tests.contract.conftest import Storage
from tests.storing import accept_one, pass_no_return

ANY = ChangeFilter()
MINUTE = timedelta(minutes=1)


async def accept(storage: Storage, *deliveries: Delivery) -> None:
    async with storage.uow() as work:
        for delivery in deliveries:
            await accept_one(work, delivery)
        await work.commit()


async def save(storage: Storage, delivery: Delivery) -> None:
    async with storage.uow() as work:
        await work.deliveries.save(delivery)
        await work.commit()


async def newest(storage: Storage) -> int:
    async with storage.uow() as work:
        return await work.changes.newest()


async def after(
    storage: Storage, number: int, where: ChangeFilter = ANY, *, tenant: str = TENANT, limit: int = 100
) -> ChangePage:
    async with storage.uow() as work:
        return await work.changes.after(tenant, where, number, limit=limit)


def told(page: ChangePage) -> list[tuple[str, DeliveryState | None, DeliveryState]]:
    return [(each.delivery.delivery_id, each.previous_state, each.delivery.state) for each in page.changes]


async def test_given_a_life_when_read_then_each_state_comes_once_in_order_as_it_was_then(storage: Storage) -> None:
    start = await newest(storage)
    delivery = a_delivery(now=storage.now())
    await accept(storage, delivery)
    async with storage.uow() as work:
        (claim,) = await work.deliveries.claim(worker="w1", lease=MINUTE, limit=1)
        await work.commit()
    async with storage.uow() as work:
        await work.deliveries.renew(claim, lease=MINUTE)
        await pass_no_return(work, claim)
        await work.commit()
    failed = replace(
        claim.delivery, state=DeliveryState.FAILED, failure=a_failure(), doubt_count=1, final_time=storage.now()
    )
    async with storage.uow() as work:
        await work.deliveries.record(claim, failed, an_attempt(now=storage.now()))
        await work.commit()

    page = await after(storage, start)

    assert told(page) == [
        (delivery.delivery_id, None, DeliveryState.QUEUED),
        (delivery.delivery_id, DeliveryState.QUEUED, DeliveryState.SENDING),
        (delivery.delivery_id, DeliveryState.SENDING, DeliveryState.FAILED),
    ]
    assert [each.delivery for each in page.changes] == [delivery, claim.delivery, failed]
    assert (page.has_more, page.waiting_since) == (False, None)
    assert (await after(storage, page.reached)).changes == ()


async def test_given_changes_within_one_unit_when_read_then_none_is_skipped(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now(), state=DeliveryState.SENDING, next_attempt_time=None)
    held = a_delivery(now=storage.now(), state=DeliveryState.HELD, next_attempt_time=None)
    await accept(storage, held)
    start = await newest(storage)

    async with storage.uow() as work:
        await work.deliveries.save(replace(held, state=DeliveryState.RETRYING))
        await work.deliveries.release(TENANT, CONFIGURATION_ID)
        await work.commit()

    states = [(before, now) for _, before, now in told(await after(storage, start))]
    assert states == [
        (DeliveryState.HELD, DeliveryState.RETRYING),
        (DeliveryState.RETRYING, DeliveryState.QUEUED),
    ]
    assert delivery.state is DeliveryState.SENDING


async def test_given_a_save_that_keeps_the_state_and_a_unit_that_rolls_back_when_read_then_there_is_nothing(
    storage: Storage,
) -> None:
    delivery = a_delivery(now=storage.now())
    await accept(storage, delivery)
    start = await newest(storage)

    await save(storage, replace(delivery, next_attempt_time=storage.now() + MINUTE))
    async with storage.uow() as work:
        await work.deliveries.save(replace(delivery, state=DeliveryState.CANCELLED))

    assert (await after(storage, start)).changes == ()


async def test_given_two_units_when_the_first_commits_last_then_nothing_is_lost_and_nothing_comes_twice(
    storage: Storage,
) -> None:
    start = await newest(storage)
    first, second, third = (a_delivery(now=storage.now()) for _ in range(3))
    pages = []

    async with storage.uow() as slow:
        await accept_one(slow, first)
        await accept(storage, second)
        pages.append(await after(storage, start))
        await accept(storage, third)
        pages.append(await after(storage, pages[-1].reached))
        await slow.commit()
    pages.append(await after(storage, pages[-1].reached))

    shown = [identity for page in pages for identity, _, _ in told(page)]
    assert sorted(shown) == sorted(each.delivery_id for each in (first, second, third))


async def test_given_many_writers_when_read_all_the_while_then_each_life_comes_once_and_in_order(
    storage: Storage,
) -> None:
    start = await newest(storage)
    deliveries = [a_delivery(now=storage.now()) for _ in range(24)]
    lives: dict[str, list[tuple[DeliveryState | None, DeliveryState]]] = {d.delivery_id: [] for d in deliveries}
    life = [DeliveryState.QUEUED, DeliveryState.RETRYING, DeliveryState.HELD, DeliveryState.CANCELLED]

    async def live(delivery: Delivery) -> None:
        await accept(storage, delivery)
        for state in life[1:]:
            await save(storage, replace(delivery, state=state))

    writing = asyncio.gather(*(live(each) for each in deliveries))
    reached = start
    while True:
        was_done = writing.done()
        page = await after(storage, reached, limit=7)
        for identity, before, now in told(page):
            lives[identity].append((before, now))
        reached = page.reached
        if was_done and not page.has_more and page.waiting_since is None:
            break

    await writing
    expected = list(zip([None, *life], life, strict=False))
    assert all(each == expected for each in lives.values())


async def test_given_filters_when_read_then_all_must_hold_and_what_is_filtered_stays_behind(storage: Storage) -> None:
    start = await newest(storage)
    wanted, other, foreign = (
        a_delivery(now=storage.now()),
        a_delivery(now=storage.now(), configuration_id="news"),
        a_delivery(now=storage.now(), tenant=OTHER_TENANT),
    )
    await accept(storage, wanted, other, foreign)
    await save(storage, replace(wanted, state=DeliveryState.CANCELLED))

    by_configuration = await after(storage, start, ChangeFilter(configuration_id="news"))
    by_id = await after(storage, start, ChangeFilter(delivery_ids=frozenset({wanted.delivery_id, foreign.delivery_id})))
    by_state = await after(storage, start, ChangeFilter(states=frozenset({DeliveryState.CANCELLED})))
    by_no_id = await after(storage, start, ChangeFilter(delivery_ids=frozenset({"not-a-uuid"})))
    of_other = await after(storage, start, tenant=OTHER_TENANT)

    assert [identity for identity, _, _ in told(by_configuration)] == [other.delivery_id]
    assert [identity for identity, _, _ in told(by_id)] == [wanted.delivery_id] * 2
    assert told(by_state) == [(wanted.delivery_id, DeliveryState.QUEUED, DeliveryState.CANCELLED)]
    assert by_no_id.changes == ()
    assert [identity for identity, _, _ in told(of_other)] == [foreign.delivery_id]
    assert (await after(storage, by_no_id.reached)).changes == ()


async def test_given_more_than_the_limit_when_read_then_the_next_part_goes_on_behind_it(storage: Storage) -> None:
    start = await newest(storage)
    deliveries = [a_delivery(now=storage.now()) for _ in range(5)]
    await accept(storage, *deliveries)

    first = await after(storage, start, limit=3)
    rest = await after(storage, first.reached, limit=3)

    assert (first.has_more, rest.has_more) == (True, False)
    shown = [identity for page in (first, rest) for identity, _, _ in told(page)]
    assert shown == [each.delivery_id for each in deliveries]


async def test_given_old_changes_when_purged_then_the_oldest_go_first_and_older_cursors_are_refused(
    storage: Storage,
) -> None:
    start = await newest(storage)
    old = [a_delivery(now=storage.now() - timedelta(days=8)) for _ in range(3)]
    young = a_delivery(now=storage.now())
    await accept(storage, *old, young)
    last_old = (await after(storage, start)).changes[2].number

    counts = []
    for _ in range(3):
        async with storage.uow() as work:
            counts.append(await work.changes.purge(storage.now() - timedelta(days=7), limit=2))
            await work.commit()

    assert counts == [2, 1, 0]
    with pytest.raises(NotReady) as raised:
        await after(storage, start)
    assert raised.value.reason is Reason.CURSOR_INVALID
    assert [identity for identity, _, _ in told(await after(storage, last_old))] == [young.delivery_id]


async def test_given_everything_purged_when_begun_anew_then_what_comes_is_shown(storage: Storage) -> None:
    await accept(storage, a_delivery(now=storage.now() - timedelta(days=8)))
    async with storage.uow() as work:
        await work.changes.purge(storage.now(), limit=10)
        await work.commit()

    start = await newest(storage)
    young = a_delivery(now=storage.now())
    await accept(storage, young)

    assert [identity for identity, _, _ in told(await after(storage, start))] == [young.delivery_id]


async def test_given_a_number_that_was_never_given_out_when_read_then_is_refused(storage: Storage) -> None:
    with pytest.raises(NotReady) as raised:
        await after(storage, await newest(storage) + 1_000_000)

    assert raised.value.reason is Reason.CURSOR_INVALID
