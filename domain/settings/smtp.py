"""Settings of an SMTP transport, parsed."""

from __future__ import annotations

from domain.ehlo import parse_ehlo_name
from domain.settings.connection import Connection, parse_connection
from domain.settings.findings import Findings
from domain.settings.model import SmtpTransport
from domain.settings.tls import parse_tls
from domain.settings.written import WrittenSmtp

PREFIX = "settings.smtp"


def parse_smtp(written: WrittenSmtp, *, findings: Findings) -> tuple[SmtpTransport | None, Connection]:
    """Returns the transport, None when a part of it is wrong, and its connection as far as that was right."""
    connection = parse_connection(written.host, written.port, written.security, prefix=PREFIX, findings=findings)
    minimum, certificates = parse_tls(
        written.minimum_tls_version, written.ca_certificates, connection.security, prefix=PREFIX, findings=findings
    )
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
