"""What every UnitOfWork does (domain.ports.storage)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import pytest

from domain.account import Account
from domain.allowance import Allowance
from domain.delivery import Delivery
from domain.errors import Unavailable
from domain.forecast import ForecastKind
from domain.ports.acceptance import NewDelivery
from domain.ports.allowances import Allowances
from domain.ports.announcements import Announcements
from domain.ports.changes import ChangeFilter, Changes
from domain.ports.configurations import Configurations
from domain.ports.consents import Consents
from domain.ports.deliveries import Deliveries, DeliveryFilter
from domain.ports.delivery_queue import Claim, Lease, Outcome
from domain.ports.grants import Grants, RefreshLease
from domain.ports.retention import Leftovers
from domain.ports.storage import UnitOfWork
from domain.ports.workers import Workers
from domain.settings.model import DataCenterPolicy
from tests.builders import CONFIGURATION_ID, CONTENT, NOW, TENANT, a_configuration, a_delivery, a_draft, an_attempt
from tests.consent_builders import a_consent_session, a_grant, an_announcement
from tests.contract.conftest import Storage
from tests.storing import accept_one

Call = Callable[[UnitOfWork, Delivery], Awaitable[Any]]

ACCOUNT: Final = Account(TENANT, CONFIGURATION_ID)
_MINUTE: Final = timedelta(minutes=1)
A_LEASE: Final = RefreshLease("token", in_doubt=False)


def a_claim(delivery: Delivery) -> Claim:
    return Claim(delivery, Lease(token="token", attempt=1))


CALLS: Final[dict[str, Call]] = {
    "configurations.find": lambda work, _: work.configurations.find(TENANT, CONFIGURATION_ID),
    "configurations.page": lambda work, _: work.configurations.page(TENANT, after="", limit=1),
    "configurations.add": lambda work, _: work.configurations.add(a_draft()),
    "configurations.save": lambda work, _: work.configurations.save(a_configuration(), expected_version=1),
    "configurations.delete": lambda work, _: work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=1),
    "configurations.pauses": lambda work, _: work.configurations.pauses(TENANT, [CONFIGURATION_ID]),
    "consents.add": lambda work, _: work.consents.add(a_consent_session()),
    "consents.take": lambda work, _: work.consents.take(b"digest", tenant=None),
    "consents.abandon": lambda work, _: work.consents.abandon(TENANT, CONFIGURATION_ID),
    "consents.ended": lambda work, _: work.consents.ended(b"\x01" * 32),
    "consents.conclude": lambda work, _: work.consents.conclude(a_consent_session(), None),
    "consents.latest": lambda work, _: work.consents.latest(TENANT, [CONFIGURATION_ID]),
    "consents.purge_expired": lambda work, _: work.consents.purge_expired(NOW),
    "configurations.with_oauth": lambda work, _: work.configurations.with_oauth(after=None, limit=1),
    "configurations.lock": lambda work, _: work.configurations.lock(TENANT, CONFIGURATION_ID),
    "grants.of": lambda work, _: work.grants.of(TENANT, [CONFIGURATION_ID]),
    "grants.find": lambda work, _: work.grants.find(a_grant().key),
    "grants.save": lambda work, _: work.grants.save(a_grant(), expected_generation=0),
    "grants.delete": lambda work, _: work.grants.delete(a_grant().key),
    "grants.lease_refresh": lambda work, _: work.grants.lease_refresh(a_grant().key, generation=1, lease=_MINUTE),
    "grants.end_lease": lambda work, _: work.grants.end_lease(a_grant().key, A_LEASE),
    "grants.holds": lambda work, _: work.grants.holds(a_grant().key, A_LEASE),
    "grants.is_shared": lambda work, _: work.grants.is_shared(a_grant()),
    "grants.end_leases": lambda work, _: work.grants.end_leases(),
    "grants.due_for_keeping": lambda work, _: work.grants.due_for_keeping(NOW, 1),
    "grants.page": lambda work, _: work.grants.page(after=None, limit=1),
    "allowances.lock": lambda work, _: work.allowances.lock(ACCOUNT),
    "allowances.save": lambda work, _: work.allowances.save(ACCOUNT, Allowance()),
    "allowances.of": lambda work, _: work.allowances.of(TENANT, [CONFIGURATION_ID]),
    "allowances.lowered": lambda work, _: work.allowances.lowered(),
    "allowances.share": lambda work, _: work.allowances.share(ACCOUNT, worker="w", wanted=1, most=1, lease=_MINUTE),
    "allowances.end_share": lambda work, _: work.allowances.end_share(ACCOUNT, worker="w"),
    "announcements.of": lambda work, _: work.announcements.of(TENANT, CONFIGURATION_ID),
    "announcements.replace": lambda work, _: work.announcements.replace(
        TENANT, CONFIGURATION_ID, ForecastKind.GRANT_IDLE, before=None, after=an_announcement()
    ),
    "deliveries.accept_all": lambda work, delivery: work.deliveries.accept_all([NewDelivery(delivery, CONTENT)]),
    "deliveries.accepted": lambda work, _: work.deliveries.accepted(TENANT, "k1"),
    "deliveries.find": lambda work, delivery: work.deliveries.find(TENANT, delivery.delivery_id),
    "deliveries.attempts": lambda work, delivery: work.deliveries.attempts(TENANT, delivery.delivery_id),
    "deliveries.page": lambda work, _: work.deliveries.page(TENANT, DeliveryFilter(), after=None, limit=1),
    "deliveries.content": lambda work, delivery: work.deliveries.content(delivery),
    "deliveries.claim": lambda work, _: work.deliveries.claim(worker="w", lease=_MINUTE, limit=1),
    "deliveries.renew": lambda work, delivery: work.deliveries.renew(a_claim(delivery), lease=_MINUTE),
    "deliveries.renew_all": lambda work, delivery: work.deliveries.renew_all([a_claim(delivery)], lease=_MINUTE),
    "deliveries.put_back": lambda work, delivery: work.deliveries.put_back([a_claim(delivery)]),
    "deliveries.progress_all": lambda work, delivery: work.deliveries.progress_all(
        [a_claim(delivery), Outcome(a_claim(delivery), delivery, an_attempt())]
    ),
    "deliveries.record": lambda work, delivery: work.deliveries.record(a_claim(delivery), delivery, an_attempt()),
    "deliveries.abandoned": lambda work, _: work.deliveries.abandoned(1),
    "deliveries.end_leases": lambda work, _: work.deliveries.end_leases(),
    "deliveries.overdue": lambda work, _: work.deliveries.overdue(1),
    "deliveries.lock": lambda work, delivery: work.deliveries.lock(TENANT, delivery.delivery_id),
    "deliveries.close_attempt": lambda work, delivery: work.deliveries.close_attempt(delivery, at=NOW, in_doubt=True),
    "deliveries.save": lambda work, delivery: work.deliveries.save(delivery),
    "deliveries.release": lambda work, _: work.deliveries.release(TENANT, CONFIGURATION_ID),
    "deliveries.has_content": lambda work, delivery: work.deliveries.has_content(delivery),
    "deliveries.keep_key": lambda work, delivery: work.deliveries.keep_key(delivery, NOW),
    "changes.newest": lambda work, _: work.changes.newest(),
    "changes.after": lambda work, _: work.changes.after(TENANT, ChangeFilter(), 0, limit=1),
    "changes.purge": lambda work, _: work.changes.purge(NOW, limit=1),
    "deliveries.catch_up": lambda work, _: work.deliveries.catch_up(),
    "deliveries.move": lambda work, _: work.deliveries.move(TENANT, CONFIGURATION_ID, "", DataCenterPolicy.STRICT),
    "workers.seen": lambda work, _: work.workers.seen("w", "", lives_for=_MINUTE),
    "workers.leave": lambda work, _: work.workers.leave("w"),
    "workers.present": lambda work, _: work.workers.present(),
    "leftovers.shred_contents": lambda work, _: work.leftovers.shred_contents(NOW, limit=1),
    "leftovers.forget_deliveries": lambda work, _: work.leftovers.forget_deliveries(NOW, limit=1),
    "leftovers.forget_keys": lambda work, _: work.leftovers.forget_keys(limit=1),
    "commit": lambda work, _: work.commit(),
}


async def outcome(call: Awaitable[Any]) -> tuple[type[BaseException] | None, float]:
    """Returns what the call raised, and after how many seconds."""
    began = time.monotonic()
    try:
        await call
    except Exception as error:
        return type(error), time.monotonic() - began
    return None, time.monotonic() - began


def test_given_the_port_when_its_calls_are_listed_here_then_none_is_missing() -> None:
    ports = {
        "configurations": Configurations,
        "consents": Consents,
        "grants": Grants,
        "allowances": Allowances,
        "announcements": Announcements,
        "deliveries": Deliveries,
        "changes": Changes,
        "leftovers": Leftovers,
        "workers": Workers,
    }

    calls = {f"{name}.{call}" for name, port in ports.items() for call in dir(port) if not call.startswith("_")}

    assert set(CALLS) == calls | {"commit"}


async def test_given_a_commit_when_another_unit_looks_then_everything_is_there(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now())

    async with storage.uow() as work:
        await work.configurations.add(a_draft())
        await accept_one(work, delivery)
        await work.commit()

    async with storage.uow() as work:
        assert await work.configurations.find(TENANT, CONFIGURATION_ID) == a_draft()
        assert await work.deliveries.find(TENANT, delivery.delivery_id) == delivery


async def test_given_a_unit_left_without_a_commit_when_another_looks_then_nothing_is_there(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now())

    async with storage.uow() as work:
        await work.configurations.add(a_draft())
        await accept_one(work, delivery)

    async with storage.uow() as work:
        assert await work.configurations.find(TENANT, CONFIGURATION_ID) is None
        assert await work.deliveries.find(TENANT, delivery.delivery_id) is None


async def test_given_a_unit_left_by_an_error_when_another_looks_then_nothing_is_there(storage: Storage) -> None:
    async def fail() -> None:
        async with storage.uow() as work:
            await work.configurations.add(a_draft())
            raise LookupError("of the use case")

    with pytest.raises(LookupError):
        await fail()

    async with storage.uow() as work:
        assert await work.configurations.find(TENANT, CONFIGURATION_ID) is None


async def test_given_a_unit_that_is_cancelled_when_another_looks_then_nothing_is_there(storage: Storage) -> None:
    added = asyncio.Event()

    async def hang() -> None:
        async with storage.uow() as work:
            await work.configurations.add(a_draft())
            added.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await added.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with storage.uow() as work:
        assert await work.configurations.find(TENANT, CONFIGURATION_ID) is None


async def test_given_an_open_unit_when_it_and_another_look_then_its_changes_are_its_own(storage: Storage) -> None:
    async with storage.uow() as work, storage.uow() as other:
        await work.configurations.add(a_draft())

        seen_inside = await work.configurations.find(TENANT, CONFIGURATION_ID)
        seen_outside = await other.configurations.find(TENANT, CONFIGURATION_ID)
        await work.commit()
        seen_afterwards = await other.configurations.find(TENANT, CONFIGURATION_ID)

    assert seen_inside == a_draft()
    assert seen_outside is None
    assert seen_afterwards == a_draft()


async def test_given_changes_after_the_commit_when_the_unit_is_left_then_only_the_committed_stay(
    storage: Storage,
) -> None:
    async with storage.uow() as work:
        await work.configurations.add(a_draft())
        await work.commit()
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=1)

    async with storage.uow() as work:
        assert await work.configurations.find(TENANT, CONFIGURATION_ID) == a_draft()


async def test_given_more_units_at_once_than_connections_when_run_then_all_are_served(storage: Storage) -> None:
    async def add(number: int) -> None:
        async with storage.uow() as work:
            await work.configurations.add(a_draft(configuration_id=f"c{number:02}"))
            await work.commit()

    await asyncio.gather(*(add(number) for number in range(60)))

    async with storage.uow() as work:
        assert len(await work.configurations.page(TENANT, after="", limit=100)) == 60


async def test_given_p28_a_store_that_went_away_when_called_then_each_call_raises_unavailable_in_time(
    storage: Storage,
) -> None:
    async with AsyncExitStack() as stack:
        units = {name: await stack.enter_async_context(storage.uow()) for name in CALLS}
        for work in units.values():
            await work.deliveries.attempts(TENANT, a_delivery().delivery_id)
        await storage.go_away()

        outcomes = {name: await outcome(call(units[name], a_delivery())) for name, call in CALLS.items()}

    assert {name: error for name, (error, _) in outcomes.items()} == dict.fromkeys(CALLS, Unavailable)
    assert max(seconds for _, seconds in outcomes.values()) < 2.5


async def test_given_p28_a_store_that_is_away_when_a_unit_is_entered_then_unavailable_in_time_until_it_is_back(
    storage: Storage,
) -> None:
    async def use() -> None:
        async with storage.uow() as work:
            await work.configurations.find(TENANT, CONFIGURATION_ID)

    await use()
    await storage.go_away()
    while_away = await asyncio.gather(*(outcome(use()) for _ in range(5)))
    await storage.come_back()
    began = time.monotonic()
    while (await outcome(use()))[0] is Unavailable and time.monotonic() - began < 10:
        pass
    took = time.monotonic() - began

    assert {error for error, _ in while_away} == {Unavailable}
    assert max(seconds for _, seconds in while_away) < 2.5
    assert took < 5


async def test_given_a_store_lost_halfway_when_the_unit_goes_on_to_commit_then_unavailable_and_nothing_is_stored(
    storage: Storage,
) -> None:
    async with storage.uow() as work:
        await work.configurations.add(a_draft())
        await storage.go_away()
        with pytest.raises(Unavailable):
            await work.configurations.find(TENANT, CONFIGURATION_ID)
        await storage.come_back()

        with pytest.raises(Unavailable):
            await work.commit()

    assert await _found(storage) is None


async def _found(storage: Storage) -> object:
    """Looks as soon as the store takes calls again."""
    async with asyncio.timeout(10):
        while True:
            try:
                async with storage.uow() as work:
                    return await work.configurations.find(TENANT, CONFIGURATION_ID)
            except Unavailable:
                continue
