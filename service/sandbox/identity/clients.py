"""The OAuth clients that are registered: one for each behaviour, with its secret and redirect URLs."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from typing import Final
from urllib.parse import unquote_plus, urlsplit

from service.sandbox.identity.behaviour import TRAITS, Behaviour

CALLBACK_PATH: Final = "/oauth/callback"
"""On loopback, and at the address the sandbox itself is reached by, this path is registered already."""
RESOURCE_SERVER_ID: Final = "sandbox-mail-server"
RESOURCE_SERVER_SECRET: Final = "sandbox-mail-server-secret"
"""What a mail server introspects tokens with (RFC 7662)."""


class Clients:
    """Who may ask for tokens, and where codes may go."""

    def __init__(self) -> None:
        self._secrets = {behaviour: traits.client_secret for behaviour, traits in TRAITS.items()}
        self._redirects: set[str] = set()

    def secret(self, behaviour: Behaviour) -> str:
        """Returns the client secret of the moment."""
        return self._secrets[behaviour]

    def change_secret(self, behaviour: Behaviour, secret: str) -> None:
        """Replaces the client's secret, as an administrator does; grants are not touched."""
        self._secrets[behaviour] = secret

    def register_redirect(self, url: str) -> None:
        """Lets codes go to *url*, compared character for character."""
        self._redirects.add(url)

    def is_registered(self, redirect_uri: str, *, own_host: str) -> bool:
        """
        Tells whether a code may go to *redirect_uri*.

        That is what was registered, and `CALLBACK_PATH` at loopback, whatever the port (RFC 8252 section 7.3), and at
        *own_host*, the host and port that the browser reached the sandbox by.
        """
        if redirect_uri in self._redirects:
            return True
        try:
            parts = urlsplit(redirect_uri)
            is_own = parts.netloc == own_host and parts.scheme in {"http", "https"}
            is_local = parts.scheme == "http" and _is_loopback(parts.hostname or "")
        except ValueError:
            return False
        # The text after the authority, so that no query, fragment or "?" alone goes with it.
        ending = redirect_uri.partition("://")[2].removeprefix(parts.netloc)
        return (is_own or is_local) and "@" not in parts.netloc and ending == CALLBACK_PATH

    def authenticate(self, behaviour: Behaviour, form: dict[str, str], authorization: str) -> bool:
        """Tells whether the request is the behaviour's own client's: by post or by Basic (RFC 6749 section 2.3.1)."""
        return self._knows({TRAITS[behaviour].client_id: self._secrets[behaviour]}, form, authorization)

    def authenticate_resource_server(self, behaviour: Behaviour, form: dict[str, str], authorization: str) -> bool:
        """Tells whether the request may introspect tokens: the client itself, or the mail server."""
        known = {TRAITS[behaviour].client_id: self._secrets[behaviour], RESOURCE_SERVER_ID: RESOURCE_SERVER_SECRET}
        return self._knows(known, form, authorization)

    @staticmethod
    def _knows(known: dict[str, str], form: dict[str, str], authorization: str) -> bool:
        if authorization:
            if "client_secret" in form:  # "The client MUST NOT use more than one authentication method"
                return False
            name, given = _basic(authorization)
        else:
            name, given = form.get("client_id", ""), form.get("client_secret", "")
        secret = known.get(name)
        return secret is not None and hmac.compare_digest(secret.encode(), given.encode())


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
