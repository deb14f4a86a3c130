from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo

from mailport.v1 import delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.cli.exits import ExitCode
from tests.unit.service.cli.conftest import Run
from tests.unit.service.cli.samples import a_delivery, at
from tests.unit.service.cli.servicer import FakeMailport, a_status


def streaming(*answers: Message) -> Any:
    def answer(request: Any) -> Iterator[Message]:
        yield from answers

    return answer


def a_change(cursor: str = "c2", **delivery: object) -> api.WatchDeliveriesResponse:
    return api.WatchDeliveriesResponse(
        cursor=cursor,
        delivery=a_delivery(attempts=[], **delivery),
        previous_state=delivery_pb2.DELIVERY_STATE_SENDING,
        change_time=at(),
    )


def test_given_a_watch_when_changes_come_then_each_is_a_line_and_signs_of_life_are_none(
    run: Run, mailport: FakeMailport
) -> None:
    failed = a_change(
        state=delivery_pb2.DELIVERY_STATE_FAILED,
        failure=failure_pb2.Failure(reason="MAILBOX_UNKNOWN"),
        delivery_id="d-2",
    )
    mailport.answers["WatchDeliveries"] = streaming(api.WatchDeliveriesResponse(cursor="c1"), a_change(), failed)

    result = run(
        "watch",
        "--configuration",
        "alerts",
        "--delivery",
        "d-1",
        "--delivery",
        "d-2",
        "--state",
        "in-doubt",
        "--cursor",
        "c0",
    )

    assert result.exit_code == 0
    assert mailport.requests == [
        api.WatchDeliveriesRequest(
            configuration_id="alerts",
            delivery_ids=["d-1", "d-2"],
            states=[delivery_pb2.DELIVERY_STATE_IN_DOUBT],
            cursor="c0",
        )
    ]
    assert result.output.splitlines() == [
        "2026-03-01 12:00:00Z  ✓ d-1  sending → sent  alerts  anna@example.com",
        "2026-03-01 12:00:00Z  ✗ d-2  sending → failed  alerts  anna@example.com  MAILBOX_UNKNOWN",
    ]


def test_given_json_when_watched_then_each_answer_is_a_line_with_its_cursor(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["WatchDeliveries"] = streaming(api.WatchDeliveriesResponse(cursor="c1"), a_change())

    lines = [json.loads(line) for line in run("watch", "--json").stdout.splitlines()]

    assert [line["cursor"] for line in lines] == ["c1", "c2"]
    assert lines[1]["delivery"]["deliveryId"] == "d-1"


def test_given_a_watch_when_mailport_stops_then_says_where_to_go_on(run: Run, mailport: FakeMailport) -> None:
    info = ErrorInfo(reason="SHUTTING_DOWN", domain="mailport")
    mailport.answers["WatchDeliveries"] = a_status(grpc.StatusCode.UNAVAILABLE, "It is being stopped.", info)

    result = run("watch", "--cursor", "c7")

    assert result.exit_code == ExitCode.UNAVAILABLE
    assert "--cursor c7" in result.output


def test_given_a_time_when_watched_then_it_ends_well_after_it(run: Run, mailport: FakeMailport) -> None:
    def forever(_: Any) -> Iterator[Message]:
        yield api.WatchDeliveriesResponse(cursor="c1")
        ended.wait(5)

    ended = threading.Event()
    mailport.answers["WatchDeliveries"] = forever

    result = run("watch", "--timeout", "0.5")
    ended.set()

    assert (result.exit_code, result.output) == (0, "")


def test_given_a_file_when_sent_then_each_line_is_a_message_and_its_answer_a_line(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    taken: list[api.SendStreamRequest] = []

    def answer(requests: Iterator[api.SendStreamRequest]) -> Iterator[Message]:
        for request in requests:
            taken.append(request)
            if request.configuration_id == "missing":
                error = api.SendError(code=5, reason="NOT_FOUND", message="There is none.", remedy="Make one.")
                yield api.SendStreamResponse(client_reference=request.client_reference, error=error)
            else:
                queued = a_delivery(state=delivery_pb2.DELIVERY_STATE_QUEUED)
                yield api.SendStreamResponse(client_reference=request.client_reference, delivery=queued)

    mailport.answers["SendStream"] = answer
    file = tmp_path / "mails.jsonl"
    file.write_text(
        '{"clientReference": "a", "message": {"subject": "1"}, "idempotencyKey": "k"}\n\n'
        '{"configuration_id": "missing", "message": {"subject": "2"}}\n'
    )

    result = run("send-many", str(file), "--configuration", "alerts")

    message = delivery_pb2.Message
    assert taken == [
        api.SendStreamRequest(
            client_reference="a", configuration_id="alerts", message=message(subject="1"), idempotency_key="k"
        ),
        api.SendStreamRequest(client_reference="3", configuration_id="missing", message=message(subject="2")),
    ]
    assert result.output.splitlines() == ["✓ a  d-1  queued", "✗ 3  NOT_FOUND  There is none. Make one."]
    assert result.exit_code == ExitCode.NOT_FOUND


@pytest.mark.parametrize("line", ["[1]", '{"subject": "s3cr3t"}', "nonsense"])
def test_given_a_line_that_is_no_message_when_sent_then_nothing_is_called_and_the_line_is_named(
    run: Run, mailport: FakeMailport, tmp_path: Path, line: str
) -> None:
    file = tmp_path / "mails.jsonl"
    file.write_text('{"clientReference": "a"}\n' + line)

    result = run("send-many", str(file))

    assert result.exit_code == ExitCode.USAGE
    assert "line 2" in result.output
    assert "s3cr3t" not in result.output
    assert mailport.requests == []


def test_given_a_stream_that_breaks_when_sent_then_says_how_far_it_came(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    mailport.answers["SendStream"] = a_status(grpc.StatusCode.UNAVAILABLE, "It is being stopped.")
    file = tmp_path / "mails.jsonl"
    file.write_text('{"clientReference": "a"}\n')

    result = run("send-many", str(file))

    assert result.exit_code == ExitCode.UNAVAILABLE
    assert "0 of 1 messages were answered" in result.output
