"""Every broken server through ValidateAndSave: the right reason each time, and the first fix cures (issue 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import grpc
import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.system.keyfile import KeyFile
from adapters.system.resolver import SystemResolver
from domain.ports.network import DeniedAddress, EgressDenied, NameUnavailable, NameUnknown, PeerAddress
from domain.secret import Secret
from mailport.v1 import configuration_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.cli.fixes import Change, apply_change
from service.options import Address, Options
from tests.end_to_end.broken_servers import ALL, HOST, OUTLOOK, Broken, Contexts
from tests.end_to_end.conftest import Mailport, started
from tests.end_to_end.test_journey import details
from tests.peers.ca import TestCA
from tests.peers.faulty_smtp import FaultySmtp
from tests.peers.line_server import LineServer
from tests.peers.net import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON: Final = 3.0
"""Seconds: the deadline of calls to servers that have to be waited for."""
LATE: Final = 30.0
Doors = dict[tuple[str, int], int]


@dataclass
class Site:
    """A mailport, and what it finds behind the hosts' ports: `doors`, else nobody."""

    mailport: Mailport
    ca: TestCA
    contexts: Contexts
    doors: Doors = field(default_factory=dict)
    closed: int = field(default_factory=free_port)

    async def resolve(self, host: str, port: int) -> tuple[PeerAddress, ...]:
        match host:
            case "no.broken.example":
                raise NameUnknown(host, "no such host")
            case "away.broken.example":
                raise NameUnavailable(host, "no answer")
            case "inner.broken.example":
                raise EgressDenied(host, [DeniedAddress("10.0.0.5", "in 10.0.0.0/8 (private network)")])
        return (PeerAddress("127.0.0.1", self.doors.get((host, port), self.closed), 4),)

    async def open(self, broken: Broken, stack: AsyncExitStack) -> None:
        self.doors.clear()
        for port, door in broken.doors.items():
            behind = door(self.contexts)
            server: FaultySmtp | LineServer
            server = behind if isinstance(behind, FaultySmtp) else LineServer(behind, repeat=True)
            await stack.enter_async_context(server)
            self.doors[broken.host, port] = server.port

    def settings(self, broken: Broken) -> configuration_pb2.Settings:
        settings = configuration_pb2.Settings(
            from_address="robot@broken.example",
            smtp=configuration_pb2.SmtpTransport(
                host=broken.host,
                port=broken.port,
                security=configuration_pb2.ConnectionSecurity.Value(f"CONNECTION_SECURITY_{broken.security}"),
                minimum_tls_version=configuration_pb2.TlsVersion.Value(f"TLS_VERSION_{broken.minimum}"),
                ca_certificates=self.ca.pem,
            ),
        )
        if broken.signs_in:
            settings.basic.CopyFrom(
                configuration_pb2.BasicAuthentication(username="robot@broken.example", password="s3cr3t!")
            )
        return settings

    async def validate(self, settings: configuration_pb2.Settings, *, within: float) -> failure_pb2.Failure | None:
        """Returns why the settings are not saved, None when they are."""
        stub = self.mailport.stub
        await stub.Configure(api.ConfigureRequest(configuration_id="broken", settings=settings))
        request = api.ValidateAndSaveRequest(configuration_id="broken", user_email="admin@x.example")
        try:
            await stub.ValidateAndSave(request, timeout=within)
        except grpc.aio.AioRpcError as error:
            return _explained(error)
        return None


def _explained(error: grpc.aio.AioRpcError) -> failure_pb2.Failure:
    told = details(error)
    failure = told.get("Failure")
    assert isinstance(failure, failure_pb2.Failure), error.details()
    assert isinstance(told["Trace"], failure_pb2.Trace)
    return failure


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, _template: str, ca: TestCA
) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("broken")
    KeyFile(folder / "keys.json").create(now=datetime.now(UTC))
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(sql.SQL("create database broken template {}").format(sql.Identifier(_template)))
    options = Options(
        data_dir=folder,
        grpc_address=Address("127.0.0.1", 0),
        web_address=Address("127.0.0.1", 0),
        database_url=Secret(make_conninfo(postgres_server, dbname="broken")),
        keys_file=folder / "keys.json",
        plaintext_hosts=frozenset({HOST, OUTLOOK}),
    )
    async with started(options) as mailport:
        site = Site(mailport, ca, Contexts(ca, TestCA(folder / "other-ca")))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SystemResolver, "resolve", lambda _, host, port: site.resolve(host, port))
            yield site
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("drop database broken with (force)")


def changes_of(fix: failure_pb2.Fix) -> list[Change]:
    return [Change(tuple(each.field.removeprefix("settings.").split(".")), each.value) for each in (fix, *fix.also)]


@pytest.mark.parametrize("broken", ALL, ids=lambda broken: broken.name)
async def test_given_a_broken_server_when_validated_then_the_reason_is_right_and_the_first_fix_cures(
    site: Site, broken: Broken
) -> None:
    async with AsyncExitStack() as stack:
        await site.open(broken, stack)
        settings = site.settings(broken)

        failure = await site.validate(settings, within=SOON if broken.is_slow else LATE)

        if not broken.reason:
            assert failure is None
            return
        assert failure is not None
        stage = failure_pb2.FailureStage.Name(failure.stage).removeprefix("FAILURE_STAGE_")
        assert (failure.reason, stage) == (broken.reason, broken.stage)
        assert failure.cause
        assert failure.remedy
        fields = tuple(each.field for fix in failure.fixes[:1] for each in (fix, *fix.also)) or None
        assert fields == broken.cure
        if broken.cure is not None:
            for change in changes_of(failure.fixes[0]):
                apply_change(settings, change)
            assert await site.validate(settings, within=LATE) is None


async def test_given_the_matrix_when_counted_then_it_is_as_large_as_promised() -> None:
    assert len(ALL) >= 60
    assert len({broken.name for broken in ALL}) == len(ALL)
    assert len([broken for broken in ALL if broken.cure is not None]) >= 15
