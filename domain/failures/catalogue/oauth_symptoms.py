"""Why no answer came from a token endpoint: names, routes, TLS, and answers that are none."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import CONSENT_STAYS
from domain.failures.evidence import Surface, Symptom
from domain.failures.failure import FailureKind
from domain.reasons import Reason

TOKEN: Final = frozenset({Surface.OAUTH_TOKEN})


def _entry(symptom: Symptom, reason: Reason, kind: FailureKind, cause: str, remedy: str) -> Entry:
    return Entry(symptom=symptom, surfaces=TOKEN, reason=reason, kind=kind, cause=cause, remedy=remedy)


OAUTH_SYMPTOMS: Final = (
    _entry(
        Symptom.NAME_UNKNOWN,
        Reason.DNS_NAME_UNKNOWN,
        FailureKind.MISCONFIGURED,
        "The host of the provider's endpoint, {server}, is not known to the DNS{because}.",
        "Check the spelling of the token endpoint, and that the name can be resolved where mailport runs.",
    ),
    _entry(
        Symptom.NAME_UNAVAILABLE,
        Reason.DNS_UNAVAILABLE,
        FailureKind.TRANSIENT,
        "The name of the provider's endpoint, {server}, could not be looked up just now{because}.",
        f"{CONSENT_STAYS} If it lasts, check the DNS resolver where mailport runs.",
    ),
    _entry(
        Symptom.EGRESS_DENIED,
        Reason.EGRESS_DENIED,
        FailureKind.MISCONFIGURED,
        "mailport may not connect to the provider's endpoint at {server}{because}.",
        "Use a public https endpoint, or ask the operator of mailport to allow the network in MAILPORT_EGRESS_ALLOW.",
    ),
    _entry(
        Symptom.REFUSED,
        Reason.CONNECTION_REFUSED,
        FailureKind.TRANSIENT,
        "The provider's endpoint at {server} refused the connection{because}.",
        f"{CONSENT_STAYS} If it lasts, check the endpoint's host and port and the firewalls on the way.",
    ),
    _entry(
        Symptom.TIMED_OUT,
        Reason.CONNECTION_TIMED_OUT,
        FailureKind.TRANSIENT,
        "No connection to the provider's endpoint at {server} came about in time{because}.",
        f"{CONSENT_STAYS} If it lasts, check that https to this host is allowed where mailport runs.",
    ),
    _entry(
        Symptom.UNREACHABLE,
        Reason.CONNECT_FAILED,
        FailureKind.TRANSIENT,
        "The provider's endpoint at {server} could not be reached{because}.",
        f"{CONSENT_STAYS} If it lasts, check the network between mailport and the provider.",
    ),
    _entry(
        Symptom.LOST,
        Reason.CONNECTION_LOST,
        FailureKind.TRANSIENT,
        "{server} closed the connection before its answer was complete{because}.",
        CONSENT_STAYS,
    ),
    _entry(
        Symptom.SILENT,
        Reason.SERVER_SILENT,
        FailureKind.TRANSIENT,
        "The provider's endpoint at {server} did not answer in time{because}.",
        CONSENT_STAYS,
    ),
    _entry(
        Symptom.GARBAGE,
        Reason.PROTOCOL_ERROR,
        FailureKind.TRANSIENT,
        "{server} answered with something that is not an OAuth answer{because}.",
        f"{CONSENT_STAYS} If it lasts, check that the URL is the provider's token endpoint.",
    ),
    _entry(
        Symptom.REPLY_TOO_LARGE,
        Reason.REPLY_TOO_LARGE,
        FailureKind.TRANSIENT,
        "{server} sent an answer without end{because}; it was cut off.",
        f"{CONSENT_STAYS} If it lasts, check that the URL is the provider's token endpoint.",
    ),
    _entry(
        Symptom.TLS_VERSION,
        Reason.TLS_VERSION,
        FailureKind.MISCONFIGURED,
        "The provider's endpoint at {server} speaks no TLS version that mailport takes{because}.",
        "Have the endpoint speak TLS 1.2 or newer.",
    ),
    _entry(
        Symptom.TLS_HANDSHAKE,
        Reason.TLS_FAILED,
        FailureKind.MISCONFIGURED,
        "The TLS handshake with the provider's endpoint at {server} failed{because}.",
        "Check that the URL's port speaks https.",
    ),
    _entry(
        Symptom.CERT_UNTRUSTED,
        Reason.CERT_UNTRUSTED,
        FailureKind.MISCONFIGURED,
        "The certificate of the provider's endpoint at {server} does not come from a trusted authority{because}.",
        "Have the endpoint send its whole chain, or have the operator of mailport trust its authority.",
    ),
    _entry(
        Symptom.CERT_EXPIRED,
        Reason.CERT_EXPIRED,
        FailureKind.MISCONFIGURED,
        "The certificate of the provider's endpoint at {server} is outside of its dates{because}.",
        "Have the certificate renewed; if it is in order, check the clock where mailport runs.",
    ),
    _entry(
        Symptom.CERT_NAME_MISMATCH,
        Reason.CERT_NAME_MISMATCH,
        FailureKind.MISCONFIGURED,
        "The certificate of the provider's endpoint at {server} is made out to another name{because}.",
        "Enter the endpoint with the host name that its certificate is made for.",
    ),
)
