from __future__ import annotations

import errno
import ssl

import pytest

from adapters.smtp.replies import Reply
from adapters.smtp.verdicts import hear, settle, tls_fault, unreachable_fault
from domain.address import EmailAddress
from domain.failures.evidence import Symptom
from domain.ports.network import PeerAddress
from domain.ports.transport import Verdict
from tests.fakes.transport import a_failure

ANN, BOB = EmailAddress("ann", "example.com"), EmailAddress("bob", "example.com")
FIRST, SECOND = PeerAddress("2001:db8::1", 587, 6), PeerAddress("192.0.2.1", 587, 4)


@pytest.mark.parametrize(
    ("reply", "code", "text"),
    [
        (Reply(550, ("5.1.1 unknown",)), "5.1.1", "unknown"),
        (Reply(535, ("5.7.8 Username and", "5.7.8  not accepted")), "5.7.8", "Username and not accepted"),
        (Reply(250, ("2.0.0",)), "2.0.0", ""),
        (Reply(250, ("ok",)), "", "ok"),
        (Reply(250, ("queued", "2.0.0 ok")), "2.0.0", "queued ok"),
        (Reply(550, ("5.1.1unknown",)), "", "5.1.1unknown"),
        (Reply(550, ("1.2.3 version",)), "", "1.2.3 version"),
    ],
)
def test_given_a_reply_when_heard_then_code_and_text_are_apart(reply: Reply, code: str, text: str) -> None:
    heard = hear(reply, lambda words: " ".join(words.split()))

    assert (heard.code, heard.enhanced_code, heard.text) == (reply.code, code, text)


def test_given_an_endless_text_when_heard_then_it_is_bounded() -> None:
    assert len(hear(Reply(550, ("x" * 30_000,)), str).text) == 2048


def verification_error(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("code", "symptom"),
    [
        (9, Symptom.CERT_EXPIRED),
        (10, Symptom.CERT_EXPIRED),
        (18, Symptom.CERT_UNTRUSTED),
        (19, Symptom.CERT_UNTRUSTED),
        (20, Symptom.CERT_UNTRUSTED),
        (62, Symptom.CERT_NAME_MISMATCH),
        (64, Symptom.CERT_NAME_MISMATCH),
        (66, Symptom.CERT_UNTRUSTED),
    ],
)
def test_given_a_refused_certificate_when_judged_then_the_cause_is_told_apart(code: int, symptom: Symptom) -> None:
    """F17."""
    assert tls_fault(verification_error(code, "why"), from_first_byte=True) == (symptom, "why")


@pytest.mark.parametrize(
    ("reason", "from_first_byte", "symptom"),
    [
        ("WRONG_VERSION_NUMBER", True, Symptom.PLAINTEXT_INSTEAD_OF_TLS),
        ("WRONG_VERSION_NUMBER", False, Symptom.TLS_HANDSHAKE),
        ("PACKET_LENGTH_TOO_LONG", True, Symptom.PLAINTEXT_INSTEAD_OF_TLS),
        ("UNSUPPORTED_PROTOCOL", True, Symptom.TLS_VERSION),
        ("TLSV1_ALERT_PROTOCOL_VERSION", False, Symptom.TLS_VERSION),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", True, Symptom.TLS_HANDSHAKE),
        ("", True, Symptom.TLS_HANDSHAKE),
    ],
)
def test_given_a_broken_handshake_when_judged_then_its_reason_is_told_apart(
    reason: str, from_first_byte: bool, symptom: Symptom
) -> None:
    """F14, F17."""
    found, detail = tls_fault(tls_error(reason), from_first_byte=from_first_byte)

    assert found is symptom
    assert detail


@pytest.mark.parametrize(
    ("errors", "symptom"),
    [
        ((ConnectionRefusedError(errno.ECONNREFUSED, "x"),) * 2, Symptom.REFUSED),
        ((TimeoutError("no answer within 5 s"),) * 2, Symptom.TIMED_OUT),
        ((TimeoutError(errno.ETIMEDOUT, "x"), TimeoutError("no answer")), Symptom.TIMED_OUT),
        ((OSError(errno.EHOSTUNREACH, "x"),) * 2, Symptom.UNREACHABLE),
        ((ConnectionRefusedError(errno.ECONNREFUSED, "x"), TimeoutError("no answer")), Symptom.UNREACHABLE),
    ],
)
def test_given_addresses_that_all_failed_when_judged_then_each_is_listed(
    errors: tuple[OSError, OSError], symptom: Symptom
) -> None:
    """F13."""
    found, detail = unreachable_fault(dict(zip((FIRST, SECOND), errors, strict=True)))

    assert found is symptom
    assert detail.startswith("[2001:db8::1]:587: ")
    assert "; 192.0.2.1:587: " in detail


def test_given_refused_and_other_recipients_when_settled_then_each_has_its_own_in_order() -> None:
    """F20."""
    refused = Verdict(recipient=BOB, failure=a_failure(), reply="550 no")
    failure = a_failure()

    taken = settle((ANN, BOB), refused={BOB: refused}, failure=None, reply="250 ok")
    failed = settle((ANN, BOB), refused={BOB: refused}, failure=failure, reply="")

    assert taken == (Verdict(recipient=ANN, reply="250 ok"), refused)
    assert failed == (Verdict(recipient=ANN, failure=failure), refused)
