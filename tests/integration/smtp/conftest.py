"""The sender of these tests: trusts the test CA for servers whose settings name none, and ends its sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.smtp.sending import Sender
from tests.peers.ca import TestCA


@pytest_asyncio.fixture
async def sender(ca: TestCA) -> AsyncIterator[Sender]:
    """A sender; after the test nothing of it may be left running."""
    before = asyncio.all_tasks()
    sender = Sender(ca_file=ca.path)
    yield sender
    await sender.transport.aclose()
    left = [task for task in asyncio.all_tasks() - before if "smtp" in repr(task.get_coro())]
    assert left == []
