"""Port, security and what they allow: rule 3 of the settings, for mail servers and mailboxes alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.connection import ConnectionSecurity
from domain.errors import Violation
from domain.host import Host, parse_host, parse_port
from domain.providers import preset_for_host
from domain.reasons import Reason
from domain.settings.findings import Findings, parse_choice

_IMPLICIT: Final = {465: "STARTTLS is spoken on 587", 993: "STARTTLS is spoken on 143"}
_STARTTLS: Final = {587: "implicit TLS is spoken on 465", 143: "implicit TLS is spoken on 993"}


@dataclass(frozen=True, slots=True)
class Connection:
    """Where to connect and how, as far as it was right; None where it was not."""

    host: Host | None
    port: int | None
    security: ConnectionSecurity | None


def parse_connection(host: str, port: int, security: str, *, prefix: str, findings: Findings) -> Connection:
    """
    Returns host, port and security of ``settings.smtp`` or ``settings.mailbox`` (*prefix*).

    Security left empty is implicit TLS on 465 and 993, STARTTLS on any other port. Warns of a port that is usual for
    the other mode; where security is given, the port never decides (F14).
    """
    found = Connection(
        host=findings.take(parse_host(host, field=f"{prefix}.host")),
        port=findings.take(_port(port, field=f"{prefix}.port")),
        security=_security(security, port, field=f"{prefix}.security", findings=findings),
    )
    if found.port is not None and found.security is not None:
        _warn_of_unusual(found.host, found.port, found.security, field=f"{prefix}.security", findings=findings)
    return found


def refuse_plaintext_credentials(
    connection: Connection, plaintext_hosts: frozenset[str], *, prefix: str, findings: Findings
) -> None:
    """Refuses credentials over a connection without TLS, except to hosts that the operator has named (F15)."""
    host = connection.host
    if connection.security is not ConnectionSecurity.NONE or host is None or host.name in plaintext_hosts:
        return
    findings.refuse(
        f"{prefix}.security",
        Reason.CREDENTIALS_OVER_PLAINTEXT,
        f"Without TLS, anybody on the way to {host} can read the credentials.",
        "Use STARTTLS or IMPLICIT_TLS; only for hosts named in MAILPORT_PLAINTEXT_HOSTS the operator allows NONE.",
    )


def _port(port: int, *, field: str) -> int | Violation:
    if port == 0:
        return Violation(
            field=field,
            reason=Reason.FIELD_REQUIRED,
            message="The port is missing.",
            remedy="Use the provider's port: for sending 587 (STARTTLS) or 465 (implicit TLS), for reading 993 or 143.",
        )
    return parse_port(port, field=field)


def _security(text: str, port: int, *, field: str, findings: Findings) -> ConnectionSecurity | None:
    if not text:
        return ConnectionSecurity.IMPLICIT_TLS if port in _IMPLICIT else ConnectionSecurity.STARTTLS
    return findings.take(parse_choice(text, ConnectionSecurity, field=field))


def _warn_of_unusual(
    host: Host | None, port: int, security: ConnectionSecurity, *, field: str, findings: Findings
) -> None:
    if security is ConnectionSecurity.NONE:
        findings.warn(
            field,
            Reason.TRANSPORT_NOT_ENCRYPTED,
            "Mail travels unencrypted: anybody on the way can read and change it.",
            "Use STARTTLS or IMPLICIT_TLS wherever the server offers it.",
        )
        return
    usual = {**_IMPLICIT, **_STARTTLS}
    if (security is ConnectionSecurity.STARTTLS and port in _IMPLICIT) or (
        security is ConnectionSecurity.IMPLICIT_TLS and port in _STARTTLS
    ):
        findings.warn(
            field,
            Reason.PORT_SECURITY_UNUSUAL,
            f"{security} on port {port} is unusual; most servers would hang or refuse.",
            f"Change the security or the port: {usual[port]} as a rule.",
        )
    elif host is not None:
        _warn_of_undocumented(host, port, security, field=field, findings=findings)


def _warn_of_undocumented(
    host: Host, port: int, security: ConnectionSecurity, *, field: str, findings: Findings
) -> None:
    preset = preset_for_host(host)
    offered = preset.smtp_endpoints_at(host.name) if preset is not None else ()
    if preset is None or not offered or any((each.port, each.security) == (port, security) for each in offered):
        return
    known = ", ".join(f"{each.port} with {each.security}" for each in offered)
    findings.warn(
        field,
        Reason.PORT_SECURITY_UNUSUAL,
        f"{preset.display_name} documents no {security} on port {port} at {host}.",
        f"Use {known}.",
    )
