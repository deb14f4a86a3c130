"""What every Signals does (domain.ports.signals), raised by the commits of any process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.account import Account
from domain.delivery import DeliveryState
from domain.errors import Unavailable
from domain.grant import Grant, GrantState
from domain.ports.signals import Signals
from domain.ports.storage import UnitOfWork
from tests.builders import CONFIGURATION_ID, TENANT, a_delivery, a_draft, an_attempt
from tests.consent_builders import a_grant, a_token_failure
from tests.contract.conftest import Storage
from tests.storing import accept_one

LONG = timedelta(seconds=5)
SHORT = timedelta(milliseconds=50)
MINUTE = timedelta(minutes=1)


async def returns_early(wait: Awaitable[object]) -> bool:
    """Tells whether the wait, which is for `LONG`, ended for another reason."""
    began = time.monotonic()
    await wait
    return time.monotonic() - began < LONG.total_seconds() - 1


async def is_silent(signals: Signals) -> bool:
    """Tells whether nothing is due: the wait takes all the time that it has."""
    began = time.monotonic()
    await signals.work_due(SHORT)
    return time.monotonic() - began >= SHORT.total_seconds() * 0.9


async def test_given_two_processes_when_a_delivery_is_accepted_then_both_hear_that_work_is_due(
    storage: Storage,
) -> None:
    async with storage.signals() as here, storage.signals() as there:
        waits = [asyncio.create_task(returns_early(signals.work_due(LONG))) for signals in (here, there)]
        async with storage.uow() as work:
            await accept_one(work, a_delivery(now=storage.now()))
            await work.commit()

        heard = await asyncio.gather(*waits)

    assert heard == [True, True]


@pytest.mark.parametrize("wait", [None, timedelta(hours=1)])
async def test_given_a_delivery_that_is_not_due_when_accepted_then_nobody_hears_of_work(
    storage: Storage, wait: timedelta | None
) -> None:
    due = None if wait is None else storage.now() + wait

    async with storage.signals() as signals:
        async with storage.uow() as work:
            await accept_one(work, a_delivery(now=storage.now(), next_attempt_time=due))
            await work.commit()
        silent = await is_silent(signals)

    assert silent


async def test_given_a_unit_that_has_not_committed_when_waiting_then_nothing_is_heard_until_it_does(
    storage: Storage,
) -> None:
    async with storage.signals() as signals, storage.uow() as work:
        await accept_one(work, a_delivery(now=storage.now()))
        before = await is_silent(signals)
        await work.commit()
        after = await returns_early(signals.work_due(LONG))

    assert before
    assert after


async def test_given_a_unit_that_rolled_back_when_waiting_then_nothing_is_heard(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now())

    async with storage.signals() as signals, signals.listen(delivery.delivery_id) as news:
        async with storage.uow() as work:
            await accept_one(work, delivery)
            await work.deliveries.save(delivery)
        silent = await is_silent(signals)
        changed = await news.changed(SHORT)

    assert silent
    assert not changed


async def test_given_work_that_came_before_when_waiting_then_returns_at_once_and_only_once(storage: Storage) -> None:
    async with storage.signals() as signals:
        async with storage.uow() as work:
            await accept_one(work, a_delivery(now=storage.now()))
            await work.commit()

        first = await returns_early(signals.work_due(LONG))
        second = await is_silent(signals)

    assert first
    assert second


async def test_given_a_delivery_listened_to_when_recorded_then_it_has_changed_and_others_have_not(
    storage: Storage,
) -> None:
    delivery = a_delivery(now=storage.now())
    async with storage.uow() as work:
        await accept_one(work, delivery)
        await work.commit()
    async with storage.uow() as work:
        (claimed,) = await work.deliveries.claim(worker="w1", lease=MINUTE, limit=1)
        await work.commit()

    async with (
        storage.signals() as here,
        storage.signals() as there,
        here.listen(delivery.delivery_id) as ours,
        there.listen(delivery.delivery_id) as theirs,
        here.listen(a_delivery().delivery_id) as other,
    ):
        async with storage.uow() as work:
            after = replace(claimed.delivery, state=DeliveryState.SENT)
            await work.deliveries.record(claimed, after, an_attempt(now=storage.now()))
            await work.commit()
        changed = [await news.changed(LONG) for news in (ours, theirs)]
        others_changed = await other.changed(SHORT)
        again = await ours.changed(SHORT)

    assert changed == [True, True]
    assert not others_changed
    assert not again


async def test_given_news_between_two_waits_when_waiting_then_they_are_not_lost(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now())
    async with storage.uow() as work:
        await accept_one(work, delivery)
        await work.commit()

    async with storage.signals() as signals, signals.listen(delivery.delivery_id) as news:
        before = await news.changed(timedelta(0))
        async with storage.uow() as work:
            await work.deliveries.save(replace(delivery, state=DeliveryState.CANCELLED, next_attempt_time=None))
            await work.commit()
        after = await news.changed(LONG)

    assert not before
    assert after


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.SENT])
async def test_given_a_saved_delivery_when_it_is_queued_then_work_is_due_and_otherwise_not(
    storage: Storage, state: DeliveryState
) -> None:
    delivery = a_delivery(now=storage.now(), state=DeliveryState.HELD, next_attempt_time=None)
    async with storage.uow() as work:
        await accept_one(work, delivery)
        await work.commit()

    async with storage.signals() as signals:
        async with storage.uow() as work:
            await work.deliveries.save(replace(delivery, state=state))
            await work.commit()
        silent = await is_silent(signals)

    assert silent is (state is not DeliveryState.QUEUED)


@pytest.mark.parametrize("held", [True, False])
async def test_given_a_release_when_something_waited_for_it_then_work_is_due_and_otherwise_not(
    storage: Storage, held: bool
) -> None:
    state = DeliveryState.HELD if held else DeliveryState.FAILED
    async with storage.uow() as work:
        await accept_one(work, a_delivery(now=storage.now(), state=state, next_attempt_time=None))
        await work.commit()

    async with storage.signals() as signals:
        async with storage.uow() as work:
            await work.deliveries.release(TENANT, CONFIGURATION_ID)
            await work.commit()
        silent = await is_silent(signals)

    assert silent is not held


async def test_given_changes_that_concern_no_delivery_when_committed_then_nothing_is_heard(storage: Storage) -> None:
    async with storage.signals() as signals:
        async with storage.uow() as work:
            await work.configurations.add(a_draft())
            await work.commit()

        silent = await is_silent(signals)

    assert silent


async def test_given_an_outage_when_the_store_is_back_then_news_is_heard_again(storage: Storage) -> None:
    async def accept() -> None:
        async with asyncio.timeout(10):
            while True:
                try:
                    async with storage.uow() as work:
                        await accept_one(work, a_delivery(now=storage.now()))
                        await work.commit()
                        return
                except Unavailable:
                    continue

    async with storage.signals() as signals:
        await storage.go_away()
        await storage.come_back()
        await accept()
        first = await returns_early(signals.work_due(LONG))
        await accept()
        second = await returns_early(signals.work_due(LONG))

    assert first
    assert second


async def test_given_a_listener_to_all_when_anything_is_accepted_or_changes_then_it_hears_in_every_process(
    storage: Storage,
) -> None:
    delivery = a_delivery(now=storage.now())

    async with (
        storage.signals() as here,
        storage.signals() as there,
        here.listen_to_all() as ours,
        there.listen_to_all() as theirs,
    ):
        before = await ours.changed(SHORT)
        async with storage.uow() as work:
            await accept_one(work, delivery)
            await work.commit()
        accepted = [await news.changed(LONG) for news in (ours, theirs)]
        async with storage.uow() as work:
            await work.deliveries.save(replace(delivery, state=DeliveryState.CANCELLED, next_attempt_time=None))
            await work.commit()
        changed = [await news.changed(LONG) for news in (ours, theirs)]

    assert not before
    assert accepted == changed == [True, True]


Change = Callable[[UnitOfWork], Awaitable[object]]
ACCOUNT = Account(TENANT, CONFIGURATION_ID)


async def a_configuration(storage: Storage, *grants: Grant) -> None:
    async with storage.uow() as work:
        await work.configurations.add(a_draft())
        for grant in grants:
            await work.grants.save(grant, expected_generation=0)
        await work.commit()


def a_dead_one(grant: Grant) -> Grant:
    return replace(grant, state=GrantState.REAUTHORIZATION_REQUIRED, failure=a_token_failure(), generation=2)


GRANT = a_grant()
CHANGES: dict[str, Change] = {
    "saved": lambda work: work.configurations.save(replace(a_draft(), version=2), expected_version=1),
    "deleted": lambda work: work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=1),
    "given up": lambda work: work.grants.delete(GRANT.key),
    "dead": lambda work: work.grants.save(a_dead_one(GRANT), expected_generation=1),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_given_an_account_listened_to_when_it_changes_then_every_process_hears_which_and_only_after_the_commit(
    storage: Storage, change: str
) -> None:
    await a_configuration(storage, GRANT)

    async with (
        storage.signals() as here,
        storage.signals() as there,
        here.listen_to_accounts() as ours,
        there.listen_to_accounts() as theirs,
    ):
        hearing = [asyncio.create_task(news.next()) for news in (ours, theirs)]
        async with storage.uow() as work:
            await CHANGES[change](work)
            heard_before, _ = await asyncio.wait(hearing, timeout=SHORT.total_seconds())
            await work.commit()
        async with asyncio.timeout(LONG.total_seconds()):
            heard = await asyncio.gather(*hearing)

    assert not heard_before
    assert heard == [ACCOUNT, ACCOUNT]


async def test_given_an_account_listened_to_when_its_grant_is_only_refreshed_then_nothing_is_heard(
    storage: Storage,
) -> None:
    await a_configuration(storage, GRANT)

    async with storage.signals() as signals, signals.listen_to_accounts() as news:
        async with storage.uow() as work:
            await work.grants.save(replace(GRANT, generation=2), expected_generation=1)
            await accept_one(work, a_delivery(now=storage.now()))
            await work.commit()
        await signals.work_due(LONG)  # so all that was told with it is here, too
        hearing = asyncio.create_task(news.next())
        heard, _ = await asyncio.wait([hearing], timeout=SHORT.total_seconds())
        hearing.cancel()

    assert not heard
