"""What an access token opens: at Microsoft one resource a token, elsewhere everything that was consented to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NewType

from domain.providers.microsoft import CLOUDS
from domain.providers.preset import OAuthProvider
from domain.settings.model import GraphTransport, MailSettings
from domain.settings.scopes import RESERVED, comparable

Resource = NewType("Resource", str)
"""Names what one access token is for; stored, never shown."""

SINGLE: Final = Resource("default")
"""The one resource of every provider but Microsoft."""
OUTLOOK: Final = Resource("outlook")
"""Exchange Online, in whichever cloud the configuration lives: SMTP and IMAP."""
GRAPH: Final = Resource("graph")
"""Microsoft Graph, in whichever cloud the configuration lives."""

_OUTLOOK_HOSTS: Final = frozenset(host for cloud in CLOUDS for host in cloud.outlook_hosts)
_GRAPH_HOSTS: Final = frozenset(cloud.graph_host for cloud in CLOUDS)


def resource_of(scope: str, *, issuer: OAuthProvider) -> Resource | None:
    """
    Returns the resource that *scope* opens, None for one that opens none (``offline_access``, ``openid`` …).

    At Microsoft a scope is ``https://<resource>/<permission>``, and one without a host is Graph's ("Scopes and
    permissions", seen 2026-11); both names of the Outlook resource are one.
    """
    if scope.lower() in RESERVED:
        return None
    if issuer is not OAuthProvider.MICROSOFT:
        return SINGLE
    root, slash, _ = scope.lower().rpartition("/")
    if not slash:
        return GRAPH
    host = root.removeprefix("https://").rstrip("/")
    if host in _OUTLOOK_HOSTS:
        return OUTLOOK
    return GRAPH if host in _GRAPH_HOSTS else Resource(root)


def scopes_for(resource: Resource, scopes: Iterable[str], *, issuer: OAuthProvider) -> tuple[str, ...]:
    """
    Returns those of *scopes* that a request for a token of *resource* may name: its own, and those of no resource.

    Microsoft answers a mixture with AADSTS28000; elsewhere these are all of them.
    """
    return tuple(scope for scope in scopes if resource_of(scope, issuer=issuer) in (resource, None))


def refresh_scopes(resource: Resource, scopes: Iterable[str], *, issuer: OAuthProvider) -> tuple[str, ...]:
    """
    Returns what a refresh for *resource* asks for: at Microsoft the resource's scopes, elsewhere nothing.

    Nothing means "as granted" (RFC 6749 section 6), which cannot ask for more than was granted by mistake.
    """
    return scopes_for(resource, scopes, issuer=issuer) if issuer is OAuthProvider.MICROSOFT else ()


def sending_resource(settings: MailSettings, *, issuer: OAuthProvider) -> Resource:
    """Returns the resource whose token *settings* send with: the one that a code is exchanged for."""
    if issuer is not OAuthProvider.MICROSOFT:
        return SINGLE
    return GRAPH if isinstance(settings.transport, GraphTransport) else OUTLOOK


def reading_resource(*, issuer: OAuthProvider) -> Resource:
    """Returns the resource whose token a mailbox is read with over IMAP, however mail is sent."""
    return OUTLOOK if issuer is OAuthProvider.MICROSOFT else SINGLE


def missing_scopes(
    asked: Iterable[str], granted: Iterable[str], *, resource: Resource, issuer: OAuthProvider
) -> tuple[str, ...]:
    """
    Returns those of *asked* that open *resource* and are not in *granted*, in order.

    Order does not matter, nor at Microsoft case, the two names of the Outlook resource, and whether a Graph permission
    comes with its host (F30). ``<resource>/.default`` asks for whatever the application has, so it is met by anything
    of the resource.
    """
    had = {_key(scope, issuer) for scope in comparable(granted, provider=issuer)}
    wanted = {
        scope: _key(scope, issuer)
        for scope in asked
        if scope.lower() not in RESERVED and resource_of(scope, issuer=issuer) == resource
    }
    has_any = any(of == resource for of, _ in had)
    return tuple(scope for scope, key in wanted.items() if key not in had and not (key[1] == ".default" and has_any))


def _key(scope: str, issuer: OAuthProvider) -> tuple[Resource | None, str]:
    if issuer is not OAuthProvider.MICROSOFT:
        return SINGLE, scope
    return resource_of(scope, issuer=issuer), scope.lower().rpartition("/")[2]
