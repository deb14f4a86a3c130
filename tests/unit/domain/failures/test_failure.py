"""Which failures end a delivery: PERMANENT ones, and what a server definitely said about the message."""

from __future__ import annotations

import pytest

from domain.failures.failure import Failure, FailureKind, Stage
from domain.reasons import Reason

ABOUT_THE_MESSAGE = {Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA}


def a_failure(kind: FailureKind, stage: Stage, code: str) -> Failure:
    return Failure(reason=Reason.MESSAGE_REFUSED, kind=kind, stage=stage, cause="c", remedy="r", provider_code=code)


@pytest.mark.parametrize("code", ["", "450 4.7.1", "550 5.7.1"])
@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.MISCONFIGURED])
def test_given_any_kind_that_tells_by_itself_when_asked_then_only_a_permanent_one_is_final(
    kind: FailureKind, stage: Stage, code: str
) -> None:
    assert a_failure(kind, stage, code).is_final is (kind is FailureKind.PERMANENT)


@pytest.mark.parametrize("code", ["", "450 4.7.1", "530", "550 5.7.1"])
@pytest.mark.parametrize("stage", list(Stage))
def test_given_something_misconfigured_when_asked_then_is_final_where_the_server_refused_the_message_for_good(
    stage: Stage, code: str
) -> None:
    failure = a_failure(FailureKind.MISCONFIGURED, stage, code)

    assert failure.is_final is (stage in ABOUT_THE_MESSAGE and code.startswith("5"))
