from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner, Result

from service.cli.app import app
from tests.unit.service.cli.servicer import FakeMailport, served

Run = Callable[..., Result]


@pytest.fixture
def mailport() -> Iterator[FakeMailport]:
    with served(FakeMailport()) as fake:
        yield fake


@pytest.fixture
def run(mailport: FakeMailport, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command against the fake, outside any terminal."""
    monkeypatch.setenv("MAILPORT_GRPC_ADDRESS", mailport.address)
    return lambda *arguments, **more: CliRunner().invoke(app, list(arguments), **more)
