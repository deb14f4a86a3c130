"""The program as it is started, in a process of its own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from mailport.v1 import mail_service_pb2 as api
from tests.unit.service.cli.samples import a_configuration
from tests.unit.service.cli.servicer import FakeMailport

MAILPORT = [str(Path(sys.executable).parent / "mailport")]


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAILPORT_")}
    return subprocess.run(
        [*MAILPORT, *arguments],
        env=clean | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_given_the_installed_program_when_asked_for_its_version_then_tells_it() -> None:
    result = program("version", "--json")

    assert result.returncode == 0
    assert set(json.loads(result.stdout)) == {"version", "python", "grpc"}


def test_given_no_command_when_run_as_a_module_then_lists_the_commands() -> None:
    result = subprocess.run([sys.executable, "-m", "service"], capture_output=True, text=True, timeout=60, check=False)

    commands = {line.split()[0] for line in (result.stdout + result.stderr).splitlines() if line.startswith("  ")}
    assert commands >= {"serve", "sandbox", "migrate", "check", "keys", "version", "configure", "get", "list", "delete",
                        "options", "validate", "confirm", "send-test", "check-account", "send",
                        "deliveries"}  # fmt: skip


def test_given_an_ascii_locale_when_a_foreign_name_is_shown_then_the_command_does_not_fail(
    mailport: FakeMailport,
) -> None:
    configuration = a_configuration()
    configuration.draft.settings.from_name = "Grüße"
    mailport.answers["GetConfiguration"] = api.GetConfigurationResponse(configuration=configuration)

    result = program(
        "get", "alerts", "--server", mailport.address, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0"
    )

    assert result.returncode == 0
    assert "Gr\\xfc\\xdfe <alerts@example.com> | smtp.example.com:587 starttls" in result.stdout


def test_given_a_client_command_when_started_then_the_service_is_not_loaded() -> None:
    """Client commands start fast, so they must not bring adapters, the web side or the container along."""
    script = "import sys, service.cli.app; print(*sorted(sys.modules))"

    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    loaded = set(result.stdout.split())
    assert "service.cli.app" in loaded
    assert loaded.isdisjoint(
        {"adapters", "starlette", "psycopg", "dependency_injector", "aiosmtplib", "rich", "service.server"}
    )


def test_given_a_terminal_when_a_password_is_needed_then_it_is_asked_for_without_echo(mailport: FakeMailport) -> None:
    """P15."""
    mailport.answers["Configure"] = api.ConfigureResponse(configuration=a_configuration())
    controller, terminal = pty.openpty()
    arguments = ["configure", "alerts", "--username", "robot", "--server", mailport.address]

    with subprocess.Popen(
        [*MAILPORT, *arguments], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        shown = _until(controller, b"stored one): ")  # the blank comes once the echo is off
        os.write(controller, b"hunter2\n")
        shown += _rest(controller)
        code = process.wait(timeout=30)
    os.close(controller)

    assert code == 0
    assert mailport.requests[0].settings.basic.password == "hunter2"
    assert b"Password of robot" in shown
    assert b"hunter2" not in shown


def _until(descriptor: int, mark: bytes) -> bytes:
    shown = b""
    while mark not in shown:
        shown += os.read(descriptor, 4096)
    return shown


def _rest(descriptor: int) -> bytes:
    shown = b""
    while True:
        try:
            piece = os.read(descriptor, 4096)
        except OSError:  # Linux: the other side of the terminal is closed
            return shown
        if not piece:
            return shown
        shown += piece
