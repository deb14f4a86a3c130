"""What every store does about allowances (domain.ports.allowances), and about claims that must keep to them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.account import Account
from domain.allowance import Allowance
from domain.failures.failure import FailureKind, Stage
from domain.limits import AccountLimits
from domain.metering import RollingDay
from domain.ports.allowances import StoredAllowance
from domain.ports.delivery_queue import Claim
from tests.builders import CONFIGURATION_ID, OTHER_TENANT, TENANT, a_configuration, a_delivery, a_failure
from tests.contract.conftest import Storage
from tests.contract.test_delivery_queue import accept, attempts, claim, claimed_ids, find, ids
from tests.contract.test_pause import paused, waiting

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ACCOUNT = Account(TENANT, CONFIGURATION_ID)
OTHER = Account(OTHER_TENANT, CONFIGURATION_ID)
THROTTLED = a_failure(FailureKind.THROTTLED, stage=Stage.DATA, code="432 4.3.2")


async def save(
    storage: Storage, allowance: Allowance, *, account: Account = ACCOUNT, wait_until: datetime | None = None
) -> None:
    async with storage.uow() as work:
        await work.allowances.lock(account)
        await work.allowances.save(account, allowance, wait_until=wait_until)
        await work.commit()


async def stored(storage: Storage, *, account: Account = ACCOUNT) -> StoredAllowance | None:
    async with storage.uow() as work:
        found = await work.allowances.of(account.tenant, [account.configuration_id, "no\0ne", ""])
        return found.get(account.configuration_id)


async def share(storage: Storage, worker: str, *, wanted: int, most: int = 3, lease: timedelta = MINUTE) -> int:
    async with storage.uow() as work:
        await work.allowances.lock(ACCOUNT)
        given = await work.allowances.share(ACCOUNT, worker=worker, wanted=wanted, most=most, lease=lease)
        await work.commit()
    return given


async def test_given_no_allowance_when_locked_then_it_is_fresh_by_the_stores_clock(storage: Storage) -> None:
    async with storage.uow() as work:
        fresh = await work.allowances.lock(ACCOUNT)

    assert (fresh.allowance, fresh.wait_until) == (Allowance(), None)
    assert abs(fresh.now - storage.now()) < MINUTE


async def test_given_an_allowance_when_saved_and_read_then_it_is_the_same_and_nobody_elses(storage: Storage) -> None:
    now = storage.now()
    allowance = Allowance(
        arrival_time=now + SECOND,
        messages=RollingDay(((480_000, 3), (480_001, 1))),
        recipients=RollingDay(((480_001, 12),)),
        factor=0.123456789,
        lower_time=now,
        rest_until=now + HOUR,
        failure=THROTTLED,
    )

    await save(storage, allowance, wait_until=now + MINUTE)

    found = await stored(storage)
    assert found is not None
    assert (found.allowance, found.wait_until) == (allowance, now + MINUTE)
    assert await stored(storage, account=OTHER) is None
    async with storage.uow() as work:
        locked = await work.allowances.lock(ACCOUNT)
    assert locked.allowance == allowance


async def test_given_a_unit_that_does_not_commit_when_left_then_nothing_was_taken(storage: Storage) -> None:
    async with storage.uow() as work:
        found = await work.allowances.lock(ACCOUNT)
        await work.allowances.save(ACCOUNT, found.allowance.lowered(THROTTLED, now=found.now))

    assert await stored(storage) is None


async def test_given_lowered_and_whole_ones_when_asked_then_the_lowered_are_named(storage: Storage) -> None:
    await save(storage, Allowance().lowered(THROTTLED, now=storage.now()))
    await save(storage, Allowance(), account=OTHER)

    async with storage.uow() as work:
        assert await work.allowances.lowered() == {ACCOUNT}


async def test_given_eight_workers_when_each_takes_as_fast_as_it_can_then_together_they_get_the_burst(
    storage: Storage,
) -> None:
    limits = AccountLimits(messages_per_minute=30)

    async def take() -> int:
        taken = 0
        for _ in range(3):
            async with storage.uow() as work:
                found = await work.allowances.lock(ACCOUNT)
                if found.allowance.free_time(limits, 1, now=found.now) <= found.now:
                    await work.allowances.save(ACCOUNT, found.allowance.after(limits, 1, now=found.now))
                    taken += 1
                await work.commit()
        return taken

    begin = storage.now()
    taken = sum(await asyncio.gather(*(take() for _ in range(8))))

    assert 3 <= taken <= 3 + (storage.now() - begin) / (2 * SECOND)


async def test_given_three_connections_when_eight_workers_want_two_each_then_they_get_three(storage: Storage) -> None:
    given = await asyncio.gather(*(share(storage, f"w{number}", wanted=2) for number in range(8)))

    assert sum(given) == 3


async def test_given_a_share_when_its_worker_asks_again_then_the_new_one_takes_the_place_of_the_old(
    storage: Storage,
) -> None:
    assert await share(storage, "w1", wanted=2) == 2
    assert await share(storage, "w1", wanted=5) == 3
    assert await share(storage, "w2", wanted=1) == 0
    assert await share(storage, "w1", wanted=1) == 1
    assert await share(storage, "w2", wanted=5) == 2


async def test_given_a_share_when_it_ends_or_its_lease_runs_out_then_others_may_have_it(storage: Storage) -> None:
    await share(storage, "w1", wanted=2)
    await share(storage, "w2", wanted=1, lease=-SECOND)

    over = await share(storage, "w3", wanted=3)
    async with storage.uow() as work:
        await work.allowances.end_share(ACCOUNT, worker="w1")
        await work.commit()
    ended = await share(storage, "w4", wanted=3)

    assert (over, ended) == (1, 2)


async def test_given_an_account_that_waits_when_claimed_then_others_come_and_it_stays_as_it_was(
    storage: Storage,
) -> None:
    mine = await waiting(storage, 3)
    (other,) = await waiting(storage, 1, configuration_id="news")
    await save(storage, Allowance(), wait_until=storage.now() + HOUR)

    claims = await claim(storage)
    alone = await claim(storage, only=ACCOUNT)

    assert claimed_ids(claims) == [other.delivery_id]
    assert alone == ()
    assert [await find(storage, each) for each in mine] == mine


async def test_given_an_account_whose_wait_is_over_when_claimed_then_its_mail_comes(storage: Storage) -> None:
    mine = await waiting(storage, 2)
    await save(storage, Allowance(), wait_until=storage.now() - SECOND)

    assert claimed_ids(await claim(storage)) == ids(mine)


async def test_given_an_account_that_waits_when_released_then_its_mail_is_due(storage: Storage) -> None:
    mine = await waiting(storage, 2)
    await save(storage, Allowance(factor=0.5), wait_until=storage.now() + HOUR)

    async with storage.signals() as signals:
        async with storage.uow() as work:
            await work.deliveries.release(TENANT, CONFIGURATION_ID)
            await work.commit()
        async with asyncio.timeout(5):
            await signals.work_due(HOUR)

    assert claimed_ids(await claim(storage)) == ids(mine)
    found = await stored(storage)
    assert found is not None
    assert found.allowance.factor == 0.5


async def test_given_a_thousand_that_wait_when_another_account_has_mail_behind_them_then_it_is_found(
    storage: Storage,
) -> None:
    await waiting(storage, 1_000)
    now = storage.now()
    later = [a_delivery(now=now, configuration_id=name, next_attempt_time=now) for name in ("news", "offers")]
    await accept(storage, *later)
    await save(storage, Allowance(), wait_until=now + HOUR)

    claims = await claim(storage)

    assert sorted(claimed_ids(claims)) == sorted(ids(later))


async def test_given_tenants_that_have_their_share_when_claimed_then_the_others_mail_comes(storage: Storage) -> None:
    await waiting(storage, 2)
    await waiting(storage, 2, configuration_id="news")
    (other,) = await waiting(storage, 1, tenant=OTHER_TENANT)

    claims = await claim(storage, tenants_passed_over=frozenset({TENANT}))

    assert claimed_ids(claims) == [other.delivery_id]


async def test_given_some_that_are_not_admitted_when_claimed_then_they_stay_as_they_were_and_are_no_attempt(
    storage: Storage,
) -> None:
    mine = await waiting(storage, 3)
    asked: list[int] = []

    async def the_first(claims: Sequence[Claim]) -> Sequence[Claim]:
        asked.append(len(claims))
        return claims[:1]

    claims = await claim(storage, admit=the_first)

    assert claimed_ids(claims) == ids(mine[:1])
    assert asked == [3]
    assert [await find(storage, each) for each in mine[1:]] == mine[1:]
    assert await attempts(storage, mine[1]) == ()
    assert claimed_ids(await claim(storage)) == ids(mine[1:])


async def test_given_a_probe_that_is_not_admitted_when_claimed_then_the_next_claim_probes(storage: Storage) -> None:
    async with storage.uow() as work:
        await work.configurations.add(a_configuration())
        await work.commit()
    await paused(storage, by=-SECOND)
    (mine,) = await waiting(storage, 1)

    async def nobody(claims: Sequence[Claim]) -> Sequence[Claim]:
        return claims[:0]

    refused = await claim(storage, admit=nobody)

    assert refused == ()
    assert claimed_ids(await claim(storage)) == [mine.delivery_id]


async def test_given_a_pause_that_is_over_when_the_account_waits_for_its_allowance_then_none_probes(
    storage: Storage,
) -> None:
    async with storage.uow() as work:
        await work.configurations.add(a_configuration())
        await work.commit()
    await paused(storage, by=-SECOND)
    await waiting(storage, 1)
    await save(storage, Allowance(), wait_until=storage.now() + HOUR)

    assert await claim(storage) == ()


async def test_given_a_configuration_that_is_deleted_when_made_anew_then_its_allowance_is_fresh(
    storage: Storage,
) -> None:
    async with storage.uow() as work:
        await work.configurations.add(a_configuration())
        await work.commit()
    await save(storage, Allowance(factor=0.5, lower_time=storage.now()))
    await share(storage, "w1", wanted=3)

    async with storage.uow() as work:
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=2)
        await work.commit()

    assert await stored(storage) is None
    assert await share(storage, "w2", wanted=3) == 3
