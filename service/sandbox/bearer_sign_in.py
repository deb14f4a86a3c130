"""The initial responses of XOAUTH2 and OAUTHBEARER, read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_GS2_HEADER: Final = re.compile(r"n,(?:a=(?P<user>[^,]+))?,")


class MalformedCredentials(ValueError):
    """The response is not in the mechanism's form; the text says how, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class BearerCredentials:
    """Who wants to sign in, and with which token."""

    username: str
    token: str


def read_xoauth2(response: bytes) -> BearerCredentials:
    """Reads ``user=… ^A auth=Bearer … ^A ^A`` (Google, "The SASL XOAUTH2 mechanism"). Raises MalformedCredentials."""
    text = _text(response)
    if not text.endswith("\x01\x01"):
        raise MalformedCredentials("An XOAUTH2 response ends with two Control-A")
    pairs = _pairs(text.removesuffix("\x01\x01").split("\x01"))
    if not pairs.get("user"):
        raise MalformedCredentials("An XOAUTH2 response names a user")
    return BearerCredentials(pairs["user"], _bearer(pairs))


def read_oauthbearer(response: bytes) -> BearerCredentials:
    """Reads ``n,a=…, ^A auth=Bearer … ^A ^A`` (RFC 7628 section 3.1). Raises MalformedCredentials."""
    header, _, rest = _text(response).partition("\x01")
    found = _GS2_HEADER.fullmatch(header)
    if found is None or not found["user"]:
        raise MalformedCredentials("An OAUTHBEARER response begins with n,a=user,")
    if not rest.endswith("\x01\x01"):
        raise MalformedCredentials("An OAUTHBEARER response ends with two Control-A")
    user = found["user"].replace("=2C", ",").replace("=3D", "=")  # RFC 5801 section 4, saslname
    return BearerCredentials(user, _bearer(_pairs(rest.removesuffix("\x01\x01").split("\x01"))))


def _text(response: bytes) -> str:
    try:
        return response.decode()
    except UnicodeDecodeError:
        raise MalformedCredentials("The response is not UTF-8") from None


def _pairs(parts: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (part.partition("=") for part in parts)}


def _bearer(pairs: dict[str, str]) -> str:
    scheme, _, token = pairs.get("auth", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise MalformedCredentials("The response carries no Bearer token")
    return token
