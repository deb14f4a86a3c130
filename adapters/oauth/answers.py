"""Answers of a token endpoint read: JSON or a form, with what real providers write in them (RFC 6749 section 5.1)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl

from adapters.oauth.id_token import read_id_token
from domain.secret import Secret
from domain.token import TokenAnswer

LONGEST_LIFETIME: Final = timedelta(days=365)
"""Of an access token; longer ones are cut: one that is good "for ever" would never be refreshed."""
LONGEST_REFRESH_LIFETIME: Final = timedelta(days=3650)
"""Of a refresh token, whose end is only foreseen and announced; the bound keeps sums of dates within the calendar."""
_MOST_FIELDS: Final = 64
_TOKEN: Final = re.compile(r"[\x20-\x7e]+")
_NUMBER: Final = re.compile(r"[+-]?\d{1,18}(\.\d*)?")
_FORM: Final = re.compile(r"(?:^|&)(?:access_token|error)=")


class NotAnAnswer(Exception):
    """The body is no answer of a token endpoint; its text says why and repeats nothing of it."""


def read_fields(body: bytes) -> Mapping[str, object]:
    """
    Returns the members of a JSON object, or of a form where the body is one, whatever the content type says.

    Raises NotAnAnswer for anything else: HTML, truncated JSON, no body.
    """
    text = body.decode("utf-8-sig", errors="replace").strip()
    if not text:
        raise NotAnAnswer("the answer is empty")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return _read_form(text)
    if not isinstance(told, dict):
        raise NotAnAnswer("the answer is no JSON object")
    return told


def read_tokens(fields: Mapping[str, object], *, client_id: str) -> TokenAnswer:
    """
    Returns what was granted.

    A missing, null or empty ``refresh_token`` or ``scope`` is None (F27, F30). Raises NotAnAnswer when there is no
    access token, or one of a type other than Bearer, and for a refresh token that cannot be sent.
    """
    access_token = fields.get("access_token")
    if not isinstance(access_token, str) or not _TOKEN.fullmatch(access_token):
        raise NotAnAnswer("the answer holds no access token that could be sent")
    token_type = fields.get("token_type") or "Bearer"
    if not isinstance(token_type, str) or token_type.strip().lower() != "bearer":
        raise NotAnAnswer("the access token is not of the type Bearer")
    identity = read_id_token(fields.get("id_token"), client_id=client_id)
    return TokenAnswer(
        access_token=Secret(access_token),
        expires_in=_lifetime(fields),
        refresh_token=_refresh_token(fields.get("refresh_token")),
        scopes=_scopes(fields.get("scope")),
        account=identity.account,
        other_names=identity.other_names,
        nonce=identity.nonce,
        refresh_token_expires_in=_refresh_lifetime(fields),
    )


def read_seconds(value: object, *, longest: timedelta = LONGEST_LIFETIME) -> timedelta | None:
    """
    Returns a span written as a number of seconds or as a text of one, at most *longest* (F28).

    None for what is no number; zero and less come back as they are, since they mean "expired".
    """
    if isinstance(value, str):
        written = value.strip()
        number = float(written) if written.isascii() and _NUMBER.fullmatch(written) else math.nan
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = _as_float(value)
    else:
        return None
    most = longest.total_seconds()
    return None if math.isnan(number) else timedelta(seconds=max(-most, min(number, most)))


def _refresh_token(value: object) -> Secret | None:
    if not isinstance(value, str) or not value:
        return None
    if not _TOKEN.fullmatch(value):
        # Counted as absent it would mean "keep the old one", which a provider that rotates has just used up; the
        # answer as a whole is in doubt instead, and the old one is tried once more before anybody has to consent.
        raise NotAnAnswer("the refresh token is not one that could be sent")
    return Secret(value)


def _refresh_lifetime(fields: Mapping[str, object]) -> timedelta | None:
    told = read_seconds(fields.get("refresh_token_expires_in"), longest=LONGEST_REFRESH_LIFETIME)
    if told is not None:
        return told
    # Keycloak's name for it, where 0 is a token without an end, as offline tokens are (its AccessTokenResponse, and
    # "Offline access" in its Server Administration Guide).
    keycloak = read_seconds(fields.get("refresh_expires_in"), longest=LONGEST_REFRESH_LIFETIME)
    return keycloak or None


def _lifetime(fields: Mapping[str, object]) -> timedelta | None:
    # Zoho writes milliseconds into expires_in, and the seconds beside them (seen 2024-05, its API console's samples).
    seconds = read_seconds(fields.get("expires_in_sec"))
    return read_seconds(fields.get("expires_in")) if seconds is None else seconds


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _scopes(value: object) -> tuple[str, ...] | None:
    """Returns scopes from a text with blanks, as the standard has it, or from a list; None: not said."""
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else ()
    return tuple(dict.fromkeys(word for word in words if isinstance(word, str) and word)) or None


def _read_form(text: str) -> Mapping[str, object]:
    if not _FORM.search(text):
        raise NotAnAnswer("the answer is neither JSON nor a form")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise NotAnAnswer("the answer is a form with too many fields") from None
    fields: dict[str, object] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields
