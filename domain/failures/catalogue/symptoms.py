"""Causes that show themselves without a reply: names, routes, TLS, and what a server does not offer."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import REST_LATER, WAIT
from domain.failures.evidence import Surface, Symptom
from domain.failures.failure import FailureKind, Fix, Stage
from domain.reasons import Reason

_SECURITY: Final = "settings.smtp.security"
_MINIMUM: Final = "settings.smtp.minimum_tls_version"

_REACHING: Final = (
    Entry(
        symptom=Symptom.NAME_UNKNOWN,
        reason=Reason.DNS_NAME_UNKNOWN,
        kind=FailureKind.MISCONFIGURED,
        cause="The host of {server} is not known to the DNS{because}.",
        remedy="Check the spelling of the host, and that the name can be resolved where mailport runs.",
    ),
    Entry(
        symptom=Symptom.NAME_UNAVAILABLE,
        reason=Reason.DNS_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
        cause="The name of {server} could not be looked up just now{because}.",
        remedy=f"{WAIT} If it lasts, check the DNS resolver where mailport runs.",
    ),
    Entry(
        symptom=Symptom.EGRESS_DENIED,
        reason=Reason.EGRESS_DENIED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} lies in a network that mailport may not connect to{because}.",
        remedy="Use a public mail server, or ask the operator of mailport to allow the network in "
        "MAILPORT_EGRESS_ALLOW.",
    ),
    Entry(
        symptom=Symptom.REFUSED,
        reason=Reason.CONNECTION_REFUSED,
        kind=FailureKind.TRANSIENT,
        cause="{server} refused the connection{because}: nothing listens there, or a firewall rejects it.",
        remedy="Check host and port (587 with STARTTLS or 465 with implicit TLS are usual) and the firewalls on the "
        "way.",
    ),
    Entry(
        symptom=Symptom.TIMED_OUT,
        reason=Reason.CONNECTION_TIMED_OUT,
        kind=FailureKind.TRANSIENT,
        cause="No connection to {server} came about in time{because}; packets to it seem to be dropped.",
        remedy="Check host and port, and that the outgoing port is open: hosting networks often block 25, 465 and 587.",
    ),
    Entry(
        symptom=Symptom.UNREACHABLE,
        reason=Reason.CONNECT_FAILED,
        kind=FailureKind.TRANSIENT,
        cause="No address of {server} could be reached{because}.",
        remedy="Check host and port, and the network between mailport and the server.",
    ),
)

_TALKING: Final = (
    Entry(
        symptom=Symptom.LOST,
        stages=frozenset({Stage.TLS}),
        reason=Reason.CONNECTION_LOST,
        kind=FailureKind.TRANSIENT,
        cause="{server} closed the connection during the TLS handshake{because}.",
        remedy=f"{WAIT} It never goes without TLS. If it lasts, check port and security mode, and the "
        "server's "
        "TLS set-up.",
    ),
    Entry(
        symptom=Symptom.LOST,
        reason=Reason.CONNECTION_LOST,
        kind=FailureKind.TRANSIENT,
        cause="{server} closed the connection before the message was handed over{because}.",
        remedy=f"Nothing was sent. {WAIT} If it lasts, look into the server's log for the reason.",
    ),
    Entry(
        symptom=Symptom.SILENT,
        reason=Reason.SERVER_SILENT,
        kind=FailureKind.TRANSIENT,
        cause="{server} took the connection and did not answer in time{because}.",
        remedy=f"Nothing was sent. {WAIT} If it lasts, check that this port speaks SMTP and that "
        "the "
        "security mode is the port's.",
    ),
    Entry(
        symptom=Symptom.TOO_SLOW,
        reason=Reason.SERVER_SILENT,
        kind=FailureKind.TRANSIENT,
        cause="{server} answered so slowly that the attempt ran out of time{because}.",
        remedy=f"Nothing was sent. {WAIT} If it lasts, ask the server's operator about its load.",
    ),
    Entry(
        symptom=Symptom.GARBAGE,
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.TRANSIENT,
        cause="{server} answered with something that is not SMTP, or not an answer to what was asked{because}.",
        remedy="Check that host and port are those of a mail submission server; 587 and 465 are usual.",
    ),
    Entry(
        symptom=Symptom.REPLY_TOO_LARGE,
        reason=Reason.REPLY_TOO_LARGE,
        kind=FailureKind.TRANSIENT,
        cause="{server} sent a reply without end{because}; it was cut off.",
        remedy="Check that host and port are those of a mail submission server.",
    ),
)

_SECURING: Final = (
    Entry(
        symptom=Symptom.PLAINTEXT_INSTEAD_OF_TLS,
        reason=Reason.TLS_MODE_MISMATCH,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} speaks plain text first, while the settings expect TLS from the first byte{because}.",
        remedy="Set the security to STARTTLS, or use the server's port for implicit TLS (usually 465).",
        fixes=(Fix(_SECURITY, "STARTTLS"),),
    ),
    Entry(
        symptom=Symptom.TLS_INSTEAD_OF_PLAINTEXT,
        reason=Reason.TLS_MODE_MISMATCH,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} expects TLS from the first byte, while the settings begin in plain text{because}.",
        remedy="Set the security to IMPLICIT_TLS, or use the server's port for STARTTLS (usually 587).",
        fixes=(Fix(_SECURITY, "IMPLICIT_TLS"),),
    ),
    Entry(
        symptom=Symptom.STARTTLS_NOT_OFFERED,
        reason=Reason.STARTTLS_UNAVAILABLE,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} does not offer STARTTLS, or something on the way removed the offer{because}. Nothing was sent "
        "in clear.",
        remedy="Use the port for implicit TLS (usually 465) with security IMPLICIT_TLS, or have STARTTLS enabled on "
        "the server.",
    ),
    Entry(
        symptom=Symptom.EARLY_PLAINTEXT,
        reason=Reason.EARLY_PLAINTEXT,
        kind=FailureKind.MISCONFIGURED,
        cause="Unprotected bytes followed {server}'s answer to STARTTLS{because}: a sign of tampering or of a broken "
        "server.",
        remedy="Do not use this path for mail before it is explained; implicit TLS (usually port 465) does not have "
        "the weakness.",
    ),
    Entry(
        symptom=Symptom.TLS_1_2_AT_MOST,
        reason=Reason.TLS_VERSION,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} speaks TLS 1.2, while the settings ask for TLS 1.3{because}.",
        remedy="Lower the minimum TLS version of these settings to 1.2, which is safe, or have the server speak "
        "TLS 1.3.",
        fixes=(Fix(_MINIMUM, "TLS_1_2"),),
    ),
    Entry(
        symptom=Symptom.TLS_VERSION,
        reason=Reason.TLS_VERSION,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} speaks no TLS version as new as the minimum TLS version of the settings{because}.",
        remedy="Have the server speak that version or a newer one, TLS 1.2 or 1.3 best of all. Only if that cannot be, "
        "lower the minimum TLS version of these settings.",
    ),
    Entry(
        symptom=Symptom.TLS_HANDSHAKE,
        reason=Reason.TLS_FAILED,
        kind=FailureKind.MISCONFIGURED,
        cause="The TLS handshake with {server} failed{because}.",
        remedy="Check the server's TLS set-up (protocols, ciphers, certificate), e.g. with openssl s_client.",
    ),
    Entry(
        symptom=Symptom.CERT_UNTRUSTED,
        reason=Reason.CERT_UNTRUSTED,
        kind=FailureKind.MISCONFIGURED,
        cause="The certificate of {server} does not come from a trusted authority{because}.",
        remedy="Have the server send its whole chain. For a private authority, put its certificate (PEM) into "
        "ca_certificates.",
    ),
    Entry(
        symptom=Symptom.CERT_EXPIRED,
        reason=Reason.CERT_EXPIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="The certificate of {server} is outside of its dates{because}.",
        remedy="Have the server's certificate renewed; if it is in order, check the clock where mailport runs.",
    ),
    Entry(
        symptom=Symptom.CERT_NAME_MISMATCH,
        reason=Reason.CERT_NAME_MISMATCH,
        kind=FailureKind.MISCONFIGURED,
        cause="The certificate of {server} is made out to another name{because}.",
        remedy="Enter the host name that the certificate is made for, or have the server's certificate name this host "
        "as a subject alternative name; the common name does not count (RFC 9525).",
    ),
)

_SUBMITTING: Final = (
    Entry(
        symptom=Symptom.NO_AUTH_MECHANISM,
        reason=Reason.NO_USABLE_AUTH_MECHANISM,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} offers no way to sign in that fits the settings{because}.",
        remedy="Choose the authentication that the server offers (OAuth where only XOAUTH2 is listed), or none where "
        "it lists "
        "none; check that port and security are those for submission.",
    ),
    Entry(
        symptom=Symptom.NO_SECRET,
        reason=Reason.SECRET_UNREADABLE,
        kind=FailureKind.MISCONFIGURED,
        cause="There is no password to sign in with; an empty one is never offered to a server.",
        remedy="Enter the password again.",
    ),
    Entry(
        symptom=Symptom.NO_CONSENT,
        reason=Reason.NEEDS_AUTHORIZATION,
        kind=FailureKind.REAUTHORIZE,
        cause="The account has not consented yet, so there is no token to sign in with.",
        remedy="Call Authorize and let the account's owner consent.",
    ),
    Entry(
        symptom=Symptom.SMTPUTF8_NOT_OFFERED,
        reason=Reason.SMTPUTF8_UNSUPPORTED,
        kind=FailureKind.PERMANENT,
        cause="{server} does not take international addresses or headers (SMTPUTF8, RFC 6531){because}.",
        remedy="Use an address whose part before the @ is ASCII, or a server that offers SMTPUTF8.",
    ),
    Entry(
        symptom=Symptom.ABOVE_SIZE,
        reason=Reason.TOO_LARGE,
        kind=FailureKind.PERMANENT,
        cause="The message is larger than {server} takes{because}.",
        remedy="Make the attachments smaller (sent, they take a third more), or send a link instead.",
    ),
    Entry(
        symptom=Symptom.ABOVE_RECIPIENT_LIMIT,
        reason=Reason.RECIPIENTS_ABOVE_SERVER_LIMIT,
        kind=FailureKind.THROTTLED,
        cause="The message has more recipients than {server} takes at once{because}.",
        remedy=REST_LATER,
    ),
)

_UNNAMED: Final = (
    Entry(
        surfaces=frozenset({Surface.DNS}),
        reason=Reason.DNS_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
        cause="The name of {server} could not be looked up{because}.",
        remedy=f"{WAIT} If it lasts, check the spelling of the host and the DNS resolver.",
    ),
    Entry(
        surfaces=frozenset({Surface.CONNECT}),
        reason=Reason.CONNECT_FAILED,
        kind=FailureKind.TRANSIENT,
        cause="The connection to {server} failed{because}.",
        remedy="Check host and port, and the network between mailport and the server.",
    ),
    Entry(
        surfaces=frozenset({Surface.TLS}),
        reason=Reason.TLS_FAILED,
        kind=FailureKind.MISCONFIGURED,
        cause="The connection to {server} could not be secured{because}.",
        remedy="Check port and security mode, and the server's TLS set-up, e.g. with openssl s_client.",
    ),
)

SYMPTOMS: Final = (*_REACHING, *_TALKING, *_SECURING, *_SUBMITTING, *_UNNAMED)
