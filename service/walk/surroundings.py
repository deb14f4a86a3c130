"""What the walk is made with: a mail server, an identity provider, a person with a browser, and an inbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailport.v1 import configuration_pb2

ReadInbox = Callable[[str], str | None]
"""Answers the path of the page of the mail with this Message-ID, below the web side's address; None: not there."""
Consent = Callable[[str], str]
"""Consents at this address as a person does; answers where the browser is sent then. Raises Astray when it is not."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser shows."""

    status_code: int
    heading: str
    """Empty for a page without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All that the walk needs besides mailport itself; none of its secrets is one."""

    web_url: str
    """The web side's address, where the sandbox's pages are."""
    smtp_host: str
    smtp_port: int
    """The port with STARTTLS."""
    imap_port: int
    """The port of the mailbox, with STARTTLS, at the same host."""
    ca_pem: str
    username: str
    """The account that signs in with the password."""
    password: str
    oauth: configuration_pb2.OAuthAuthentication
    """The client at the identity provider, and the account that consents; its password there is the same."""
    consent: Consent
    browse: Callable[[str], Awaitable[Page]]
    """Opens an address in the person's browser. Raises Astray when nobody answers there."""
    read_inbox: ReadInbox
