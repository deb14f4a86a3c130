"""Causes that show themselves at a mailbox's server without a reply; the words for a mail server would mislead."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.symptoms import SYMPTOMS
from domain.failures.catalogue.wording import WAIT
from domain.failures.evidence import Symptom
from domain.failures.failure import FailureKind, Fix, Stage
from domain.reasons import Reason

_MAILBOX: Final = frozenset({Stage.MAILBOX})
_SECURITY: Final = "settings.mailbox.security"
_PORTS: Final = "993 with implicit TLS or 143 with STARTTLS are usual"
_WORDS: Final[dict[Symptom, Entry]] = {
    Symptom.REFUSED: Entry(
        reason=Reason.CONNECTION_REFUSED,
        kind=FailureKind.TRANSIENT,
        cause="{server} refused the connection{because}: nothing listens there, or a firewall rejects it.",
        remedy=f"Check the mailbox's host and port ({_PORTS}) and the firewalls on the way.",
    ),
    Symptom.TIMED_OUT: Entry(
        reason=Reason.CONNECTION_TIMED_OUT,
        kind=FailureKind.TRANSIENT,
        cause="No connection to {server} came about in time{because}; packets to it seem to be dropped.",
        remedy="Check the mailbox's host and port, and that the outgoing port is open.",
    ),
    Symptom.LOST: Entry(
        reason=Reason.CONNECTION_LOST,
        kind=FailureKind.TRANSIENT,
        cause="{server} closed the connection to the mailbox{because}.",
        remedy=f"{WAIT} If it lasts, look into the server's log for the reason.",
    ),
    Symptom.SILENT: Entry(
        reason=Reason.SERVER_SILENT,
        kind=FailureKind.TRANSIENT,
        cause="{server} took the connection to the mailbox and did not answer in time{because}.",
        remedy=f"{WAIT} If it lasts, check that this port speaks IMAP and that the security mode is the port's.",
    ),
    Symptom.TOO_SLOW: Entry(
        reason=Reason.SERVER_SILENT,
        kind=FailureKind.TRANSIENT,
        cause="{server} answered so slowly that the time for it ran out{because}.",
        remedy=f"{WAIT} If it lasts, read less at a time, or ask the server's operator about its load.",
    ),
    Symptom.GARBAGE: Entry(
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.TRANSIENT,
        cause="{server} answered with something that is not IMAP, or not an answer to what was asked{because}.",
        remedy=f"Check that host and port are those of an IMAP server; {_PORTS}.",
    ),
    Symptom.REPLY_TOO_LARGE: Entry(
        reason=Reason.REPLY_TOO_LARGE,
        kind=FailureKind.TRANSIENT,
        cause="{server} sent more than mailport takes in one answer{because}; it was cut off.",
        remedy="Check that host and port are those of an IMAP server; if they are, narrow the search.",
    ),
    Symptom.PLAINTEXT_INSTEAD_OF_TLS: Entry(
        reason=Reason.TLS_MODE_MISMATCH,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} speaks plain text first, while the mailbox's settings expect TLS from the first byte{because}.",
        remedy="Set the mailbox's security to STARTTLS, or use the port for implicit TLS (usually 993).",
        fixes=(Fix(_SECURITY, "STARTTLS"),),
    ),
    Symptom.TLS_INSTEAD_OF_PLAINTEXT: Entry(
        reason=Reason.TLS_MODE_MISMATCH,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} expects TLS from the first byte, while the mailbox's settings begin in plain text{because}.",
        remedy="Set the mailbox's security to IMPLICIT_TLS, or use the port for STARTTLS (usually 143).",
        fixes=(Fix(_SECURITY, "IMPLICIT_TLS"),),
    ),
    Symptom.STARTTLS_NOT_OFFERED: Entry(
        reason=Reason.STARTTLS_UNAVAILABLE,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} does not offer STARTTLS, or something on the way removed the offer{because}. Nothing was sent "
        "in clear.",
        remedy="Use the port for implicit TLS (usually 993) with security IMPLICIT_TLS, or have STARTTLS enabled on "
        "the server.",
        fixes=(Fix(_SECURITY, "IMPLICIT_TLS", also=(Fix("settings.mailbox.port", "993"),)),),
    ),
    Symptom.EARLY_PLAINTEXT: Entry(
        reason=Reason.EARLY_PLAINTEXT,
        kind=FailureKind.MISCONFIGURED,
        cause="Unprotected bytes followed {server}'s answer to STARTTLS{because}: a sign of tampering or of a broken "
        "server.",
        remedy="Do not use this path for mail before it is explained; implicit TLS (usually port 993) does not have "
        "the weakness.",
    ),
    Symptom.NO_AUTH_MECHANISM: Entry(
        reason=Reason.NO_USABLE_AUTH_MECHANISM,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} offers no way to sign in to the mailbox that fits the settings{because}.",
        remedy="Choose the sign-in that the server offers: OAuth (use_oauth) where it takes no passwords, else a "
        "password.",
    ),
}

MAILBOX_SYMPTOMS: Final = tuple(
    replace(entry, symptom=symptom, stages=_MAILBOX) for symptom, entry in _WORDS.items()
) + tuple(
    replace(entry, stages=_MAILBOX, fixes=(Fix("settings.mailbox.minimum_tls_version", "TLS_1_2"),))
    for entry in SYMPTOMS
    if entry.symptom is Symptom.TLS_1_2_AT_MOST
)
