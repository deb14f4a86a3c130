"""Who may sign in to the sandbox's servers."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

DEFAULT_USERNAME: Final = "robot@sandbox.example"
"""The account every sandbox has unless told otherwise."""

DEFAULT_PASSWORD: Final = "sandbox-password"
"""Its password. Not a secret: it opens a simulator, and the sandbox's own page shows it."""


class Accounts:
    """The sandbox's users and their passwords; user names are compared without regard to case, as mail hosts do."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = {username.casefold(): password.encode() for username, password in passwords.items()}

    def accepts(self, username: str, password: bytes) -> bool:
        """Tells whether *password* (UTF-8 octets, RFC 4616 section 2) opens the account *username*."""
        known = self._passwords.get(username.casefold())
        return known is not None and hmac.compare_digest(known, password)
