"""Why an attempt cannot be made, as the failure that its delivery shows."""

from __future__ import annotations

from collections.abc import Sequence

from domain.configuration import Configuration, needs_consent
from domain.failures.failure import Failure, FailureKind, Stage
from domain.grant import Grant, grant_for
from domain.reasons import Reason
from domain.settings.model import MailSettings, unreadable_secrets


def usable_settings(configuration: Configuration | None, grants: Sequence[Grant]) -> MailSettings | Failure:
    """Returns the settings to send with, or why there are none just now; *grants*: all of the configuration's."""
    if configuration is None or configuration.active is None:
        return gone("The configuration that the message was sent with is no longer there.")
    settings = configuration.active.settings
    grant = grant_for(settings, grants)
    if grant is not None and grant.is_dead and grant.failure is not None:
        return grant.failure
    if needs_consent(settings) and grant is None:
        return Failure(
            reason=Reason.NEEDS_AUTHORIZATION,
            kind=FailureKind.REAUTHORIZE,
            stage=Stage.TOKEN,
            cause="The configuration signs in with OAuth, and there is no consent for it.",
            remedy="Call Authorize and let the owner of the account consent; the message goes out then.",
        )
    if unreadable := unreadable_secrets(settings):
        return _unreadable(unreadable[0])
    return settings


def _unreadable(what: str) -> Failure:
    return Failure(
        reason=Reason.SECRET_UNREADABLE,
        kind=FailureKind.MISCONFIGURED,
        stage=Stage.AUTH,
        cause=f"The stored secret {what} cannot be opened with the keys that mailport has; nothing was sent.",
        remedy="Enter the secret again with Configure and ValidateAndSave, or bring back the key that sealed it.",
    )


def unreadable_content() -> Failure:
    """The stored message does not open."""
    return Failure(
        reason=Reason.SECRET_UNREADABLE,
        kind=FailureKind.MISCONFIGURED,
        stage=Stage.DATA,
        cause="The stored message cannot be opened with the keys that mailport has; nothing was sent.",
        remedy="Bring back the key that it was sealed with, or send the message anew.",
    )


def unmarked() -> Failure:
    """The store was away at the point of no return."""
    return Failure(
        reason=Reason.DATABASE_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
        stage=Stage.DATA,
        cause="mailport's database was away when the content was about to leave; nothing was sent.",
        remedy="Nothing to do: the message is tried again by itself.",
    )


def broken() -> Failure:
    """Mailport itself failed, in a way that nobody foresaw."""
    return Failure(
        reason=Reason.INTERNAL,
        kind=FailureKind.TRANSIENT,
        stage=Stage.CONNECT,
        cause="mailport itself failed before any content left; nothing was sent.",
        remedy="The message is tried again by itself; if it stays so, report it with the delivery id.",
    )


def gone(cause: str) -> Failure:
    """What the delivery needs is not stored any more; *cause* says what."""
    return Failure(
        reason=Reason.NOT_CONFIGURED,
        kind=FailureKind.PERMANENT,
        stage=Stage.CONNECT,
        cause=cause,
        remedy="Configure it again and send the message anew.",
    )
