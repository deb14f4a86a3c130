"""What every store does about a configuration that the server refuses as it is (P6, domain.pause)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain.account import Account
from domain.configuration import activated, with_draft
from domain.data_center import Reach
from domain.delivery import Delivery, NotTried, advance
from domain.errors import LeaseLost
from domain.failures.failure import FailureKind, Stage
from domain.pause import Pause
from domain.ports.delivery_queue import Claim, Outcome
from domain.reasons import Reason
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    TENANT,
    a_configuration,
    a_delivery,
    a_failure,
    an_attempt,
    some_settings,
)
from tests.contract.conftest import Storage
from tests.contract.test_delivery_queue import accept, claim, claimed_ids, ids, sent

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
REFUSED = a_failure(FailureKind.MISCONFIGURED, reason=Reason.AUTH_REJECTED, stage=Stage.AUTH, code="535 5.7.8")


async def configure(storage: Storage, *, tenant: str = TENANT, name: str = CONFIGURATION_ID) -> None:
    async with storage.uow() as work:
        await work.configurations.add(a_configuration(tenant=tenant, configuration_id=name))
        await work.commit()


async def waiting(storage: Storage, count: int, **changes: Any) -> list[Delivery]:
    """Accepts *count* due deliveries, the oldest first."""
    now = storage.now()
    due = [
        a_delivery(now=now - MINUTE, next_attempt_time=now - (count - number) * SECOND, **changes)
        for number in range(count)
    ]
    await accept(storage, *due)
    return due


async def record(storage: Storage, claimed: Claim, **changes: Any) -> None:
    after = advance(claimed.delivery, NotTried(REFUSED, jitter=0.5), at=storage.now())
    async with storage.uow() as work:
        await work.deliveries.record(claimed, after, an_attempt(), **changes)
        await work.commit()


async def paused(storage: Storage, *, by: timedelta, revision: int = 1) -> Pause:
    """Lets an attempt pause the configuration, until *by* from now."""
    await accept(storage, a_delivery(now=storage.now() - HOUR))
    (claimed,) = await claim(storage, limit=1)
    pause = Pause(revision=revision, until=storage.now() + by, failure=REFUSED)
    await record(storage, claimed, pause=pause)
    return pause


async def pauses(storage: Storage, *names: str) -> dict[str, Pause]:
    async with storage.uow() as work:
        return dict(await work.configurations.pauses(TENANT, names or (CONFIGURATION_ID,)))


async def test_given_a_recorded_pause_when_claimed_then_nothing_of_that_configuration_comes(storage: Storage) -> None:
    await configure(storage)
    pause = await paused(storage, by=HOUR)
    await waiting(storage, 2)
    others = [
        *await waiting(storage, 1, configuration_id="news"),
        *await waiting(storage, 1, tenant=OTHER_TENANT),
    ]

    claims = await claim(storage)

    assert sorted(claimed_ids(claims)) == sorted(ids(others))
    assert await pauses(storage, CONFIGURATION_ID, "news", "", "no\0ne") == {CONFIGURATION_ID: pause}


async def test_given_a_pause_that_is_over_when_claimed_then_one_delivery_probes_and_the_rest_waits_for_it(
    storage: Storage,
) -> None:
    await configure(storage)
    await configure(storage, name="news")
    await paused(storage, by=-SECOND)
    oldest, *_ = await waiting(storage, 3)
    other = await waiting(storage, 2, configuration_id="news")

    first, second = await claim(storage), await claim(storage)

    assert claimed_ids(first) == ids([oldest, *other])
    assert second == ()
    assert (await pauses(storage))[CONFIGURATION_ID].until > storage.now()


async def test_given_a_pause_that_is_over_when_there_is_no_room_for_more_then_the_probe_goes_before_others(
    storage: Storage,
) -> None:
    await configure(storage)
    await paused(storage, by=-SECOND)
    await waiting(storage, 3, configuration_id="news")
    (mine,) = await waiting(storage, 1)

    claims = await claim(storage, limit=1)

    assert claimed_ids(claims) == [mine.delivery_id]


async def test_given_a_pause_that_is_over_when_all_its_lanes_are_taken_or_the_site_is_another_then_none_probes(
    storage: Storage,
) -> None:
    await configure(storage)
    await paused(storage, by=-SECOND)
    await waiting(storage, 1, data_center="berlin")

    full = await claim(storage, passing_over=frozenset({Account(TENANT, CONFIGURATION_ID)}))
    elsewhere = await claim(storage, reach=Reach("paris"))
    here = await claim(storage, reach=Reach("berlin"))

    assert (len(full), len(elsewhere), len(here)) == (0, 0, 1)


async def test_given_a_pause_that_is_over_when_eight_workers_claim_at_once_then_one_delivery_probes(
    storage: Storage,
) -> None:
    await configure(storage)
    await paused(storage, by=-SECOND)
    await waiting(storage, 8)

    claims = await asyncio.gather(*(claim(storage) for _ in range(8)))

    assert sum(map(len, claims)) == 1


async def test_given_a_probe_whose_first_lease_is_over_when_it_is_still_under_way_then_no_other_probes(
    storage: Storage,
) -> None:
    await configure(storage)
    await paused(storage, by=-SECOND)
    await waiting(storage, 2)
    (probe,) = await claim(storage, lease=timedelta(0))

    again = await claim(storage)
    with pytest.raises(LeaseLost):
        await record(storage, probe)

    assert again == ()


@pytest.mark.parametrize("usable", [1, None])
@pytest.mark.parametrize("is_first", [True, False])
async def test_given_a_refusal_when_recorded_together_with_what_the_server_took_then_it_pauses_nothing(
    storage: Storage, usable: int | None, is_first: bool
) -> None:
    await configure(storage)
    await waiting(storage, 2)
    one, other = await claim(storage)
    taken = Outcome(one, sent(one, at=storage.now()), an_attempt(), usable_revision=usable)
    after = advance(other.delivery, NotTried(REFUSED, jitter=0.5), at=storage.now())
    pause = Pause(revision=1, until=storage.now() + HOUR, failure=REFUSED)
    refused = Outcome(other, after, an_attempt(), pause=pause)

    async with storage.uow() as work:
        done = await work.deliveries.progress_all([taken, refused] if is_first else [refused, taken])
        await work.commit()

    assert done == [True, True]
    assert await pauses(storage, CONFIGURATION_ID) == ({CONFIGURATION_ID: pause} if usable is None else {})


@pytest.mark.parametrize("usable", [1, 2])
async def test_given_a_probe_that_succeeds_when_recorded_then_the_rest_flows(storage: Storage, usable: int) -> None:
    await configure(storage)
    await paused(storage, by=-SECOND)
    await waiting(storage, 3)
    (probe,) = await claim(storage)

    async with storage.signals() as signals:
        async with storage.uow() as work:
            after = sent(probe, at=storage.now())
            await work.deliveries.record(probe, after, an_attempt(), usable_revision=usable)
            await work.commit()
        async with asyncio.timeout(5):
            await signals.work_due(HOUR)

    assert await pauses(storage) == {}
    assert len(await claim(storage)) == 2


async def test_given_a_success_with_an_older_revision_when_recorded_then_the_pause_stands(storage: Storage) -> None:
    await configure(storage)
    await waiting(storage, 1)
    (early,) = await claim(storage)
    pause = await paused(storage, by=HOUR)

    await record(storage, early, usable_revision=0)

    assert await pauses(storage) == {CONFIGURATION_ID: pause}


async def test_given_a_probe_that_fails_when_recorded_then_the_pause_is_replaced(storage: Storage) -> None:
    await configure(storage)
    await paused(storage, by=-SECOND)
    await waiting(storage, 2)
    (probe,) = await claim(storage)
    longer = Pause(revision=1, until=storage.now() + 2 * HOUR, failure=REFUSED)

    await record(storage, probe, pause=longer)

    assert await pauses(storage) == {CONFIGURATION_ID: longer}
    assert await claim(storage) == ()


async def test_given_a_revision_that_is_not_active_any_more_when_it_fails_then_nothing_is_paused(
    storage: Storage,
) -> None:
    await configure(storage)
    await waiting(storage, 1)

    await paused(storage, by=HOUR, revision=7)

    assert await pauses(storage) == {}
    assert len(await claim(storage)) == 1


async def test_given_a_new_active_revision_that_is_being_stored_when_the_old_one_fails_then_nothing_is_paused_after_it(
    storage: Storage,
) -> None:
    """Whichever commits first: the pause is refused, or the release ends it."""
    await configure(storage)
    await waiting(storage, 1)
    (early,) = await claim(storage)
    before = a_configuration()
    drafted = with_draft(before, some_settings(from_name="New"), (), at=storage.now())
    pause = Pause(revision=1, until=storage.now() + HOUR, failure=REFUSED)

    async with storage.uow() as work:
        await work.configurations.save(activated(drafted, at=storage.now()), expected_version=before.version)
        recording = asyncio.create_task(record(storage, early, pause=pause))
        await work.deliveries.release(TENANT, CONFIGURATION_ID)
        await work.commit()
    await recording

    assert await pauses(storage) == {}


async def test_given_a_pause_when_the_configuration_is_released_then_it_ends_and_all_are_due(storage: Storage) -> None:
    await configure(storage)
    await paused(storage, by=HOUR)
    queued = await waiting(storage, 2)

    async with storage.uow() as work:
        released = await work.deliveries.release(TENANT, CONFIGURATION_ID)
        await work.commit()

    assert released == 1
    assert await pauses(storage) == {}
    assert set(claimed_ids(await claim(storage))) > set(ids(queued))


async def test_given_a_pause_when_the_configuration_is_deleted_then_its_deliveries_come_to_be_ended(
    storage: Storage,
) -> None:
    await configure(storage)
    await paused(storage, by=HOUR)
    queued = await waiting(storage, 2)

    async with storage.uow() as work:
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=2)
        await work.commit()

    assert await pauses(storage) == {}
    assert claimed_ids(await claim(storage)) == ids(queued)


async def test_given_a_configuration_that_is_gone_when_its_attempt_fails_then_the_record_is_stored_without_a_pause(
    storage: Storage,
) -> None:
    await paused(storage, by=HOUR)

    assert await pauses(storage) == {}


async def test_given_a_pause_when_its_unit_of_work_is_rolled_back_then_there_is_none(storage: Storage) -> None:
    await configure(storage)
    await waiting(storage, 1)
    (claimed,) = await claim(storage)
    after = advance(claimed.delivery, NotTried(REFUSED, jitter=0.5), at=storage.now())

    async with storage.uow() as work:
        pause = Pause(revision=1, until=storage.now() + HOUR, failure=REFUSED)
        await work.deliveries.record(claimed, after, an_attempt(), pause=pause)

    assert await pauses(storage) == {}
