"""The lanes of a worker: nobody's silent server is another's trouble (P8, P27)."""

from __future__ import annotations

import asyncio
from collections import Counter

from domain.delivery import DeliveryState
from service.allowances import LANES_PER_ACCOUNT
from service.worker import LANES, LANES_FREE, LANES_PER_TENANT
from tests.builders import OTHER_TENANT, TENANT, a_delivery
from tests.storing import accept_one
from tests.unit.service.working import OneStuckServer, a_worker, a_world, at_work, given_server, state
from tests.unit.service.world import until


async def test_given_twenty_mails_for_a_silent_server_when_others_have_mail_too_then_theirs_goes_out() -> None:
    """F25, P8."""
    transport = OneStuckServer()
    world = a_world(transport)
    await given_server(world, "stuck.example.com", name="stuck")
    await given_server(world, "fine.example.com", name="fine")
    stuck = [await world.accepted(a_delivery(configuration_id="stuck")) for _ in range(20)]
    fine = [await world.accepted(a_delivery(configuration_id="fine")) for _ in range(20)]

    async with at_work(a_worker(world)):
        await until(lambda: all(state(world, each) is DeliveryState.SENT for each in fine))
        waiting = Counter(state(world, each) for each in stuck)

    assert waiting == {DeliveryState.SENDING: LANES_PER_ACCOUNT, DeliveryState.QUEUED: 20 - LANES_PER_ACCOUNT}


async def test_given_a_silent_server_with_most_of_its_lanes_when_more_comes_then_it_gets_no_more_than_its_share() -> (
    None
):
    """P8."""
    transport = OneStuckServer()
    world = a_world(transport)
    await given_server(world, "stuck.example.com", name="stuck")
    await given_server(world, "fine.example.com", name="fine")
    for _ in range(LANES_PER_ACCOUNT - 1):
        await world.accepted(a_delivery(configuration_id="stuck"))

    async with at_work(a_worker(world)):
        await until(lambda: transport.connected["stuck.example.com"] == LANES_PER_ACCOUNT - 1)
        async with world.uow() as work:
            for _ in range(20):
                await accept_one(work, a_delivery(configuration_id="stuck"))
            await work.commit()
        fine = await world.accepted(a_delivery(configuration_id="fine"))
        await until(lambda: state(world, fine) is DeliveryState.SENT)

    assert transport.most["stuck.example.com"] == LANES_PER_ACCOUNT


async def test_given_more_stuck_accounts_than_lanes_when_at_work_then_some_lanes_stay_free_for_who_comes_next() -> None:
    """P8, P27: every pool is bounded, and a tenant alone has all of it but for what lets another one in."""
    transport = OneStuckServer()
    world = a_world(transport)
    for number in range(10):
        await given_server(world, f"stuck{number}.example.com", name=f"stuck{number}")
        for _ in range(LANES_PER_ACCOUNT):
            await world.accepted(a_delivery(configuration_id=f"stuck{number}"))

    async with at_work(a_worker(world)):
        await until(lambda: transport.connected.total() == LANES - LANES_FREE)
        for _ in range(200):
            await asyncio.sleep(0)
        used = transport.connected.total()
        await given_server(world, "fine.example.com", name="fine", tenant=OTHER_TENANT)
        fine = await world.accepted(a_delivery(configuration_id="fine", tenant=OTHER_TENANT))
        await until(lambda: state(world, fine) is DeliveryState.SENT)

    assert used == LANES - LANES_FREE


async def test_given_two_tenants_with_more_stuck_accounts_than_lanes_when_at_work_then_each_has_its_half() -> None:
    """P8."""
    transport = OneStuckServer()
    world = a_world(transport)
    for tenant in (TENANT, OTHER_TENANT):
        for number in range(10):
            await given_server(world, f"stuck.{tenant}.example.com", name=f"stuck{number}", tenant=tenant)
            for _ in range(LANES_PER_ACCOUNT):
                await world.accepted(a_delivery(configuration_id=f"stuck{number}", tenant=tenant))

    async with at_work(a_worker(world)):
        await until(lambda: transport.connected.total() == LANES)
        for _ in range(200):
            await asyncio.sleep(0)
        used = [transport.connected[f"stuck.{tenant}.example.com"] for tenant in (TENANT, OTHER_TENANT)]

    assert used == [LANES_PER_TENANT, LANES_PER_TENANT]
