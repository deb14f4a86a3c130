from __future__ import annotations

from typing import Any

import pytest

from service.sandbox.graph.faults import Fault, PlannedFaults
from service.sandbox.graph.operations import Operation

BOX = "robot@sandbox.example"


def statuses(planned: PlannedFaults, *operations: Operation, mailbox: str = BOX) -> list[int]:
    found = [planned.take(operation, mailbox) for operation in operations]
    return [fault.status if fault else 0 for fault in found]


def test_given_faults_when_requests_fit_then_each_strikes_as_often_as_planned_in_order() -> None:
    planned = PlannedFaults()
    planned.plan(Fault(status=503, times=2))
    planned.plan(Fault(status=504, operation=Operation.SEND_DRAFT))

    struck = statuses(planned, *[Operation.SEND_DRAFT] * 4)

    assert struck == [503, 503, 504, 0]


def test_given_a_fault_that_skips_when_ranges_come_then_the_one_after_them_is_struck() -> None:
    planned = PlannedFaults()
    planned.plan(Fault(status=500, operation=Operation.UPLOAD_RANGE, skip=2))

    struck = statuses(planned, *[Operation.UPLOAD_RANGE] * 2, Operation.SEND_DRAFT, *[Operation.UPLOAD_RANGE] * 2)

    assert struck == [0, 0, 0, 500, 0]


def test_given_a_fault_of_one_mailbox_when_another_asks_then_it_waits() -> None:
    planned = PlannedFaults()
    planned.plan(Fault(status=500, mailbox="Robot@Sandbox.example"))

    assert statuses(planned, Operation.SEND_MAIL, mailbox="other@sandbox.example") == [0]
    assert statuses(planned, Operation.SEND_MAIL) == [500]


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 503, "cut": True},
        {"cut": True, "silent": True},
        {"times": 0},
        {"skip": -1},
        {"unread": True},
        {"cut": True, "unread": True, "takes_effect": True},
        {"status": 99},
        {"headers": (("X-A", "b\r\nc"),)},
    ],
)
def test_given_what_makes_no_sense_when_planned_then_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fault(**wrong)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(), True),
        (Fault(status=504), False),
        (Fault(status=504, takes_effect=True), True),
        (Fault(cut=True), False),
        (Fault(silent=True, takes_effect=True), True),
    ],
)
def test_given_a_fault_when_asked_then_tells_whether_the_request_is_carried_out(fault: Fault, expected: bool) -> None:
    assert fault.is_carried_out is expected
