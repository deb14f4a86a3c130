"""Why no answer came from Microsoft Graph: names, routes, TLS, and answers that are none."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT
from domain.failures.evidence import Surface, Symptom
from domain.failures.failure import FailureKind
from domain.reasons import Reason

_NOTHING_SENT: Final = f"Nothing was sent. {WAIT}"
_BASE_URL: Final = "check base_url of the settings"


def _entry(symptom: Symptom, reason: Reason, kind: FailureKind, cause: str, remedy: str) -> Entry:
    surfaces = frozenset({Surface.GRAPH})
    return Entry(symptom=symptom, surfaces=surfaces, reason=reason, kind=kind, cause=cause, remedy=remedy)


GRAPH_SYMPTOMS: Final = (
    _entry(
        Symptom.NAME_UNKNOWN,
        Reason.DNS_NAME_UNKNOWN,
        FailureKind.MISCONFIGURED,
        "The host of Microsoft Graph, {server}, is not known to the DNS{because}.",
        f"Check that the name can be resolved where mailport runs, and {_BASE_URL}.",
    ),
    _entry(
        Symptom.NAME_UNAVAILABLE,
        Reason.DNS_UNAVAILABLE,
        FailureKind.TRANSIENT,
        "The name of Microsoft Graph, {server}, could not be looked up just now{because}.",
        f"{WAIT} If it lasts, check the DNS resolver where mailport runs.",
    ),
    _entry(
        Symptom.EGRESS_DENIED,
        Reason.EGRESS_DENIED,
        FailureKind.MISCONFIGURED,
        "mailport may not connect to Microsoft Graph at {server}{because}.",
        "Use a public https base_url, or ask the operator of mailport to allow the network in MAILPORT_EGRESS_ALLOW.",
    ),
    _entry(
        Symptom.REFUSED,
        Reason.CONNECTION_REFUSED,
        FailureKind.TRANSIENT,
        "Microsoft Graph at {server} refused the connection{because}.",
        f"{_NOTHING_SENT} If it lasts, {_BASE_URL}, and the firewalls on the way.",
    ),
    _entry(
        Symptom.TIMED_OUT,
        Reason.CONNECTION_TIMED_OUT,
        FailureKind.TRANSIENT,
        "No connection to Microsoft Graph at {server} came about in time{because}.",
        f"{_NOTHING_SENT} If it lasts, check that https to this host is allowed where mailport runs.",
    ),
    _entry(
        Symptom.UNREACHABLE,
        Reason.CONNECT_FAILED,
        FailureKind.TRANSIENT,
        "Microsoft Graph at {server} could not be reached{because}.",
        f"{_NOTHING_SENT} If it lasts, check the network between mailport and Microsoft.",
    ),
    _entry(
        Symptom.LOST,
        Reason.CONNECTION_LOST,
        FailureKind.TRANSIENT,
        "Microsoft Graph at {server} closed the connection before the message was sent{because}.",
        _NOTHING_SENT,
    ),
    _entry(
        Symptom.SILENT,
        Reason.SERVER_SILENT,
        FailureKind.TRANSIENT,
        "Microsoft Graph at {server} did not answer in time, before the message was sent{because}.",
        _NOTHING_SENT,
    ),
    _entry(
        Symptom.TOO_SLOW,
        Reason.SERVER_SILENT,
        FailureKind.TRANSIENT,
        "The attempt with Microsoft Graph at {server} ran out of time before the message was sent{because}.",
        f"{_NOTHING_SENT} Large attachments take long; if it lasts, check the bandwidth to Microsoft.",
    ),
    _entry(
        Symptom.GARBAGE,
        Reason.PROTOCOL_ERROR,
        FailureKind.TRANSIENT,
        "{server} answered with something that is not Microsoft Graph's{because}.",
        f"{_NOTHING_SENT} If it lasts, {_BASE_URL}.",
    ),
    _entry(
        Symptom.REPLY_TOO_LARGE,
        Reason.REPLY_TOO_LARGE,
        FailureKind.TRANSIENT,
        "{server} sent an answer without end{because}; it was cut off.",
        f"{_NOTHING_SENT} If it lasts, {_BASE_URL}.",
    ),
    _entry(
        Symptom.TLS_VERSION,
        Reason.TLS_VERSION,
        FailureKind.MISCONFIGURED,
        "{server} speaks no TLS version that mailport takes{because}.",
        f"It never goes without TLS 1.2 or newer. {_BASE_URL.capitalize()}, and for proxies on the way.",
    ),
    _entry(
        Symptom.TLS_HANDSHAKE,
        Reason.TLS_FAILED,
        FailureKind.MISCONFIGURED,
        "The TLS handshake with {server} failed{because}.",
        f"{_BASE_URL.capitalize()}: its port has to speak https.",
    ),
    _entry(
        Symptom.CERT_UNTRUSTED,
        Reason.CERT_UNTRUSTED,
        FailureKind.MISCONFIGURED,
        "The certificate of {server} does not come from a trusted authority{because}.",
        "Have the operator of mailport trust the authority, if a proxy of your own stands in between.",
    ),
    _entry(
        Symptom.CERT_EXPIRED,
        Reason.CERT_EXPIRED,
        FailureKind.MISCONFIGURED,
        "The certificate of {server} is outside of its dates{because}.",
        "Check the clock where mailport runs, and whether a proxy stands in between.",
    ),
    _entry(
        Symptom.CERT_NAME_MISMATCH,
        Reason.CERT_NAME_MISMATCH,
        FailureKind.MISCONFIGURED,
        "The certificate of {server} is made out to another name{because}.",
        f"{_BASE_URL.capitalize()}.",
    ),
)
