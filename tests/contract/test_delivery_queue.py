"""What every Deliveries does for workers and the reaper (domain.ports.delivery_queue)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.account import Account
from domain.data_center import Reach
from domain.delivery import Answered, Attempt, Claimed, Delivery, DeliveryState, LeaseExpired, LifetimeOver, advance
from domain.errors import LeaseLost, Unavailable
from domain.failures.failure import FailureKind
from domain.ports.delivery_queue import Claim
from domain.ports.storage import UnitOfWork
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    TENANT,
    a_delivery,
    a_failure,
    a_recipient,
    a_verdict,
    an_attempt,
)
from tests.contract.conftest import Storage
from tests.storing import accept_one, pass_no_return

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WAITING = [DeliveryState.QUEUED, DeliveryState.RETRYING, DeliveryState.IN_DOUBT]


async def accept(storage: Storage, *deliveries: Delivery) -> None:
    async with storage.uow() as work:
        for delivery in deliveries:
            await accept_one(work, delivery)
        await work.commit()


async def claim(storage: Storage, *, limit: int = 10, lease: timedelta = MINUTE, **rest: Any) -> tuple[Claim, ...]:
    async with storage.uow() as work:
        claims = await work.deliveries.claim(worker="w1", lease=lease, limit=limit, **rest)
        await work.commit()
    return claims


async def claim_one(storage: Storage, **changes: Any) -> Claim:
    lease = changes.pop("lease", MINUTE)
    await accept(storage, a_delivery(now=storage.now(), **changes))
    (claimed,) = await claim(storage, lease=lease)
    return claimed


async def find(storage: Storage, delivery: Delivery) -> Delivery | None:
    async with storage.uow() as work:
        return await work.deliveries.find(delivery.tenant, delivery.delivery_id)


async def attempts(storage: Storage, delivery: Delivery) -> tuple[Attempt, ...]:
    async with storage.uow() as work:
        return await work.deliveries.attempts(delivery.tenant, delivery.delivery_id)


async def record(storage: Storage, claimed: Claim, after: Delivery, attempt: Attempt) -> None:
    async with storage.uow() as work:
        await work.deliveries.record(claimed, after, attempt)
        await work.commit()


async def save(storage: Storage, delivery: Delivery) -> None:
    async with storage.uow() as work:
        await work.deliveries.save(delivery)
        await work.commit()


def sent(claimed: Claim, *, at: datetime) -> Delivery:
    return advance(claimed.delivery, Answered((a_verdict(),), jitter=0.5), at=at)


def ids(deliveries: list[Delivery]) -> list[str]:
    return [each.delivery_id for each in deliveries]


def claimed_ids(claims: tuple[Claim, ...]) -> list[str]:
    return [each.delivery.delivery_id for each in claims]


@pytest.mark.parametrize("state", WAITING)
async def test_given_a_due_delivery_when_claimed_then_it_is_advanced_counted_and_recorded(
    storage: Storage, state: DeliveryState
) -> None:
    delivery = a_delivery(now=storage.now() - MINUTE, state=state, attempt_count=2)
    await accept(storage, delivery)

    (claimed,) = await claim(storage)

    assert claimed.delivery == advance(delivery, Claimed(), at=claimed.delivery.update_time)
    assert claimed.lease.attempt == claimed.delivery.attempt_count == 3
    assert claimed.account == Account(TENANT, CONFIGURATION_ID)
    assert abs(claimed.delivery.update_time - storage.now()) < MINUTE
    assert await find(storage, delivery) == claimed.delivery
    (attempt,) = await attempts(storage, delivery)
    assert attempt == Attempt(number=3, start_time=claimed.delivery.update_time)


async def test_given_many_due_when_claimed_then_the_oldest_due_come_first_up_to_the_limit(storage: Storage) -> None:
    now = storage.now()
    due = [a_delivery(now=now, next_attempt_time=now - age * SECOND) for age in (3, 9, 1, 7, 5)]
    await accept(storage, *due)
    oldest_first = ids(sorted(due, key=lambda each: each.next_attempt_time or now))

    first, second = await claim(storage, limit=2), await claim(storage, limit=10)

    assert claimed_ids(first) == oldest_first[:2]
    assert claimed_ids(second) == oldest_first[2:]
    assert len({each.lease.token for each in (*first, *second)}) == 5


async def test_given_deliveries_due_together_when_claimed_then_in_the_order_of_their_ids(storage: Storage) -> None:
    now = storage.now() - SECOND
    due = [a_delivery(now=now) for _ in range(5)]
    await accept(storage, *reversed(due))

    claims = await claim(storage)

    assert claimed_ids(claims) == ids(due)


@pytest.mark.parametrize(
    "changes",
    [
        {"next_attempt_time": HOUR},
        {"next_attempt_time": None},
        {"state": DeliveryState.HELD, "next_attempt_time": None},
        {"state": DeliveryState.IN_DOUBT, "next_attempt_time": None},
        {"state": DeliveryState.SENT, "next_attempt_time": None},
        {"expire_time": -SECOND},
        {"expire_time": timedelta(0)},
    ],
    ids=str,
)
async def test_given_what_is_not_due_or_over_when_claimed_then_it_is_left_alone(
    storage: Storage, changes: dict[str, Any]
) -> None:
    now = storage.now()
    spans = {name: now + value if isinstance(value, timedelta) else value for name, value in changes.items()}
    delivery = a_delivery(now=now - SECOND, **spans)
    await accept(storage, delivery)

    claims = await claim(storage)

    assert claims == ()
    assert await find(storage, delivery) == delivery


async def test_given_a_claimed_delivery_when_claimed_again_then_it_is_not_given_twice(storage: Storage) -> None:
    await claim_one(storage)

    assert await claim(storage) == ()


async def test_given_two_open_units_when_both_claim_then_each_gets_what_the_other_has_not(storage: Storage) -> None:
    due = [a_delivery(now=storage.now() - SECOND) for _ in range(5)]
    await accept(storage, *due)

    async with storage.uow() as one, storage.uow() as other:
        first = await one.deliveries.claim(worker="w1", lease=MINUTE, limit=3)
        second = await other.deliveries.claim(worker="w2", lease=MINUTE, limit=3)
        await one.commit()
        await other.commit()

    assert claimed_ids(first) + claimed_ids(second) == ids(due)


async def test_given_many_workers_at_once_when_they_claim_then_no_delivery_is_given_twice(storage: Storage) -> None:
    due = [a_delivery(now=storage.now() - SECOND) for _ in range(30)]
    await accept(storage, *due)

    taken = await asyncio.gather(*(claim(storage, limit=2) for _ in range(15)))
    rest = await claim(storage, limit=100)

    assert sorted(name for claims in (*taken, rest) for name in claimed_ids(claims)) == ids(due)


async def test_given_a_claim_that_was_not_committed_when_claimed_again_then_it_is_due_as_before(
    storage: Storage,
) -> None:
    delivery = a_delivery(now=storage.now() - SECOND)
    await accept(storage, delivery)
    async with storage.uow() as work:
        await work.deliveries.claim(worker="w1", lease=MINUTE, limit=1)

    before = await find(storage, delivery)
    (again,) = await claim(storage)

    assert before == delivery
    assert again.lease.attempt == 1
    assert len(await attempts(storage, delivery)) == 1


async def test_given_a_reach_when_claimed_then_only_its_work_and_that_of_any(storage: Storage) -> None:
    now = storage.now() - SECOND
    anywhere, here, there = (a_delivery(now=now, data_center=site) for site in ("", "eu-1", "us-1"))
    await accept(storage, anywhere, here, there)

    ours = await claim(storage, reach=Reach("eu-1"))
    everything = await claim(storage)

    assert claimed_ids(ours) == ids([anywhere, here])
    assert claimed_ids(everything) == ids([there])


async def test_given_accounts_to_pass_over_when_claimed_then_others_go_first(storage: Storage) -> None:
    now = storage.now() - MINUTE
    full = [a_delivery(now=now) for _ in range(5)]
    same_id = a_delivery(now=now + SECOND, tenant=OTHER_TENANT)
    same_tenant = a_delivery(now=now + SECOND, configuration_id="news")
    also_full = a_delivery(now=now, tenant=OTHER_TENANT, configuration_id="news")
    await accept(storage, *full, same_id, same_tenant, also_full)

    claims = await claim(
        storage, limit=3, passing_over=frozenset({Account(TENANT, CONFIGURATION_ID), Account(OTHER_TENANT, "news")})
    )

    assert claimed_ids(claims) == ids([same_id, same_tenant])


async def test_given_a_claim_when_recorded_then_delivery_and_attempt_are_stored_and_the_lease_ends(
    storage: Storage,
) -> None:
    claimed = await claim_one(storage)
    after = sent(claimed, at=storage.now())
    attempt = an_attempt(now=storage.now(), failure=a_failure(FailureKind.TRANSIENT), in_doubt=True)

    await record(storage, claimed, after, attempt)

    assert await find(storage, after) == after
    assert await attempts(storage, after) == (attempt,)
    with pytest.raises(LeaseLost):
        await record(storage, claimed, after, attempt)


async def test_given_a_retry_when_recorded_then_it_is_claimed_again_with_the_next_number(storage: Storage) -> None:
    claimed = await claim_one(storage)
    failed = Answered((a_verdict(failure=a_failure(FailureKind.TRANSIENT), reply="451"),), jitter=0.5)
    after = replace(advance(claimed.delivery, failed, at=storage.now()), next_attempt_time=storage.now() - SECOND)

    await record(storage, claimed, after, an_attempt(now=storage.now()))
    (again,) = await claim(storage)

    assert after.state is DeliveryState.RETRYING
    assert again.lease.attempt == 2
    assert [each.number for each in await attempts(storage, after)] == [1, 2]


async def test_given_many_attempts_when_read_then_the_last_fifty_come_in_order(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now() - MINUTE)
    await accept(storage, delivery)
    for _ in range(53):
        (claimed,) = await claim(storage)
        waiting = replace(claimed.delivery, state=DeliveryState.RETRYING, next_attempt_time=storage.now() - SECOND)
        await record(storage, claimed, waiting, an_attempt(now=storage.now()))

    found = await attempts(storage, delivery)

    assert [each.number for each in found] == list(range(4, 54))


Write = Callable[[UnitOfWork, Claim], Awaitable[None]]
WRITES: dict[str, Write] = {
    "renew": lambda work, claimed: work.deliveries.renew(claimed, lease=HOUR),
    "pass_no_return": pass_no_return,
    "record": lambda work, claimed: work.deliveries.record(
        claimed, sent(claimed, at=claimed.delivery.update_time), an_attempt()
    ),
}


async def run_out(storage: Storage) -> Claim:
    return await claim_one(storage, lease=timedelta(0))


async def taken_over(storage: Storage) -> Claim:
    """Another worker holds the delivery by now."""
    claimed = await claim_one(storage, lease=timedelta(0))
    await save(storage, advance(claimed.delivery, LeaseExpired(past_no_return=False, jitter=0), at=storage.now()))
    assert len(await claim(storage)) == 1
    return claimed


async def ended(storage: Storage) -> Claim:
    claimed = await claim_one(storage)
    await record(storage, claimed, sent(claimed, at=storage.now()), an_attempt(now=storage.now()))
    return claimed


async def of_another_token(storage: Storage) -> Claim:
    claimed = await claim_one(storage)
    return replace(claimed, lease=replace(claimed.lease, token="guessed"))


async def of_another_tenant(storage: Storage) -> Claim:
    claimed = await claim_one(storage)
    return replace(claimed, delivery=replace(claimed.delivery, tenant=OTHER_TENANT))


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("lost", [run_out, taken_over, ended, of_another_token, of_another_tenant])
async def test_given_p5_a_lease_that_no_longer_holds_when_written_under_it_then_lease_lost_and_nothing_changes(
    storage: Storage, lost: Callable[[Storage], Awaitable[Claim]], write: Write
) -> None:
    claimed = await lost(storage)
    ours = replace(claimed.delivery, tenant=TENANT)
    before, attempts_before = await find(storage, ours), await attempts(storage, ours)

    async with storage.uow() as work:
        with pytest.raises(LeaseLost):
            await write(work, claimed)
        await work.commit()

    assert await find(storage, ours) == before
    assert await attempts(storage, ours) == attempts_before


async def test_given_a_lease_about_to_end_when_renewed_then_it_holds_from_now_on(storage: Storage) -> None:
    claimed = await claim_one(storage, lease=MINUTE)

    async with storage.uow() as work:
        await work.deliveries.renew(claimed, lease=timedelta(0))
        await work.commit()
    async with storage.uow() as work:
        abandoned = await work.deliveries.abandoned(10)
    with pytest.raises(LeaseLost):
        await record(storage, claimed, sent(claimed, at=storage.now()), an_attempt())

    assert [each.delivery for each in abandoned] == [claimed.delivery]


async def test_given_a_renewed_lease_when_recorded_then_it_holds(storage: Storage) -> None:
    claimed = await claim_one(storage)

    async with storage.uow() as work:
        await work.deliveries.renew(claimed, lease=HOUR)
        await pass_no_return(work, claimed)
        await work.commit()
    after = sent(claimed, at=storage.now())
    await record(storage, claimed, after, an_attempt(now=storage.now()))

    assert await find(storage, after) == after


@pytest.mark.parametrize("past_no_return", [False, True])
async def test_given_f45_a_worker_that_died_when_looked_for_then_it_is_abandoned_on_its_side_of_no_return(
    storage: Storage, past_no_return: bool
) -> None:
    claimed = await claim_one(storage)
    async with storage.uow() as work:
        if past_no_return:
            await pass_no_return(work, claimed)
        await work.deliveries.renew(claimed, lease=timedelta(0))
        await work.commit()

    async with storage.uow() as work:
        (abandoned,) = await work.deliveries.abandoned(10)
        event = LeaseExpired(past_no_return=abandoned.past_no_return, jitter=0)
        after = advance(abandoned.delivery, event, at=storage.now())
        await work.deliveries.save(after)
        await work.deliveries.close_attempt(
            abandoned.delivery, at=storage.now(), in_doubt=past_no_return, failure=after.failure
        )
        await work.commit()

    (attempt,) = await attempts(storage, after)
    assert attempt.end_time is not None
    assert attempt.in_doubt is past_no_return
    assert attempt.failure == after.failure
    assert (attempt.failure is not None) is past_no_return
    assert abandoned.delivery == claimed.delivery
    assert abandoned.past_no_return is past_no_return
    assert after.state is (DeliveryState.IN_DOUBT if past_no_return else DeliveryState.QUEUED)
    assert await find(storage, after) == after
    async with storage.uow() as work:
        assert await work.deliveries.abandoned(10) == ()


async def test_given_f45_a_delivery_put_back_when_claimed_then_it_starts_before_no_return(storage: Storage) -> None:
    claimed = await claim_one(storage)
    async with storage.uow() as work:
        await pass_no_return(work, claimed)
        await work.commit()
    await save(storage, replace(claimed.delivery, state=DeliveryState.QUEUED, next_attempt_time=storage.now()))

    (again,) = await claim(storage, lease=timedelta(0))

    async with storage.uow() as work:
        (abandoned,) = await work.deliveries.abandoned(10)
    assert again.lease.token != claimed.lease.token
    assert abandoned.past_no_return is False


async def test_given_live_leases_when_the_abandoned_are_looked_for_then_there_are_none(storage: Storage) -> None:
    await claim_one(storage)

    async with storage.uow() as work:
        assert await work.deliveries.abandoned(10) == ()


async def test_given_two_reapers_when_both_look_then_each_delivery_is_given_to_one(storage: Storage) -> None:
    now = storage.now()
    await accept(storage, *(a_delivery(now=now - SECOND) for _ in range(3)))
    await claim(storage, lease=timedelta(0))
    await accept(storage, *(a_delivery(now=now - HOUR, expire_time=now - SECOND) for _ in range(3)))

    async with storage.uow() as one, storage.uow() as other:
        abandoned = [len(await unit.deliveries.abandoned(2)) for unit in (one, other)]
        overdue = [len(await unit.deliveries.overdue(2)) for unit in (one, other)]

    assert abandoned == [2, 1]
    assert overdue == [2, 1]


async def test_given_leases_of_a_predecessor_when_ended_then_its_deliveries_are_abandoned(storage: Storage) -> None:
    await accept(storage, *(a_delivery(now=storage.now() - SECOND) for _ in range(3)), a_delivery(now=storage.now()))
    claims = await claim(storage, limit=3)

    async with storage.uow() as work:
        number = await work.deliveries.end_leases()
        await work.commit()

    async with storage.uow() as work:
        abandoned = await work.deliveries.abandoned(10)
    assert number == 3
    assert {each.delivery.delivery_id for each in abandoned} == set(claimed_ids(claims))


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.RETRYING, DeliveryState.HELD])
async def test_given_a_waiting_delivery_whose_life_is_over_when_looked_for_then_it_is_overdue_once(
    storage: Storage, state: DeliveryState
) -> None:
    now = storage.now()
    delivery = a_delivery(now=now - HOUR, state=state, expire_time=now - SECOND)
    await accept(storage, delivery)

    async with storage.uow() as work:
        (overdue,) = await work.deliveries.overdue(10)
        await work.deliveries.save(advance(overdue, LifetimeOver(), at=now))
        await work.commit()

    assert overdue == delivery
    async with storage.uow() as work:
        assert await work.deliveries.overdue(10) == ()


async def test_given_what_lives_or_has_ended_when_the_overdue_are_looked_for_then_only_what_waits_in_doubt(
    storage: Storage,
) -> None:
    now = storage.now()
    over = {"now": now - HOUR, "expire_time": now - SECOND}
    in_doubt = a_delivery(**over, state=DeliveryState.IN_DOUBT, next_attempt_time=now)
    await accept(
        storage,
        a_delivery(now=now),
        a_delivery(**over, state=DeliveryState.IN_DOUBT, next_attempt_time=None),
        a_delivery(**over, state=DeliveryState.SENT, next_attempt_time=None),
        in_doubt,
    )

    async with storage.uow() as work:
        assert await work.deliveries.overdue(10) == (in_doubt,)


async def test_given_waiting_deliveries_when_their_configuration_is_released_then_they_are_due_oldest_message_first(
    storage: Storage,
) -> None:
    now = storage.now()
    young = a_delivery(now=now - MINUTE, state=DeliveryState.HELD, next_attempt_time=None)
    old = a_delivery(now=now - HOUR, state=DeliveryState.RETRYING, next_attempt_time=now + HOUR)
    middle = a_delivery(now=now - 2 * MINUTE, state=DeliveryState.HELD, next_attempt_time=None)
    await accept(storage, young, old, middle)

    async with storage.uow() as work:
        released = await work.deliveries.release(TENANT, CONFIGURATION_ID)
        await work.commit()
    claims = await claim(storage)

    assert released == 3
    assert claimed_ids(claims) == ids([old, middle, young])


async def test_given_other_deliveries_when_a_configuration_is_released_then_they_stay_as_they_are(
    storage: Storage,
) -> None:
    now = storage.now()
    held: dict[str, Any] = {"now": now, "state": DeliveryState.HELD, "next_attempt_time": None}
    others = [
        a_delivery(**held, tenant=OTHER_TENANT),
        a_delivery(**held, configuration_id="news"),
        a_delivery(now=now, next_attempt_time=now + HOUR),
        a_delivery(now=now, state=DeliveryState.IN_DOUBT, next_attempt_time=now + HOUR),
        a_delivery(now=now, state=DeliveryState.FAILED, next_attempt_time=None, final_time=now),
    ]
    await accept(storage, *others)

    async with storage.uow() as work:
        released = await work.deliveries.release(TENANT, CONFIGURATION_ID)
        await work.commit()

    assert released == 0
    assert [await find(storage, each) for each in others] == others


async def test_given_a_locked_delivery_when_others_want_it_then_claims_pass_it_over_and_locks_wait(
    storage: Storage,
) -> None:
    delivery = a_delivery(now=storage.now() - SECOND)
    await accept(storage, delivery)

    async def lock() -> Delivery | None:
        async with storage.uow() as work:
            return await work.deliveries.lock(TENANT, delivery.delivery_id)

    async with storage.uow() as work:
        locked = await work.deliveries.lock(TENANT, delivery.delivery_id)
        claims = await claim(storage)
        waiting = asyncio.create_task(lock())
        await asyncio.wait([waiting], timeout=0.05)
        waited = not waiting.done()
        changed = replace(delivery, state=DeliveryState.CANCELLED, next_attempt_time=None)
        await work.deliveries.save(changed)
        await work.commit()

    assert locked == delivery
    assert claims == ()
    assert waited
    assert await waiting == changed


async def test_given_a_delivery_that_stays_locked_when_wanted_then_unavailable_in_time(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now())
    await accept(storage, delivery)

    async with storage.uow() as work, storage.uow() as other:
        await work.deliveries.lock(TENANT, delivery.delivery_id)
        async with asyncio.timeout(2.5):
            with pytest.raises(Unavailable):
                await other.deliveries.lock(TENANT, delivery.delivery_id)


async def test_given_a_hundred_recipients_when_recorded_then_each_keeps_its_answer(storage: Storage) -> None:
    names = [f"r{number:03}@example.com" for number in range(100)]
    claimed = await claim_one(storage, recipients=tuple(a_recipient(name) for name in names))
    refusal = a_failure(FailureKind.PERMANENT)
    verdicts = tuple(a_verdict(name, failure=refusal if name.startswith("r01") else None) for name in names)
    after = advance(claimed.delivery, Answered(verdicts, jitter=0.5), at=storage.now())

    await record(storage, claimed, after, an_attempt(now=storage.now()))

    assert after.state is DeliveryState.PARTIALLY_SENT
    assert await find(storage, after) == after
