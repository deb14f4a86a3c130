"""An authorization server's refusal taken apart: its error, its words, and what the provider adds (RFC 6749)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_AADSTS: Final = re.compile(r"\bAADSTS(\d{4,8})\b")
_WORD: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_UNPRINTED: Final = re.compile(r"[^\x20-\x7e]+")
_LONGEST_ERROR: Final = 100


@dataclass(frozen=True, slots=True)
class OAuthError:
    """What an error answer or an error callback says; not scrubbed yet."""

    error: str
    """The ``error`` as it came, cut to 100 characters and without controls; empty when there was none."""
    description: str = ""
    subcode: str = ""
    """``AADSTS`` with a number (Microsoft), Google's ``error_subtype``, Microsoft's ``suberror``; else empty."""


def read_oauth_error(fields: Mapping[str, object]) -> OAuthError:
    """
    Reads the members of an error answer (RFC 6749 section 5.2) or callback (section 4.1.2.1); never raises.

    Members of another type than text count as missing, but for an ``error`` that is an object with a ``code`` or
    ``message`` of its own, as some gateways write it.
    """
    error = fields.get("error")
    if isinstance(error, Mapping):
        inner = _text(error.get("status")) or _text(error.get("code"))
        return OAuthError(_error(inner or "error"), _text(error.get("message")))
    description = _text(fields.get("error_description")) or _text(fields.get("error_message"))
    return OAuthError(_error(_text(error)), description, _subcode(fields, description))


def _subcode(fields: Mapping[str, object], description: str) -> str:
    found = _AADSTS.search(description) or _AADSTS.search(_text(fields.get("error")))
    if found:
        return found[0]
    numbers = fields.get("error_codes")
    if isinstance(numbers, list) and numbers and isinstance(numbers[0], int):
        return f"AADSTS{numbers[0]}"
    words = (_text(fields.get(name)) for name in ("error_subtype", "suberror"))
    return next((word for word in words if _WORD.fullmatch(word)), "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _error(text: str) -> str:
    return _UNPRINTED.sub("", text).strip()[:_LONGEST_ERROR]
