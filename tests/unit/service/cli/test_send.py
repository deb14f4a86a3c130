from __future__ import annotations

import json
import uuid
from pathlib import Path

import grpc
import pytest

from mailport.v1 import delivery_pb2 as delivery
from mailport.v1 import failure_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.unit.service.cli.conftest import Run
from tests.unit.service.cli.samples import a_delivery
from tests.unit.service.cli.servicer import FakeMailport, a_status


@pytest.fixture(autouse=True)
def accepting(mailport: FakeMailport) -> None:
    mailport.answers["Send"] = api.SendResponse(delivery=a_delivery())


def test_given_options_for_a_message_when_sent_then_each_goes_over(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    (tmp_path / "body.html").write_text("<p>Grüße</p>", encoding="utf-8")
    (tmp_path / "log.txt.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "plan.pdf").write_bytes(b"%PDF")
    arguments = ("--to", "Anna Ångström <anna@example.com>", "--to", "bob@example.com", "--cc", "c@example.com",
                 "--bcc", "d@example.com", "--from", "ops@example.com", "--reply-to", "r@example.com",
                 "--subject", "Hi",
                 "--text-file", "-", "--html-file", str(tmp_path / "body.html"), "--attach", str(tmp_path / "plan.pdf"),
                 "--attach", str(tmp_path / "log.txt.gz"), "--header", "X-Ticket: 17: a", "--key", "k1",
                 "--wait")  # fmt: skip

    result = run("send", "alerts", *arguments, input="Hello\nthere\n")

    assert result.exit_code == 0
    expected = api.SendRequest(
        configuration_id="alerts",
        idempotency_key="k1",
        wait=True,
        message=delivery.Message(
            to=[
                delivery.Address(name="Anna Ångström", address="anna@example.com"),
                delivery.Address(address="bob@example.com"),
            ],
            cc=[delivery.Address(address="c@example.com")],
            bcc=[delivery.Address(address="d@example.com")],
            reply_to=[delivery.Address(address="r@example.com")],
            subject="Hi",
            text_body="Hello\nthere\n",
            html_body="<p>Grüße</p>",
            attachments=[
                delivery.Attachment(file_name="plan.pdf", content_type="application/pdf", content=b"%PDF"),
                delivery.Attachment(file_name="log.txt.gz", content_type="application/gzip", content=b"\x1f\x8b"),
            ],
            headers=[delivery.Header(name="X-Ticket", value="17: a")],
        ),
    )
    getattr(expected.message, "from").address = "ops@example.com"
    assert mailport.requests == [expected]


def test_given_a_message_as_json_when_sent_then_it_goes_over_as_it_is(run: Run, mailport: FakeMailport) -> None:
    message = {"to": [{"address": "a@b.example"}], "expireAfter": "3600s", "inDoubtPolicy": "IN_DOUBT_POLICY_HOLD"}

    result = run("send", "alerts", "--message", "-", input=json.dumps(message))

    assert result.exit_code == 0
    sent = mailport.requests[0].message
    assert sent.expire_after.seconds == 3600
    assert sent.in_doubt_policy == delivery.IN_DOUBT_POLICY_HOLD


def test_given_no_key_when_sent_twice_then_each_is_a_send_of_its_own(run: Run, mailport: FakeMailport) -> None:
    run("send", "alerts", "--to", "a@b.example")
    run("send", "alerts", "--to", "a@b.example")

    first, second = (uuid.UUID(request.idempotency_key) for request in mailport.requests)
    assert first != second


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (delivery.DELIVERY_STATE_SENT, 0),
        (delivery.DELIVERY_STATE_PARTIALLY_SENT, 7),
        (delivery.DELIVERY_STATE_FAILED, 7),
        (delivery.DELIVERY_STATE_EXPIRED, 7),
        (delivery.DELIVERY_STATE_RETRYING, 10),
        (delivery.DELIVERY_STATE_HELD, 10),
    ],
)
def test_given_an_outcome_when_waited_for_then_the_exit_code_tells(
    run: Run, mailport: FakeMailport, state: delivery.DeliveryState.ValueType, code: int
) -> None:
    mailport.answers["Send"] = api.SendResponse(delivery=a_delivery(state=state))

    waited, queued = run("send", "alerts", "--wait", "--json"), run("send", "alerts")

    assert waited.exit_code == code
    assert json.loads(waited.stdout)["delivery"]["state"] == delivery.DeliveryState.Name(state)
    assert queued.exit_code == 0


def test_given_a_delivery_that_is_held_when_waited_for_then_says_what_for_and_that_it_goes_by_itself(
    run: Run, mailport: FakeMailport
) -> None:
    failure = failure_pb2.Failure(reason="NEEDS_AUTHORIZATION", cause="There is no consent.", remedy="Call Authorize.")
    held = a_delivery(state=delivery.DELIVERY_STATE_HELD, failure=failure)
    mailport.answers["Send"] = api.SendResponse(delivery=held)

    result = run("send", "alerts", "--wait")

    assert result.exit_code == 10
    assert "There is no consent." in result.stdout
    assert "goes out by itself" in result.stdout


def test_given_a_key_used_before_when_sent_then_says_that_nothing_was_sent_again(
    run: Run, mailport: FakeMailport
) -> None:
    mailport.answers["Send"] = api.SendResponse(delivery=a_delivery(), replayed=True)

    result = run("send", "alerts", "--key", "k1")

    assert "nothing was sent again" in result.output


def test_given_no_answer_when_sent_then_says_which_key_makes_a_repetition_safe(
    run: Run, mailport: FakeMailport
) -> None:
    mailport.answers["Send"] = a_status(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    result = run("send", "alerts", "--to", "a@b.example")

    assert result.exit_code == 8
    assert f"--key {mailport.requests[0].idempotency_key}" in result.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ("--text", "a", "--text-file", "-"),
        ("--message", "-", "--subject", "a"),
        ("--header", "no colon"),
        ("--attach", "/nonexistent"),
    ],
)
def test_given_options_that_cannot_be_meant_when_sent_then_is_wrong_usage_and_nothing_is_called(
    run: Run, mailport: FakeMailport, wrong: tuple[str, ...]
) -> None:
    result = run("send", "alerts", *wrong, input="{}")

    assert result.exit_code == 2
    assert mailport.requests == []
