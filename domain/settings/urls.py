"""URLs in settings: OAuth endpoints, the redirect URL, the root of Graph (RFC 3986, 6749, 8252)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from domain.errors import Violation
from domain.host import Host, parse_host, parse_port
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.text import has_control_character, shown

MAXIMUM_URL: Final = 2048
_CHARACTERS: Final = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*")
_PARTS: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?"
)
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL without user info and fragment."""

    text: str
    """As written: providers compare redirect URLs character for character."""
    scheme: str
    host: Host
    path: str
    query: str

    @property
    def is_confidential(self) -> bool:
        """Tells whether secrets may go there: https, or http that never leaves this machine."""
        return self.scheme == "https" or self.host.is_loopback


def parse_url(text: str, *, field: str) -> Url | Violation:
    """Returns the URL written in *text*, at most 2,048 ASCII characters; a Violation names what does not belong."""
    if len(text) > MAXIMUM_URL:
        return Violation(
            field=field,
            reason=Reason.VALUE_TOO_LONG,
            message=f"The URL has more than {MAXIMUM_URL} characters.",
            remedy="Check what was pasted here.",
        )
    if has_control_character(text):
        return Violation(
            field=field,
            reason=Reason.CONTROL_CHARACTER,
            message="The URL contains a line break or another control character.",
            remedy="Type it again on one line.",
        )
    if not _CHARACTERS.fullmatch(text):
        return _invalid(
            field, "The URL holds blanks or characters that must be percent-encoded.", "Remove or encode them."
        )
    if "#" in text:
        return _invalid(field, "The URL has a fragment.", "Remove the # and what follows.")
    parts = _PARTS.fullmatch(text)
    if parts is None or parts["scheme"].lower() not in ("http", "https"):
        return _invalid(field, "This is not a whole https URL.", "Begin it with https:// and a host.")
    if "@" in parts["authority"]:
        return _invalid(field, "The URL holds a user or password.", "Remove what stands between // and @.")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    host = parse_host(authority["host"], field=field) if authority else None
    if authority is None or host is None:
        return _invalid(field, f"{shown(text)} has no proper host and port.", "Write it as https://host/path.")
    if isinstance(host, Violation):
        return replace(host, reason=Reason.URL_INVALID)
    if authority["port"] is not None and isinstance(parse_port(int(authority["port"]), field=field), Violation):
        return _invalid(field, f"{authority['port']} is not a port.", "Use a port from 1 to 65535, or leave it away.")
    return Url(text, parts["scheme"].lower(), host, parts["path"], parts["query"] or "")


def parse_endpoint(text: str, *, field: str) -> Url | Violation:
    """Returns the URL of an OAuth endpoint: https, or http to loopback alone (RFC 6749 sections 3.1 and 3.2)."""
    url = parse_url(text, field=field)
    if isinstance(url, Violation) or url.is_confidential:
        return url
    return Violation(
        field=field,
        reason=Reason.HTTPS_REQUIRED,
        message=f"Client secret and tokens would travel to {url.host} unencrypted.",
        remedy="Use https; http is for loopback addresses alone.",
    )


def parse_redirect_url(text: str, *, field: str, provider: OAuthProvider | None = None) -> str | Violation:
    """
    Returns the redirect URL as written: https, or http on loopback (RFC 8252 section 7.3), and as *provider* demands.

    Google takes a public host name or loopback, no other IP address; Microsoft does not take ``[::1]``. Every Violation
    has the reason REDIRECT_URL_INVALID.
    """
    url = parse_url(text, field=field)
    if isinstance(url, Violation):
        return replace(url, reason=Reason.REDIRECT_URL_INVALID)
    if trouble := _redirect_trouble(url, provider):
        message, remedy = trouble
        return Violation(field=field, reason=Reason.REDIRECT_URL_INVALID, message=message, remedy=remedy)
    return url.text


def _redirect_trouble(url: Url, provider: OAuthProvider | None) -> tuple[str, str] | None:
    if not url.is_confidential:
        return (
            f"The browser would bring the authorization code back to {url.host} unencrypted.",
            "Use https; http is for loopback addresses alone, e.g. http://localhost:8080/oauth/callback.",
        )
    if provider is OAuthProvider.GOOGLE and not url.host.is_loopback:
        if url.host.is_ip_literal:
            return "Google takes no redirect to an IP address.", "Use a host name, or loopback."
        if "." not in url.host.name:
            return "Google takes redirects to public host names alone.", "Use the full host name, or loopback."
    if provider is OAuthProvider.MICROSOFT and url.host.name == "::1":
        return "Microsoft takes no redirect to [::1].", "Use http://localhost with the same port and path."
    return None


def _invalid(field: str, message: str, remedy: str) -> Violation:
    return Violation(field=field, reason=Reason.URL_INVALID, message=message, remedy=remedy)
