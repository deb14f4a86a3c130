"""
A service account's key: Google's JSON key file, or the RSA private key alone as PEM (RFC 7468).

The shape alone is judged; whether a key can sign, the adapter that signs finds out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from domain.pem import decoded, is_one_sequence
from domain.secret import Secret

_BOUNDARY: Final = re.compile(r"-----(?:BEGIN|END) ([A-Z0-9 ]+)-----")
_KEY: Final = re.compile(
    r"\s*-----BEGIN (?P<label>(?:RSA )?PRIVATE KEY)-----(?P<body>[A-Za-z0-9+/=\s]*)-----END (?P=label)-----\s*"
)
_KEY_ID: Final = re.compile(r"[\x21-\x7e]{1,256}")
_ACCOUNT: Final = re.compile(r"[\x21-\x7e]{1,512}")
_CONSOLE: Final = "Make a key of the type JSON for the service account, and paste the file as Google gives it."


class NotAKey(Exception):
    """The text is no service account's key: *message* says why, *remedy* what to do; neither repeats any of it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountKey:
    """What signs a service account's assertions."""

    private_key: Secret
    """PEM, PKCS #8 or PKCS #1, without a passphrase."""
    client_email: str = ""
    """The account's address, which Google wants as the assertions' issuer; empty with a private key alone."""
    key_id: str = ""
    """Google's name for the key; empty with a private key alone."""


def read_service_account_key(text: str) -> ServiceAccountKey:
    """Returns the key that *text* holds. Raises NotAKey."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return _from_json(text.lstrip("\ufeff"))
    return ServiceAccountKey(private_key=_private_key(text))


def _from_json(text: str) -> ServiceAccountKey:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise NotAKey("The JSON of the key is damaged or cut off.", _CONSOLE) from None
    if not isinstance(told, dict):
        raise NotAKey("The JSON is no service account's key.", _CONSOLE)
    if told.keys() & {"installed", "web"} or told.get("type") not in (None, "service_account"):
        raise NotAKey("The JSON belongs to an OAuth client or a user, not to a service account.", _CONSOLE)
    email, private_key, key_id = (told.get(name) for name in ("client_email", "private_key", "private_key_id"))
    if not isinstance(email, str) or not _ACCOUNT.fullmatch(email):
        raise NotAKey("The JSON names no client_email.", _CONSOLE)
    if not isinstance(private_key, str):
        raise NotAKey("The JSON holds no private_key.", _CONSOLE)
    return ServiceAccountKey(
        private_key=_private_key(private_key),
        client_email=email,
        key_id=key_id if isinstance(key_id, str) and _KEY_ID.fullmatch(key_id) else "",
    )


def _private_key(text: str) -> Secret:
    labels = set(_BOUNDARY.findall(text))
    if "ENCRYPTED PRIVATE KEY" in labels or "Proc-Type:" in text:
        raise NotAKey(
            "The private key is locked with a passphrase.", "Enter it without one: openssl pkey -in key.pem removes it."
        )
    if labels and not any("PRIVATE KEY" in label for label in labels):
        raise NotAKey("This is a public key or a certificate, not the private key.", _CONSOLE)
    found = _KEY.fullmatch(text)
    if found is None:
        raise NotAKey("This is neither Google's JSON key nor one RSA private key as PEM.", _CONSOLE)
    der = decoded(found["body"])
    if der is None or not is_one_sequence(der):
        raise NotAKey("The private key is damaged: between its lines stands no DER in base64.", _CONSOLE)
    return Secret(text.strip() + "\n")
