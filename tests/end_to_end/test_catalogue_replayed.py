"""
Every row of the failure catalogue where it is really met, through gRPC: reason, kind and stage exactly.

Mail servers by script, token endpoints by script, callbacks, and sockets that are really broken; Graph's rows are met
in `test_catalogue_graph`, those of mailboxes in `test_catalogue_imap`. Pages of authorization endpoints from which no
browser comes back are foretold by Authorize and told by the session that expires.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, timedelta
from html import escape
from typing import Final
from urllib.parse import parse_qsl

import httpx2
import pytest
import pytest_asyncio

from domain.failures.evidence import Surface
from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.consents import complete, returned
from tests.end_to_end.replaying import (
    HOSTS,
    IMPLICIT_TLS,
    NAMES,
    OWN,
    STARTTLS,
    Replay,
    Told,
    a_replay,
    accepting,
    letting_in,
    refusing,
    told_by_call,
    told_by_delivery,
)
from tests.end_to_end.scripted import later, tokens
from tests.end_to_end.test_catalogue_graph import GRAPH
from tests.end_to_end.test_catalogue_imap import IMAP
from tests.integration.oauth.token_endpoint import answer
from tests.peers.ca import TestCA, server_context
from tests.peers.line_server import LineServer
from tests.peers.net import black_hole, free_port
from tests.peers.script import Item, ehlo, hang, send, starttls, tls
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
LEAST_WAITS: Final = {
    **dict.fromkeys(("P005",), timedelta(minutes=15)),
    **dict.fromkeys(("P009", "P038"), timedelta(minutes=5)),
    **dict.fromkeys(("P013",), timedelta(minutes=30)),
    **dict.fromkeys(("P018",), timedelta(minutes=10)),
    **dict.fromkeys(("P044",), timedelta(hours=1)),
    # An allowance of a day, which is given back by and by; waiting it out would end a mail's usual day of life.
    **dict.fromkeys(("P008", "P032", "P034", "P057"), timedelta(hours=4)),
}
"""What the provider is known to want waited."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replay(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, _template: str, ca: TestCA
) -> AsyncIterator[Replay]:
    folder = tmp_path_factory.mktemp("replay")
    async with a_replay(folder, server=postgres_server, template=_template, ca=ca) as running:
        yield running


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
    way, port, name, told = signs_in(row), free_port(), replay.new_name(), []
    no = refusing(row, replay.context, signs_in=way, announces=["PIPELINING"] if knows else [])
    await replay.configure(name, replay.settings(port, host=host, provider=row.provider, signs_in=way))
    if way == "token":
        async with LineServer(letting_in(replay.context, signs_in=way), port=port):
            await replay.consent(name, save=False)

    async with LineServer(no, repeat=True, port=port):
        told.append(await told_by_call("ValidateAndSave", replay.validate(name)))
    assert not (await replay.read(name)).HasField("active"), "nothing is saved by a proof that failed"
    async with LineServer(accepting(replay.context, signs_in=way), port=port):
        await replay.validate(name)
    async with LineServer(no, repeat=True, port=port) as server:
        told.append(await told_by_call("SendTest", replay.test(name)))
        delivery = await replay.delivery(name)
        told.append(told_by_delivery(delivery))
        said_what = str(server)

    assert_all_tell(told, row, said_what)
    assert delivery.attempt_count == 1
    waits = delivery.next_attempt_time.ToDatetime(UTC) - delivery.attempts[0].start_time.ToDatetime(UTC)
    assert waits >= LEAST_WAITS.get(row.name, waits)
    assert delivery.state == state_after(row), said_what
    health = (await replay.read(name)).health
    is_paused = row.kind == "MISCONFIGURED" and delivery.state == delivery_pb2.DELIVERY_STATE_RETRYING
    assert (health.state == configuration_pb2.HEALTH_STATE_MISCONFIGURED) == is_paused
    if is_paused:
        assert health.failure.reason == row.reason


POLICIES: Final = [
    row for row in SMTP if row.stage == "AUTH" and row.reason in ("SMTP_AUTH_DISABLED", "SIGN_IN_BLOCKED")
]


@pytest.mark.parametrize("row", POLICIES, ids=lambda row: row.name)
async def test_given_a_server_that_lets_nobody_in_when_an_account_consents_or_tests_then_it_is_told_so(
    replay: Replay, row: Row
) -> None:
    """What blocks passwords blocks tokens too, and neither another account nor another consent would help."""
    name = replay.new_name()
    no = refusing(row, replay.context, signs_in="token")
    yes = letting_in(replay.context, signs_in="token")
    async with LineServer(no, yes, no) as server:
        await replay.configure(name, replay.settings(server.port, provider=row.provider, signs_in="token"))

        told = [await told_by_call("CompleteAuth", replay.consent(name))]
        assert not (await replay.read(name)).HasField("active")
        await replay.consent(name)
        told.append(await told_by_call("SendTest", replay.test(name)))

    assert_all_tell(told, row)


def state_after(row: Row) -> delivery_pb2.DeliveryState.ValueType:
    if row.kind != "MISCONFIGURED":
        return STATES[row.kind]
    is_the_mail = row.stage in ("MAIL_FROM", "RCPT_TO", "DATA")  # each of these rows is a 5yz
    return delivery_pb2.DELIVERY_STATE_FAILED if is_the_mail else delivery_pb2.DELIVERY_STATE_RETRYING


def assert_all_tell(told: Sequence[Told], row: Row, said: str = "") -> None:
    """All say what the catalogue says, and where there is a trace, it ends where the row was met."""
    assert [(each.way, *each.verdict) for each in told] == [
        (each.way, row.reason, row.kind, row.stage) for each in told
    ], said
    for each in told:
        if each.way in ("ValidateAndSave", "SendTest", "Send"):
            last = each.trace.steps[-1]
            assert (last.stage, last.succeeded) == (each.failure.stage, False), f"{each.way}: {each.trace}"


BROKEN: Final = [row for row in ROWS.values() if row.surface in ("dns", "connect", "tls")]


@asynccontextmanager
async def broken(replay: Replay, row: Row, port: int) -> AsyncIterator[None]:
    """Breaks *port*, or the name of its host, as it was broken where *row* was met."""
    script: list[Item]
    match row.name:
        case "P123" | "P124":
            error = socket.EAI_NONAME if row.name == "P123" else socket.EAI_AGAIN
            with replay.names.failing(OWN, error):
                yield
            return
        case "P125":
            yield  # nobody listens there
            return
        case "P126":
            with black_hole("127.0.0.1", port):
                yield
            return
        case "P127":
            script = [send("220 mx.example.com ESMTP"), hang()]
        case "P128" | "P129":
            wrong = replay.ca.self_signed("stranger", names=NAMES) if row.name == "P128" else None
            issued = wrong or replay.ca.issue("elsewhere", names=["mail.example.org"])
            script = [send("220 mx"), ehlo("STARTTLS"), starttls(server_context(issued), may_fail=True), hang()]
        case "P130":
            script = [send("220 mx"), ehlo("AUTH PLAIN"), hang()]
        case _:
            raise AssertionError(f"{row.name} has no way to break")
    async with LineServer(script, repeat=True, port=port):
        yield


@pytest.mark.parametrize("row", BROKEN, ids=lambda row: row.name)
async def test_given_a_row_of_a_connection_when_it_is_broken_so_then_every_call_and_delivery_tells_the_same(
    replay: Replay, row: Row
) -> None:
    """A mail waits half a minute for an address that drops everything: P126 is told by the two proofs alone."""
    port, name, told = free_port(), replay.new_name(), []
    security = IMPLICIT_TLS if row.name == "P127" else STARTTLS
    within = timedelta(seconds=3) if row.name == "P126" else timedelta(seconds=30)
    yes = accepting(replay.context, signs_in="password")
    if row.name == "P127":
        yes = [tls(replay.context), send("220 mx"), ehlo("AUTH PLAIN"), yes[2:]]
    await replay.configure(name, replay.settings(port, host=OWN, security=security))

    async with broken(replay, row, port):
        told.append(await told_by_call("ValidateAndSave", replay.validate(name, within=within)))
    async with LineServer(yes, port=port):
        await replay.validate(name)
    async with broken(replay, row, port):
        told.append(await told_by_call("SendTest", replay.test(name, within=within)))
        if row.name != "P126":
            delivery = await replay.delivery(name)
            told.append(told_by_delivery(delivery))
            assert delivery.state == delivery_pb2.DELIVERY_STATE_RETRYING

    assert_all_tell(told, row)
    health = (await replay.read(name)).health
    assert (health.state == configuration_pb2.HEALTH_STATE_MISCONFIGURED) == (row.kind == "MISCONFIGURED")


@pytest.mark.parametrize("surface", sorted({row.surface for row in ROWS.values()}))
async def test_given_rows_of_a_surface_when_pasted_to_explain_then_reason_kind_and_stage_are_exact(
    replay: Replay, surface: Surface
) -> None:
    """All there is for pages without a callback; for the others what a person would paste."""
    rows = [row for row in ROWS.values() if row.surface == surface]

    told = [(row, await replay.explain(row)) for row in rows]

    assert [(row.name, *each.verdict) for row, each in told] == [
        (row.name, row.reason, row.kind, row.stage) for row in rows
    ]


TOKEN: Final = [row for row in ROWS.values() if row.surface == "oauth-token"]


@pytest.mark.parametrize("row", TOKEN, ids=lambda row: row.name)
async def test_given_a_row_of_a_token_endpoint_when_a_code_is_exchanged_then_call_and_record_tell_the_same(
    replay: Replay, row: Row
) -> None:
    name = replay.new_name()
    await replay.configure(name, replay.settings(free_port(), provider=row.provider, signs_in="token"))

    told = [await told_by_call("CompleteAuth", replay.consent(name, answer=as_http(row)))]
    record = (await replay.read(name)).consent
    told.append(Told("GetConfiguration", record.failure, failure_pb2.Trace()))

    assert record.state == configuration_pb2.CONSENT_STATE_REFUSED
    assert_all_tell(told, row)


@pytest.mark.parametrize("row", TOKEN, ids=lambda row: row.name)
async def test_given_a_row_of_a_token_endpoint_when_tokens_are_refreshed_then_every_call_and_delivery_tells_the_same(
    replay: Replay, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AADSTS70000 (P120) has passed on later tries, so for half an hour it is waited for; it is final when it stays."""
    told = []
    draft, active = replay.new_name(), replay.new_name()
    yes = letting_in(replay.context, signs_in="token")
    async with LineServer(yes, yes) as server:
        for name in (draft, active):
            await replay.configure(name, replay.settings(server.port, provider=row.provider, signs_in="token"))
            await replay.consent(name, save=name == active, answer=tokens(1, expires_in=0))
    replay.endpoint.answers[:] = [as_http(row)]
    if row.name == "P120":
        waited = [await told_by_call("SendTest", replay.test(draft))]
        delivery = await replay.delivery(active)
        waited.append(told_by_delivery(delivery))
        assert_all_tell(waited, replace(row, kind="TRANSIENT"))
        assert delivery.state == delivery_pb2.DELIVERY_STATE_RETRYING
        later(monkeypatch, timedelta(minutes=31))

    told.append(await told_by_call("ValidateAndSave", replay.validate(draft)))
    if row.name != "P120":  # the database's clock, by which mail falls due, does not go forward with mailport's
        delivery = await replay.delivery(active)
        told.append(told_by_delivery(delivery))
        assert delivery.state == state_after(row)
    told.append(await told_by_call("SendTest", replay.test(active)))

    assert_all_tell(told, row)
    health = (await replay.read(active)).health
    states = {
        "MISCONFIGURED": configuration_pb2.HEALTH_STATE_MISCONFIGURED,
        "REAUTHORIZE": configuration_pb2.HEALTH_STATE_REAUTHORIZATION_REQUIRED,
        "TRANSIENT": configuration_pb2.HEALTH_STATE_AT_RISK,
    }
    assert health.state == states[row.kind]


def as_http(row: Row) -> bytes:
    """Returns *row* as the endpoint sends it; the catalogue says which status it came with where that was no 400."""
    if row.answer.startswith("HTTP/1.1 "):
        head, _, body = row.answer.partition("\n\n")
        return answer(body=body.encode(), status=int(head.split()[1]), content_type="text/html")
    return answer(body=row.answer.encode(), status=row.http_status or 400)


CALLED_BACK: Final = [
    row for row in ROWS.values() if row.surface == "oauth-authorize" and row.answer.startswith("error=")
]


@pytest.mark.parametrize("by", ["address", "fields", "page"])
@pytest.mark.parametrize("row", CALLED_BACK, ids=lambda row: row.name)
async def test_given_a_row_of_a_callback_when_it_comes_back_then_call_page_and_record_tell_the_same(
    replay: Replay, row: Row, by: str
) -> None:
    name, told, shown = replay.new_name(), [], ""
    await replay.configure(name, replay.settings(free_port(), provider=row.provider, signs_in="token"))
    session = await replay.authorize(name)
    said = {key: value for key, value in parse_qsl(row.answer) if key != "state"}
    url = returned(session, **said)

    if by == "address":
        told.append(await told_by_call("CompleteAuth", complete(replay.stub, url)))
    elif by == "fields":
        known = {key: said[key] for key in ("error", "error_description") if key in said}
        request = api.CompleteAuthRequest(state=session.state, **known)
        told.append(await told_by_call("CompleteAuth", replay.stub.CompleteAuth(request)))
    else:
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as browser:
            page = await browser.get(url)
        assert page.status_code == 400
        shown = page.text
    record = (await replay.read(name)).consent
    told.append(Told("GetConfiguration", record.failure, failure_pb2.Trace()))
    assert by != "page" or escape(record.failure.cause) in shown

    assert_all_tell(told, row)


PAGES: Final = [row for row in ROWS.values() if row.surface == "oauth-authorize" and row not in CALLED_BACK]


@pytest.mark.parametrize("provider", ["google", "microsoft"])
async def test_given_rows_of_pages_when_nobody_comes_back_then_authorize_and_the_expired_session_explain_them(
    replay: Replay, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = replay.new_name()
    await replay.configure(name, replay.settings(free_port(), provider=provider, signs_in="token"))
    session = await replay.authorize(name)

    later(monkeypatch, timedelta(minutes=11))
    expired = (await replay.read(name)).consent

    rows = [row for row in PAGES if row.provider == provider]
    assert len(rows) >= 3
    for row in rows:
        (page,) = [page for page in session.page_refusals if page.shown in row.answer]
        assert Told("Authorize", page.failure, failure_pb2.Trace()).verdict == (row.reason, row.kind, row.stage)
        assert f"{page.shown}: {page.failure.remedy}" in expired.failure.remedy
    assert expired.state == configuration_pb2.CONSENT_STATE_EXPIRED
    assert expired.failure.reason == "STATE_EXPIRED"
    assert session.redirect_url in expired.failure.remedy


async def test_given_the_catalogue_when_replayed_then_no_row_was_left_out() -> None:
    """Each row is replayed where it is met."""
    replayed = {row.name for row in (*SMTP, *BROKEN, *TOKEN, *CALLED_BACK, *PAGES, *GRAPH, *IMAP)}

    assert len(ROWS) == 130
    assert len(PAGES) == 8
    assert len(CALLED_BACK) == 4
    assert replayed == set(ROWS)
