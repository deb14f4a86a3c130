"""Where at Graph a configuration's mailbox is."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from domain.settings.model import GraphTransport, MailSettings, OAuthAuthentication

_VERSION: Final = "v1.0"


def mailbox_of(settings: MailSettings, graph: GraphTransport) -> str:
    """Returns the address of the mailbox that sends, as the settings tell it: what limits and waits are kept for."""
    if graph.mailbox is not None:
        return str(graph.mailbox)
    oauth = settings.authentication
    return oauth.username if isinstance(oauth, OAuthAuthentication) else str(settings.from_address)


def root_of(settings: MailSettings, graph: GraphTransport) -> str:
    """
    Returns the URL that requests for the mailbox begin with, without a trailing slash.

    It is ``/me`` for the one who consented, ``/users/{address}`` for a shared mailbox, and for an application that
    nobody consented to, since ``/me`` needs somebody (learn.microsoft.com/graph/api/user-sendmail, seen 2026-11).
    """
    oauth = settings.authentication
    is_app = isinstance(oauth, OAuthAuthentication) and not oauth.grant_type.needs_person
    if graph.mailbox is None and not is_app:
        return f"{graph.base_url}/{_VERSION}/me"
    return f"{graph.base_url}/{_VERSION}/users/{quote(mailbox_of(settings, graph), safe='@')}"
