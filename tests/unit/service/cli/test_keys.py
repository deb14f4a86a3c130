from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli.app import app


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def keys(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments], env=environment)


def numbers(result: Result) -> list[str]:
    """Returns the numbers shown, the one that seals with a star."""
    shown = [re.fullmatch(r"(\d+)  [\d-]+ [\d:]+Z(  seals)?", line) for line in result.stdout.splitlines()]
    return [match.group(1) + ("*" if match.group(2) else "") for match in shown if match is not None]


def test_given_no_file_when_created_added_and_promoted_then_each_key_is_listed(path: Path) -> None:
    results = [
        keys("create", str(path)),
        keys("add", "--file", str(path)),
        keys("promote", "2", "--file", str(path)),
        keys("add", "--promote", "--file", str(path)),
        keys("list", MAILPORT_KEYS_FILE=str(path)),
    ]

    assert [result.exit_code for result in results] == [0] * 5
    assert [numbers(result) for result in results] == [
        ["1*"],
        ["1*", "2"],
        ["1", "2*"],
        ["1", "2", "3*"],
        ["1", "2", "3*"],
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_given_a_key_file_when_listed_then_no_material_is_printed(path: Path) -> None:
    """P15."""
    keys("create", str(path))
    material = json.loads(path.read_text())["keys"][0]["material"]

    result = keys("list", "--file", str(path))

    assert material not in result.output


def test_given_a_file_that_is_there_when_created_then_is_refused_and_the_file_stays(path: Path) -> None:
    keys("create", str(path))
    before = path.read_bytes()

    result = keys("create", str(path))

    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize("command", [["list"], ["add"], ["promote", "1"]])
def test_given_no_key_file_when_used_then_says_what_is_missing(path: Path, command: list[str]) -> None:
    result = keys(*command, "--file", str(path))

    assert result.exit_code == 1
    assert f"{path} does not exist" in result.stderr


def test_given_no_such_key_when_promoted_then_is_refused(path: Path) -> None:
    keys("create", str(path))

    result = keys("promote", "7", "--file", str(path))

    assert result.exit_code == 1
    assert "no such key" in result.stderr
