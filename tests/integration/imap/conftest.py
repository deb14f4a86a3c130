"""A reader of mailboxes for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from adapters.imap.mailbox import ImapMailboxReader
from adapters.smtp.reach import Reach
from adapters.system.clock import SystemClock
from tests.fakes.network import FakeResolver


@pytest_asyncio.fixture
async def reader() -> AsyncIterator[ImapMailboxReader]:
    clock = SystemClock()
    reader = ImapMailboxReader(reach=Reach(clock=clock), resolver=FakeResolver(), clock=clock, threads=4)
    yield reader
    await reader.aclose()
