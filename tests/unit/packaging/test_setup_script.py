"""Setting up where something is missing: the script says what to install, and its exit code says that it did."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.packaging.conftest import ROOT

SOMETHING_TO_INSTALL = 3

# Stands for a version manager's command for a version that is not installed.
BROKEN_SHIM = "#!/bin/sh\necho 'python3.13: command not found' >&2\nexit 127\n"
# Stands for a distribution's Python without the package that holds ensurepip: the probe runs it with -I first.
WITHOUT_ENSUREPIP = '#!/bin/sh\n[ "$1" = -I ] || { echo python3.12-venv; exit 0; }\ncat >/dev/null\necho "$0"\nexit 4\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that was never set up."""
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/setup.sh", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def set_up(checkout: Path, *, python: Path) -> subprocess.CompletedProcess[str]:
    """Runs the script with *python* as the only candidate and without uv."""
    return subprocess.run(
        ["/bin/sh", checkout / "scripts" / "setup.sh"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)},
        check=False, capture_output=True, text=True,
    )  # fmt: skip


def a_program(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    path.chmod(0o755)
    return path


def test_given_only_a_shim_that_fails_when_setting_up_then_says_which_python_to_install(checkout: Path) -> None:
    python = a_program(checkout / "python3.13", BROKEN_SHIM)

    done = set_up(checkout, python=python)

    assert done.returncode == SOMETHING_TO_INSTALL
    assert "mailport needs CPython 3.11 or newer" in done.stderr
    assert not (checkout / ".venv").exists()


def test_given_a_python_without_ensurepip_when_setting_up_then_names_the_missing_package(checkout: Path) -> None:
    python = a_program(checkout / "python3", WITHOUT_ENSUREPIP)

    done = set_up(checkout, python=python)

    assert done.returncode == SOMETHING_TO_INSTALL
    assert "apt-get install python3.12-venv" in done.stderr
    assert not (checkout / ".venv").exists()
