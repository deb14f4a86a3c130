"""
Every row of the failure catalogue where it is really met, through gRPC: reason, kind and stage exactly.

Mail servers by script, token endpoints by script, callbacks, and sockets that are really broken. Microsoft Graph and
IMAP have no surface in this version (transport `graph` and MailboxService answer UNIMPLEMENTED), so their rows go
through Explain alone; so do the pages of authorization endpoints from which no browser comes back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.system.keyfile import KeyFile
from domain.secret import Secret
from mailport.v1 import configuration_pb2, delivery_pb2
from service.options import Address, Options
from tests.end_to_end.conftest import started
from tests.end_to_end.replaying import (
    HOSTS,
    NAMES,
    Replay,
    accepting,
    everything_on_loopback,
    letting_in,
    refusing,
    told_by_call,
    told_by_delivery,
)
from tests.integration.oauth.token_endpoint import TokenEndpoint
from tests.peers.ca import TestCA, server_context
from tests.peers.line_server import LineServer
from tests.unit.domain.failures.rows import Row, catalogue_rows

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS: Final = {row.name: row for row in catalogue_rows()}
SMTP: Final = [row for row in ROWS.values() if row.surface == "smtp"]
STATES: Final = {
    "PERMANENT": delivery_pb2.DELIVERY_STATE_FAILED,
    "TRANSIENT": delivery_pb2.DELIVERY_STATE_RETRYING,
    "THROTTLED": delivery_pb2.DELIVERY_STATE_RETRYING,
    "REAUTHORIZE": delivery_pb2.DELIVERY_STATE_HELD,
    "IN_DOUBT": delivery_pb2.DELIVERY_STATE_IN_DOUBT,
}
"""What becomes of a mail; MISCONFIGURED goes by whether the mail itself was refused."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replay(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, _template: str, ca: TestCA
) -> AsyncIterator[Replay]:
    folder = tmp_path_factory.mktemp("replay")
    name = sql.Identifier("replay")
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(name, sql.Identifier(_template))
        )
    keys = folder / "keys.json"
    KeyFile(keys).create(now=datetime.now(UTC))
    options = Options(
        data_dir=folder,
        grpc_address=Address("127.0.0.1", 0),
        web_address=Address("127.0.0.1", 0),
        database_url=Secret(make_conninfo(postgres_server, dbname="replay")),
        keys_file=keys,
    )
    context = server_context(ca.issue("replay", names=NAMES))
    with everything_on_loopback():
        async with started(options) as mailport, TokenEndpoint(b"") as endpoint:
            yield Replay(mailport.stub, ca, context, endpoint)


def signs_in(row: Row) -> str:
    """Tells how a row's account signs in: who never did has no sign-in, and a consent is renewed for tokens alone."""
    if row.reason == "TLS_REQUIRED":
        return "nothing, in the clear"
    if row.reason == "AUTH_REQUIRED":
        return "nothing"
    return "token" if row.kind == "REAUTHORIZE" else "password"


@pytest.mark.parametrize("at", ["its own host", "a host that nobody knows"])
@pytest.mark.parametrize("row", SMTP, ids=lambda row: row.name)
async def test_given_a_row_of_smtp_when_its_server_says_so_then_every_call_and_delivery_tells_the_same(
    replay: Replay, row: Row, at: str
) -> None:
    knows = at == "its own host"
    host = HOSTS.get(row.provider, "localhost") if knows else "localhost"
    way = signs_in(row)
    no = refusing(row, replay.context, signs_in=way, announces=["PIPELINING"] if knows else [])
    yes = accepting(replay.context, signs_in=way)
    first = [letting_in(replay.context, signs_in=way)] if way == "token" else [no, yes]
    name = replay.new_name()
    told = []
    async with LineServer(*first, no, no) as server:
        await replay.configure(name, replay.settings(server, host=host, provider=row.provider, signs_in=way))
        if way == "token":
            await replay.consent(name)
        else:
            told.append(await told_by_call("ValidateAndSave", replay.validate(name)))
            assert not (await replay.read(name)).HasField("active"), "nothing is saved by a proof that failed"
            await replay.validate(name)

        told.append(await told_by_call("SendTest", replay.test(name)))
        delivery = await replay.delivery(name)
        told.append(told_by_delivery(delivery))
        said_what = str(server)

    assert [(each.way, *each.verdict) for each in told] == [
        (each.way, row.reason, row.kind, row.stage) for each in told
    ], said_what
    for each in told:
        last = each.trace.steps[-1]
        assert (last.stage, last.succeeded) == (each.failure.stage, False), each.trace
    assert delivery.attempt_count == 1
    assert delivery.state == state_after(row), said_what
    health = (await replay.read(name)).health
    is_paused = row.kind == "MISCONFIGURED" and delivery.state == delivery_pb2.DELIVERY_STATE_RETRYING
    assert (health.state == configuration_pb2.HEALTH_STATE_MISCONFIGURED) == is_paused
    if is_paused:
        assert health.failure.reason == row.reason


def state_after(row: Row) -> delivery_pb2.DeliveryState.ValueType:
    if row.kind != "MISCONFIGURED":
        return STATES[row.kind]
    is_the_mail = row.stage in ("MAIL_FROM", "RCPT_TO", "DATA")  # each of these rows is a 5yz
    return delivery_pb2.DELIVERY_STATE_FAILED if is_the_mail else delivery_pb2.DELIVERY_STATE_RETRYING
