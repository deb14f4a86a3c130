"""Field reports F30 to F34 through gRPC and the callback page: what comes back from a consent, whole or damaged."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import grpc
import httpx2
import pytest

from mailport.v1 import configuration_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.options import Options
from service.sandbox.identity.behaviour import Behaviour
from tests.end_to_end.conftest import Mailport, started
from tests.end_to_end.consents import (
    authorize,
    complete,
    configure,
    consented,
    read,
    returned,
    sandbox_settings,
    sent,
    validate,
)
from tests.end_to_end.process import a_process
from tests.end_to_end.scripted import MICROSOFT, ROBOT, Scripted, later, tokens
from tests.end_to_end.test_journey import details, reason
from tests.integration.oauth.token_endpoint import TokenEndpoint, answer
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartFaultySmtp

if TYPE_CHECKING:
    from mailport.v1.mail_service_pb2_grpc import MailServiceAsyncStub

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
async def endpoint() -> AsyncIterator[TokenEndpoint]:
    async with TokenEndpoint() as running:
        yield running


@pytest.fixture
async def field(mailport: Mailport, endpoint: TokenEndpoint, faulty_smtp: StartFaultySmtp, ca: TestCA) -> Scripted:
    server = await faulty_smtp(context=server_context(ca.issue("field")), tokens={ROBOT: "AT1"})
    return Scripted(mailport.stub, endpoint, server, ca, mailport)


async def browse(url: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as browser:
        return await browser.get(url)


async def refusal_of(
    stub: MailServiceAsyncStub, callback_url: str
) -> tuple[grpc.StatusCode, str, grpc.aio.AioRpcError]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await complete(stub, callback_url)
    return refused.value.code(), reason(refused.value), refused.value


def failure_in(error: grpc.aio.AioRpcError) -> failure_pb2.Failure:
    failure = details(error)["Failure"]
    assert isinstance(failure, failure_pb2.Failure)
    return failure


# F30

SEND, IMAP = "https://outlook.office.com/SMTP.Send", "https://outlook.office.com/IMAP.AccessAsUser.All"
GOOD_SCOPES = {
    "without offline_access": SEND,
    "reversed": f"{SEND} offline_access",
    "with openid": f"openid {SEND} profile",
    "absent": ...,
    "lower case": "https://outlook.office.com/smtp.send",
}


@pytest.mark.parametrize("form", GOOD_SCOPES)
async def test_given_f30_scopes_that_look_different_when_completed_then_authorized_and_not_refreshed_at_every_call(
    field: Scripted, form: str
) -> None:
    field.provider = MICROSOFT

    completed = await field.consent(tokens(1, scope=GOOD_SCOPES[form]))
    await sent(field.stub, "one")
    await sent(field.stub, "two")

    assert completed.authorized
    assert SEND.lower() in {scope.lower() for scope in completed.granted_scopes}
    assert field.refreshed_with == []


async def test_given_f30_no_scope_to_send_with_when_completed_then_it_is_named_and_nothing_is_stored(
    field: Scripted,
) -> None:
    field.provider, stub = MICROSOFT, field.stub
    await configure(stub, field.settings())
    session = await authorize(stub)
    field.endpoint.answers[:] = [tokens(1, scope=IMAP)]

    code, why, error = await refusal_of(stub, returned(session, code="C0DE"))

    found = await read(stub)
    assert (code, why) == (PRECONDITION, "MISSING_SCOPE")
    assert SEND in failure_in(error).cause
    assert not found.HasField("grant")
    assert found.draft.state == configuration_pb2.REVISION_STATE_NEEDS_AUTHORIZATION
    assert found.consent.state == configuration_pb2.CONSENT_STATE_REFUSED


async def test_given_f30_a_former_consent_when_a_new_one_lacks_the_scope_then_mail_goes_on_with_the_former(
    field: Scripted,
) -> None:
    field.provider, stub = MICROSOFT, field.stub
    await field.consent(tokens(1))
    before = (await read(stub)).grant
    session = await authorize(stub)
    field.endpoint.answers[:] = [tokens(2, scope=IMAP)]

    code, why, _ = await refusal_of(stub, returned(session, code="C0DE"))

    assert (code, why) == (PRECONDITION, "MISSING_SCOPE")
    assert (await read(stub)).grant == before
    await sent(stub, "with AT1")


# F31

DENIED = "error=access_denied&error_description=User+cancelled%0d%0a%00now"
ENDING = {"cancelled": f"{DENIED}&state={{state}}", "both": f"code=a&{DENIED}&state={{state}}"}
MALFORMED = {
    "neither": "state={state}",
    "empty code": "code=&state={state}",
    "two codes": "code=a&code=b&state={state}",
}
FOREIGN = {
    "no state": DENIED,
    "empty state": f"{DENIED}&state=",
    "unknown state": f"{DENIED}&state=S1",
    "code with unknown state": "code=a&state=S1",
}


@pytest.mark.parametrize("by", ["rpc", "page"])
@pytest.mark.parametrize("form", ENDING)
async def test_given_f31_an_error_in_the_callback_when_it_comes_then_the_flow_is_closed_and_old_tokens_stay(
    field: Scripted, form: str, by: str
) -> None:
    stub = field.stub
    await field.consent(tokens(1))
    before, asked = (await read(stub)).grant, len(field.endpoint.asked)
    session = await authorize(stub)
    url = f"{session.redirect_url}?{ENDING[form].format(state=session.state)}"

    if by == "rpc":
        code, why, error = await refusal_of(stub, url)
        assert (code, why) == (PRECONDITION, "AUTHORIZATION_DENIED")
        failure = failure_in(error)
        assert "access_denied" in failure.provider_code
        assert "User cancelled" in failure.provider_reply
        assert all(character.isprintable() for character in failure.provider_reply)
    else:
        page = await browse(url)
        assert page.status_code == 400
        assert "SMTP Settings Not Authorized" in page.text
        assert session.state not in page.text

    found = await read(stub)
    assert found.consent.state == configuration_pb2.CONSENT_STATE_REFUSED
    assert found.consent.failure.reason == "AUTHORIZATION_DENIED"
    assert found.grant == before
    assert (await refusal_of(stub, returned(session, code="C0DE")))[:2] == (INVALID, "STATE_INVALID")
    assert len(field.endpoint.asked) == asked
    await sent(stub, "with AT1")


@pytest.mark.parametrize("form", MALFORMED)
async def test_given_f31_a_callback_that_is_none_when_it_comes_then_it_is_refused_and_the_right_one_still_counts(
    field: Scripted, form: str
) -> None:
    stub = field.stub
    await configure(stub, field.settings())
    session = await authorize(stub)
    url = f"{session.redirect_url}?{MALFORMED[form].format(state=session.state)}"

    code, _, error = await refusal_of(stub, url)
    page = await browse(url)

    assert code is INVALID
    assert "BadRequest" in details(error)
    assert page.status_code == 400
    assert field.endpoint.asked == []
    field.endpoint.answers[:] = [tokens(1)]
    assert (await complete(stub, returned(session, code="C0DE"))).authorized


@pytest.mark.parametrize("form", FOREIGN)
async def test_given_f31_a_state_that_nobody_gave_out_when_it_comes_then_nothing_happens(
    field: Scripted, form: str
) -> None:
    stub = field.stub
    await configure(stub, field.settings())
    session = await authorize(stub)
    before = await read(stub)

    code, why, _ = await refusal_of(stub, f"{session.redirect_url}?{FOREIGN[form]}")
    page = await browse(f"{session.redirect_url}?{FOREIGN[form]}")

    assert (code, why) == (INVALID, "STATE_INVALID")
    assert page.status_code == 400
    assert field.endpoint.asked == []
    assert await read(stub) == before


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"error": "access_denied"}, (PRECONDITION, "AUTHORIZATION_DENIED")),
        ({"error": "access_denied", "code": "a"}, (PRECONDITION, "AUTHORIZATION_DENIED")),
        ({}, (INVALID, "FIELD_REQUIRED")),
        ({"code": "a", "state": ""}, (INVALID, "STATE_INVALID")),
    ],
)
async def test_given_f31_the_same_as_fields_when_handed_over_then_the_same_is_said(
    field: Scripted, fields: dict[str, str], expected: tuple[grpc.StatusCode, str]
) -> None:
    stub = field.stub
    await configure(stub, field.settings())
    session = await authorize(stub)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.CompleteAuth(api.CompleteAuthRequest(**{"state": session.state, **fields}))

    info = reason(refused.value)
    violations = str(details(refused.value).get("BadRequest", ""))
    assert refused.value.code() is expected[0]
    assert expected[1] == info or expected[1] in violations
    assert field.endpoint.asked == []


# F32

CODE = "4/0AbC+dE!x*.y~_-"
ENCODED = "4%2F0AbC%2BdE%21x*.y~_-"
LONG = (CODE * 200)[:2500]


def logged(records: Iterable[logging.LogRecord]) -> str:
    """Returns everything that was logged, fields that no format shows included."""
    return "\n".join(f"{record.getMessage()} {record.__dict__}" for record in records)


@pytest.mark.parametrize("by", ["callback_url", "code", "page"])
@pytest.mark.parametrize(("code", "encoded"), [(CODE, ENCODED), (LONG, quote(LONG, safe=""))], ids=["short", "2500"])
async def test_given_f32_a_code_with_characters_of_its_own_when_handed_over_then_the_endpoint_sees_it_byte_for_byte(
    field: Scripted, code: str, encoded: str, by: str
) -> None:
    stub = field.stub
    await configure(stub, field.settings())
    session = await authorize(stub)
    field.endpoint.answers[:] = [tokens(1)]
    url = f"{session.redirect_url}?code={encoded}&state={session.state}&scope=a%20b&session_state=zz"

    if by == "code":
        await stub.CompleteAuth(api.CompleteAuthRequest(state=session.state, code=code))
    elif by == "callback_url":
        await complete(stub, url)
    else:
        assert (await browse(url)).status_code == 200

    (asked,) = field.endpoint.asked
    assert asked.form["code"] == code
    assert urlencode({"code": code}).encode() in asked.body
    assert asked.form["redirect_uri"] == session.redirect_url
    assert (await read(stub)).grant.state == configuration_pb2.GRANT_STATE_FRESH


async def test_given_f32_a_process_that_logs_all_it_can_when_codes_come_every_way_then_its_log_holds_nothing_secret(
    options: Options, endpoint: TokenEndpoint, faulty_smtp: StartFaultySmtp, ca: TestCA, tmp_path: Path
) -> None:
    server = await faulty_smtp(context=server_context(ca.issue("field")), tokens={ROBOT: "AT-SECRET"})
    good = tokens(1, access_token="AT-SECRET", refresh_token="RT-SECRET")
    endpoint.answers[:] = [good, good, answer({"error": "invalid_grant"}, status=400), good]
    secrets = {CODE, ENCODED, quote(CODE), LONG, quote(LONG, safe=""), "AT-SECRET", "RT-SECRET", "CS-SECRET"}

    assert options.database_url is not None
    shared = {"MAILPORT_DATABASE_URL": options.database_url.reveal(), "MAILPORT_KEYS_FILE": str(options.keys_file)}

    async with a_process(
        tmp_path / "data", MAILPORT_LOG_LEVEL="debug", MAILPORT_LOG_FORMAT="json", **shared
    ) as process:
        stub = process.stub
        await configure(stub, Scripted(process.stub, endpoint, server, ca).settings())
        sessions = [await authorize(stub) for _ in range(4)]
        first, second, third, fourth = sessions
        await stub.CompleteAuth(api.CompleteAuthRequest(state=first.state, code=CODE))
        await complete(stub, returned(second, code=LONG))
        statuses = [
            (await browse(f"{third.redirect_url}?code={ENCODED}&state={third.state}")).status_code,
            (await browse(f"{fourth.redirect_url}?code={ENCODED}&state={fourth.state}")).status_code,
            (await browse(f"{fourth.redirect_url}?code={ENCODED}&state={fourth.state}")).status_code,
        ]
        assert await process.stop() == 0
    text = (tmp_path / "data.log").read_text()

    assert statuses == [400, 200, 400]
    assert text.count('"consent_ended"') == 4
    assert len(endpoint.asked) == 4
    secrets |= {session.state for session in sessions} | {asked.form["code_verifier"] for asked in endpoint.asked}
    assert [secret for secret in secrets if secret in text] == []


async def test_given_f32_a_code_that_the_endpoint_refuses_when_handed_over_then_it_is_told_nowhere(
    field: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub = field.stub
    await configure(stub, field.settings())
    session = await authorize(stub)
    described = {"error": "invalid_grant", "error_description": f"Malformed auth code {CODE}"}
    field.endpoint.answers[:] = [answer(described, status=400)]

    code, _, error = await refusal_of(stub, returned(session, code=CODE))

    found = await read(stub)
    assert code is PRECONDITION
    assert "Malformed auth code" in failure_in(error).provider_reply
    for text in (str(error), str(details(error)), str(found), logged(caplog.records)):
        assert CODE not in text


# F33


async def test_given_f33_three_flows_for_two_accounts_when_completed_crosswise_then_each_is_its_own_and_good_once(
    field: Scripted,
) -> None:
    stub = field.stub
    other = "other@example.com"
    field.server.tokens[other] = "AT1"
    await configure(stub, field.settings(), "a")
    await configure(stub, field.settings(other), "b")
    first, of_b, second = await authorize(stub, "a"), await authorize(stub, "b"), await authorize(stub, "a")
    field.endpoint.answers[:] = [tokens(1)]

    completed = await complete(stub, returned(of_b, code="B"))
    assert completed.configuration.configuration_id == "b"
    assert not (await read(stub, "a")).HasField("grant")
    assert (await complete(stub, returned(second, code="A2"))).configuration.configuration_id == "a"

    asked = [request.form for request in field.endpoint.asked]
    for url in (
        returned(second, code="A2"),
        returned(of_b, code="B"),
        returned(first, code="x").replace("state=", "state=x"),
    ):
        assert (await refusal_of(stub, url))[:2] == (INVALID, "STATE_INVALID")
    assert [form["code"] for form in asked] == ["B", "A2"]
    assert asked[0]["code_verifier"] != asked[1]["code_verifier"]
    assert len(field.endpoint.asked) == 2
    states = {first.state, of_b.state, second.state}
    assert len(states) == 3
    assert all(len(state) >= 43 for state in states)  # 256 bits in base64


async def test_given_f33_a_state_past_its_lifetime_when_it_comes_then_expired_and_the_endpoint_is_not_asked(
    field: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = field.stub
    await configure(stub, field.settings())
    session = await authorize(stub)
    later(monkeypatch, timedelta(minutes=11))

    answered = (await refusal_of(stub, returned(session, code="C0DE")))[:2]

    assert answered == (PRECONDITION, "STATE_EXPIRED")
    assert field.endpoint.asked == []
    assert (await read(stub)).consent.state == configuration_pb2.CONSENT_STATE_EXPIRED


async def test_given_f33_a_restart_between_start_and_end_when_it_comes_back_then_the_consent_counts(
    options: Options, endpoint: TokenEndpoint, faulty_smtp: StartFaultySmtp, ca: TestCA
) -> None:
    server = await faulty_smtp(context=server_context(ca.issue("field")), tokens={ROBOT: "AT1"})
    async with started(options) as before:
        await configure(before.stub, Scripted(before.stub, endpoint, server, ca).settings())
        session = await authorize(before.stub)
    endpoint.answers[:] = [tokens(1)]

    async with started(options) as after:
        completed = await complete(after.stub, returned(session, code="C0DE"))

    assert completed.account == ROBOT
    assert [asked.form["redirect_uri"] for asked in endpoint.asked] == [session.redirect_url]


# F34

OFFICE, BOSS = "office@sandbox.example", "boss@sandbox.example"


@pytest.mark.parametrize("behaviour", Behaviour)
async def test_given_f34_another_account_in_the_id_token_when_completed_then_both_are_named_and_the_old_consent_stays(
    mailport: Mailport, behaviour: Behaviour
) -> None:
    stub = mailport.stub
    await configure(stub, sandbox_settings(mailport, behaviour, OFFICE))
    await consented(mailport, OFFICE)
    await validate(stub)
    before = (await read(stub)).grant

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await consented(mailport, BOSS)

    found = await read(stub)
    failure = failure_in(refused.value)
    assert (refused.value.code(), reason(refused.value)) == (PRECONDITION, "ACCOUNT_MISMATCH")
    assert OFFICE in failure.cause
    assert BOSS in failure.cause
    assert found.grant == before
    await sent(stub, "still as office")
    assert {message.username for message in mailport.sandbox.inbox} == {OFFICE}


@pytest.mark.parametrize("behaviour", Behaviour)
async def test_given_f34_the_same_account_in_other_case_when_completed_then_accepted(
    mailport: Mailport, behaviour: Behaviour
) -> None:
    await configure(mailport.stub, sandbox_settings(mailport, behaviour, OFFICE))

    completed = await consented(mailport, "Office@Sandbox.Example", save=True)

    assert completed.authorized
    await sent(mailport.stub, "as office")


async def test_given_f34_no_id_token_when_the_mail_server_does_not_let_the_user_in_then_another_account_consented(
    field: Scripted,
) -> None:
    """A provider without OpenID: a real sign-in tells."""
    stub = field.stub
    field.server.tokens = {ROBOT: "AT1", "boss@example.com": "AT2"}
    await configure(stub, field.settings())
    session = await authorize(stub)
    field.endpoint.answers[:] = [tokens(2)]

    code, why, error = await refusal_of(stub, returned(session, code="C0DE"))

    assert (code, why) == (PRECONDITION, "ACCOUNT_MISMATCH")
    assert ROBOT in failure_in(error).cause
    assert not (await read(stub)).HasField("grant")
    assert "Trace" in details(error)


async def test_given_f34_a_send_as_address_when_the_account_consents_then_it_is_no_mismatch(
    mailport: Mailport,
) -> None:
    stub = mailport.stub
    settings = sandbox_settings(mailport, Behaviour.MICROSOFT, OFFICE)
    settings.from_address = "shared@sandbox.example"
    await configure(stub, settings)

    completed = await consented(mailport, OFFICE, save=True)

    assert completed.account == OFFICE
    await sent(stub, "from the shared mailbox")
    assert mailport.sandbox.inbox.newest()[0].sender == "shared@sandbox.example"
