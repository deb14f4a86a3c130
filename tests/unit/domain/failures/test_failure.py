from __future__ import annotations

import pytest

from domain.failures.failure import Failure, FailureKind, Stage
from domain.reasons import Reason


@pytest.mark.parametrize("kind", list(FailureKind))
def test_given_a_failure_when_asked_then_only_a_permanent_one_is_final(kind: FailureKind) -> None:
    failure = Failure(reason=Reason.MESSAGE_REFUSED, kind=kind, stage=Stage.DATA, cause="c", remedy="r")

    assert failure.is_final is (kind is FailureKind.PERMANENT)
