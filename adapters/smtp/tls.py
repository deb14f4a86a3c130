"""What TLS is asked for, and what it gave: contexts by settings, the session for the trace."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from domain.connection import TlsVersion
from domain.failures.explain import cut
from domain.failures.trace import TlsSession
from domain.ports.environment import Clock

_KEPT_CONTEXTS: Final = 64
_LIFETIME: Final = timedelta(hours=1)
"""After it the certificate authorities are read anew, so that the system's updates count without a restart."""
_NAME: Final = 256
"""Characters of a name that a trace keeps; a DNS name has 253 at most, other names may be anything."""
_UNREADABLE: Final = (ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)
_MOST_NAMES: Final = 10
_OLD_CIPHERS: Final = "DEFAULT@SECLEVEL=0"
"""TLS 1.0 and 1.1 sign with SHA-1, which OpenSSL 3 allows at its lowest security level only."""
_VERSIONS: Final = {
    TlsVersion.TLS_1_0: ssl.TLSVersion.TLSv1,
    TlsVersion.TLS_1_1: ssl.TLSVersion.TLSv1_1,
    TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2,
    TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3,
}


class TlsContexts:
    """
    Contexts by minimum version and trusted authorities, kept for an hour.

    Each verifies chain, dates and name; there is no way to switch that off. Settings that differ in either point never
    share a context, so a private authority counts for the servers that name it and no other, and a lowered security
    level for the connections that ask for old TLS. Reading the system's authorities takes tens of milliseconds: a
    thread does it.
    """

    def __init__(self, *, clock: Clock, ca_file: Path | None = None) -> None:
        """Trusts the authorities in *ca_file* (PEM), or the system's, for servers whose settings name none."""
        self._clock = clock
        self._ca_file = ca_file
        self._contexts: OrderedDict[tuple[TlsVersion, str], tuple[timedelta, ssl.SSLContext]] = OrderedDict()

    async def get(self, minimum: TlsVersion, ca_certificates: str) -> ssl.SSLContext:
        """Returns the context for these settings; raises ssl.SSLError when *ca_certificates* holds no certificate."""
        key, now = (minimum, ca_certificates), self._clock.monotonic()
        kept = self._contexts.get(key)
        if kept is not None and now - kept[0] < _LIFETIME:
            self._contexts.move_to_end(key)
            return kept[1]
        context = await asyncio.to_thread(new_context, minimum, ca_certificates, self._ca_file)
        self._contexts[key] = (now, context)
        self._contexts.move_to_end(key)
        while len(self._contexts) > _KEPT_CONTEXTS:
            self._contexts.popitem(last=False)
        return context


def new_context(minimum: TlsVersion, ca_certificates: str, ca_file: Path | None) -> ssl.SSLContext:
    """Makes a verifying client context; see `TlsContexts`."""
    context = _client_context(minimum)  # checks chain and host name from the start
    context.hostname_checks_common_name = False  # names count in subjectAltName alone (RFC 9525 section 2)
    if ca_certificates:
        context.load_verify_locations(cadata=ca_certificates)
        # A pinned certificate that is no root of its own is trusted as it is, too.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    elif ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def new_peeking_context(minimum: TlsVersion) -> ssl.SSLContext:
    """
    Makes a client context that takes any certificate, to see which one was refused.

    Whoever is at the other end is nobody that anything may be said to.
    """
    context = _client_context(minimum)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _client_context(minimum: TlsVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not minimum.is_recommended:
        context.set_ciphers(_OLD_CIPHERS)
    with warnings.catch_warnings():
        # Python calls the old versions deprecated, which is why they are asked for here and nowhere else.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[minimum]
    return context


def describe(session: ssl.SSLObject | ssl.SSLSocket, clean: Callable[[str], str]) -> TlsSession:
    """Returns what was negotiated, for the trace; *clean* scrubs what the peer wrote into its certificate."""
    certificate: dict[str, Any] = session.getpeercert() or {}
    cipher = session.cipher()
    not_after = certificate.get("notAfter")
    return TlsSession(
        version=session.version() or "",
        cipher=cipher[0] if cipher else "",
        certificate_subject=cut(clean(_common_name(certificate.get("subject", ())) or _first_name(certificate)), _NAME),
        certificate_issuer=cut(clean(_common_name(certificate.get("issuer", ()))), _NAME),
        certificate_expire_time=datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), UTC) if not_after else None,
    )


def _common_name(name: Any) -> str:
    """Returns the common name, else the organisation, of a distinguished name as `ssl` gives it."""
    fields = {key: value for part in name for key, value in part}
    return str(fields.get("commonName") or fields.get("organizationName") or "")


def _first_name(certificate: dict[str, Any]) -> str:
    return next((str(value) for _, value in certificate.get("subjectAltName", ())), "")


@dataclass(frozen=True, slots=True)
class Refused:
    """A certificate that was not believed, and the session in which it was looked at."""

    session: TlsSession
    names: tuple[str, ...]
    """The host names and addresses that it is made for, as its holder wrote them, scrubbed; ten at most."""


def describe_refused(session: ssl.SSLObject, clean: Callable[[str], str]) -> Refused | None:
    """Returns what an unverified peer shows; None for a certificate that cannot be read. *clean* scrubs its words."""
    try:
        certificate = x509.load_der_x509_certificate(session.getpeercert(binary_form=True) or b"")
        names = tuple(cut(clean(name), _NAME) for name in _names_in(certificate)[:_MOST_NAMES])
        subject, issuer = _written_name(certificate.subject), _written_name(certificate.issuer)
        expire_time = certificate.not_valid_after_utc
    except _UNREADABLE:
        return None
    cipher = session.cipher()
    return Refused(
        session=TlsSession(
            version=session.version() or "",
            cipher=cipher[0] if cipher else "",
            certificate_subject=cut(clean(subject), _NAME) or (names[0] if names else ""),
            certificate_issuer=cut(clean(issuer), _NAME),
            certificate_expire_time=expire_time,
        ),
        names=names,
    )


def _names_in(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except x509.ExtensionNotFound:
        return []
    assert isinstance(extension.value, x509.SubjectAlternativeName)
    kinds = (x509.DNSName, x509.IPAddress)
    return [str(name.value) for name in extension.value if isinstance(name, kinds)]


def _written_name(name: x509.Name) -> str:
    """Returns the common name, else the organisation, as `_common_name` does."""
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        if found := name.get_attributes_for_oid(oid):
            return str(found[0].value)
    return ""
