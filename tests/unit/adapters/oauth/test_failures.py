from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.oauth.failures import read_retry_after, symptom_of
from adapters.oauth.transport import AnswerEncoded, AnswerTooLarge
from domain.failures.evidence import Symptom
from domain.ports.network import DeniedAddress, EgressDenied, NameUnavailable, NameUnknown

NOW = datetime(2026, 10, 21, 7, 0, tzinfo=UTC)
DENIED = EgressDenied("id.example", [DeniedAddress("10.0.0.1", "private")])


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def a_certificate_error(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "why"
    return error


@pytest.mark.parametrize(
    ("error", "symptom"),
    [
        (NameUnknown("id.example", "no such host"), Symptom.NAME_UNKNOWN),
        (NameUnavailable("id.example", "servfail"), Symptom.NAME_UNAVAILABLE),
        (DENIED, Symptom.EGRESS_DENIED),
        (AnswerTooLarge(), Symptom.REPLY_TOO_LARGE),
        (AnswerEncoded(), Symptom.GARBAGE),
        (caused(httpx2.ConnectError(""), ConnectionRefusedError()), Symptom.REFUSED),
        (httpx2.ConnectTimeout(""), Symptom.TIMED_OUT),
        (TimeoutError(), Symptom.TIMED_OUT),
        (caused(httpx2.ConnectError(""), OSError(101, "Network is unreachable")), Symptom.UNREACHABLE),
        (caused(httpx2.ConnectError(""), a_certificate_error(10)), Symptom.CERT_EXPIRED),
        (caused(httpx2.ConnectError(""), a_certificate_error(62)), Symptom.CERT_NAME_MISMATCH),
        (caused(httpx2.ConnectError(""), a_certificate_error(19)), Symptom.CERT_UNTRUSTED),
        (caused(httpx2.ConnectError(""), ssl.SSLError(1, "wrong version number")), Symptom.TLS_HANDSHAKE),
    ],
)
def test_given_an_error_before_sending_when_named_then_it_is_what_it_shows(error: Exception, symptom: Symptom) -> None:
    assert symptom_of(error, was_sent=False)[0] is symptom


@pytest.mark.parametrize(
    ("error", "symptom"),
    [
        (TimeoutError(), Symptom.SILENT),
        (httpx2.ReadTimeout(""), Symptom.SILENT),
        (httpx2.ReadError(""), Symptom.LOST),
        (httpx2.WriteError(""), Symptom.LOST),
        (httpx2.RemoteProtocolError("Server disconnected without sending a response."), Symptom.LOST),
        (httpx2.RemoteProtocolError("peer closed connection without sending complete message body"), Symptom.LOST),
        (httpx2.RemoteProtocolError("illegal status line"), Symptom.GARBAGE),
    ],
)
def test_given_an_error_after_sending_when_named_then_it_is_what_it_shows(error: Exception, symptom: Symptom) -> None:
    assert symptom_of(error, was_sent=True)[0] is symptom


@pytest.mark.parametrize(
    ("written", "pause"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta(0)),
        ("99999999999999999999", timedelta(days=7)),
        ("Wed, 21 Oct 2026 07:28:00 GMT", timedelta(minutes=28)),
        ("Wed, 21 Oct 2026 07:28:00 -0000", timedelta(minutes=28)),
        ("Wed, 21 Oct 2099 07:28:00 GMT", timedelta(days=7)),
        ("Wed, 21 Oct 2020 07:28:00 GMT", None),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("²", None),
    ],
)
def test_given_a_wish_to_wait_when_read_then_it_is_an_instant_not_too_far(
    written: str, pause: timedelta | None
) -> None:
    assert read_retry_after({"retry-after": written}, now=NOW) == (None if pause is None else NOW + pause)


@given(st.text())
def test_given_any_text_when_read_as_a_wish_then_nothing_is_raised(written: str) -> None:
    wanted = read_retry_after({"retry-after": written}, now=NOW)

    assert wanted is None or NOW <= wanted <= NOW + timedelta(days=7)
