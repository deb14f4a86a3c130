"""Roles in processes of their own on one database: what one accepts another delivers, and each may stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest

from adapters.system.keyfile import KeyFile
from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.conftest import a_message
from tests.end_to_end.process import MailportProcess, a_process
from tests.peers.ca import TestCA, server_context
from tests.peers.faulty_smtp import Fault, FaultySmtp
from tests.peers.fixtures import StartFaultySmtp

WITHIN = timedelta(seconds=60)
DRAIN = timedelta(seconds=30)
"""What orchestrators give before they kill (P26)."""
ALERT = "Subject: alert-"
USER = "robot@example.test"


class Fleet:
    """Processes with one role each, on one database and one ring of keys."""

    def __init__(self, folder: Path, database_url: str, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._given = {"MAILPORT_DATABASE_URL": database_url, "MAILPORT_KEYS_FILE": str(folder / "keys.json")}
        KeyFile(folder / "keys.json").create(now=datetime.now(UTC))

    async def start(self, role: str, name: str = "", **environment: str) -> MailportProcess:
        process = a_process(self._folder / (name or role), MAILPORT_ROLES=role, **self._given, **environment)
        return await self._stack.enter_async_context(process)


@pytest.fixture
async def fleet(tmp_path: Path, database_url: str) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        yield Fleet(tmp_path, database_url, stack)


@pytest.fixture
async def server(ca: TestCA, faulty_smtp: StartFaultySmtp) -> FaultySmtp:
    return await faulty_smtp(context=server_context(ca.issue("roles")), passwords={USER: "s3cr3t!"})


async def configure(mailport: MailportProcess, server: FaultySmtp, ca: TestCA, name: str = "alerts") -> None:
    settings = configuration_pb2.Settings(
        from_address=USER,
        smtp=configuration_pb2.SmtpTransport(host="localhost", port=server.port, ca_certificates=ca.pem),
        basic=configuration_pb2.BasicAuthentication(username=USER, password="s3cr3t!"),
    )
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id=name, settings=settings))
    await mailport.stub.ValidateAndSave(api.ValidateAndSaveRequest(configuration_id=name, user_email="me@example.test"))


async def send(mailport: MailportProcess, number: int, *, wait: bool = False, name: str = "alerts") -> str:
    sent = await mailport.stub.Send(
        api.SendRequest(
            configuration_id=name,
            message=a_message(subject=f"alert-{number}"),
            idempotency_key=f"alert-{number}",
            wait=wait,
        ),
        timeout=WITHIN.total_seconds(),
    )
    assert not wait or sent.delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    return sent.delivery.delivery_id


def copies(server: FaultySmtp, number: int) -> int:
    return sum(f"{ALERT}{number}\r\n".encode() in message.content for message in server.messages)


async def test_given_an_api_and_a_worker_apart_when_mail_is_sent_then_it_goes_out_at_once(
    fleet: Fleet, ca: TestCA, server: FaultySmtp, record_property: Callable[[str, object], None]
) -> None:
    """Woken by the commit's notice; a worker that only looked now and then would take half a second as a rule."""
    front = await fleet.start("api")
    await fleet.start("worker")
    await configure(front, server, ca)
    await send(front, 0, wait=True)
    took = []

    for number in range(1, 12):
        begun = time.perf_counter()
        await send(front, number)
        await server.wait_for_messages(number + 2, within=WITHIN)  # the validation mail and the first one, too
        took.append(time.perf_counter() - begun)

    record_property("median_ms", median(took) * 1000)
    assert median(took) < 0.4
    assert [copies(server, number) for number in range(12)] == [1] * 12


async def test_given_no_worker_when_mail_is_sent_then_it_waits_for_one_and_a_waiting_call_ends_with_it(
    fleet: Fleet, ca: TestCA, server: FaultySmtp
) -> None:
    front = await fleet.start("api")
    await configure(front, server, ca)
    waiting = asyncio.create_task(send(front, 1, wait=True))
    await send(front, 2)

    await fleet.start("worker")

    await asyncio.wait_for(waiting, WITHIN.total_seconds())
    await server.wait_for_messages(3, within=WITHIN)
    assert [copies(server, 1), copies(server, 2)] == [1, 1]


async def test_given_two_of_each_role_when_one_of_each_is_stopped_meanwhile_then_every_mail_arrives_once(
    fleet: Fleet, ca: TestCA, server: FaultySmtp
) -> None:
    fronts = [await fleet.start("api", f"api-{each}") for each in range(2)]
    workers = [await fleet.start("worker", f"worker-{each}") for each in range(2)]
    await configure(fronts[0], server, ca)
    await send(fronts[0], 0, wait=True)

    await asyncio.gather(*(send(fronts[number % 2], number) for number in range(1, 21)))
    stopping = asyncio.gather(fronts[1].stop(), workers[1].stop())
    await asyncio.gather(*(send(fronts[0], number) for number in range(21, 31)))
    codes = list(await stopping)

    await server.wait_for_messages(32, within=WITHIN)
    assert codes == [0, 0]
    assert [copies(server, number) for number in range(31)] == [1] * 31


async def test_given_open_lanes_and_a_server_that_hangs_when_a_worker_is_stopped_then_it_ends_well_and_loses_nothing(
    fleet: Fleet, ca: TestCA, server: FaultySmtp
) -> None:
    front = await fleet.start("api")
    worker = await fleet.start("worker")
    await configure(front, server, ca)
    await asyncio.gather(*(send(front, number, wait=True) for number in range(3)))
    kept_open = server.open_connections
    server.plan["mail"] = Fault.HANG
    await asyncio.gather(*(send(front, number) for number in range(3, 13)))  # more than one account's lanes
    await asyncio.wait_for(server.is_hanging.wait(), WITHIN.total_seconds())

    begun = time.monotonic()
    code = await worker.stop()
    took = time.monotonic() - begun
    server.plan.clear()
    await fleet.start("worker", "worker-2")
    await server.wait_for_messages(14, within=WITHIN)

    assert kept_open > 0
    assert code == 0
    assert took < DRAIN.total_seconds()
    assert [copies(server, number) for number in range(13)] == [1] * 13


async def test_given_an_api_with_calls_that_wait_when_stopped_then_it_ends_well_and_the_mail_goes_out(
    fleet: Fleet, ca: TestCA, server: FaultySmtp
) -> None:
    front = await fleet.start("api")
    await configure(front, server, ca)
    waiting = asyncio.create_task(send(front, 1, wait=True))
    await until_accepted(front)

    begun = time.monotonic()
    code = await front.stop()
    took = time.monotonic() - begun
    await asyncio.wait([waiting])
    await fleet.start("worker")
    await server.wait_for_messages(2, within=WITHIN)

    assert code == 0
    assert took < DRAIN.total_seconds()
    assert waiting.exception() is not None, "nobody can have delivered it"
    assert copies(server, 1) == 1


async def until_accepted(mailport: MailportProcess) -> None:
    async with asyncio.timeout(WITHIN.total_seconds()):
        while True:
            if (await mailport.stub.ListDeliveries(api.ListDeliveriesRequest())).deliveries:
                return
            await asyncio.sleep(0.02)
