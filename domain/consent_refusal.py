"""Why a consent did not come about: error callbacks, explained by the failure catalogue (rule 12), and other ends."""

from __future__ import annotations

from domain.consent_callback import CallbackError
from domain.errors import MailportError, ProviderRefused
from domain.failures.evidence import Evidence, Surface
from domain.failures.explain import explain
from domain.failures.failure import Failure, FailureKind, Stage
from domain.failures.oauth_error import read_oauth_error


def callback_refused(callback: CallbackError) -> ProviderRefused:
    """
    Returns the error for a callback that brought an error: the session is used up, the former grant stays (F31).

    The description is quoted; it decides nothing but for the number that Microsoft puts into it.
    """
    told = read_oauth_error({"error": callback.error, "error_description": callback.description})
    evidence = Evidence(
        surface=Surface.OAUTH_AUTHORIZE,
        stage=Stage.CONSENT,
        error=told.error,
        subcode=told.subcode,
        text=told.description,
    )
    return ProviderRefused(explain(evidence))


def as_failure(error: MailportError) -> Failure:
    """Returns what ended a consent session, as its record keeps it."""
    if isinstance(error, ProviderRefused):
        return error.failure
    return Failure(
        reason=error.reason,
        kind=FailureKind.REAUTHORIZE,
        stage=Stage.CONSENT,
        cause=error.message,
        remedy=error.remedy or "Call Authorize again.",
    )
