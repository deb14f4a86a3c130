"""What Graph's answers mean, to the call that sends and to all the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.evidence import Symptom
from domain.failures.failure import Failure, FailureKind, Stage
from domain.graph.answers import (
    GraphAnswer,
    failure_of,
    is_missing_permission,
    missing_permission,
    read_answer,
    silence_of,
)
from domain.reasons import Reason
from domain.settings.model import GraphTransport
from tests.graph_builders import graph_settings

NOW = datetime(2026, 10, 21, 7, 0, tzinfo=UTC)
HOST = "graph.microsoft.com"


def meaning(status: int, code: str = "", text: str = "", *, sends: bool = True) -> Failure:
    return failure_of(GraphAnswer(status, code, text), text=text, host=HOST, met_time=NOW, sends=sends)


def test_given_a_refusal_when_read_then_code_words_and_wish_to_wait_are_taken_out() -> None:
    body = json.dumps({"error": {"code": "ApplicationThrottled", "message": "over its limit"}}).encode()

    answer = read_answer(429, {"retry-after": "120", "request-id": "r"}, body, now=NOW)

    assert (answer.status, answer.code, answer.text) == (429, "ApplicationThrottled", "over its limit")
    assert (answer.retry_time, answer.request_id) == (NOW + timedelta(seconds=120), "r")


def test_given_a_gateway_s_page_when_read_then_its_words_are_the_text() -> None:
    answer = read_answer(504, {}, b"<html><h1>504</h1> Gateway Time-out</html>", now=NOW)

    assert answer.text == "504 Gateway Time-out"


def test_given_a_claims_challenge_when_read_then_it_asks_for_a_new_consent() -> None:
    headers = {"www-authenticate": 'Bearer error="insufficient_claims", claims="e30="'}
    answer = read_answer(401, headers, b"", now=NOW)

    failure = failure_of(answer, text=answer.text, host=HOST, met_time=NOW, sends=False)

    assert (failure.kind, failure.reason) == (FailureKind.REAUTHORIZE, Reason.SIGN_IN_BLOCKED)


@given(st.integers(100, 599), st.binary(max_size=300), st.dictionaries(st.sampled_from(["retry-after"]), st.text()))
def test_given_any_answer_when_read_and_explained_then_nothing_is_raised(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    answer = read_answer(status, headers, body, now=NOW)

    for sends in (False, True):
        assert failure_of(answer, text=answer.text, host=HOST, met_time=NOW, sends=sends).remedy


@given(st.sampled_from([429, 503, 504]), st.text(max_size=30), st.text(max_size=30), st.booleans())
def test_given_any_words_beside_a_plea_for_patience_when_explained_then_it_heals_by_waiting(
    status: int, code: str, text: str, sends: bool
) -> None:
    """F36: never permanent, never a dead consent."""
    kind = meaning(status, code, text, sends=sends).kind

    patient = {FailureKind.THROTTLED, FailureKind.TRANSIENT}
    assert kind in patient | ({FailureKind.IN_DOUBT} if sends and status == 504 else set())


@pytest.mark.parametrize("status", [200, 201, 204, 500, 502, 504, 520])
def test_given_no_definite_answer_when_it_is_the_sending_call_s_then_it_is_in_doubt_and_else_it_passes(
    status: int,
) -> None:
    assert GraphAnswer(status).leaves_doubt
    assert meaning(status, "ErrorInternalServerError").kind is FailureKind.IN_DOUBT
    assert meaning(status, "UnknownError", sends=False).kind is FailureKind.TRANSIENT


@pytest.mark.parametrize("status", [202, 302, 400, 401, 403, 404, 408, 409, 413, 429, 501, 503, 507])
def test_given_a_definite_answer_when_asked_then_it_leaves_no_doubt(status: int) -> None:
    assert not GraphAnswer(status).leaves_doubt


@pytest.mark.parametrize(
    ("answer", "is_missing"),
    [
        (GraphAnswer(403, "ErrorAccessDenied", "Access is denied."), True),
        (GraphAnswer(403, "Authorization_RequestDenied", "Insufficient privileges"), True),
        (GraphAnswer(403, "ErrorAccessDenied", "[RAOP] : Blocked by tenant configured AppOnly AccessPolicy"), False),
        (GraphAnswer(403, "ErrorSendAsDenied"), False),
        (GraphAnswer(404, "ErrorAccessDenied"), False),
    ],
)
def test_given_a_denial_when_asked_whether_a_permission_is_missing_then_policies_and_rights_are_told_apart(
    answer: GraphAnswer, is_missing: bool
) -> None:
    assert is_missing_permission(answer) is is_missing


def test_given_a_national_cloud_when_a_permission_is_missing_then_the_fix_names_that_cloud_s_scope() -> None:
    settings = graph_settings("https://graph.microsoft.us")
    assert isinstance(settings.transport, GraphTransport)

    failure = missing_permission(
        "Mail.ReadWrite", "for files", settings, settings.transport, answer=GraphAnswer(403, "X"), text=""
    )

    assert failure.fixes[0].value.split()[1:] == ["https://graph.microsoft.us/Mail.ReadWrite", "offline_access"]
    assert (failure.kind, failure.provider_code) == (FailureKind.MISCONFIGURED, "403 X")


@pytest.mark.parametrize("symptom", [Symptom.LOST, Symptom.SILENT, Symptom.GARBAGE])
def test_given_silence_when_the_sending_call_met_it_then_it_is_in_doubt_and_else_nothing_was_sent(
    symptom: Symptom,
) -> None:
    sending = silence_of(symptom, "", stage=Stage.API, host=HOST, met_time=NOW, sends=True)
    asking = silence_of(symptom, "", stage=Stage.API, host=HOST, met_time=NOW, sends=False)

    assert sending.kind is FailureKind.IN_DOUBT
    assert asking.kind is FailureKind.TRANSIENT
    assert "SMTP" not in asking.cause + asking.remedy


@pytest.mark.parametrize(
    ("body", "draft_id"),
    [
        (
            b'{"@odata.context":"https://x/$metadata#a(\\"b\\")","@odata.etag":"W/\\"x\\"","id":"AAMk=","body":{"con',
            "AAMk=",
        ),
        (b'{ "id" : "AAMk-_" , "body": "', "AAMk-_"),
        (b'{"subject":"a","id":"AAMk="', None),
        (b'{"subject":"\\"id\\":\\"no\\"', None),
        (b'{"id":"AAM', None),
    ],
)
def test_given_an_answer_that_is_cut_off_when_read_then_the_id_that_stands_first_is_known(
    body: bytes, draft_id: str | None
) -> None:
    answer = read_answer(201, {}, body, now=NOW)

    assert answer.body.get("id") == draft_id
