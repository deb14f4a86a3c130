"""Real databases, token endpoints and processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.system.keyfile import KeyFile
from service.container import Container
from tests.faults.forks import Forks, running_forks
from tests.faults.provider import Provider, provider_process
from tests.faults.wiring import Accounts, Place, wired


@pytest.fixture(scope="session")
def provider_port() -> Iterator[int]:
    with provider_process() as port:
        yield port


@pytest.fixture
async def provider(provider_port: int) -> AsyncIterator[Provider]:
    """A token endpoint in a process of its own, its counters at nought."""
    provider = Provider(provider_port)
    await provider.durations()
    yield provider
    await provider.close()


@pytest.fixture
async def forks() -> AsyncIterator[Forks]:
    """What starts processes."""
    async with running_forks() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Place:
    """An empty database and new keys."""
    found = Place(str(tmp_path), database_url)
    KeyFile(found.keys_file).create(now=datetime.now(UTC))
    return found


@pytest.fixture
async def parts(place: Place) -> AsyncIterator[Container]:
    """mailport's parts in the test's own process, one of several that share a database."""
    async with wired(place) as found:
        yield found


@pytest.fixture
def accounts(parts: Container, provider: Provider, place: Place) -> Accounts:
    """What makes configurations with a consent."""
    return Accounts(parts, provider, place.database_url)
