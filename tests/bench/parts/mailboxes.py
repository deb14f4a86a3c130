"""What watched mailboxes cost while nothing happens, and what a mailbox of 200,000 messages costs to list."""

from __future__ import annotations

import asyncio
import imaplib
import os
import pwd
import shutil
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc

from mailport.v1 import configuration_pb2, mailbox_service_pb2_grpc
from mailport.v1 import mailbox_service_pb2 as pb
from service.sandbox.sandbox import Sandbox
from tests.bench.mailports import Mailports, mailports
from tests.bench.measure import number
from tests.bench.plan import Plan
from tests.bench.table import Section
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot

_WATCHED: Final = 100
_SECONDS: Final = 60
_MESSAGES: Final = 200_000
_UNSEEN: Final = 25
_MOST_NAMES: Final = 20_000
"""Of one file, well below what file systems allow."""
_USER: Final = "bench@example.test"
_PASSWORD: Final = "bench-pw"
_CALL_SECONDS: Final = 120.0
_ROUNDS: Final = 5


async def measure(plan: Plan) -> Section:
    """Measures one process that does nothing else."""
    seconds = plan.seconds or _SECONDS
    async with AsyncExitStack() as stack:
        database = stack.enter_context(plan.database())
        folder = plan.new_folder("mailboxes")
        sandbox = await stack.enter_async_context(Sandbox(folder=plan.new_folder("sandbox")))
        running = await stack.enter_async_context(mailports(folder, database))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(running.addresses[0]))
        stub: Any = mailbox_service_pb2_grpc.MailboxServiceStub(channel)
        names = [f"box-{each}" for each in range(_WATCHED)]
        await running.configure(names, _settings(sandbox))
        rows = await _watched(running, stub, names, seconds)
        notes = []
        if reason := Dovecot.missing():
            notes.append(f"The large mailbox was left out: {reason}.")
        else:
            with _large_mailbox() as (dovecot, ca):
                await running.configure(["large"], _at_dovecot(_settings(sandbox), dovecot, ca))
                rows += await _listed(running, stub, dovecot, ca)
    return Section(
        "Mailboxes",
        f"{_WATCHED} configurations whose INBOX is watched over a connection each, for {seconds} s without any mail:"
        " below 2 % of a core is wanted. And a mailbox of"
        f" {_MESSAGES:,} messages at Dovecot, of which {_UNSEEN} are unseen: medians of {_ROUNDS} calls, beside what"
        " another client of the same server takes for the same page.",
        ("what", "figure"),
        rows,
        notes,
    )


async def _watched(running: Mailports, stub: Any, names: list[str], seconds: int) -> list[list[str]]:
    pid = running.processes[0].process.pid
    before = (running.resident_mib(), _threads(pid))
    async with asyncio.timeout(_CALL_SECONDS):
        watches = [stub.WatchMailbox(pb.WatchMailboxRequest(configuration_id=name)) for name in names]
        for watch in watches:
            await watch.read()
    await asyncio.sleep(5)  # what the start brought is over
    began, cpu = time.monotonic(), _cpu_seconds(pid)
    await asyncio.sleep(seconds)
    share = (_cpu_seconds(pid) - cpu) / (time.monotonic() - began)
    after = (running.resident_mib(), _threads(pid))
    for watch in watches:
        watch.cancel()
    await asyncio.sleep(1)
    began, cpu = time.monotonic(), _cpu_seconds(pid)
    await asyncio.sleep(min(seconds, 20))
    alone = (_cpu_seconds(pid) - cpu) / (time.monotonic() - began)
    return [
        [f"CPU with {len(names)} watched, % of a core", number(share * 100)],
        ["CPU with none, % of a core", number(alone * 100)],
        ["threads, before and with them", f"{before[1]}, {after[1]}"],
        ["memory, before and with them, MiB", f"{number(before[0])}, {number(after[0])}"],
    ]


async def _listed(running: Mailports, stub: Any, dovecot: Dovecot, ca: TestCA) -> list[list[str]]:
    memory = running.resident_mib()
    rows = []
    for title, query, bare in (
        ("first page of 50", pb.MessageQuery(), "ALL"),
        ("unseen, a page of 50", pb.MessageQuery(unseen=True), "UNSEEN"),
    ):
        request = pb.ListMessagesRequest(configuration_id="large", query=query)
        ours = await _median(partial(stub.ListMessages, request, timeout=_CALL_SECONDS))
        theirs = await _median(partial(asyncio.to_thread, _bare, dovecot, ca, bare))
        rows.append([f"{title}: mailport, another client, ms", f"{number(ours * 1000)}, {number(theirs * 1000)}"])
    rows.append(["memory, before and after, MiB", f"{number(memory)}, {number(running.resident_mib())}"])
    return rows


async def _median(call: Callable[[], Any]) -> float:
    took = []
    for _ in range(_ROUNDS + 1):
        began = time.monotonic()
        await call()
        took.append(time.monotonic() - began)
    return sorted(took[1:])[_ROUNDS // 2]  # the first one opens connections, and has the server make its index


def _bare(dovecot: Dovecot, ca: TestCA, criterion: str) -> None:
    """Signs in, searches the way mailport does, and fetches the same page."""
    context = ssl.create_default_context(cadata=ca.pem)
    with imaplib.IMAP4_SSL("localhost", dovecot.imaps, ssl_context=context, timeout=_CALL_SECONDS) as client:
        client.login(_USER, _PASSWORD)
        exists = int(client.select("INBOX", readonly=True)[1][0] or 0)
        search = f"{exists - 50}:{exists}" if criterion == "ALL" else criterion
        uids = client.uid("SEARCH", search)[1][0].split()[-50:]
        client.uid("FETCH", b",".join(uids).decode(), "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER]<0.65536>)")


def _settings(sandbox: Sandbox) -> configuration_pb2.Settings:
    return configuration_pb2.Settings(
        from_address="robot@example.com",
        smtp=configuration_pb2.SmtpTransport(host="localhost", port=sandbox.smtp_port, ca_certificates=sandbox.ca_pem),
        basic=configuration_pb2.BasicAuthentication(username=sandbox.username, password=sandbox.password),
        mailbox=configuration_pb2.MailboxSettings(
            email=sandbox.username,
            host="localhost",
            port=sandbox.imap_port,
            password=sandbox.password,
            ca_certificates=sandbox.ca_pem,
        ),
    )


def _at_dovecot(settings: configuration_pb2.Settings, dovecot: Dovecot, ca: TestCA) -> configuration_pb2.Settings:
    settings.mailbox.CopyFrom(
        configuration_pb2.MailboxSettings(
            email=_USER,
            host="localhost",
            port=dovecot.imaps,
            security=configuration_pb2.CONNECTION_SECURITY_IMPLICIT_TLS,
            password=_PASSWORD,
            ca_certificates=ca.pem,
        )
    )
    return settings


@contextmanager
def _large_mailbox() -> Iterator[tuple[Dovecot, TestCA]]:
    # Not below the bench's own folder: Dovecot's sockets have short names alone.
    folder = Path(tempfile.mkdtemp(prefix="mailport-dovecot-"))
    ca = TestCA(folder / "ca")
    server = Dovecot(folder=folder, issued=ca.issue("dovecot"), users={_USER: _PASSWORD})
    try:
        server.start()
        _fill(folder / "mail" / _USER)
        yield server, ca
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _fill(box: Path) -> None:
    """Lays the messages into a Maildir: few files under many names, since it is their number that counts."""
    owner = pwd.getpwnam("nobody")
    for name in (box, box / "cur", box / "new", box / "tmp"):
        name.mkdir(exist_ok=True)
        os.chown(name, owner.pw_uid, owner.pw_gid)
    message = b"From: zoe@example.org\r\nSubject: Hello\r\nMessage-ID: <1@example.org>\r\n\r\nHello.\r\n"
    for begin in range(0, _MESSAGES, _MOST_NAMES):
        source = box / "tmp" / str(begin)
        source.write_bytes(message)
        os.chown(source, owner.pw_uid, owner.pw_gid)
        for each in range(begin, begin + _MOST_NAMES):
            flags = "" if each < _UNSEEN else "S"
            os.link(source, box / "cur" / f"{1_600_000_000 + each}.M{each}P1.localhost:2,{flags}")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
