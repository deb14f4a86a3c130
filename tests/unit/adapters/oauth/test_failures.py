from __future__ import annotations

import ssl
from datetime import UTC, datetime

import httpx2
import pytest

from adapters.oauth.failures import symptom_of
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
