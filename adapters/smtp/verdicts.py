"""The table that turns what SMTP, TLS and sockets answer into the domain's words; pure, tested without a network."""

from __future__ import annotations

import errno
import os
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from adapters.smtp.replies import Reply
from domain.address import EmailAddress
from domain.failures.evidence import Evidence, Symptom
from domain.failures.explain import cut
from domain.failures.failure import Failure
from domain.ports.network import PeerAddress
from domain.ports.transport import Verdict

_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_LONGEST_TEXT: Final = 2048
_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)
_NO_COMMON_VERSION: Final = frozenset(
    {
        "UNSUPPORTED_PROTOCOL",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "NO_PROTOCOLS_AVAILABLE",
        "WRONG_SSL_VERSION",
        "VERSION_TOO_LOW",
        "INAPPROPRIATE_FALLBACK",
    }
)
_EXPIRED_CODES: Final = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED."""
_NAME_CODES: Final = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH."""
_TIMEOUTS: Final = frozenset({errno.ETIMEDOUT})


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply taken apart and scrubbed."""

    code: int
    enhanced_code: str
    text: str
    """All lines joined by blanks, without the codes; 2,048 characters at most."""

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced_code, self.text) if part)


def hear(reply: Reply, clean: Callable[[str], str]) -> Heard:
    """Takes *reply* apart; *clean* scrubs its text. Multi-line replies may repeat the enhanced code on each line."""
    enhanced = ""
    texts = []
    for line in reply.lines:
        found = _ENHANCED.match(line)
        if found:
            enhanced = enhanced or found[1]
        texts.append(line[found.end() :] if found else line)
    return Heard(reply.code, enhanced, cut(clean(" ".join(texts)), _LONGEST_TEXT))


def tls_fault(error: ssl.SSLError, *, from_first_byte: bool) -> tuple[Symptom, str]:
    """
    Names what a failed handshake shows, and OpenSSL's words for it.

    *from_first_byte*: implicit TLS, where words that are no TLS mean the other security mode; after STARTTLS they do
    not.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        detail = error.verify_message or error.reason or ""
        if error.verify_code in _EXPIRED_CODES:
            return Symptom.CERT_EXPIRED, detail
        return (Symptom.CERT_NAME_MISMATCH if error.verify_code in _NAME_CODES else Symptom.CERT_UNTRUSTED), detail
    reason = error.reason or ""
    detail = reason.replace("_", " ").lower() or "the handshake was broken off"
    if reason in _NO_COMMON_VERSION:
        return Symptom.TLS_VERSION, detail
    if reason in _NOT_TLS and from_first_byte:
        return Symptom.PLAINTEXT_INSTEAD_OF_TLS, detail
    return Symptom.TLS_HANDSHAKE, detail


def unreachable_fault(errors: Mapping[PeerAddress, OSError]) -> tuple[Symptom, str]:
    """Names what all addresses failing shows, and lists each with its error; one kind of error alone keeps its name."""
    symptoms = {_socket_symptom(error) for error in errors.values()}
    return symptoms.pop() if len(symptoms) == 1 else Symptom.UNREACHABLE, each_error(errors)


def each_error(errors: Mapping[PeerAddress, OSError]) -> str:
    """Lists addresses with their errors, for people."""
    return "; ".join(f"{peer}: {in_words(error)}" for peer, error in errors.items())


def _socket_symptom(error: OSError) -> Symptom:
    if isinstance(error, ConnectionRefusedError):
        return Symptom.REFUSED
    return Symptom.TIMED_OUT if isinstance(error, TimeoutError) or error.errno in _TIMEOUTS else Symptom.UNREACHABLE


def in_words(error: OSError) -> str:
    """Says what *error* is, for people."""
    if error.errno is None:
        return str(error) or type(error).__name__
    return f"{os.strerror(error.errno).lower()} ({errno.errorcode.get(error.errno, error.errno)})"


def settle(
    recipients: Iterable[EmailAddress],
    *,
    refused: Mapping[EmailAddress, Verdict],
    failure: Failure | None,
    reply: str,
) -> tuple[Verdict, ...]:
    """
    Returns a verdict for each of *recipients*, in their order.

    Who was *refused* keeps that; all others share what became of the message: *failure* or, when None, accepted by
    *reply*.
    """
    return tuple(refused.get(r) or Verdict(recipient=r, failure=failure, reply=reply) for r in recipients)


def in_doubt(evidence: Evidence) -> Evidence:
    """Returns *evidence* as met after content may have left."""
    return replace(evidence, past_no_return=True)
