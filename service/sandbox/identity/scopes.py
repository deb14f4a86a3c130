"""Which scopes each behaviour knows, what they open, and what its consent page says about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from service.sandbox.identity.behaviour import Behaviour

OFFLINE_ACCESS: Final = "offline_access"
IDENTITY_SCOPES: Final = frozenset({"openid", "profile", "email"})
RESERVED: Final = IDENTITY_SCOPES | {OFFLINE_ACCESS}
"""Scopes that open no resource and go with those of any."""

GOOGLE_MAIL_SCOPE: Final = "https://mail.google.com/"
MICROSOFT_SMTP_SCOPE: Final = "https://outlook.office.com/SMTP.Send"
STRICT_MAIL_SCOPE: Final = "https://mail.sandbox.example/"

_GOOGLE_API: Final = "https://www.googleapis.com/auth/"
_OUTLOOK_HOSTS: Final = frozenset(
    {
        "outlook.office.com",
        "outlook.office365.com",
        "outlook.office365.us",
        "outlook-dod.office365.us",
        "partner.outlook.cn",
    }
)
_GRAPH_HOSTS: Final = frozenset(
    {"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
)
_OUTLOOK_PERMISSIONS: Final = frozenset(
    {"smtp.send", "imap.accessasuser.all", "pop.accessasuser.all", "smtp.sendasapp", "imap.accessasapp", ".default"}
)
_GRAPH_PERMISSIONS: Final = frozenset(
    # Graph lists the mail protocols' permissions too; Exchange then refuses the token.
    {"mail.send", "mail.send.shared", "mail.readwrite", "mail.readwrite.shared", "mail.readbasic", "mail.read"}
    | {"mail.read.shared", "user.read", ".default"}
    | {"smtp.send", "imap.accessasuser.all", "pop.accessasuser.all"}
)
_STRICT_SCOPES: Final = frozenset({STRICT_MAIL_SCOPE, "mail.send", "mail.read"})
_OPENS_SMTP: Final = {
    Behaviour.GOOGLE: frozenset({GOOGLE_MAIL_SCOPE}),
    Behaviour.MICROSOFT: frozenset({"smtp.send", "smtp.sendasapp", ".default"}),
    Behaviour.STRICT: frozenset({STRICT_MAIL_SCOPE, "mail.send"}),
}
_OPENS_IMAP: Final = {
    Behaviour.GOOGLE: frozenset({GOOGLE_MAIL_SCOPE}),
    Behaviour.MICROSOFT: frozenset({"imap.accessasuser.all", "imap.accessasapp", ".default"}),
    Behaviour.STRICT: frozenset({STRICT_MAIL_SCOPE, "mail.read"}),
}
_WORDS: Final = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your email address",
    OFFLINE_ACCESS: "Keep the access that you give it now",
    GOOGLE_MAIL_SCOPE: "Read, compose, send and delete all your mail",
    STRICT_MAIL_SCOPE: "Read and send mail as you",
    "mail.send": "Send mail as you",
    "mail.send.shared": "Send mail from mailboxes shared with you",
    "mail.read": "Read your mail",
    "mail.readwrite": "Read and write your mail",
    "smtp.send": "Send mail as you, over SMTP",
    "imap.accessasuser.all": "Read and write your mail, over IMAP",
    "gmail.send": "Send mail as you, over the REST API",
}


class Resource(StrEnum):
    """What an access token is for; `ANY` where the provider does not distinguish."""

    ANY = "ANY"
    OUTLOOK = "OUTLOOK"
    GRAPH = "GRAPH"


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope, read."""

    text: str
    resource: Resource | None
    """None: reserved, goes with any."""
    permission: str
    """What compares equal when the scope means the same: for Microsoft in lower case and without the host."""


def read_scope(text: str, behaviour: Behaviour) -> Scope | None:
    """Returns what *text* asks for, or None when *behaviour* does not know it."""
    if text in RESERVED and not (behaviour is Behaviour.GOOGLE and text == OFFLINE_ACCESS):
        return Scope(text, None, text)
    if behaviour is Behaviour.MICROSOFT:
        return _microsoft(text)
    known = text in _STRICT_SCOPES
    if behaviour is Behaviour.GOOGLE:
        known = text == GOOGLE_MAIL_SCOPE or text.startswith(_GOOGLE_API)
    return Scope(text, Resource.ANY, text) if known else None


def _microsoft(text: str) -> Scope | None:
    if text.lower() in RESERVED:
        return Scope(text, None, text.lower())
    if "://" not in text:  # a scope without a host means Graph
        permission = text.lower()
        return Scope(text, Resource.GRAPH, permission) if permission in _GRAPH_PERMISSIONS else None
    parts = urlsplit(text)
    permission = parts.path.lstrip("/").lower()
    if parts.hostname in _OUTLOOK_HOSTS and permission in _OUTLOOK_PERMISSIONS:
        return Scope(text, Resource.OUTLOOK, permission)
    if parts.hostname in _GRAPH_HOSTS and permission in _GRAPH_PERMISSIONS:
        return Scope(text, Resource.GRAPH, permission)
    return None


def read_scopes(text: str, behaviour: Behaviour) -> tuple[list[Scope], list[str]]:
    """Returns the scopes of a request, each once and in order, and the words that are none."""
    found = {word: read_scope(word, behaviour) for word in text.split()}
    return [scope for scope in found.values() if scope], [word for word, scope in found.items() if scope is None]


def same(one: Scope, other: Scope) -> bool:
    """Tells whether two scopes mean the same."""
    return (one.resource, one.permission) == (other.resource, other.permission)


def opens_smtp(scopes: Iterable[Scope], behaviour: Behaviour) -> bool:
    """Tells whether a mail server takes an access token with these scopes."""
    resource = Resource.OUTLOOK if behaviour is Behaviour.MICROSOFT else Resource.ANY
    return any(scope.resource is resource and scope.permission in _OPENS_SMTP[behaviour] for scope in scopes)


def opens_imap(scopes: Iterable[Scope], behaviour: Behaviour) -> bool:
    """Tells whether an IMAP server takes an access token with these scopes."""
    resource = Resource.OUTLOOK if behaviour is Behaviour.MICROSOFT else Resource.ANY
    return any(scope.resource is resource and scope.permission in _OPENS_IMAP[behaviour] for scope in scopes)


def granted_text(scopes: Iterable[Scope], behaviour: Behaviour) -> str:
    """Returns the ``scope`` of a token answer: for Microsoft in other case, and never with offline_access (F30)."""
    if behaviour is Behaviour.MICROSOFT:
        # Reserved ones last: the order is another than that of the request, too.
        ordered = sorted(scopes, key=lambda scope: scope.resource is None)
        return " ".join(scope.text.lower() for scope in ordered if scope.permission != OFFLINE_ACCESS)
    return " ".join(scope.text for scope in scopes)


def words_for(scope: Scope) -> str:
    """Returns what a consent page says that the scope allows."""
    return _WORDS.get(scope.permission.removeprefix(_GOOGLE_API), "") or f"Use {scope.text}"
