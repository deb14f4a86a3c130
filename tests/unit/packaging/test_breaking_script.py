"""The comparison of the API with what came before the present change."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.packaging.conftest import ROOT

NOW = 1_800_000_000
HOUR = 3600
PROTO = 'syntax = "proto3";\npackage mailport.v1;\nmessage Sent {{\n{fields}}}\n'
BOTH_FIELDS = PROTO.format(fields="  string id = 1;\n  string text = 2;\n")
ONE_FIELD = PROTO.format(fields="  string id = 1;\n")


class Checkout:
    """A repository of its own with the script, the settings of buf and one proto."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / "breaking.sh", folder / "scripts")
        shutil.copy(ROOT / "buf.yaml", folder)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, at: int = NOW) -> None:
        who = {"NAME": "A", "EMAIL": "a@example.test", "DATE": f"{at} +0000"}
        names = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
        alone = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        subprocess.run(["git", *arguments], cwd=self._folder, env=names | alone, check=True, capture_output=True)

    def write(self, proto: str) -> None:
        file = self._folder / "proto" / "mailport" / "v1" / "mail.proto"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(proto, "utf-8")

    def commit(self, *, at: int, proto: str | None = None) -> None:
        if proto is not None:
            self.write(proto)
        self.git("add", "--all", ":!.venv")
        self.git("commit", "--quiet", "--allow-empty", "--message=change", at=at)

    def check(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "scripts/breaking.sh"], cwd=self._folder, check=False, capture_output=True, text=True
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_given_no_commit_when_checked_then_says_why_nothing_is_compared(checkout: Checkout) -> None:
    checkout.write(BOTH_FIELDS)

    done = checkout.check()

    assert (done.returncode, "skipped" in done.stdout) == (0, True)


def test_given_no_proto_before_the_change_when_checked_then_says_why_nothing_is_compared(checkout: Checkout) -> None:
    checkout.commit(at=NOW - 24 * HOUR)
    checkout.commit(at=NOW, proto=BOTH_FIELDS)

    done = checkout.check()

    assert (done.returncode, "skipped" in done.stdout) == (0, True)


def test_given_main_with_a_field_removed_when_checked_then_fails(checkout: Checkout) -> None:
    checkout.commit(at=NOW - 24 * HOUR, proto=BOTH_FIELDS)
    checkout.commit(at=NOW - HOUR, proto=ONE_FIELD)
    checkout.commit(at=NOW)

    done = checkout.check()

    assert done.returncode != 0
    assert 'Previously present field "2"' in done.stdout


def test_given_main_with_a_field_added_when_checked_then_passes(checkout: Checkout) -> None:
    checkout.commit(at=NOW - 24 * HOUR, proto=ONE_FIELD)
    checkout.commit(at=NOW, proto=BOTH_FIELDS)

    done = checkout.check()

    assert done.returncode == 0
    assert "skipped" not in done.stdout


def test_given_a_field_that_came_and_went_within_the_change_when_checked_then_passes(checkout: Checkout) -> None:
    checkout.commit(at=NOW - 24 * HOUR, proto=ONE_FIELD)
    checkout.commit(at=NOW - HOUR, proto=BOTH_FIELDS)
    checkout.commit(at=NOW, proto=ONE_FIELD)

    done = checkout.check()

    assert done.returncode == 0


def test_given_a_branch_with_a_field_removed_when_checked_then_fails(checkout: Checkout) -> None:
    checkout.commit(at=NOW - HOUR, proto=BOTH_FIELDS)
    checkout.git("checkout", "--quiet", "-b", "shorter")
    checkout.commit(at=NOW, proto=ONE_FIELD)

    done = checkout.check()

    assert done.returncode != 0


def test_given_a_field_removed_and_not_committed_when_checked_then_fails(checkout: Checkout) -> None:
    checkout.commit(at=NOW - 24 * HOUR, proto=BOTH_FIELDS)
    checkout.commit(at=NOW)
    checkout.write(ONE_FIELD)

    done = checkout.check()

    assert done.returncode != 0
