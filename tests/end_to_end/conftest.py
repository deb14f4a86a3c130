"""A whole mailport with its sandbox, called through a real gRPC channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from adapters.system.keyfile import KeyFile
from domain.secret import Secret
from mailport.v1 import configuration_pb2, delivery_pb2, mail_service_pb2, mail_service_pb2_grpc
from service.options import Address, Options
from service.running import Running, running
from service.sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class Mailport:
    """A running mailport, its client stub, and words for what most tests do first."""

    service: Running
    stub: mail_service_pb2_grpc.MailServiceAsyncStub

    @property
    def sandbox(self) -> Sandbox:
        assert self.service.sandbox is not None
        return self.service.sandbox

    def settings(self, **smtp: object) -> configuration_pb2.Settings:
        """Returns settings for the sandbox's STARTTLS port, with *smtp* fields changed."""
        values: dict[str, object] = {
            "host": "localhost",
            "port": self.sandbox.smtp_port,
            "security": configuration_pb2.CONNECTION_SECURITY_STARTTLS,
            "ca_certificates": self.sandbox.ca_pem,
        }
        return configuration_pb2.Settings(
            from_address="robot@sandbox.example",
            from_name="Robot",
            smtp=configuration_pb2.SmtpTransport(**{**values, **smtp}),  # type: ignore[arg-type]
            basic=configuration_pb2.BasicAuthentication(username=self.sandbox.username, password=self.sandbox.password),
        )

    async def configure(self, settings: configuration_pb2.Settings | None = None, name: str = "alerts") -> None:
        """Configures and proves *settings*, the sandbox's by default."""
        await self.stub.Configure(
            mail_service_pb2.ConfigureRequest(configuration_id=name, settings=settings or self.settings())
        )
        await self.stub.ValidateAndSave(
            mail_service_pb2.ValidateAndSaveRequest(configuration_id=name, user_email="admin@sandbox.example")
        )


def a_message(**fields: object) -> delivery_pb2.Message:
    """Returns a small message to anna@example.com, with *fields* changed."""
    values: dict[str, object] = {
        "to": [delivery_pb2.Address(address="anna@example.com", name="Anna")],
        "subject": "Disk full",
        "text_body": "Please look.\n",
    }
    return delivery_pb2.Message(**{**values, **fields})  # type: ignore[arg-type]


@pytest.fixture
def options(tmp_path: Path, database_url: str) -> Options:
    """Options for a mailport of this test's own: free ports, an empty database, new keys."""
    keys = tmp_path / "keys.json"
    KeyFile(keys).create(now=datetime.now(UTC))
    return Options(
        data_dir=tmp_path,
        grpc_address=Address("127.0.0.1", 0),
        web_address=Address("127.0.0.1", 0),
        database_url=Secret(database_url),
        keys_file=keys,
    )


@asynccontextmanager
async def started(options: Options) -> AsyncIterator[Mailport]:
    """Starts a mailport with its sandbox and connects to it."""
    async with running(options, sandbox=True) as service, grpc.aio.insecure_channel(service.grpc_address) as channel:
        yield Mailport(service, mail_service_pb2_grpc.MailServiceStub(channel))


@pytest.fixture
async def mailport(options: Options) -> AsyncIterator[Mailport]:
    """A running mailport."""
    async with started(options) as running_mailport:
        yield running_mailport


def without_worker(options: Options) -> Options:
    """Returns *options* for a process that accepts mail and delivers none."""
    return replace(options, roles=frozenset(role for role in options.roles if role.value != "worker"))
