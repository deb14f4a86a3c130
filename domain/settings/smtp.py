"""Settings of an SMTP transport, parsed."""

from __future__ import annotations

from domain.connection import ConnectionSecurity, TlsVersion
from domain.ehlo import parse_ehlo_name
from domain.reasons import Reason
from domain.settings.certificates import parse_ca_certificates
from domain.settings.connection import Connection, parse_connection
from domain.settings.findings import Findings, parse_choice
from domain.settings.model import SmtpTransport
from domain.settings.written import WrittenSmtp

PREFIX = "settings.smtp"


def parse_smtp(written: WrittenSmtp, *, findings: Findings) -> tuple[SmtpTransport | None, Connection]:
    """Returns the transport, None when a part of it is wrong, and its connection as far as that was right."""
    connection = parse_connection(written.host, written.port, written.security, prefix=PREFIX, findings=findings)
    minimum = _minimum_tls_version(written.minimum_tls_version, connection.security, findings=findings)
    certificates = findings.take(parse_ca_certificates(written.ca_certificates, field=f"{PREFIX}.ca_certificates"))
    ehlo_name = (
        findings.take(parse_ehlo_name(written.ehlo_name, field=f"{PREFIX}.ehlo_name")) if written.ehlo_name else ""
    )
    host, port, security = connection.host, connection.port, connection.security
    if host is None or port is None or security is None:
        return None, connection
    if minimum is None or certificates is None or ehlo_name is None:
        return None, connection
    transport = SmtpTransport(
        host=host,
        port=port,
        security=security,
        minimum_tls_version=minimum,
        ca_certificates=certificates,
        ehlo_name=ehlo_name,
    )
    return transport, connection


def _minimum_tls_version(text: str, security: ConnectionSecurity | None, *, findings: Findings) -> TlsVersion | None:
    field = f"{PREFIX}.minimum_tls_version"
    if not text:
        return TlsVersion.TLS_1_2
    version = findings.take(parse_choice(text, TlsVersion, field=field))
    if version is not None and not version.is_recommended and security is not ConnectionSecurity.NONE:
        number = version.removeprefix("TLS_").replace("_", ".")
        findings.warn(
            field,
            Reason.TLS_VERSION_OLD,
            f"TLS {number} is broken and was withdrawn (RFC 8996); many servers refuse it.",
            "Use TLS 1.2 or higher; allow less only for a server that speaks nothing newer.",
        )
    return version
