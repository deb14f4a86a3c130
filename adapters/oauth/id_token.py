"""
Who consented, as the id_token says.

Its signature is not checked: it comes straight from the token endpoint over TLS, which vouches for it (OpenID Connect
Core section 3.1.3.7, step 6). It is not to be believed from anywhere else.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LONGEST_CLAIM: Final = 1024
_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Identity:
    """The claims that count; empty where there was none."""

    account: str = ""
    other_names: tuple[str, ...] = ()
    nonce: str = ""


def read_id_token(token: object, *, client_id: str) -> Identity:
    """
    Returns who the id_token names; an empty Identity for one that is malformed or not meant for *client_id*.

    The account is ``email`` unless ``email_verified`` says no, else a ``preferred_username`` that is an address. The
    latter, which is what signs in at Microsoft ("ID token claims reference", seen 2026-11), is another name beside it.
    """
    claims = _claims(token)
    if not _is_for(claims.get("aud"), client_id):
        return Identity()
    email, name = _text(claims, "email"), _text(claims, "preferred_username")
    if str(claims.get("email_verified", "true")).lower() == "false" or "@" not in email:
        email = ""
    if "@" not in name or "\\" in name:
        name = ""
    others = (name,) if email and name and name.lower() != email.lower() else ()
    return Identity(account=email or name, other_names=others, nonce=_text(claims, "nonce"))


def _claims(token: object) -> Mapping[str, object]:
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != _PARTS:
        return {}
    payload = parts[1]
    try:
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _is_for(audience: object, client_id: str) -> bool:
    return audience == client_id or (isinstance(audience, list) and client_id in audience)


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) and len(value) <= _LONGEST_CLAIM and value.isprintable() else ""
