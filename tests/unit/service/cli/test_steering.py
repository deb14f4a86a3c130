from __future__ import annotations

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo

from mailport.v1 import delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.cli.exits import ExitCode
from tests.unit.service.cli.conftest import Run
from tests.unit.service.cli.samples import a_delivery
from tests.unit.service.cli.servicer import FakeMailport, a_status


def test_given_a_delivery_when_cancelled_then_it_is_shown(run: Run, mailport: FakeMailport) -> None:
    stopped = a_delivery(state=delivery_pb2.DELIVERY_STATE_CANCELLED)
    mailport.answers["CancelDelivery"] = api.CancelDeliveryResponse(delivery=stopped)

    result = run("deliveries", "cancel", "d-1")

    assert result.exit_code == 0
    assert mailport.requests == [api.CancelDeliveryRequest(delivery_id="d-1")]
    assert result.output.splitlines()[0] == "✗ d-1  cancelled"


def test_given_a_copy_under_way_when_cancelled_then_the_exit_code_says_not_now(
    run: Run, mailport: FakeMailport
) -> None:
    info = ErrorInfo(reason="DELIVERY_UNDER_WAY", domain="mailport")
    mailport.answers["CancelDelivery"] = a_status(grpc.StatusCode.FAILED_PRECONDITION, "An attempt is under way.", info)

    result = run("deliveries", "cancel", "d-1")

    assert result.exit_code == ExitCode.NOT_READY
    assert "DELIVERY_UNDER_WAY" in result.output


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("0s", 0)]
)
def test_given_a_life_when_retried_then_it_goes_over(
    run: Run, mailport: FakeMailport, written: str, seconds: int
) -> None:
    mailport.answers["RetryDelivery"] = api.RetryDeliveryResponse(delivery=a_delivery())

    result = run("deliveries", "retry", "d-1", "--expire-after", written)

    assert result.exit_code == 0
    assert mailport.requests == [api.RetryDeliveryRequest(delivery_id="d-1", expire_after=Duration(seconds=seconds))]


def test_given_no_life_when_retried_then_mailport_chooses(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["RetryDelivery"] = api.RetryDeliveryResponse(delivery=a_delivery())

    run("deliveries", "retry", "d-1")

    assert mailport.requests == [api.RetryDeliveryRequest(delivery_id="d-1")]


@pytest.mark.parametrize("written", ["soon", "1.5h", "-1s", "1w", "9999999999s"])
def test_given_what_is_no_duration_when_retried_then_nothing_is_called(
    run: Run, mailport: FakeMailport, written: str
) -> None:
    result = run("deliveries", "retry", "d-1", "--expire-after", written)

    assert result.exit_code == ExitCode.USAGE
    assert mailport.requests == []
