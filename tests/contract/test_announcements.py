"""What every Announcements does (domain.ports.announcements)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import pytest

from domain.announcement import Announcement
from domain.forecast import ForecastKind
from tests.builders import CONFIGURATION_ID, OTHER_TENANT, TENANT, a_configuration
from tests.consent_builders import an_announcement
from tests.contract.conftest import Storage

DAY: Final = timedelta(days=1)
IDLE, SECRET = ForecastKind.GRANT_IDLE, ForecastKind.CLIENT_SECRET_EXPIRING
FIRST: Final = an_announcement()
LATER: Final = an_announcement(threshold=7 * DAY, announce_time=FIRST.announce_time + timedelta(microseconds=1))


@pytest.fixture(autouse=True)
async def configurations(storage: Storage) -> None:
    """There are two configurations of one name."""
    async with storage.uow() as work:
        await work.configurations.add(a_configuration())
        await work.configurations.add(a_configuration(tenant=OTHER_TENANT))
        await work.commit()


async def replaced(
    storage: Storage,
    before: Announcement | None,
    after: Announcement | None,
    *,
    kind: ForecastKind = IDLE,
    tenant: str = TENANT,
    configuration_id: str = CONFIGURATION_ID,
) -> bool:
    async with storage.uow() as work:
        done = await work.announcements.replace(tenant, configuration_id, kind, before=before, after=after)
        await work.commit()
    return done


async def remembered(storage: Storage, *, tenant: str = TENANT) -> Mapping[ForecastKind, Announcement]:
    async with storage.uow() as work:
        return await work.announcements.of(tenant, CONFIGURATION_ID)


async def test_given_nothing_when_looked_up_then_nothing_is_remembered(storage: Storage) -> None:
    async with storage.uow() as work:
        found = [await work.announcements.of(TENANT, name) for name in (CONFIGURATION_ID, "missing", "", "no\0ne")]

    assert found == [{}, {}, {}, {}]


async def test_given_announcements_of_two_kinds_when_looked_up_then_both_come_and_other_tenants_see_none(
    storage: Storage,
) -> None:
    assert await replaced(storage, None, FIRST)
    assert await replaced(storage, None, LATER, kind=SECRET)

    assert await remembered(storage) == {IDLE: FIRST, SECRET: LATER}
    assert await remembered(storage, tenant=OTHER_TENANT) == {}


async def test_given_an_announcement_when_replaced_then_the_next_one_is_there_until_it_is_forgotten(
    storage: Storage,
) -> None:
    await replaced(storage, None, FIRST)
    await replaced(storage, None, FIRST, kind=SECRET)

    assert await replaced(storage, FIRST, LATER)
    assert await remembered(storage) == {IDLE: LATER, SECRET: FIRST}
    assert await replaced(storage, LATER, None)
    assert await remembered(storage) == {SECRET: FIRST}
    assert await replaced(storage, None, FIRST)


@pytest.mark.parametrize("after", [LATER, None])
@pytest.mark.parametrize(
    "before",
    [
        an_announcement(expected_time=FIRST.expected_time + timedelta(microseconds=1)),
        an_announcement(threshold=14 * DAY),
        an_announcement(announce_time=FIRST.announce_time + DAY),
    ],
)
async def test_given_another_announcement_than_expected_when_replaced_then_it_stays(
    storage: Storage, before: Announcement, after: Announcement | None
) -> None:
    await replaced(storage, None, FIRST)

    assert not await replaced(storage, before, after)
    assert not await replaced(storage, None, LATER)
    assert await remembered(storage) == {IDLE: FIRST}


@pytest.mark.parametrize("after", [LATER, None])
async def test_given_no_announcement_when_one_is_expected_then_nothing_is_replaced(
    storage: Storage, after: Announcement | None
) -> None:
    assert not await replaced(storage, FIRST, after)
    assert await remembered(storage) == {}


async def test_given_no_configuration_when_said_then_nothing_is_stored_and_the_unit_can_go_on(storage: Storage) -> None:
    async with storage.uow() as work:
        done = await work.announcements.replace(TENANT, "missing", IDLE, before=None, after=FIRST)
        also = await work.announcements.replace(TENANT, CONFIGURATION_ID, IDLE, before=None, after=FIRST)
        await work.commit()

    assert (done, also) == (False, True)
    assert await remembered(storage) == {IDLE: FIRST}


async def test_given_announcements_when_the_configuration_is_deleted_then_they_go_with_it(storage: Storage) -> None:
    await replaced(storage, None, FIRST)
    await replaced(storage, None, FIRST, tenant=OTHER_TENANT)

    async with storage.uow() as work:
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=a_configuration().version)
        await work.configurations.add(a_configuration())
        await work.commit()

    assert await remembered(storage) == {}
    assert await remembered(storage, tenant=OTHER_TENANT) == {IDLE: FIRST}


@pytest.mark.parametrize("before", [None, FIRST])
async def test_given_eight_processes_when_all_want_to_say_the_same_then_one_may(
    storage: Storage, before: Announcement | None
) -> None:
    if before is not None:
        await replaced(storage, None, before)

    done = await asyncio.gather(*(replaced(storage, before, LATER) for _ in range(8)))

    assert sum(done) == 1
    assert await remembered(storage) == {IDLE: LATER}


async def test_given_somebody_who_gives_up_when_another_waits_then_the_other_may(storage: Storage) -> None:
    async with storage.uow() as work:
        await work.announcements.replace(TENANT, CONFIGURATION_ID, IDLE, before=None, after=FIRST)
        waiting = asyncio.create_task(replaced(storage, None, LATER))
        await work.announcements.of(TENANT, CONFIGURATION_ID)

    assert await waiting
    assert await remembered(storage) == {IDLE: LATER}


async def test_given_a_configuration_that_is_being_deleted_when_said_then_waits_and_says_nothing(
    storage: Storage,
) -> None:
    async with storage.uow() as work:
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=a_configuration().version)
        waiting = asyncio.create_task(replaced(storage, None, FIRST))
        await work.announcements.of(TENANT, CONFIGURATION_ID)
        await work.commit()

    assert not await waiting
    assert await remembered(storage) == {}
