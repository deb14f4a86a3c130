"""The wheel, built and installed once for all the tests of this folder."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without asking a network for anything."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    An environment that holds the wheel and, by reference, this environment's libraries.

    Their folder is named in a path file. Path files inside it are then not read, and so the editable install
    of the checkout, which is one, is out of reach.
    """
    home = tmp_path_factory.mktemp("installed") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    subprocess.run(
        [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--offline", "--no-cache", "--no-deps",
         "--python", home / "bin" / "python", wheel],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    (packages,) = home.glob("lib/python3*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return home
