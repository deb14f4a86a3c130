"""Scopes as written: well-formed, each once, completed from the preset, compared as sets (RFC 6749 section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from domain.providers.microsoft import OFFLINE_ACCESS
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.settings.findings import Findings
from domain.text import shown

FIELD: Final = "settings.oauth.scopes"
MAXIMUM_SCOPES: Final = 100
RESERVED: Final = frozenset({OFFLINE_ACCESS, "openid", "profile", "email"})
"""Scopes that open no resource: they ask for a refresh token and for who consented (F30)."""
_TOKEN: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,512}")


def comparable(scopes: Iterable[str], *, provider: OAuthProvider | None) -> frozenset[str]:
    """Returns *scopes* fit to be compared: without the reserved ones, for Microsoft in lower case (F30)."""
    folded = (scope.lower() if provider is OAuthProvider.MICROSOFT else scope for scope in scopes)
    return frozenset(scope for scope in folded if scope not in RESERVED)


def parse_scopes(
    written: tuple[str, ...],
    *,
    preset: tuple[str, ...],
    issuer: OAuthProvider | None,
    needs_person: bool,
    findings: Findings,
) -> tuple[str, ...] | None:
    """
    Returns the scopes to ask for, each once and in order; the *preset*'s when none was written.

    Adds ``offline_access`` for Microsoft, with a warning; refuses it where there is no person, since no refresh token
    is given then. Returns None when one is malformed or there is none.
    """
    if not written:
        if not preset:
            _refuse_missing(findings)
        return preset or None
    if len(written) > MAXIMUM_SCOPES:
        findings.refuse(
            FIELD,
            Reason.VALUE_OUT_OF_RANGE,
            f"There are {len(written)} scopes; at most {MAXIMUM_SCOPES} are taken.",
            "Ask only for what sending and reading need.",
        )
        return None
    malformed = [index for index, scope in enumerate(written) if not _TOKEN.fullmatch(scope)]
    for index in malformed:
        _refuse_malformed(index, written[index], findings)
    if malformed:
        return None
    scopes = _each_once(written, issuer)
    if needs_person:
        return _with_offline_access(scopes, issuer, findings)
    if OFFLINE_ACCESS in (scope.lower() for scope in scopes):
        _refuse_offline_access(findings)
        return None
    return scopes


def _refuse_missing(findings: Findings) -> None:
    findings.refuse(
        FIELD,
        Reason.FIELD_REQUIRED,
        "No scope is given, and there is no preset to take it from.",
        "Enter the scopes that the provider names for SMTP, one per entry.",
    )


def _refuse_malformed(index: int, scope: str, findings: Findings) -> None:
    findings.refuse(
        f"{FIELD}[{index}]",
        Reason.SCOPE_INVALID,
        f"{shown(scope)} is not one scope: printable ASCII without blanks, quotes, backslashes (RFC 6749 section 3.3).",
        "Give each scope an entry of its own, and remove empty ones.",
    )


def _refuse_offline_access(findings: Findings) -> None:
    findings.refuse(
        FIELD,
        Reason.FIELD_NOT_APPLICABLE,
        "offline_access asks for a refresh token, and none is given where nobody consents.",
        "Remove offline_access from the scopes.",
    )


def _each_once(scopes: tuple[str, ...], issuer: OAuthProvider | None) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for scope in scopes:
        first.setdefault(scope.lower() if issuer is OAuthProvider.MICROSOFT else scope, scope)
    return tuple(first.values())


def _with_offline_access(scopes: tuple[str, ...], issuer: OAuthProvider | None, findings: Findings) -> tuple[str, ...]:
    if issuer is not OAuthProvider.MICROSOFT or OFFLINE_ACCESS in (scope.lower() for scope in scopes):
        return scopes
    findings.warn(
        FIELD,
        Reason.OFFLINE_ACCESS_ADDED,
        "offline_access was added: without it Microsoft gives no refresh token, and sending would end within the hour.",
        "Add offline_access to the scopes.",
    )
    return (*scopes, OFFLINE_ACCESS)
