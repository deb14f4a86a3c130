from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from service.cli.app import app
from service.options import Options


class FakeServer(ModuleType):
    """Stands for `service.server`: remembers what it was asked to run, and answers an exit code."""

    def __init__(self) -> None:
        super().__init__("service.server")
        self.calls: list[tuple[str, Options, dict[str, bool]]] = []

    def serve(self, options: Options, **how: bool) -> int:
        self.calls.append(("serve", options, how))
        return 0

    def run_sandbox(self, options: Options) -> int:
        self.calls.append(("run_sandbox", options, {}))
        return 0

    def migrate(self, options: Options) -> int:
        self.calls.append(("migrate", options, {}))
        return 0

    def check(self, options: Options) -> int:
        self.calls.append(("check", options, {}))
        return 1


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setitem(sys.modules, "service.server", fake)
    return fake


@pytest.mark.parametrize(
    ("arguments", "called", "how", "code"),
    [
        (["serve"], "serve", {"sandbox": False, "walk": False}, 0),
        (["serve", "--sandbox"], "serve", {"sandbox": True, "walk": False}, 0),
        (["serve", "--sandbox", "--walk"], "serve", {"sandbox": True, "walk": True}, 0),
        (["sandbox"], "run_sandbox", {}, 0),
        (["migrate"], "migrate", {}, 0),
        (["check"], "check", {}, 1),
    ],
)
def test_given_a_server_command_when_run_then_it_gets_the_environment_s_options_and_its_exit_code_counts(
    server: FakeServer, arguments: list[str], called: str, how: dict[str, bool], code: int
) -> None:
    result = CliRunner().invoke(app, arguments, env={"MAILPORT_GRPC_ADDRESS": "127.0.0.1:0"})

    [(name, options, given)] = server.calls
    assert (name, given) == (called, how)
    assert options.grpc_address.port == 0
    assert result.exit_code == code


def test_given_several_wrong_variables_when_serving_then_all_are_named_and_nothing_starts(server: FakeServer) -> None:
    environment = {"MAILPORT_GRPC_ADDRESS": "nowhere", "MAILPORT_LOG_LEVEL": "loud", "MAILPORT_SPELING": "1"}

    result = CliRunner().invoke(app, ["serve"], env=environment)

    assert result.exit_code == 1
    assert server.calls == []
    assert all(f"{name}: " in result.stderr for name in environment)
    assert result.stderr.count("What to do: ") == 3


def test_given_no_sandbox_when_a_walk_is_asked_for_then_is_wrong_usage(server: FakeServer) -> None:
    result = CliRunner().invoke(app, ["serve", "--walk"])

    assert result.exit_code == 2
    assert server.calls == []


@pytest.mark.parametrize("command", ["serve", "check"])
def test_given_wrong_values_and_wrong_files_when_serving_or_checking_then_one_list_names_all(
    server: FakeServer, tmp_path: Path, command: str
) -> None:
    (tmp_path / "clients.json").write_text("no json")
    environment = {
        "MAILPORT_DATA_DIR": str(tmp_path),
        "MAILPORT_LOG_LEVEL": "loud",
        "MAILPORT_EGRESS_ALLOW": "10.0.0.0/99",
        "MAILPORT_DATABASE_URL": "mysql://x",
        "MAILPORT_KEYS_FILE": "/nope",
        "MAILPORT_CLIENT_CA": "/nope/ca.pem",
        "MAILPORT_CLIENTS_FILE": str(tmp_path / "clients.json"),
        "MAILPORT_DATA_CENTERS": "a,,b c",
    }
    wrong = set(environment) - {"MAILPORT_DATA_DIR"}

    result = CliRunner().invoke(app, [command], env=environment)

    assert result.exit_code == 1
    assert server.calls == []
    assert {line.partition(": ")[0] for line in result.stderr.splitlines() if line.startswith("MAILPORT_")} == wrong
    assert result.stderr.count("What to do: ") == len(wrong)
