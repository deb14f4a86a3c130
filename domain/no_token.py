"""What it means for a mail when there is no token to sign in with."""

from __future__ import annotations

from datetime import datetime

from domain.errors import AuthorizationRequired, MailportError, NotReady, ProviderRefused, Unavailable
from domain.failures.catalogue.wording import WAIT
from domain.failures.failure import Failure, FailureKind, Stage


def failure_without_token(error: MailportError, *, now: datetime) -> Failure:
    """
    Returns *error*, which a TokenSource raised, as the failure of an attempt; its stage is TOKEN.

    A dead or missing consent waits for a new one (REAUTHORIZE), what the provider said keeps its own kind, anything
    else that a person has to put right is MISCONFIGURED, and all the rest heals by waiting.
    """
    if isinstance(error, ProviderRefused):
        return error.failure
    if isinstance(error, AuthorizationRequired):
        kind = FailureKind.REAUTHORIZE
    else:
        kind = FailureKind.MISCONFIGURED if isinstance(error, NotReady) else FailureKind.TRANSIENT
    return Failure(
        reason=error.reason,
        kind=kind,
        stage=Stage.TOKEN,
        cause=error.message,
        remedy=error.remedy or WAIT,
        retry_time=now + error.retry_after if isinstance(error, Unavailable) else None,
    )
