"""What every Workers does (domain.ports.workers)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from domain.data_center import Presence
from tests.contract.conftest import Storage

LONG: Final = timedelta(minutes=5)
PAST: Final = timedelta(seconds=-40)
DAY: Final = timedelta(days=1)


async def seen(storage: Storage, name: str, data_center: str, lives_for: timedelta = LONG) -> None:
    async with storage.uow() as work:
        await work.workers.seen(name, data_center, lives_for=lives_for)
        await work.commit()


async def present(storage: Storage) -> tuple[Presence, ...]:
    async with storage.uow() as work:
        return await work.workers.present()


async def test_given_nobody_when_looked_up_then_no_site_is_there(storage: Storage) -> None:
    assert await present(storage) == ()


async def test_given_workers_of_several_sites_when_looked_up_then_each_site_counts_its_own(storage: Storage) -> None:
    for name, site in (("w1", "us-1"), ("w2", "eu-1"), ("w3", ""), ("w4", "us-1")):
        await seen(storage, name, site)

    found = await present(storage)

    assert found == (Presence("", 1), Presence("eu-1", 1), Presence("us-1", 2))


async def test_given_a_worker_that_is_seen_again_when_looked_up_then_it_counts_once_and_where_it_is_now(
    storage: Storage,
) -> None:
    await seen(storage, "w1", "eu-1")
    await seen(storage, "w1", "eu-1")
    await seen(storage, "w2", "eu-1")

    await seen(storage, "w2", "us-1")

    assert await present(storage) == (Presence("eu-1", 1), Presence("us-1", 1))


async def test_given_a_worker_whose_time_is_over_when_looked_up_then_it_tells_for_how_long(storage: Storage) -> None:
    await seen(storage, "w1", "eu-1", PAST)
    await seen(storage, "w2", "eu-1", 2 * PAST)

    (found,) = await present(storage)

    assert found.data_center == "eu-1"
    assert found.live == 0
    assert -PAST <= found.away < -PAST + LONG / 10


async def test_given_one_of_two_gone_when_looked_up_then_the_site_is_not_away(storage: Storage) -> None:
    await seen(storage, "w1", "eu-1", PAST)
    await seen(storage, "w2", "eu-1")

    assert await present(storage) == (Presence("eu-1", 1),)


async def test_given_a_worker_that_leaves_when_looked_up_then_it_lives_no_more_and_another_does(
    storage: Storage,
) -> None:
    await seen(storage, "w1", "eu-1")
    await seen(storage, "w2", "us-1")

    async with storage.uow() as work:
        await work.workers.leave("w1")
        await work.workers.leave("never seen")
        await work.commit()

    left, other = await present(storage)
    assert (left.data_center, left.live) == ("eu-1", 0)
    assert left.away < LONG / 10
    assert other == Presence("us-1", 1)


async def test_given_a_worker_that_is_long_dead_when_it_leaves_then_it_did_not_live_until_now(storage: Storage) -> None:
    await seen(storage, "w1", "eu-1", PAST)

    async with storage.uow() as work:
        await work.workers.leave("w1")
        await work.commit()

    (found,) = await present(storage)
    assert found.away >= -PAST


async def test_given_one_gone_for_a_day_when_looked_up_then_it_is_forgotten(storage: Storage) -> None:
    await seen(storage, "w1", "eu-1", -DAY + LONG)
    await seen(storage, "w2", "us-1", -DAY - LONG)

    assert [each.data_center for each in await present(storage)] == ["eu-1"]


async def test_given_many_at_once_when_they_are_seen_then_all_are_there(storage: Storage) -> None:
    for number in range(20):
        await seen(storage, f"old {number}", "gone", -2 * DAY)

    await asyncio.gather(*(seen(storage, f"w{number}", "eu-1") for number in range(20)))

    assert await present(storage) == (Presence("eu-1", 20),)
