"""A mailbox of 200,000 messages (20,000 in the quick form) at a real server: what pages and searches cost us."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import tempfile
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

import pytest

from adapters.imap.mailbox import ImapMailboxReader
from adapters.smtp.reach import Reach
from adapters.system.clock import SystemClock
from domain.mailbox import MessageQuery
from domain.ports.mailbox import FolderPage, MailboxAccount, Patience, Vigilance
from tests.contract.mailbox_worlds import LONG_AGO, USER, settings
from tests.fakes.network import FakeResolver
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot
from tests.peers.fixtures import DOVECOT_USERS
from tests.peers.require import require
from tests.proofs.sizes import IS_FULL

T = TypeVar("T")

MESSAGES: Final = 200_000 if IS_FULL else 20_000
_UNSEEN_EVERY: Final = 1_000
_LINKS: Final = 30_000
"""Names that one file may have are bounded by the file system, at 65,000 on ext4."""
_RAW: Final = b"From: Bob <bob@example.test>\nSubject: hello\nDate: Sun, 1 Mar 2026 12:00:00 +0000\n\nHello\n"
_LONG: Final = Patience(
    until_content=timedelta(minutes=1), each_reply=timedelta(minutes=5), overall=timedelta(minutes=6)
)
_SECONDS: Final = 1.0
"""Of our own time, as promised."""
_OCTETS: Final = 32 * 1024 * 1024


@pytest.fixture
def full_dovecot(ca: TestCA) -> Iterator[Dovecot]:
    """A Dovecot of the test's own, since its mailbox is of no use to any other."""
    require("Dovecot", missing=Dovecot.missing())
    folder = Path(tempfile.mkdtemp(prefix="mailport-dovecot-"))
    server = Dovecot(folder=folder, issued=ca.issue("dovecot-full"), users=DOVECOT_USERS)
    try:
        server.start()
        _fill(folder / "mail" / USER)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _fill(box: Path) -> None:
    owner = pwd.getpwnam("nobody")
    for name in ("cur", "new", "tmp"):
        (box / name).mkdir(parents=True)
        os.chown(box / name, owner.pw_uid, owner.pw_gid)
    os.chown(box, owner.pw_uid, owner.pw_gid)
    source = box / "tmp" / "0"
    for number in range(MESSAGES):
        if number % _LINKS == 0:
            source = box / "tmp" / str(number)
            source.write_bytes(_RAW)
            os.chown(source, owner.pw_uid, owner.pw_gid)
        flags = "" if number % _UNSEEN_EVERY == 0 else "S"
        os.link(source, box / "cur" / f"{1772366400 + number}.M{number}P1.localhost:2,{flags}")


async def test_given_a_full_mailbox_when_listed_searched_and_followed_then_it_costs_less_than_a_second_of_ours(
    full_dovecot: Dovecot, ca: TestCA
) -> None:
    clock = SystemClock()
    reader = ImapMailboxReader(reach=Reach(clock=clock), resolver=FakeResolver(), clock=clock)
    account = MailboxAccount(settings(full_dovecot.imaps, ca.path.read_text()), lane="tenant")
    end = await reader.position(account, "INBOX", patience=_LONG)  # Dovecot makes its index

    async def page(query: MessageQuery) -> FolderPage:
        return await reader.list_messages(account, "INBOX", query=query, limit=50, patience=_LONG)

    async def watched() -> list[int]:
        news = reader.follow(
            account, "INBOX", vigilance=Vigilance(), patience=_LONG, cursor=replace(end, last_uid=MESSAGES - 1_000)
        )
        assert isinstance(news, AsyncGenerator)
        found: list[int] = []
        async with aclosing(news):
            async for told in news:
                found += [message.id.uid for message in told.messages]
                if len(found) >= 1_000:
                    break
        return found

    try:
        first = await _within_bounds(lambda: page(MessageQuery()))
        unseen = await _within_bounds(lambda: page(MessageQuery(unseen=True)))
        seen = await _within_bounds(lambda: page(MessageQuery(flags=("\\Seen",))))
        none = await _within_bounds(lambda: page(MessageQuery(flags=("$Nobody",), since_time=LONG_AGO)))
        caught_up = await _within_bounds(watched)
    finally:
        await reader.aclose()

    assert end.last_uid == MESSAGES
    assert [message.id.uid for message in first.messages] == [MESSAGES - place for place in range(50)]
    unseen_there = MESSAGES // _UNSEEN_EVERY
    assert len(unseen.messages) == min(unseen_there, 50)
    assert (unseen.next is None) == (unseen_there <= 50)
    assert len(seen.messages) == 50
    assert (none.messages, none.next) == ((), None)
    assert caught_up == list(range(MESSAGES - 999, MESSAGES + 1))


async def _within_bounds(work: Callable[[], Awaitable[T]]) -> T:
    """Returns what *work* gives; our own processor time and memory are what is promised, not the server's."""
    begin = _processor_seconds()
    result = await work()
    assert _processor_seconds() - begin < _SECONDS
    tracemalloc.start()
    await work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < _OCTETS
    return result


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
