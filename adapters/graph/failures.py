"""The table that turns what HTTP and TLS show on the way to Graph into the domain's words; pure."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Final

import httpx2

from domain.failures.evidence import Symptom
from domain.failures.failure import Stage
from domain.ports.network import EgressDenied, NameUnavailable, NameUnknown, ResolutionFailed

_EXPIRED_CODES: Final = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED."""
_NAME_CODES: Final = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH."""
_VERSION_WORDS: Final = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "VERSION_TOO_LOW")
_LOST_WORDS: Final = ("disconnected", "closed connection", "closed the connection")
_STAGES: Final = {
    Symptom.NAME_UNKNOWN: Stage.DNS,
    Symptom.NAME_UNAVAILABLE: Stage.DNS,
    Symptom.EGRESS_DENIED: Stage.CONNECT,
    Symptom.REFUSED: Stage.CONNECT,
    Symptom.TIMED_OUT: Stage.CONNECT,
    Symptom.UNREACHABLE: Stage.CONNECT,
    Symptom.TLS_VERSION: Stage.TLS,
    Symptom.TLS_HANDSHAKE: Stage.TLS,
    Symptom.CERT_UNTRUSTED: Stage.TLS,
    Symptom.CERT_EXPIRED: Stage.TLS,
    Symptom.CERT_NAME_MISMATCH: Stage.TLS,
}


class NoAnswer(Exception):
    """No answer came, and *symptom* says what was seen; *was_sent*: whether any of the request may have left."""

    def __init__(self, symptom: Symptom, detail: str, *, was_sent: bool) -> None:
        super().__init__(symptom)
        self.symptom = symptom
        self.detail = detail
        self.was_sent = was_sent

    @property
    def stage(self) -> Stage:
        """Returns the stage that it belongs to."""
        return _STAGES.get(self.symptom, Stage.API)


def no_answer(error: Exception, *, was_sent: bool) -> NoAnswer:
    """Names what *error* shows, which the transport raised; *was_sent*: whether any of the request may have left."""
    symptom, detail = _symptom(error, was_sent=was_sent)
    return NoAnswer(symptom, detail, was_sent=was_sent)


def _symptom(error: Exception, *, was_sent: bool) -> tuple[Symptom, str]:
    match error:
        case NameUnknown():
            return Symptom.NAME_UNKNOWN, error.detail
        case NameUnavailable():
            return Symptom.NAME_UNAVAILABLE, error.detail
        case EgressDenied():
            return Symptom.EGRESS_DENIED, error.detail
        case ResolutionFailed():
            return Symptom.NAME_UNAVAILABLE, error.detail
    if not was_sent:
        return _before_sending(error)
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return Symptom.SILENT, ""
    if isinstance(error, httpx2.TransportError | OSError):
        is_garbage = isinstance(error, httpx2.ProtocolError) and not any(word in str(error) for word in _LOST_WORDS)
        return (Symptom.GARBAGE, "no HTTP, too large, or compressed") if is_garbage else (Symptom.LOST, "")
    return Symptom.LOST, ""


def _before_sending(error: Exception) -> tuple[Symptom, str]:
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return Symptom.TIMED_OUT, ""  # before its causes: a handshake that waits is interrupted inside an SSLError
    causes = list(_chain(error))
    fault = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if fault is not None:
        return _tls_symptom(fault)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return Symptom.REFUSED, ""
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return Symptom.TIMED_OUT, ""
    words = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), "")
    return Symptom.UNREACHABLE, words


def _tls_symptom(error: ssl.SSLError) -> tuple[Symptom, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        detail = error.verify_message or ""
        if error.verify_code in _EXPIRED_CODES:
            return Symptom.CERT_EXPIRED, detail
        return (Symptom.CERT_NAME_MISMATCH if error.verify_code in _NAME_CODES else Symptom.CERT_UNTRUSTED), detail
    reason = getattr(error, "reason", "") or ""
    detail = reason.replace("_", " ").lower()
    return (Symptom.TLS_VERSION if any(word in reason for word in _VERSION_WORDS) else Symptom.TLS_HANDSHAKE), detail


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 16:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _chain(inner)
        error = error.__cause__ or error.__context__
        seen += 1
