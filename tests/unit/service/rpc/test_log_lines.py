"""What a call leaves in the log: never what was asked, answered, or said by a fault (P15)."""

from __future__ import annotations

import logging
from datetime import timedelta

import grpc
import pytest

from service.rpc.log_lines import Line
from tests.unit.service.rpc.builders import PASSWORD

SEND = "/mailport.v1.MailService/Send"


def a_fault() -> BaseException:
    try:
        try:
            raise KeyError(PASSWORD)
        except KeyError as inner:
            raise RuntimeError(f"could not use {PASSWORD}") from inner
    except RuntimeError as fault:
        return fault


def test_given_a_refused_call_when_it_ends_then_method_code_reason_tenant_and_duration_are_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = Line(SEND, code=grpc.StatusCode.NOT_FOUND, tenant="acme", reason="NOT_FOUND")

    with caplog.at_level(logging.INFO):
        line.write(timedelta(milliseconds=12.5))

    (record,) = caplog.records
    assert record.getMessage() == "rpc_answered"
    written = vars(record)
    assert (written["method"], written["code"], written["tenant"]) == (SEND, "NOT_FOUND", "acme")
    assert (written["reason"], written["duration_ms"]) == ("NOT_FOUND", 12.5)


def test_given_a_fault_when_written_then_types_and_places_are_told_and_no_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        Line(SEND, tenant="acme").write_fault(a_fault(), "0190f3c2")

    (record,) = caplog.records
    written = vars(record)
    assert written["faults"] == ["RuntimeError", "KeyError"]
    assert any(frame.startswith("test_log_lines.py:") and frame.endswith(" a_fault") for frame in written["frames"])
    assert written["incident_id"] == "0190f3c2"
    assert PASSWORD not in str(written)
    assert record.exc_info is None


def test_given_a_fault_that_caused_itself_when_written_then_it_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    fault = RuntimeError()
    fault.__context__ = ValueError()
    fault.__context__.__cause__ = fault

    with caplog.at_level(logging.DEBUG):
        Line(SEND).write_fault(fault, "0190f3c2")

    assert vars(caplog.records[0])["faults"] == ["RuntimeError", "ValueError"]
