"""Log lines: one JSON object each, and nothing in them that must stay inside."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from domain.secret import Secret
from service import logs
from service.logs import set_up_logs

CANARY = "hunter2"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Restores what `set_up_logs` changes for the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    noisy = {name: logging.getLogger(name).level for name in (*logs._NOISY, "mail.log")}
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in noisy.items():
        logging.getLogger(name).setLevel(former)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_given_fields_when_logged_as_json_then_the_line_has_them_with_event_time_and_level(
    stream: io.StringIO,
) -> None:
    set_up_logs(level="info", form="json", stream=stream)

    logging.getLogger("service.worker").info(logs.DELIVERY_SETTLED, extra={logs.DELIVERY_ID: "d1", logs.ATTEMPT: 2})

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "delivery_settled",
        "level": "info",
        "logger": "service.worker",
        "delivery_id": "d1",
        "attempt": 2,
    }


def test_given_line_breaks_in_a_field_when_logged_as_json_then_it_stays_one_line(stream: io.StringIO) -> None:
    set_up_logs(level="info", form="json", stream=stream)

    logging.getLogger("a").info("event", extra={"state": 'x\n{"event": "forged"}'})

    assert [line["event"] for line in lines(stream)] == ["event"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_given_a_secret_when_logged_anywhere_in_a_line_then_is_starred(form: str, stream: io.StringIO) -> None:
    set_up_logs(level="info", form=form, stream=stream)
    secret = Secret(CANARY)

    logging.getLogger("a").info("event", extra={"plain": secret, "nested": {"list": [secret]}})
    logging.getLogger("a").info("text %s", secret)

    assert CANARY not in stream.getvalue()
    assert stream.getvalue().count("***") == 3


def raise_nested() -> None:
    password = CANARY
    try:
        raise ValueError(f"inner {password}")
    except ValueError as inner:
        raise RuntimeError(f"outer {password}") from inner


@pytest.mark.parametrize("form", ["json", "text"])
def test_given_an_exception_when_logged_then_its_types_and_places_are_there_and_neither_texts_nor_variables(
    form: str, stream: io.StringIO
) -> None:
    """P15: an exception's text may hold what a caller or a peer wrote."""
    set_up_logs(level="info", form=form, stream=stream)

    try:
        raise_nested()
    except RuntimeError:
        logging.getLogger("a").exception("event")

    text = stream.getvalue()
    assert "builtins.RuntimeError" in text
    assert "builtins.ValueError" in text
    assert "test_logs.py" in text
    assert "raise_nested" in text
    assert CANARY not in text


def test_given_a_group_and_a_circle_of_causes_when_logged_then_each_exception_is_told_once(stream: io.StringIO) -> None:
    set_up_logs(level="info", form="json", stream=stream)
    one, two = KeyError(CANARY), TypeError(CANARY)
    one.__cause__ = two
    two.__cause__ = one

    try:
        raise ExceptionGroup(CANARY, [one, two])
    except ExceptionGroup:
        logging.getLogger("a").exception("event")

    (line,) = lines(stream)
    assert [line["exception"].count(name) for name in ("ExceptionGroup", "KeyError", "TypeError")] == [1, 1, 1]
    assert CANARY not in stream.getvalue()


def test_given_a_level_when_set_up_then_lines_below_it_are_not_written(stream: io.StringIO) -> None:
    set_up_logs(level="warning", form="json", stream=stream)

    logging.getLogger("a").info("quiet")
    logging.getLogger("a").warning("loud")

    assert [line["event"] for line in lines(stream)] == ["loud"]


@pytest.mark.parametrize(
    "name",
    [
        "mail.log",
        "aiosmtplib",
        "asyncio",
        "psycopg",
        "psycopg.pool",
        "httpx2",
        "httpcore2.http11",
        "authlib.oauth2.rfc7523.client",
        "joserfc.jwt",
        "uvicorn.access",
        "uvicorn.error",
    ],
)
def test_given_debug_when_set_up_then_libraries_that_write_content_stay_quiet(name: str, stream: io.StringIO) -> None:
    """P15: every logger at DEBUG."""
    set_up_logs(level="debug", form="json", stream=stream)

    logging.getLogger(name).debug("AUTH PLAIN %s", CANARY)
    logging.getLogger(name).info("RCPT TO:<%s@example.com>", CANARY)
    logging.getLogger("service").debug("ours")

    # A server that another test left to the garbage collector may say so meanwhile.
    assert [line["event"] for line in lines(stream) if line["logger"] in (name, "service")] == ["ours"]


def test_given_no_stream_when_set_up_then_lines_go_to_the_present_standard_error(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(level="info", form="json")

    logging.getLogger("a").info("event")

    assert json.loads(capsys.readouterr().err)["event"] == "event"


def test_given_two_set_ups_when_logged_then_the_line_is_written_once(stream: io.StringIO) -> None:
    set_up_logs(level="info", form="json", stream=stream)
    set_up_logs(level="info", form="json", stream=stream)

    logging.getLogger("a").info("event")

    assert len(lines(stream)) == 1
