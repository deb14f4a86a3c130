from __future__ import annotations

import json
from datetime import timedelta

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help, PreconditionFailure, RetryInfo

from service.cli.exits import ExitCode
from tests.unit.service.cli.conftest import Run
from tests.unit.service.cli.samples import a_failure, a_trace, lasting
from tests.unit.service.cli.servicer import FakeMailport, a_status

INFO = ErrorInfo(domain="mailport", reason="SOME_REASON", metadata={"configuration_id": "alerts"})


def refuse(mailport: FakeMailport, code: grpc.StatusCode, message: str, *details: Message) -> None:
    mailport.answers["GetConfiguration"] = a_status(code, message, *details)


@pytest.mark.parametrize(
    ("code", "details", "expected"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, (INFO,), ExitCode.INPUT_REFUSED),
        (grpc.StatusCode.NOT_FOUND, (INFO,), ExitCode.NOT_FOUND),
        (grpc.StatusCode.ABORTED, (INFO,), ExitCode.CONFLICT),
        (grpc.StatusCode.ALREADY_EXISTS, (INFO,), ExitCode.CONFLICT),
        (grpc.StatusCode.FAILED_PRECONDITION, (INFO,), ExitCode.NOT_READY),
        (grpc.StatusCode.FAILED_PRECONDITION, (INFO, a_failure()), ExitCode.PROVIDER_REFUSED),
        (grpc.StatusCode.UNAVAILABLE, (INFO, a_failure()), ExitCode.PROVIDER_REFUSED),
        (grpc.StatusCode.UNAVAILABLE, (INFO,), ExitCode.UNAVAILABLE),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, (INFO,), ExitCode.UNAVAILABLE),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, (ErrorInfo(reason="MESSAGE_TOO_LARGE"),), ExitCode.INPUT_REFUSED),
        (grpc.StatusCode.PERMISSION_DENIED, (INFO,), ExitCode.NOT_ALLOWED),
        (grpc.StatusCode.UNIMPLEMENTED, (INFO,), ExitCode.FAILED),
        (grpc.StatusCode.INTERNAL, (), ExitCode.FAILED),
    ],
)
def test_given_a_refusal_when_it_ends_a_command_then_the_exit_code_tells_what_to_do_next(
    run: Run, mailport: FakeMailport, code: grpc.StatusCode, details: tuple[Message, ...], expected: ExitCode
) -> None:
    refuse(mailport, code, "No.", *details)

    result = run("get", "alerts")

    assert result.exit_code == expected
    assert result.stdout == ""
    assert result.stderr


def test_given_several_wrong_fields_when_refused_then_each_is_a_line_with_its_remedy(
    run: Run, mailport: FakeMailport
) -> None:
    violations = [
        BadRequest.FieldViolation(field="settings.smtp.host", description="It has a scheme. Write the host alone."),
        BadRequest.FieldViolation(field="settings.smtp.port", description="70000 is no port. Use 587."),
    ]
    info = ErrorInfo(domain="mailport", reason="INVALID_SETTINGS")
    refuse(mailport, grpc.StatusCode.INVALID_ARGUMENT, "…", info, BadRequest(field_violations=violations))

    result = run("get", "alerts")

    assert result.stderr.splitlines() == [
        "✗ INVALID_SETTINGS: 2 fields are wrong:",
        "  ✗ settings.smtp.host: It has a scheme. Write the host alone.",
        "  ✗ settings.smtp.port: 70000 is no port. Use 587.",
    ]


def test_given_more_wrong_fields_than_fit_a_status_when_refused_then_says_how_many_there_are(
    run: Run, mailport: FakeMailport
) -> None:
    info = ErrorInfo(reason="INVALID_INPUT", metadata={"violations": "100"})
    bad = BadRequest(field_violations=[BadRequest.FieldViolation(field="message.to[0]", description="No.")])
    refuse(mailport, grpc.StatusCode.INVALID_ARGUMENT, "…", info, bad)

    result = run("get", "alerts")

    assert result.stderr.startswith("✗ INVALID_INPUT: 100 fields are wrong, the first 1 of them:")


def test_given_a_provider_that_says_no_when_refused_then_trace_cause_remedy_and_fixes_are_shown(
    run: Run, mailport: FakeMailport
) -> None:
    refuse(mailport, grpc.StatusCode.FAILED_PRECONDITION, "…", INFO, a_failure(), a_trace(succeeded=False))

    result = run("get", "alerts")

    assert result.stderr.splitlines() == [
        "├ ✓ CONNECT   31 ms  192.0.2.10:587",
        "├ ✓ TLS      4.2 ms  TLSv1.3, TLS_AES_256_GCM_SHA384, certificate smtp.example.com by Example CA until "
        "2026-03-01 12:00:00Z",
        "└ ✗ AUTH      2.5 s  PLAIN · 535 5.7.8 Bad credentials",
        "✗ AUTH_REJECTED · at AUTH · misconfigured",
        "  cause   The server does not accept user name and password.",
        "  remedy  Check them, or make an app password.",
        "  answer  535 5.7.8 Bad credentials",
        "  fix     settings.smtp.port = 465",
        "  → mailport configure alerts --apply-fix settings.smtp.port=465",
    ]


def test_given_preconditions_a_delay_and_help_when_refused_then_each_is_told_once(
    run: Run, mailport: FakeMailport
) -> None:
    precondition = PreconditionFailure(violations=[PreconditionFailure.Violation(description="Not proven. Validate.")])
    help_page = Help(links=[Help.Link(description="How to", url="https://example.com/how")])
    retry = RetryInfo(retry_delay=lasting(timedelta(seconds=2)))
    refuse(mailport, grpc.StatusCode.FAILED_PRECONDITION, "Not proven. Validate.", INFO, precondition, retry, help_page)

    result = run("get", "alerts")

    assert result.stderr.splitlines() == [
        "✗ SOME_REASON: Not proven. Validate.",
        "  → Try again in 2.0 s.",
        "  → How to: https://example.com/how",
    ]


def test_given_json_when_refused_then_stdout_is_empty_and_stderr_has_all_of_it(
    run: Run, mailport: FakeMailport
) -> None:
    bad = BadRequest(
        field_violations=[BadRequest.FieldViolation(field="to", reason="ADDRESS_INVALID", description="x")]
    )
    refuse(mailport, grpc.StatusCode.INVALID_ARGUMENT, "No.", INFO, bad, a_failure())

    result = run("get", "alerts", "--json")

    assert result.stdout == ""
    error = json.loads(result.stderr)["error"]
    assert error | {"failure": None} == {
        "code": "INVALID_ARGUMENT",
        "reason": "SOME_REASON",
        "message": "No.",
        "metadata": {"configuration_id": "alerts"},
        "violations": [{"field": "to", "reason": "ADDRESS_INVALID", "message": "x"}],
        "preconditions": [],
        "failure": None,
        "trace": None,
        "retryDelay": None,
        "help": [],
    }
    assert error["failure"]["kind"] == "FAILURE_KIND_MISCONFIGURED"


def test_given_escape_sequences_in_a_reply_when_shown_then_they_do_not_reach_the_terminal(
    run: Run, mailport: FakeMailport
) -> None:
    refuse(mailport, grpc.StatusCode.NOT_FOUND, "gone \x1b[2J\x07 \u202etxt", INFO)

    result = run("get", "alerts")

    assert result.stderr == "✗ SOME_REASON: gone \\x1b[2J\\x07 \\u202etxt\n"


def test_given_nobody_listening_when_called_then_says_where_it_looked_and_how_to_start_one(run: Run) -> None:
    result = run("list", "--server", "127.0.0.1:1")

    assert result.exit_code == ExitCode.UNAVAILABLE
    assert "No mailport answers at 127.0.0.1:1" in result.stderr
    assert "mailport serve --sandbox" in result.stderr


def test_given_a_server_that_takes_too_long_when_called_then_says_for_how_long_it_waited(
    run: Run, mailport: FakeMailport
) -> None:
    refuse(mailport, grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    result = run("get", "alerts", "--timeout", "5")

    assert result.exit_code == ExitCode.UNAVAILABLE
    assert "did not answer within 5 s" in result.stderr
