"""The command that explains a pasted answer; it calls nobody."""

from __future__ import annotations

import json
import socket

import pytest
from typer.testing import CliRunner, Result

from service.cli.app import app
from service.cli.exits import ExitCode


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets no connection be opened."""

    def refuse(*_: object) -> None:
        raise AssertionError("explain opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("MAILPORT_GRPC_ADDRESS", "192.0.2.1:1")


def explain(*arguments: str, pasted: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["explain", *arguments], input=pasted)


def test_given_a_code_in_two_words_when_explained_then_cause_and_remedy_are_shown() -> None:
    result = explain("535", "5.7.139")

    assert result.exit_code == ExitCode.OK
    assert "SIGN_IN_BLOCKED" in result.stdout
    assert "remedy" in result.stdout
    assert "learn.microsoft.com" in result.stdout


def test_given_json_when_explained_then_it_is_the_apis_own() -> None:
    result = explain("--json", "AADSTS50173")

    told = json.loads(result.stdout)
    assert told["failure"]["reason"] == "REAUTH_REQUIRED"
    assert told["failure"]["kind"] == "FAILURE_KIND_REAUTHORIZE"
    assert told["recognized"] is True


def test_given_several_lines_on_standard_input_when_explained_then_they_are_read() -> None:
    pasted = b"550-5.1.1 The email account that you tried to reach does not\r\n550 5.1.1 exist. \xff - gsmtp\r\n"

    result = explain("-", pasted=pasted)

    assert result.exit_code == ExitCode.OK
    assert "RECIPIENT_UNKNOWN" in result.stdout


def test_given_what_is_known_besides_when_explained_then_it_counts() -> None:
    options = ("--surface", "smtp", "--provider", "Google", "--stage", "mail-from", "--json")

    told = json.loads(explain(*options, "550 no").stdout)

    assert told["failure"]["reason"] == "SENDER_REFUSED"
    assert told["failure"]["stage"] == "FAILURE_STAGE_MAIL_FROM"
    assert told["recognized"] is False


def test_given_an_http_status_when_explained_then_it_counts() -> None:
    told = json.loads(explain("--surface", "graph", "--http-status", "429", "--json", "no").stdout)

    assert told["failure"]["kind"] == "FAILURE_KIND_THROTTLED"


def test_given_an_unknown_answer_when_explained_then_it_is_said() -> None:
    assert "does not know this very answer" in explain("599 zxqv").stdout


@pytest.mark.parametrize("arguments", [(), (" ",), ("--surface", "pigeon", "550 no"), ("--stage", "x", "550 no")])
def test_given_a_wrong_command_line_when_explained_then_it_is_usage(arguments: tuple[str, ...]) -> None:
    assert explain(*arguments).exit_code == ExitCode.USAGE


def test_given_nothing_on_standard_input_when_explained_then_it_is_usage() -> None:
    assert explain("-", pasted=b"\n").exit_code == ExitCode.USAGE


def test_given_escape_codes_and_secrets_in_an_answer_when_explained_then_neither_is_printed() -> None:
    result = explain("550 \x1b[31mno Authorization: Bearer ya29.a0AfH6SMBx7Qk3vN0pLZ")

    assert "\x1b" not in result.stdout
    assert "ya29" not in result.stdout


@pytest.mark.parametrize("status", ["-1", "1", "50", "99", "600"])
def test_given_what_is_no_http_status_when_explained_then_it_is_usage(status: str) -> None:
    result = explain("--http-status", status, "550 no")

    assert result.exit_code == ExitCode.USAGE
    assert "599" in result.stderr


@pytest.mark.parametrize("status", ["0", "100", "599"])
def test_given_any_http_status_when_explained_then_it_is_taken(status: str) -> None:
    assert explain("--http-status", status, "550 no").exit_code == ExitCode.OK


def test_given_an_unknown_provider_when_explained_then_it_is_usage_and_the_known_ones_are_named() -> None:
    result = explain("--provider", "nobody", "550 no")

    assert result.exit_code == ExitCode.USAGE
    assert "google" in result.stderr
    assert "fastmail" in result.stderr
    assert "mailjet" in result.stderr


@pytest.mark.parametrize(
    ("pasted", "secret"),
    [
        ("535 bad password hunter2 for bob", "hunter2"),
        ("password: abcd efgh ijkl mnop", "mnop"),
        ('{"access_token":"opaque123","error_description":"Bad token opaque123"}', "opaque123"),
        ("535 5.7.8 nope\n2026-11-25 10:00:02 DEBUG smtp C: aHVudGVyMi1DQU5BUlk=", "aHVudGVy"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_given_a_secret_however_it_is_said_when_explained_then_it_is_not_printed(
    pasted: str, secret: str, options: tuple[str, ...]
) -> None:
    result = explain(*options, pasted)

    assert result.exit_code == ExitCode.OK
    assert secret not in result.output
