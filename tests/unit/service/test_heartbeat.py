"""The heartbeat: one statement keeps all leases, and whoever lost one hears of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

import pytest

from domain.ports.delivery_queue import Claim
from service.heartbeat import Heartbeat
from service.logs import RENEWAL_FAILED
from service.usecases.attempt import LEASE
from tests.fakes.storage import FakeUnitOfWork
from tests.storing import pass_no_return
from tests.unit.service.world import World, until

TICK = timedelta(milliseconds=1)


class Counting(World):
    """Counts the units of work that were begun, and holds claims."""

    units = 0

    def uow(self) -> FakeUnitOfWork:
        self.units += 1
        return super().uow()

    async def claims(self, number: int) -> list[Claim]:
        await self.given()
        for _ in range(number):
            await self.accepted()
        return [await self.claim() for _ in range(number)]

    def lease_ends(self, claim: Claim) -> bool:
        lease = self.store.deliveries[claim.delivery.tenant, claim.delivery.delivery_id].lease
        return lease is not None and lease.until == self.clock.now() + LEASE

    def a_heartbeat(self) -> Heartbeat:
        return Heartbeat(uow=self.uow, lease=LEASE, every=TICK, try_again=TICK)


def never() -> None:
    raise AssertionError("the lease is held")


def noting(lost: list[Claim], claim: Claim) -> Callable[[], None]:
    return lambda: lost.append(claim)


async def test_given_many_claims_when_kept_then_all_are_renewed_by_one_unit_of_work() -> None:
    world = Counting()
    claims = await world.claims(20)
    world.clock.advance(LEASE / 2)
    heartbeat, before = world.a_heartbeat(), world.units

    for claim in claims:
        heartbeat.keep(claim, never)
    await until(lambda: all(map(world.lease_ends, claims)))

    assert world.units - before <= 2, "a second beat may have begun"


async def test_given_a_lost_lease_when_renewed_then_its_holder_hears_of_it_once_and_others_do_not() -> None:
    world = Counting()
    (lost_one,) = await world.claims(1)
    world.clock.advance(LEASE)
    await world.accepted()
    held = await world.claim()
    lost: list[Claim] = []
    heartbeat = world.a_heartbeat()

    heartbeat.keep(lost_one, noting(lost, lost_one))
    heartbeat.keep(held, never)
    await until(lambda: bool(lost))
    for _ in range(2):
        world.clock.advance(LEASE / 4)
        await until(lambda: world.lease_ends(held))

    assert lost == [lost_one]


async def test_given_a_delivery_that_is_being_written_when_renewed_then_it_is_not_taken_for_lost() -> None:
    world = Counting()
    (claim,) = await world.claims(1)
    world.clock.advance(LEASE / 2)
    heartbeat = world.a_heartbeat()

    async with world.uow() as work:
        await pass_no_return(work, claim)
        heartbeat.keep(claim, never)
        before = world.units
        await until(lambda: world.units >= before + 2)  # renewed together in vain, then alone, which waits
        await work.commit()
    await until(lambda: world.lease_ends(claim))


async def test_given_a_claim_that_was_dropped_when_its_lease_is_lost_then_nobody_hears_and_the_beat_ends() -> None:
    world = Counting()
    (claim,) = await world.claims(1)
    heartbeat = world.a_heartbeat()

    heartbeat.keep(claim, never)
    heartbeat.drop(claim)
    heartbeat.drop(claim)
    world.clock.advance(LEASE)
    await until(lambda: not any(task.get_name() == "heartbeat" for task in asyncio.all_tasks()))

    await world.reap()
    again = await world.claim()
    world.clock.advance(LEASE / 2)
    heartbeat.keep(again, never)
    await until(lambda: world.lease_ends(again))


async def test_given_a_fault_of_ours_when_renewed_then_is_logged_and_the_next_beat_renews(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = Counting()
    (claim,) = await world.claims(1)
    world.clock.advance(LEASE / 2)
    world.store.fail_next("deliveries.renew", RuntimeError("ours"))

    with caplog.at_level(logging.ERROR):
        world.a_heartbeat().keep(claim, never)
        await until(lambda: world.lease_ends(claim))

    assert caplog.messages == [RENEWAL_FAILED]
