from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import (
    AuthorizationRequired,
    ConcurrentChange,
    MailportError,
    NotReady,
    ProviderRefused,
    SecretUnreadable,
    Unavailable,
)
from domain.failures.failure import FailureKind, Stage
from domain.no_token import failure_without_token
from tests.fakes.transport import a_failure

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AuthorizationRequired("x", remedy="y"), FailureKind.REAUTHORIZE),
        (SecretUnreadable("x", remedy="y"), FailureKind.MISCONFIGURED),
        (NotReady("x", remedy="y"), FailureKind.MISCONFIGURED),
        (Unavailable("x"), FailureKind.TRANSIENT),
        (ConcurrentChange("x"), FailureKind.TRANSIENT),
        (MailportError("x"), FailureKind.TRANSIENT),
    ],
)
def test_given_an_error_of_a_token_source_when_told_then_it_says_what_the_mail_waits_for(
    error: MailportError, kind: FailureKind
) -> None:
    failure = failure_without_token(error, now=NOW)

    assert (failure.kind, failure.stage, failure.reason, failure.cause) == (kind, Stage.TOKEN, error.reason, "x")
    assert failure.remedy


def test_given_a_providers_refusal_when_told_then_it_is_kept_as_it_is() -> None:
    refused = a_failure(FailureKind.THROTTLED, stage=Stage.TOKEN)

    assert failure_without_token(ProviderRefused(refused), now=NOW) is refused


def test_given_a_wish_to_wait_when_told_then_it_counts_from_now() -> None:
    failure = failure_without_token(Unavailable("x", retry_after=timedelta(seconds=7)), now=NOW)

    assert failure.retry_time == NOW + timedelta(seconds=7)
