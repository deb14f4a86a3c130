"""Peers as fixtures: `ca` and `dovecot` last for the session, the others for one test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest
import pytest_asyncio

from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot
from tests.peers.faulty_smtp import FaultySmtp
from tests.peers.line_server import LineServer
from tests.peers.oidc_provider.peer import OidcProvider
from tests.peers.require import require
from tests.peers.script import Item

if TYPE_CHECKING:
    from playwright.async_api import Page

StartFaultySmtp: TypeAlias = Callable[..., Coroutine[Any, Any, FaultySmtp]]
StartLineServer: TypeAlias = Callable[..., Coroutine[Any, Any, LineServer]]
StartOidcProvider: TypeAlias = Callable[..., OidcProvider]
StartDovecot: TypeAlias = Callable[..., Dovecot]

DOVECOT_USERS: Final = {
    "alice@example.test": "alice-pw",
    "robot@example.test": "s3cr3t!",
    "reader@example.test": 'käse "1"',
}


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


@pytest.fixture
def oidc_provider(tmp_path: Path) -> Iterator[StartOidcProvider]:
    """Starts one provider with the arguments of `OidcProvider` (redirect_uris) and stops it after the test."""
    require("oidc-provider", missing=OidcProvider.missing())
    with ExitStack() as providers:

        def start(**options: Any) -> OidcProvider:
            provider = OidcProvider(folder=tmp_path, **options)
            providers.callback(provider.stop)
            provider.start()
            return provider

        yield start


@pytest.fixture
def dovecot_with_tokens(ca: TestCA) -> Iterator[StartDovecot]:
    """
    Starts a Dovecot of the test's own that checks tokens with an `OidcProvider`, given as the only argument.

    Its certificate is the one of `dovecot`: issued by `ca` for localhost.
    """
    require("Dovecot", missing=Dovecot.missing())
    folder = Path(tempfile.mkdtemp(prefix="mailport-dovecot-"))  # see dovecot
    with ExitStack() as servers:
        servers.callback(shutil.rmtree, folder, ignore_errors=True)

        def start(provider: OidcProvider) -> Dovecot:
            server = Dovecot(
                folder=folder,
                issued=ca.issue("dovecot-with-tokens"),
                users=DOVECOT_USERS,
                introspection_url=provider.introspection_endpoint,
                username_attribute="sub",
            )
            servers.callback(server.stop)
            server.start()
            return server

        yield start


@pytest_asyncio.fixture
async def browser_page() -> AsyncIterator[Page]:
    """A page of a browser without cookies."""
    from tests.peers import browser as browsers  # playwright is slow to import, and few tests need it

    require("Chromium", missing=browsers.missing())
    async with browsers.chromium() as browser:
        page = await browser.new_page()
        yield page
