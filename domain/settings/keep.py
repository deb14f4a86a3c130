"""Secrets that a caller left unset: kept while the account they belong to is unchanged, asked for again otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.reasons import Reason
from domain.secret import Secret, UnreadableSecret
from domain.settings.findings import Findings
from domain.text import has_control_character

MAXIMUM_SECRET: Final = 4096
MAXIMUM_KEY: Final = 16_384


def secret_for(
    written: Secret | None,
    *,
    field: str,
    what: str,
    stored: Secret | None,
    changes: Sequence[str] | None,
    findings: Findings,
    is_key: bool = False,
) -> Secret | None:
    """
    Returns the secret to use: the written one as it is, else the stored one; None when there is none to use.

    *changes* names what differs between the stored account and the written one, in words; None: it cannot be told,
    since the written one is wrong itself. An empty secret counts as unset. A stored secret is not carried to another
    account, so that nobody can send a password that he does not know to a host of his own; the violation says so.
    *is_key*: it is a key of several lines and may be longer.
    """
    if written:
        return _checked(written, field=field, what=what, is_key=is_key, findings=findings)
    if stored is not None and changes is None:
        return None
    if stored is None:
        message = f"{what} is missing."
    elif isinstance(stored, UnreadableSecret):
        message = f"{what} that is stored cannot be opened any more."
    elif changes:
        message = f"{what} that is stored was not kept, because the {' and the '.join(changes)} changed."
    else:
        return stored
    findings.refuse(field, Reason.FIELD_REQUIRED, message, f"Enter {what[0].lower()}{what[1:]}.")
    return None


def _checked(written: Secret, *, field: str, what: str, is_key: bool, findings: Findings) -> Secret | None:
    text = written.reveal()
    maximum = MAXIMUM_KEY if is_key else MAXIMUM_SECRET
    if len(text) > maximum:
        findings.refuse(
            field,
            Reason.VALUE_TOO_LONG,
            f"{what} has more than {maximum} characters.",
            "Check what was pasted here.",
        )
        return None
    if not is_key and has_control_character(text):
        findings.refuse(
            field,
            Reason.CONTROL_CHARACTER,
            f"{what} contains a line break or another control character, which no server takes (RFC 4013 section 2.3).",
            "Enter it again; a line break at its end comes from copying.",
        )
        return None
    return written
