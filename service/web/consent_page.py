"""What the callback page says of a consent: CompleteAuth's outcome in words for the person in front of the browser."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from domain.consent_callback import WrittenCallback
from domain.errors import InputInvalid, MailportError, Unavailable
from domain.reasons import Reason
from domain.secret import Secret
from service.usecases.complete_auth import CompleteAuth, Completed
from service.web.callback import CallbackOutcome, Complete

AUTHORIZED: Final = "SMTP Settings Authorized"
NOT_AUTHORIZED: Final = "SMTP Settings Not Authorized"
_ERROR_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WORDS: Final = (
    ("Start again with Authorize", "Go back to the settings and start the authorization again"),
    ("Call Authorize again", "Go back to the settings and start the authorization again"),
    ("call Authorize again", "start the authorization again"),
    ("let the user consent again with Authorize", "let the user consent again"),
    ("Call Authorize", "Start the authorization in the settings"),
    ("call Authorize", "start the authorization in the settings"),
    ("Authorize again", "start the authorization again"),
    ("with Configure", "in the settings"),
    ("Call ValidateAndSave", "Validate and save the settings"),
    ("change their username", "change the user name there"),
)
"""What the domain says to callers of the API, and what a person can do instead."""


def completes_consents(complete_auth: CompleteAuth) -> Complete:
    """Returns what the callback page hands its URL to; a URL that comes again is told what came of it (F31, F33)."""

    async def complete(url: str) -> CallbackOutcome:
        try:
            completed = await complete_auth(None, WrittenCallback(callback_url=Secret(url)))
        except Unavailable:
            return _away()
        except InputInvalid as unusable:
            return await _told_again(complete_auth, url) or _unusable(unusable, url)
        except MailportError as error:
            return _refused(error.message, error.remedy)
        return _authorized(completed)

    return complete


async def _told_again(complete_auth: CompleteAuth, url: str) -> CallbackOutcome | None:
    """Returns how the session ended that this URL was used for before; None when nobody knows."""
    try:
        former = await complete_auth.former(Secret(url))
    except MailportError:
        return None
    if former is None:
        return None
    if former.failure is not None:
        return _refused(former.failure.cause, former.failure.remedy)
    return CallbackOutcome(
        ok=True, title=AUTHORIZED, message=("This consent was used already: the settings are authorized.",)
    )


def _authorized(completed: Completed) -> CallbackOutcome:
    grant, view = completed.grant, completed.view
    who = f"{grant.account} consented" if grant.account else "The consent is stored"
    lines = [f"{who} for the configuration {grant.configuration_id}."]
    lines += [warning.message for warning in completed.warnings]
    remedies = [_for_a_person(warning.remedy) for warning in completed.warnings]
    if view.draft is not None:
        remedies.append("Go back to the settings, and validate and save them.")
    return CallbackOutcome(ok=True, title=AUTHORIZED, message=tuple(lines), remedy=" ".join(filter(None, remedies)))


def _away() -> CallbackOutcome:
    return CallbackOutcome(
        ok=False,
        title=NOT_AUTHORIZED,
        message=("mailport could not look the consent up just now; nothing was done with it.",),
        remedy="Wait for a moment, then reload this page.",
    )


def _unusable(unusable: InputInvalid, url: str) -> CallbackOutcome:
    """What the browser brought is no callback of a session that waits."""
    message = "This address is not complete, or not the one that the provider sent the browser to."
    if any(violation.reason is Reason.STATE_INVALID for violation in unusable.violations):
        message = "This address was used already, is too old, or belongs to no authorization that was started here."
    lines = [message]
    if said := _error_word(url):
        lines.append(f"The provider says: {said}.")
    return _refused(" ".join(lines), "")


def _refused(message: str, remedy: str) -> CallbackOutcome:
    return CallbackOutcome(
        ok=False,
        title=NOT_AUTHORIZED,
        message=(_for_a_person(message),),
        remedy=_for_a_person(remedy) or "Go back to the settings and start the authorization again.",
    )


def _for_a_person(text: str) -> str:
    """Returns words of the API's users in those of a person who has the settings page and a browser."""
    for theirs, yours in _WORDS:
        text = text.replace(theirs, yours)
    return text


def _error_word(url: str) -> str:
    """Returns the provider's ``error``, when it is a word as RFC 6749 section 4.1.2.1 has it."""
    query = url.partition("#")[0].partition("?")[2]
    try:
        words = [value for name, value in parse_qsl(query, max_num_fields=100) if name == "error"]
    except ValueError:
        return ""
    return words[0] if words and _ERROR_WORD.fullmatch(words[0]) else ""
