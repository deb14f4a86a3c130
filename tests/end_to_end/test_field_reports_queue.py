"""Field reports F45 to F47 through gRPC: workers that die, databases that go away, keys that are used twice at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import grpc
import psycopg
import pytest

from adapters.postgres.pool import make_pool
from domain.secret import Secret
from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service import container
from service.options import Options
from tests.end_to_end.conftest import Mailport, a_message, started
from tests.end_to_end.consent_site import OURS, THEIRS, a_site
from tests.end_to_end.consents import reaches, send
from tests.end_to_end.process import MailportProcess, a_process
from tests.end_to_end.test_journey import reason
from tests.faults.cuttable import CuttableDatabase, Way, cuttable_database
from tests.peers.ca import TestCA, server_context
from tests.peers.faulty_smtp import Fault, FaultySmtp
from tests.peers.fixtures import StartFaultySmtp

Answer = TypeVar("Answer")
IN_DOUBT = delivery_pb2.DELIVERY_STATE_IN_DOUBT
SENT = delivery_pb2.DELIVERY_STATE_SENT
BACK_AT_WORK = timedelta(seconds=30)
"""Within which all goes on after the database has come back."""


@pytest.fixture
async def server(faulty_smtp: StartFaultySmtp, ca: TestCA) -> FaultySmtp:
    return await faulty_smtp(context=server_context(ca.issue("queue")))


def settings(server: FaultySmtp, ca: TestCA) -> configuration_pb2.Settings:
    return configuration_pb2.Settings(
        from_address="robot@example.com",
        smtp=configuration_pb2.SmtpTransport(host="localhost", port=server.port, ca_certificates=ca.pem),
    )


def copies(server: FaultySmtp, subject: str) -> list[bytes]:
    """Returns the contents that the server took under *subject*."""
    return [each.content for each in server.messages if f"Subject: {subject}\r\n".encode() in each.content]


# F45


@asynccontextmanager
async def a_worker(folder: Path, options: Options) -> AsyncIterator[MailportProcess]:
    """Starts a process on the database of *options*."""
    assert options.database_url is not None
    environment = {
        "MAILPORT_DATABASE_URL": options.database_url.reveal(),
        "MAILPORT_KEYS_FILE": str(options.keys_file),
    }
    async with a_process(folder, **environment) as process:
        yield process


async def leases_end(database_url: str) -> None:
    """Lets the 60 seconds be over for which a dead worker's mail waits."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        done = await connection.execute("update delivery set lease_until = now() where state = 'SENDING'")
    assert done.rowcount == 1


@pytest.mark.parametrize("stage", ["mail", "dot"], ids=["before MAIL is answered", "after the final dot"])
async def test_given_f45_two_workers_when_the_one_that_sends_is_killed_then_the_other_one_knows_what_to_do(
    tmp_path: Path, options: Options, database_url: str, server: FaultySmtp, ca: TestCA, stage: str
) -> None:
    """What was surely not sent goes out, once; what may have been is in doubt, and waits ten minutes (P3)."""
    async with a_worker(tmp_path / "one", options) as dying:
        await dying.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=settings(server, ca)))
        proof = api.ValidateAndSaveRequest(configuration_id="alerts", user_email="admin@example.com")
        await dying.stub.ValidateAndSave(proof)
        server.plan[stage] = [Fault.HANG]
        delivery_id = await send(dying.stub, "orphan")
        await asyncio.wait_for(server.is_hanging.wait(), 30)
        async with started(options) as living:
            before = (await living.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))).delivery
            await dying.kill()
            await leases_end(database_url)
            after = await reaches(living.stub, delivery_id, SENT, IN_DOUBT)

    assert before.state == delivery_pb2.DELIVERY_STATE_SENDING  # alive, though slow: nobody takes it away
    if stage == "mail":
        assert after.state == SENT
        assert [attempt.in_doubt for attempt in after.attempts] == [False, False]
        assert len(copies(server, "orphan")) == 1
    else:
        assert after.state == IN_DOUBT
        assert after.next_attempt_time.ToDatetime() - after.update_time.ToDatetime() >= timedelta(minutes=10)
        assert copies(server, "orphan") == []


async def test_given_f45_a_250_that_nobody_could_record_when_sent_again_then_the_copy_is_the_same_and_the_doubt_told(
    tmp_path: Path, options: Options, database_url: str, server: FaultySmtp, ca: TestCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_worker(tmp_path / "one", options) as dying:
        await dying.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=settings(server, ca)))
        proof = api.ValidateAndSaveRequest(configuration_id="alerts", user_email="admin@example.com")
        await dying.stub.ValidateAndSave(proof)
        taking = server.handle_DATA

        async def takes_it_as_the_worker_dies(*arguments: object) -> str | None:
            monkeypatch.undo()
            answer: str | None = await taking(*arguments)
            await dying.kill()  # before it could read the answer
            return answer

        monkeypatch.setattr(server, "handle_DATA", takes_it_as_the_worker_dies)
        delivery_id = await send(dying.stub, "twice")
        await server.wait_for_messages(2)
    await leases_end(database_url)
    async with started(options) as living:
        doubtful = await reaches(living.stub, delivery_id, SENT, IN_DOUBT)
        first = copies(server, "twice")
        await living.stub.RetryDelivery(api.RetryDeliveryRequest(delivery_id=delivery_id))
        done = await reaches(living.stub, delivery_id, SENT)

    assert doubtful.state == IN_DOUBT
    assert len(first) == 1
    assert copies(server, "twice") == first * 2
    assert [attempt.in_doubt for attempt in done.attempts] == [True, False]
    assert done.message_id == doubtful.message_id


# F46


@asynccontextmanager
async def along_the_way(options: Options, database_url: str) -> AsyncIterator[tuple[CuttableDatabase, Mailport]]:
    """Gives a mailport, and the way by which it reaches its database."""
    async with (
        cuttable_database(database_url) as database,
        started(replace(options, database_url=Secret(database.url))) as mailport,
    ):
        yield database, mailport


async def persistently(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Calls as clients should: again while mailport is UNAVAILABLE or has too much to do."""
    async with asyncio.timeout(90):  # the lease of a claim that nobody learned of, and more
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):
                    raise
                await asyncio.sleep(0.05)


async def hand_in(mailport: Mailport, subject: str) -> str:
    """Hands a mail in under a key, as often as it takes."""
    message = a_message(subject=subject)
    request = api.SendRequest(configuration_id="alerts", message=message, idempotency_key=f"key of {subject}")
    answer: api.SendResponse = await persistently(lambda: mailport.stub.Send(request))
    return answer.delivery.delivery_id


async def pauses_end(database_url: str) -> None:
    """Lets the minutes be over for which a mail waits whose point of no return could not be stored."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("update delivery set next_attempt_time = now() where state = 'RETRYING'")


async def ended(mailport: Mailport, delivery_id: str, database_url: str) -> delivery_pb2.Delivery:
    """Waits until it is sent or in doubt, as often as that takes."""

    async def seen() -> delivery_pb2.Delivery:
        while True:
            found = (await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))).delivery
            if found.state in (SENT, IN_DOUBT):
                return found
            if found.state == delivery_pb2.DELIVERY_STATE_RETRYING:
                await pauses_end(database_url)
            await asyncio.sleep(0.05)

    return await persistently(seen)


@pytest.mark.parametrize("way", [Way.CUT, Way.FROZEN])
async def test_given_f46_a_database_that_goes_away_when_called_then_unavailable_soon_and_all_goes_on_when_it_is_back(
    options: Options, database_url: str, server: FaultySmtp, ca: TestCA, way: Way
) -> None:
    async with along_the_way(options, database_url) as (database, mailport):
        await mailport.configure(settings(server, ca))
        subjects = [f"mail-{number}" for number in range(10)]
        sending = [asyncio.create_task(hand_in(mailport, subject)) for subject in subjects]
        await server.wait_for_messages(2)  # amid all that
        database.become(way)
        began = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id="alerts"))
        took = time.monotonic() - began
        database.become(Way.OPEN)
        async with asyncio.timeout(BACK_AT_WORK.total_seconds()):
            ids = await asyncio.gather(*sending)
            await ended(mailport, await hand_in(mailport, "afterwards"), database_url)
        deliveries = [await ended(mailport, each, database_url) for each in ids]

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert took < 15
    assert len(set(ids)) == len(subjects)
    for subject, delivery in zip(subjects, deliveries, strict=True):
        doubts = sum(attempt.in_doubt for attempt in delivery.attempts)
        assert len(copies(server, subject)) <= 1 + doubts
        assert copies(server, subject) or delivery.state == IN_DOUBT


async def test_given_f46_every_connection_killed_again_and_again_when_mail_is_sent_then_each_arrives_once(
    options: Options, database_url: str, server: FaultySmtp, ca: TestCA
) -> None:
    subjects = [f"mail-{number}" for number in range(20)]
    async with started(options) as mailport:
        await mailport.configure(settings(server, ca))
        sending = asyncio.gather(*(hand_in(mailport, subject) for subject in subjects))
        killed = 0
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as killer:
            for _ in range(5):
                found = await killer.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                )
                killed += found.rowcount
                await asyncio.sleep(0.1)
        deliveries = [await ended(mailport, each, database_url) for each in await sending]

    assert killed > 0
    for subject, delivery in zip(subjects, deliveries, strict=True):
        doubts = sum(attempt.in_doubt for attempt in delivery.attempts)
        assert len(copies(server, subject)) <= 1 + doubts
        assert copies(server, subject) or delivery.state == IN_DOUBT


async def test_given_f46_two_connections_and_five_mails_at_a_server_that_waits_when_called_then_answers_at_once(
    options: Options, server: FaultySmtp, ca: TestCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection is held while a mail server is waited for."""
    monkeypatch.setattr(container, "make_pool", partial(make_pool, max_size=2))
    async with started(options) as mailport:
        await mailport.configure(settings(server, ca))
        server.plan["ehlo"] = Fault.HANG
        for number in range(5):
            await send(mailport.stub, f"stuck-{number}")
        before = server.connections
        async with asyncio.timeout(10):
            while server.open_connections < 5:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.01)

        began = time.monotonic()
        await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id="alerts"))
        took = time.monotonic() - began

        server.plan.clear()
        await server.end_sessions()

    assert before <= server.connections
    assert took < 1


async def test_given_f46_a_database_that_hangs_when_told_to_stop_then_it_ends(
    tmp_path: Path, options: Options, database_url: str
) -> None:
    """A half-open connection holds up nobody for ever (P26)."""
    async with cuttable_database(database_url) as database:
        on_the_way = replace(options, database_url=Secret(database.url))
        async with a_worker(tmp_path / "one", on_the_way) as process:
            database.become(Way.FROZEN)
            async with asyncio.timeout(30):
                code = await process.stop()

    assert code == 0


# F47


async def test_given_f47_twenty_equal_calls_at_once_when_sent_then_one_message_and_one_answer_for_all(
    mailport: Mailport, server: FaultySmtp, ca: TestCA
) -> None:
    await mailport.configure(settings(server, ca))
    request = api.SendRequest(configuration_id="alerts", message=a_message(), idempotency_key="k1")

    answers = await asyncio.gather(*(mailport.stub.Send(request) for _ in range(20)))
    (delivery_id,) = {answer.delivery.delivery_id for answer in answers}
    await reaches(mailport.stub, delivery_id, SENT)
    other = api.SendRequest(configuration_id="alerts", message=a_message(subject="another"), idempotency_key="k1")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.Send(other)

    assert sum(not answer.replayed for answer in answers) == 1
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert reason(refused.value) == "IDEMPOTENCY_KEY_REUSED"
    listed = await mailport.stub.ListDeliveries(api.ListDeliveriesRequest())
    assert [each.delivery_id for each in listed.deliveries] == [delivery_id]
    assert len(copies(server, "Disk full")) == 1


async def test_given_f47_the_key_of_another_tenant_when_sent_then_both_go(
    tmp_path: Path,
    postgres_server: str,
    _template: str,  # noqa: PT019
    server: FaultySmtp,
    ca: TestCA,
) -> None:
    request = api.SendRequest(configuration_id="alerts", message=a_message(), idempotency_key="k1")
    async with a_site(tmp_path, server=postgres_server, template=_template) as site:
        for tenant in (OURS, THEIRS):
            written = api.ConfigureRequest(configuration_id="alerts", settings=settings(server, ca))
            await site.call("Configure", written, tenant=tenant)
            proof = api.ValidateAndSaveRequest(configuration_id="alerts", user_email="admin@example.com")
            await site.call("ValidateAndSave", proof, tenant=tenant)

        ours, theirs = [await site.call("Send", request, tenant=tenant) for tenant in (OURS, THEIRS)]
        await server.wait_for_messages(4)

    assert not ours.replayed
    assert not theirs.replayed
    assert len(copies(server, "Disk full")) == 2


async def test_given_f47_a_call_that_failed_before_its_commit_when_repeated_then_the_key_is_free_and_the_mail_is_one(
    options: Options, database_url: str, server: FaultySmtp, ca: TestCA
) -> None:
    async with along_the_way(options, database_url) as (database, mailport):
        await mailport.configure(settings(server, ca))
        request = api.SendRequest(configuration_id="alerts", message=a_message(), idempotency_key="k1")
        database.become(Way.CUT)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await mailport.stub.Send(request)
        database.become(Way.OPEN)

        answer: api.SendResponse = await persistently(lambda: mailport.stub.Send(request))
        await ended(mailport, answer.delivery.delivery_id, database_url)

    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert not answer.replayed
    assert len(copies(server, "Disk full")) == 1
