"""What every Leftovers does (domain.ports.retention): what has ended goes when its time is over, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from domain.delivery import FINAL_STATES, Delivery, DeliveryState
from domain.errors import NotFound
from domain.ports.acceptance import IdempotencyRecord
from domain.ports.changes import ChangeFilter
from tests.builders import a_delivery
from tests.contract.conftest import Storage
from tests.storing import accept_one

DAY: Final = timedelta(days=1)
MONTH: Final = timedelta(days=30)
OPEN: Final = [state for state in DeliveryState if state not in FINAL_STATES | {DeliveryState.SENDING}]
"""One that is SENDING has a worker."""


async def accepted(storage: Storage, delivery: Delivery, key: IdempotencyRecord | None = None) -> Delivery:
    async with storage.uow() as work:
        await accept_one(work, delivery, key=key)
        await work.commit()
    return delivery


async def ended(
    storage: Storage, *, ago: timedelta, state: DeliveryState = DeliveryState.SENT, key: IdempotencyRecord | None = None
) -> Delivery:
    """A delivery that was accepted, and came into *state*, that long ago."""
    at = storage.now() - ago
    delivery = a_delivery(now=at, state=state, final_time=at, next_attempt_time=None)
    return await accepted(storage, delivery, key)


def a_key(storage: Storage, *, expires_in: timedelta, name: str = "k1") -> IdempotencyRecord:
    return IdempotencyRecord(key=name, content_digest=b"digest", expire_time=storage.now() + expires_in)


async def shred(storage: Storage, *, after: timedelta, limit: int = 100) -> int:
    async with storage.uow() as work:
        count = await work.leftovers.shred_contents(storage.now() - after, limit=limit)
        await work.commit()
    return count


async def forget(storage: Storage, *, after: timedelta, limit: int = 100) -> int:
    async with storage.uow() as work:
        count = await work.leftovers.forget_deliveries(storage.now() - after, limit=limit)
        await work.commit()
    return count


async def forget_keys(storage: Storage, *, limit: int = 100) -> int:
    async with storage.uow() as work:
        count = await work.leftovers.forget_keys(limit=limit)
        await work.commit()
    return count


async def has_content(storage: Storage, delivery: Delivery) -> bool:
    async with storage.uow() as work:
        return await work.deliveries.has_content(delivery)


async def is_stored(storage: Storage, delivery: Delivery) -> bool:
    async with storage.uow() as work:
        return await work.deliveries.find(delivery.tenant, delivery.delivery_id) is not None


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
async def test_given_old_and_young_ends_when_shredded_then_the_old_ones_lose_their_content_alone(
    storage: Storage, state: DeliveryState
) -> None:
    old = await ended(storage, ago=2 * DAY, state=state)
    young = await ended(storage, ago=DAY / 2, state=state)

    count = await shred(storage, after=DAY)

    assert count == 1
    assert (await has_content(storage, old), await has_content(storage, young)) == (False, True)
    assert await is_stored(storage, old)
    with pytest.raises(NotFound):
        async with storage.uow() as work:
            await work.deliveries.content(old)


@pytest.mark.parametrize("state", OPEN)
async def test_given_old_mail_that_has_not_ended_when_shredded_then_it_is_whole(
    storage: Storage, state: DeliveryState
) -> None:
    delivery = await accepted(storage, a_delivery(now=storage.now() - MONTH, state=state, next_attempt_time=None))

    count = await shred(storage, after=DAY)

    assert count == 0
    assert await has_content(storage, delivery)


async def test_given_more_than_go_at_once_when_shredded_then_the_oldest_go_first_and_none_twice(
    storage: Storage,
) -> None:
    deliveries = [await ended(storage, ago=days * DAY) for days in (3, 5, 4)]

    counts = [await shred(storage, after=DAY, limit=2)]
    kept = [await has_content(storage, each) for each in deliveries]
    counts += [await shred(storage, after=DAY, limit=2), await shred(storage, after=DAY, limit=2)]

    assert kept == [True, False, False]
    assert counts == [2, 1, 0]


async def test_given_a_delivery_that_somebody_holds_when_shredded_then_it_is_passed_over(storage: Storage) -> None:
    """RetryDelivery looks for the content under this lock: what it has found must stay."""
    held = await ended(storage, ago=3 * DAY)
    other = await ended(storage, ago=2 * DAY)

    async with storage.uow() as work:
        await work.deliveries.lock(held.tenant, held.delivery_id)
        count = await shred(storage, after=DAY)

    assert count == 1
    assert (await has_content(storage, held), await has_content(storage, other)) == (True, False)


async def test_given_a_delivery_that_is_tried_again_when_shredded_then_its_content_stays(storage: Storage) -> None:
    delivery = await ended(storage, ago=3 * DAY, state=DeliveryState.FAILED)
    again = replace(delivery, state=DeliveryState.QUEUED, final_time=None, next_attempt_time=storage.now())

    async with storage.uow() as work:
        await work.deliveries.save(again)
        await work.commit()
    count = await shred(storage, after=DAY)

    assert count == 0
    assert await has_content(storage, delivery)


async def test_given_old_deliveries_when_forgotten_then_they_are_gone_with_attempts_and_changes(
    storage: Storage,
) -> None:
    async with storage.uow() as work:
        start = await work.changes.newest()
    old = await ended(storage, ago=31 * DAY)
    young = await ended(storage, ago=29 * DAY)
    await shred(storage, after=DAY)

    count = await forget(storage, after=MONTH)

    assert count == 1
    assert (await is_stored(storage, old), await is_stored(storage, young)) == (False, True)
    async with storage.uow() as work:
        assert await work.deliveries.attempts(old.tenant, old.delivery_id) == ()
        page = await work.changes.after(old.tenant, ChangeFilter(), start, limit=10)
    assert [each.delivery.delivery_id for each in page.changes] == [young.delivery_id]


async def test_given_content_that_is_not_shredded_when_forgotten_then_the_delivery_stays(storage: Storage) -> None:
    delivery = await ended(storage, ago=31 * DAY)

    count = await forget(storage, after=MONTH)

    assert count == 0
    assert await is_stored(storage, delivery)


async def test_given_a_live_key_when_its_delivery_is_old_then_both_stay_until_the_key_has_expired(
    storage: Storage,
) -> None:
    """Rule 10: a repeated Send must find the first delivery for as long as the key lives."""
    live = await ended(storage, ago=31 * DAY, key=a_key(storage, expires_in=DAY, name="live"))
    expired = await ended(storage, ago=31 * DAY, key=a_key(storage, expires_in=-DAY, name="expired"))
    await shred(storage, after=DAY)

    count = await forget(storage, after=MONTH)

    assert count == 1
    assert (await is_stored(storage, live), await is_stored(storage, expired)) == (True, False)
    async with storage.uow() as work:
        assert await work.deliveries.accepted(live.tenant, "live") is not None


async def test_given_doubts_when_forgotten_then_only_those_that_wait_for_a_decision_since_long_go(
    storage: Storage,
) -> None:
    at = storage.now() - 31 * DAY
    undecided = await accepted(storage, a_delivery(now=at, state=DeliveryState.IN_DOUBT, next_attempt_time=None))
    repeated = await accepted(storage, a_delivery(now=at, state=DeliveryState.IN_DOUBT, next_attempt_time=at + MONTH))
    recent = await accepted(
        storage, a_delivery(now=storage.now() - DAY, state=DeliveryState.IN_DOUBT, next_attempt_time=None)
    )

    count = await forget(storage, after=MONTH)

    assert count == 1
    kept = [await is_stored(storage, each) for each in (undecided, repeated, recent)]
    assert kept == [False, True, True]


async def test_given_old_mail_that_still_waits_when_forgotten_then_it_stays(storage: Storage) -> None:
    waiting = [
        await accepted(storage, a_delivery(now=storage.now() - 3 * MONTH, state=state))
        for state in (DeliveryState.QUEUED, DeliveryState.RETRYING, DeliveryState.HELD)
    ]

    count = await forget(storage, after=MONTH)

    assert count == 0
    assert all([await is_stored(storage, each) for each in waiting])


async def test_given_keys_when_forgotten_then_only_the_expired_ones_go_and_the_deliveries_stay(
    storage: Storage,
) -> None:
    live = await ended(storage, ago=DAY, key=a_key(storage, expires_in=DAY, name="live"))
    expired = [
        await ended(storage, ago=DAY, key=a_key(storage, expires_in=-DAY, name=f"expired-{number}"))
        for number in range(3)
    ]

    counts = [await forget_keys(storage, limit=2) for _ in range(3)]

    assert counts == [2, 1, 0]
    assert all([await is_stored(storage, each) for each in (live, *expired)])
    async with storage.uow() as work:
        assert await work.deliveries.accepted(live.tenant, "live") is not None
