"""The mailbox to read ("Email box"), parsed."""

from __future__ import annotations

from domain.address import EmailAddress, parse_address
from domain.host import Host
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.connection import Connection, parse_connection, refuse_plaintext_credentials
from domain.settings.findings import Findings
from domain.settings.keep import secret_for
from domain.settings.model import MailboxSettings, MailSettings
from domain.settings.tls import parse_tls
from domain.settings.written import WrittenMailbox

PREFIX = "settings.mailbox"


def parse_mailbox(
    written: WrittenMailbox,
    *,
    has_oauth: bool,
    stored: MailSettings | None,
    plaintext_hosts: frozenset[str],
    findings: Findings,
) -> tuple[MailboxSettings | None, Connection]:
    """Returns the mailbox, None when a part of it is wrong, and its connection as far as that was right."""
    email = findings.take(parse_address(written.email, field=f"{PREFIX}.email"))
    connection = parse_connection(written.host, written.port, written.security, prefix=PREFIX, findings=findings)
    refuse_plaintext_credentials(connection, plaintext_hosts, prefix=PREFIX, findings=findings)
    minimum, certificates = parse_tls(
        written.minimum_tls_version, written.ca_certificates, connection.security, prefix=PREFIX, findings=findings
    )
    password = None
    if written.use_oauth:
        _refuse_what_oauth_excludes(written, has_oauth=has_oauth, findings=findings)
    else:
        password = _password(written, email=email, host=connection.host, stored=stored, findings=findings)
    host, port, security = connection.host, connection.port, connection.security
    if email is None or host is None or port is None or security is None:
        return None, connection
    if minimum is None or certificates is None:
        return None, connection
    mailbox = MailboxSettings(
        email=email,
        host=host,
        port=port,
        security=security,
        password=password,
        use_oauth=written.use_oauth,
        minimum_tls_version=minimum,
        ca_certificates=certificates,
    )
    return mailbox, connection


def _refuse_what_oauth_excludes(written: WrittenMailbox, *, has_oauth: bool, findings: Findings) -> None:
    if not has_oauth:
        findings.refuse(
            f"{PREFIX}.use_oauth",
            Reason.FIELD_NOT_APPLICABLE,
            "The mailbox is to sign in with OAuth, and the settings have no OAuth authentication.",
            "Set settings.oauth, or give the mailbox a password.",
        )
    if written.password:
        findings.refuse(
            f"{PREFIX}.password",
            Reason.FIELD_NOT_APPLICABLE,
            "A mailbox that signs in with OAuth has no password.",
            "Leave the password empty, or set use_oauth to false.",
        )


def _password(
    written: WrittenMailbox,
    *,
    email: EmailAddress | None,
    host: Host | None,
    stored: MailSettings | None,
    findings: Findings,
) -> Secret | None:
    former = stored.mailbox if stored is not None else None
    changes: list[str] | None = None
    if former is not None and email is not None and host is not None:
        changes = ["host"] if former.host != host else []
        changes += ["e-mail address"] if former.email != email else []
    return secret_for(
        written.password,
        field=f"{PREFIX}.password",
        what="The mailbox's password",
        stored=former.password if former is not None else None,
        changes=changes,
        findings=findings,
    )
