"""Runs the cases of the sink faults through one mailport, several side by side, and keeps what became of each."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc
import psycopg
import pytest

from adapters.postgres.signals import DUE_CHANNEL
from adapters.smtp import transport as smtp
from adapters.smtp.pool import PoolLimits
from adapters.system.keyfile import KeyFile
from domain.ports.transport import Patience, Report
from domain.secret import Secret
from domain.settings.model import MailSettings, SmtpTransport
from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2, mail_service_pb2_grpc
from mailport.v1 import mail_service_pb2 as api
from service.options import Address, Options
from service.running import running
from tests.end_to_end.conftest import a_message
from tests.integration.smtp.lanes import is_gone
from tests.peers.ca import TestCA, server_context
from tests.peers.line_server import LineServer
from tests.proofs.fault_cases import ONE, Case, Reach
from tests.proofs.fault_scripts import Sink, healthy

SIDE_BY_SIDE: Final = 16
MAILS_A_CONNECTION: Final = 2
"""After so many mailport says QUIT, so that the goodbye can be tried."""
LARGE: Final = "A line of a body that no buffers between two sockets hold as a whole.\n" * 150_000
LITTLE_PATIENCE: Final = Patience(
    until_content=timedelta(seconds=4),
    each_reply=timedelta(seconds=1),
    content=timedelta(seconds=1),
    final_reply=timedelta(seconds=1),
)
_WITHIN: Final = timedelta(seconds=60)
_SUBJECT: Final = "the one that meets the fault"
_UNDER_WAY: Final = frozenset({delivery_pb2.DELIVERY_STATE_QUEUED, delivery_pb2.DELIVERY_STATE_SENDING})


@dataclass(kw_only=True)
class Outcome:
    """What became of one mail: after its first attempt, and once its server was well again."""

    first: delivery_pb2.Delivery
    doubts: int
    """As the database counts them."""
    copies: Mapping[str, int]
    """What the server may deliver, by recipient."""
    has_content_left: bool
    last: delivery_pb2.Delivery
    last_doubts: int
    last_copies: Mapping[str, int]
    following: delivery_pb2.Delivery
    """The configuration's next mail."""


@dataclass
class Watch:
    """Follows every delivery by the product's own stream."""

    stub: mail_service_pb2_grpc.MailServiceAsyncStub
    _seen: dict[str, delivery_pb2.Delivery] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, stands: asyncio.Event) -> None:
        async for answer in self.stub.WatchDeliveries(api.WatchDeliveriesRequest()):
            stands.set()
            if answer.HasField("delivery"):
                async with self._news:
                    self._seen[answer.delivery.delivery_id] = answer.delivery
                    self._news.notify_all()

    async def attempted(self, delivery_id: str, count: int) -> None:
        """Returns when the attempt of that number is over."""

        def is_over() -> bool:
            now = self._seen.get(delivery_id)
            return now is not None and now.attempt_count >= count and now.state not in _UNDER_WAY

        async with asyncio.timeout(_WITHIN.total_seconds()), self._news:
            await self._news.wait_for(is_over)


@dataclass
class Station:
    """A configuration, used by one case after the other: its port is where each one's server listens."""

    name: str
    port: int = 0
    """0: not configured."""


@dataclass
class Bench:
    """A mailport, and how it is used."""

    stub: mail_service_pb2_grpc.MailServiceAsyncStub
    watch: Watch
    database: psycopg.AsyncConnection[Any]
    ca_pem: str
    context: ssl.SSLContext
    impatient_with: set[int] = field(default_factory=set)
    """Ports of servers that mailport has little patience with."""

    async def play(self, station: Station, case: Case) -> Outcome:
        """Plays one case through."""
        sink = Sink(self.context)
        if not station.port:
            async with LineServer(healthy(sink), repeat=True) as server:
                await self.configure(station.name, server.port)
                station.port = server.port
        name, port = station.name, station.port
        if case.reach is not Reach.CONNECTS:
            return await self._unreached(name, case, sink, port)
        async with LineServer(case.script(sink), healthy(sink), repeat=True, port=port) as server:
            if case.is_kept:
                before = await self.sent(name, "before")
                assert before.state == delivery_pb2.DELIVERY_STATE_SENT, before
            sink.taken.clear()
            if case.ends_while_idle:
                sink.may_end.set()
                await is_gone(server)
            first, doubts = await self._attempt(name, case, port)
            content = b"".join(talk.heard() for talk in server.conversations)
            return await self._well_again(name, case, sink, port, first, doubts, content)

    async def _unreached(self, name: str, case: Case, sink: Sink, port: int) -> Outcome:
        with deaf(port) if case.reach is Reach.UNANSWERED else nobody():
            first, doubts = await self._attempt(name, case, port)
        async with LineServer(healthy(sink), repeat=True, port=port):
            return await self._well_again(name, case, sink, port, first, doubts, b"")

    async def _attempt(self, name: str, case: Case, port: int) -> tuple[delivery_pb2.Delivery, int]:
        if case.is_silent:
            self.impatient_with.add(port)
        delivery_id = await self._send(name, case)
        await self.watch.attempted(delivery_id, 1)
        self.impatient_with.discard(port)
        return await self._found(delivery_id), await self._doubts(delivery_id)

    async def _well_again(
        self, name: str, case: Case, sink: Sink, port: int, first: delivery_pb2.Delivery, doubts: int, content: bytes
    ) -> Outcome:
        copies = _copies(sink, case)
        if not first.HasField("final_time"):
            if first.failure.kind == failure_pb2.FAILURE_KIND_MISCONFIGURED:
                await self.configure(name, port)  # which ends the pause, and lets the mail go
                sink.taken.clear()
            else:
                await self._make_due(first.delivery_id)
            await self.watch.attempted(first.delivery_id, 2)
        last, last_copies = await self._found(first.delivery_id), _copies(sink, case)
        return Outcome(
            first=first,
            doubts=doubts,
            copies=copies,
            has_content_left=f"Subject: {_SUBJECT}".encode() in content,
            last=last,
            last_doubts=await self._doubts(first.delivery_id),
            last_copies=last_copies,
            following=await self.sent(name, "following"),
        )

    async def configure(self, name: str, port: int) -> None:
        """Configures and proves a server on loopback."""
        settings = configuration_pb2.Settings(
            from_address="robot@example.com",
            smtp=configuration_pb2.SmtpTransport(host="localhost", port=port, ca_certificates=self.ca_pem),
            basic=configuration_pb2.BasicAuthentication(username="robot@example.com", password="s3cr3t!"),
        )
        await self.stub.Configure(api.ConfigureRequest(configuration_id=name, settings=settings))
        await self.stub.ValidateAndSave(
            api.ValidateAndSaveRequest(configuration_id=name, user_email="admin@example.com")
        )

    async def sent(self, name: str, subject: str) -> delivery_pb2.Delivery:
        """Sends a mail and waits until it is settled."""
        message = a_message(subject=subject, to=_addresses(ONE))
        request = api.SendRequest(configuration_id=name, message=message, wait=True)
        return (await self.stub.Send(request, timeout=30)).delivery

    async def _send(self, name: str, case: Case) -> str:
        message = a_message(
            subject=_SUBJECT,
            to=_addresses(case.recipients),
            text_body=LARGE if case.is_large else "Please look.\n",
        )
        return (await self.stub.Send(api.SendRequest(configuration_id=name, message=message))).delivery.delivery_id

    async def _found(self, delivery_id: str) -> delivery_pb2.Delivery:
        return (await self.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))).delivery

    async def _make_due(self, delivery_id: str) -> None:
        """Lets the time until the next attempt be over."""
        await self.database.execute(
            "update delivery set next_attempt_time = now() where delivery_id = %s", (delivery_id,)
        )
        await self.database.execute("select pg_notify(%s, '')", (DUE_CHANNEL,))

    async def _doubts(self, delivery_id: str) -> int:
        cursor = await self.database.execute("select doubt_count from delivery where delivery_id = %s", (delivery_id,))
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


def _addresses(recipients: Sequence[str]) -> list[delivery_pb2.Address]:
    return [delivery_pb2.Address(address=each) for each in recipients]


def _copies(sink: Sink, case: Case) -> dict[str, int]:
    return {each: sink.copies(each) for each in case.recipients}


@contextmanager
def nobody() -> Iterator[None]:
    """Nothing listens."""
    yield


@contextmanager
def deaf(port: int) -> Iterator[None]:
    """A port on which no connection is made any more: its queue is full and nobody takes anything out of it."""
    with socket.create_server(("127.0.0.1", port), backlog=0) as listening:
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(listening.getsockname())
            yield
        finally:
            for filler in fillers:
                filler.close()


@asynccontextmanager
async def a_bench(folder: Path, database_url: str, ca: TestCA) -> AsyncIterator[Bench]:
    """Starts one."""
    keys = folder / "keys.json"
    KeyFile(keys).create(now=datetime.now(UTC))
    options = Options(
        data_dir=folder,
        grpc_address=Address("127.0.0.1", 0),
        web_address=Address("127.0.0.1", 0),
        database_url=Secret(database_url),
        keys_file=keys,
        egress_allow="127.0.0.0/8, ::1",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(smtp, "PoolLimits", partial(PoolLimits, messages=MAILS_A_CONNECTION))
        async with (
            running(options) as service,
            grpc.aio.insecure_channel(service.grpc_address) as channel,
            await psycopg.AsyncConnection.connect(database_url, autocommit=True) as database,
        ):
            stub: Any = mail_service_pb2_grpc.MailServiceStub(channel)
            context = server_context(ca.issue("faults"))
            bench = Bench(stub, Watch(stub), database, ca.pem, context)
            patch.setattr(smtp.SmtpMailTransport, "submit", _impatient(bench))
            stands = asyncio.Event()
            watching = asyncio.create_task(bench.watch.run(stands))
            await stands.wait()
            try:
                yield bench
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)


def _impatient(bench: Bench) -> Any:
    submit = smtp.SmtpMailTransport.submit

    async def submit_soon(
        self: smtp.SmtpMailTransport, settings: MailSettings, *rest: Any, patience: Patience, **more: Any
    ) -> Report:
        assert isinstance(settings.transport, SmtpTransport)
        if settings.transport.port in bench.impatient_with:
            patience = LITTLE_PATIENCE
        return await submit(self, settings, *rest, patience=patience, **more)

    return submit_soon


async def play_all(
    cases: Sequence[Case], folder: Path, database_url: str, ca: TestCA
) -> Mapping[str, Outcome | Exception]:
    """Returns what became of each case by its name, an exception where it came to no end."""
    stations = [Station(f"station-{number}") for number in range(SIDE_BY_SIDE)]

    async def play(case: Case) -> Outcome:
        async with turns:
            station = stations.pop()
            try:
                outcome = await bench.play(station, case)
            except BaseException:
                stations.append(Station(f"{station.name}-"))  # in whatever state the other one is
                raise
            stations.append(station)
            return outcome

    turns = asyncio.Semaphore(SIDE_BY_SIDE)
    async with a_bench(folder, database_url, ca) as bench:
        done = await asyncio.gather(*map(play, cases), return_exceptions=True)
    outcomes: dict[str, Outcome | Exception] = {}
    for case, outcome in zip(cases, done, strict=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
            raise outcome
        outcomes[case.name] = outcome
    return outcomes
