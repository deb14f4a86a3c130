"""What the callback page says of a consent: CompleteAuth's outcome in words for the person in front of the browser."""

from __future__ import annotations

from typing import Final

from domain.consent_callback import WrittenCallback
from domain.errors import MailportError, Unavailable
from domain.secret import Secret
from service.usecases.complete_auth import CompleteAuth, Completed
from service.web.callback import CallbackOutcome, Complete

AUTHORIZED: Final = "SMTP Settings Authorized"
NOT_AUTHORIZED: Final = "SMTP Settings Not Authorized"


def completes_consents(complete_auth: CompleteAuth) -> Complete:
    """Returns what the callback page hands its URL to."""

    async def complete(url: str) -> CallbackOutcome:
        try:
            completed = await complete_auth(None, WrittenCallback(callback_url=Secret(url)))
        except Unavailable as away:
            return CallbackOutcome(
                ok=False,
                title=NOT_AUTHORIZED,
                message=("mailport could not look the consent up just now; nothing was done with it.",),
                remedy=f"Reload this page. {away.remedy}".strip(),
            )
        except MailportError as error:
            return _refused(error)
        return _authorized(completed)

    return complete


def _authorized(completed: Completed) -> CallbackOutcome:
    grant, view = completed.grant, completed.view
    who = f"{grant.account} consented" if grant.account else "The consent is stored"
    lines = [f"{who} for the configuration {grant.configuration_id}."]
    lines += [warning.message for warning in completed.warnings]
    remedy = " ".join(filter(None, (warning.remedy for warning in completed.warnings)))
    if view.draft is not None:
        remedy = f"{remedy} Close this window, go back to the settings, and validate and save them.".lstrip()
    elif not remedy:
        lines.append("You can close this window.")
    return CallbackOutcome(ok=True, title=AUTHORIZED, message=tuple(lines), remedy=remedy)


def _refused(error: MailportError) -> CallbackOutcome:
    message = error.message
    # An InputInvalid puts the field's name first, which says nothing to a person.
    violations = getattr(error, "violations", ())
    if violations:
        message = violations[0].message
    remedy = error.remedy or (violations[0].remedy if violations else "")
    return CallbackOutcome(ok=False, title=NOT_AUTHORIZED, message=(message,), remedy=remedy)
