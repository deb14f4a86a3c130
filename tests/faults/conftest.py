"""Real databases, token endpoints and processes, and the figures that they gave, at the end of the run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.system.keyfile import KeyFile
from service.container import Container
from tests.faults.forks import Forks, running_forks
from tests.faults.provider import Provider, provider_process
from tests.faults.wiring import Accounts, Place, wired

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keeps a line for the end of the run: what was measured is told, whether or not it is judged."""
    return request.config.stash.setdefault(_FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash.get(_FIGURES, []):
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)


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
