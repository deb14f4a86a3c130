"""A user name and a password, parsed."""

from __future__ import annotations

from domain.host import Host
from domain.secret import Secret
from domain.settings.findings import Findings, parse_line
from domain.settings.keep import secret_for
from domain.settings.model import BasicAuthentication, MailSettings, SmtpTransport
from domain.settings.written import WrittenBasic


def parse_basic(
    written: WrittenBasic, *, host: Host | None, stored: MailSettings | None, findings: Findings
) -> BasicAuthentication | None:
    """Returns the authentication; a password left unset is the stored one while *host* and user name are the same."""
    username = findings.take(parse_line(written.username, field="settings.basic.username", what="The user name"))
    kept, changes = _stored(stored, host=host, username=username)
    password = secret_for(
        written.password,
        field="settings.basic.password",
        what="The password",
        stored=kept,
        changes=changes,
        findings=findings,
    )
    if username is None or password is None:
        return None
    return BasicAuthentication(username=username, password=password)


def _stored(
    stored: MailSettings | None, *, host: Host | None, username: str | None
) -> tuple[Secret | None, list[str] | None]:
    if stored is None or not isinstance(stored.authentication, BasicAuthentication):
        return None, None
    if host is None or username is None:
        return stored.authentication.password, None
    changes = []
    if not isinstance(stored.transport, SmtpTransport) or stored.transport.host != host:
        changes.append("host")
    if stored.authentication.username != username:
        changes.append("user name")
    return stored.authentication.password, changes
