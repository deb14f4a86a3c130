"""Field report F40 through gRPC: IDLE that dies in each way, servers without it, and servers that stay away."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

import grpc
import httpx2
import pytest

import service.running
from adapters.system.clock import SystemClock
from domain.ports.mailbox import Vigilance
from mailport.v1 import configuration_pb2, failure_pb2, mailbox_service_pb2_grpc
from service.container import Container, container
from service.options import Options
from tests.end_to_end.arriving import IDLES, LACKS_IDLE, Inbox
from tests.end_to_end.conftest import Mailport, started
from tests.end_to_end.mailboxes import NAME, PASSWORD, WITHIN, Box, arrived
from tests.end_to_end.test_journey import details
from tests.peers.ca import TestCA, server_context
from tests.peers.imap_script import answer
from tests.peers.line_server import LineServer
from tests.peers.net import free_port
from tests.peers.script import Item, Step, abort, close, cut, send, tls

QUICK: Final = Vigilance(
    renew_after=timedelta(milliseconds=200), each_reply=timedelta(seconds=2), poll_after=timedelta(milliseconds=50)
)
PAUSE: Final = timedelta(milliseconds=100)
"""Before the second try to connect again; the third waits twice as long, and so on, each less half of it at most."""
LATE: Final = timedelta(seconds=15)
"""What a busy machine may add to a bound."""


@dataclass
class Field:
    """A mailport that is quick to notice, and the configuration whose mailbox is at the test's server."""

    mailport: Mailport
    box: Box
    inbox: Inbox
    port: int

    def server(self, *scripts: Sequence[Item]) -> LineServer:
        """The server of the mailbox: a script for each connection, the last one for all that follow too."""
        return LineServer(*scripts, repeat=True, port=self.port)

    async def figures(self, name: str) -> dict[str, float]:
        """Returns the values of a metric by the value of its one label."""
        async with httpx2.AsyncClient(trust_env=False, timeout=WITHIN) as client:
            page = await client.get(f"{self.mailport.service.web_url}/metrics")
        found = re.findall(rf'^mailport_mailbox_{name}{{\w+="(\w+)"}} (\S+)$', page.text, re.MULTILINE)
        return {label: float(value) for label, value in found}

    async def figures_when(self, name: str, holds: Callable[[Mapping[str, float]], bool]) -> dict[str, float]:
        """Returns them as soon as they are so."""
        async with asyncio.timeout(WITHIN):
            while not holds(found := await self.figures(name)):
                pass
        return found


@pytest.fixture
async def field(options: Options, ca: TestCA, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Field]:
    def quick(*arguments: Any, **more: Any) -> Container:
        made = container(*arguments, **more)
        made.following.add_kwargs(vigilance=QUICK, pause=PAUSE)
        return made

    monkeypatch.setattr(service.running, "container", quick)
    inbox, port = Inbox(server_context(ca.issue("imap"))), free_port()
    async with started(options) as mailport, grpc.aio.insecure_channel(mailport.service.grpc_address) as channel:
        settings = mailport.settings()
        settings.mailbox.CopyFrom(
            configuration_pb2.MailboxSettings(
                email="robot@sandbox.example",
                host="localhost",
                port=port,
                security=configuration_pb2.CONNECTION_SECURITY_IMPLICIT_TLS,
                password=PASSWORD,
                ca_certificates=ca.pem,
            )
        )
        async with LineServer(inbox.serving(idle=inbox.telling()), repeat=True, port=port):
            await mailport.configure(settings)
        inbox.connect_times.clear()
        box = Box(mailbox_service_pb2_grpc.MailboxServiceStub(channel), NAME)
        yield Field(mailport, box, inbox, port)


async def subjects(watch: Any, count: int) -> list[str]:
    """The subjects of the next messages."""
    return [(await arrived(watch)).message.subject for _ in range(count)]


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Lets so much time pass in which nothing happens."""
    real = SystemClock.monotonic
    monkeypatch.setattr(SystemClock, "monotonic", lambda clock: real(clock) + by)


async def test_given_nothing_else_when_started_then_a_dead_connection_is_noticed_within_ten_minutes(
    mailport: Mailport,
) -> None:
    assert mailport.service.parts is not None
    vigilance = mailport.service.parts.following().vigilance

    assert vigilance.silence <= timedelta(minutes=10)
    assert vigilance.renew_after < timedelta(minutes=29)  # RFC 2177


async def test_given_f40_a_bye_for_an_answer_to_idle_when_watched_then_it_connects_again_at_growing_distances(
    field: Field,
) -> None:
    inbox = field.inbox
    bye = [inbox.serving(idle=inbox.dying(close(), says="* BYE timeout", arrivals=count)) for count in (1, 0, 0, 0)]
    async with field.server(*bye, inbox.serving(idle=inbox.telling())) as server:
        watch, _ = await field.box.watch()
        meanwhile = await subjects(watch, 1)
        await server.connected(len(bye) + 1, within=timedelta(seconds=WITHIN))
        inbox.arrive()
        later = await subjects(watch, 1)
        standing = await field.figures("folders_followed")
        breaks = await field.figures("watch_breaks_total")
        watch.cancel()

    distances = [after - before for before, after in pairwise(inbox.connect_times)]
    assert (meanwhile, later) == (["1"], ["2"])
    assert breaks["CONNECTION_LOST"] >= len(bye)
    assert standing == {"STANDING": 1, "BROKEN": 0}
    # The message began the pauses anew: at once, then half of 100 and of 200 ms at least.
    assert distances[2] >= PAUSE.total_seconds() / 2
    assert distances[3] >= PAUSE.total_seconds()


async def test_given_f40_silence_after_idling_when_mail_arrives_then_it_is_noticed_within_the_bound_and_comes_once(
    field: Field,
) -> None:
    inbox = field.inbox
    mute, well = inbox.serving(idle=inbox.silent(arrivals=1)), inbox.serving(idle=inbox.telling())
    async with field.server(mute, mute, well):
        watch, _ = await field.box.watch()
        told = await subjects(watch, 1)
        noticed = time.monotonic() - inbox.idle_times[0]
        told += await subjects(watch, 1)
        inbox.arrive()
        told += await subjects(watch, 1)
        breaks = await field.figures("watch_breaks_total")
        watch.cancel()

    assert told == inbox.subjects == ["1", "2", "3"]
    assert noticed < (QUICK.silence + LATE).total_seconds()
    assert breaks["SERVER_SILENT"] >= 2


@pytest.mark.parametrize("end", [close(), cut(), abort()], ids=lambda end: end.label)
@pytest.mark.parametrize("during", ["IDLE", "FETCH"])
async def test_given_f40_a_server_that_drops_each_connection_when_mail_keeps_coming_then_each_comes_once(
    field: Field, end: Step, during: str
) -> None:
    inbox, rounds = field.inbox, 10
    if during == "IDLE":
        dropping = [inbox.serving(idle=inbox.dying(end, arrivals=number % 3)) for number in range(rounds)]
    else:
        dropping = [inbox.serving(idle=inbox.announcing(), fetch=[inbox.torn(end)])]
        dropping += [inbox.serving(idle=inbox.announcing(), fetch=[inbox.whole(), inbox.torn(end)])] * (rounds - 1)
    async with field.server(*dropping, inbox.serving(idle=inbox.telling())) as server:
        watch, _ = await field.box.watch()
        await server.connected(rounds + 1, within=timedelta(seconds=WITHIN))
        inbox.arrive()
        told = await subjects(watch, inbox.count)
        breaks = await field.figures("watch_breaks_total")
        watch.cancel()

    assert inbox.count >= rounds
    assert told == inbox.subjects
    assert breaks["CONNECTION_LOST"] >= rounds


@pytest.mark.parametrize("is_listed", [False, True], ids=["not listed", "listed and refused"])
async def test_given_f40_a_server_without_idle_when_mail_arrives_then_it_is_asked_for_and_comes_once(
    field: Field, is_listed: bool
) -> None:
    inbox = field.inbox
    refusing = answer(reply="NO not today" if is_listed else "BAD what is that")
    script = inbox.serving(idle=refusing, capabilities=IDLES if is_listed else LACKS_IDLE)
    told: list[str] = []
    async with field.server(script) as server:
        watch, _ = await field.box.watch()
        for count in (1, 2, 1):
            inbox.asked.clear()
            await asyncio.wait_for(inbox.asked.wait(), WITHIN)
            for _ in range(count):
                inbox.arrive()
            told += await subjects(watch, count)
        breaks = await field.figures("watch_breaks_total")
        watch.cancel()

    assert told == inbox.subjects == ["1", "2", "3", "4"]
    assert breaks == {}
    assert server.heard().count(b"NOOP") >= 3
    assert (b" IDLE\r\n" in server.heard()) is is_listed


@pytest.mark.parametrize("says", ["nothing listens", "closed at once", "BYE for a greeting"])
async def test_given_f40_a_server_that_stays_away_when_watched_then_it_is_seen_and_the_watch_ends_with_unavailable(
    field: Field, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, context = field.inbox, field.inbox.context
    away = {"closed at once": [close()], "BYE for a greeting": [tls(context), send("* BYE no service"), close()]}
    well = inbox.serving(idle=inbox.dying(close()))
    async with field.server(well, *[away[says]] if says in away else ()) as server:
        watch, _ = await field.box.watch()
        if says not in away:
            await server.__aexit__()
        breaks = await field.figures_when("watch_breaks_total", lambda found: sum(found.values()) >= 4)
        broken = await field.figures("folders_followed")
        is_open = not watch.done()

        later(monkeypatch, timedelta(minutes=3))
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await arrived(watch)
        ends = await field.figures_when("watch_ends_total", bool)
        followed = await field.figures("folders_followed")

    failure = details(ended.value)["Failure"]
    assert isinstance(failure, failure_pb2.Failure)
    assert is_open
    assert broken == {"STANDING": 0, "BROKEN": 1}
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert failure.kind == failure_pb2.FAILURE_KIND_TRANSIENT
    assert failure.stage == failure_pb2.FAILURE_STAGE_MAILBOX
    assert failure.reason in breaks
    assert ends == {failure.reason: 1}
    assert followed == {"STANDING": 0, "BROKEN": 0}


async def test_given_f40_a_server_that_breaks_off_whenever_it_is_to_give_a_mail_when_watched_then_the_watch_ends(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lets in each time; a watch that went on for ever would look like a mailbox without mail."""
    inbox = field.inbox
    async with field.server(inbox.serving(idle=inbox.telling(), fetch=[inbox.torn(close())])):
        watch, _ = await field.box.watch()
        inbox.arrive()
        await field.figures_when("watch_breaks_total", lambda found: sum(found.values()) >= 4)
        is_open = not watch.done()

        later(monkeypatch, timedelta(minutes=3))
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await arrived(watch)
        ends = await field.figures_when("watch_ends_total", bool)

    assert is_open
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert ends == {"CONNECTION_LOST": 1}
