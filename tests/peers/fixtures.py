"""Peers as fixtures: `ca` and `dovecot` last for the session, `faulty_smtp` and `line_server` for one test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
import pytest_asyncio

from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot
from tests.peers.faulty_smtp import FaultySmtp
from tests.peers.line_server import LineServer
from tests.peers.require import require
from tests.peers.script import Item

StartFaultySmtp: TypeAlias = Callable[..., Coroutine[Any, Any, FaultySmtp]]
StartLineServer: TypeAlias = Callable[..., Coroutine[Any, Any, LineServer]]

DOVECOT_USERS: Final = {"alice@example.test": "alice-pw", "robot@example.test": "s3cr3t!"}


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    """A CA that nothing trusts unless told to."""
    return TestCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def dovecot(ca: TestCA) -> Iterator[Dovecot]:
    """
    A running Dovecot with `DOVECOT_USERS`, its certificate issued by `ca` for localhost.

    Tests share it: send to a recipient of one's own, whose mailbox is then empty before.
    """
    require("Dovecot", missing=Dovecot.missing())
    # Not below tmp_path: its parents have mode 0700, and Dovecot's login processes are nobody.
    folder = Path(tempfile.mkdtemp(prefix="mailport-dovecot-"))
    server = Dovecot(folder=folder, issued=ca.issue("dovecot"), users=DOVECOT_USERS)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture
async def faulty_smtp() -> AsyncIterator[StartFaultySmtp]:
    """Starts servers with the arguments of `FaultySmtp` and stops them after the test."""
    async with AsyncExitStack() as servers:

        async def start(**options: Any) -> FaultySmtp:
            return await servers.enter_async_context(FaultySmtp(**options))

        yield start


@pytest_asyncio.fixture
async def line_server() -> AsyncIterator[StartLineServer]:
    """Starts servers with the arguments of `LineServer` and stops them after the test."""
    async with AsyncExitStack() as servers:

        async def start(*scripts: Sequence[Item], **options: Any) -> LineServer:
            return await servers.enter_async_context(LineServer(*scripts, **options))

        yield start
