"""What TLS is asked for and whom it trusts, for mail servers and mailboxes alike."""

from __future__ import annotations

from domain.connection import ConnectionSecurity, TlsVersion
from domain.reasons import Reason
from domain.settings.certificates import parse_ca_certificates
from domain.settings.findings import Findings, parse_choice


def parse_tls(
    minimum: str,
    ca_certificates: str,
    security: ConnectionSecurity | None,
    *,
    prefix: str,
    findings: Findings,
) -> tuple[TlsVersion | None, str | None]:
    """
    Returns minimum version and trusted authorities of ``settings.smtp`` or ``settings.mailbox`` (*prefix*).

    None stands for what was wrong. Warns of a version below 1.2 where there is TLS at all.
    """
    version = _minimum_tls_version(minimum, security, field=f"{prefix}.minimum_tls_version", findings=findings)
    return version, findings.take(parse_ca_certificates(ca_certificates, field=f"{prefix}.ca_certificates"))


def _minimum_tls_version(
    text: str, security: ConnectionSecurity | None, *, field: str, findings: Findings
) -> TlsVersion | None:
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
