"""What a user installs: the four packages with everything they read at run time, and the command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from zipfile import ZipFile

from tests.unit.packaging.conftest import ROOT

SOURCES = {"domain": "domain", "adapters": "adapters", "service": "service", "mailport": "proto/mailport"}

# Imports every module of the four packages, and prints where each came from and what the wheel says it holds.
IMPORT_ALL = """
import importlib, json, pkgutil
from importlib.metadata import distribution

files = {}
for top in ("domain", "adapters", "service", "mailport"):
    package = importlib.import_module(top)
    for found in pkgutil.walk_packages(package.__path__, top + "."):
        if not found.name.endswith(".__main__"):
            module = importlib.import_module(found.name)
            files[found.name] = module.__file__
wheel = distribution("mailport")
recorded = [str(wheel.locate_file(file).resolve()) for file in wheel.files]
print(json.dumps({"imported": files, "recorded": recorded}))
"""


def test_given_the_checkout_when_built_then_the_wheel_holds_the_four_packages_and_nothing_else(wheel: Path) -> None:
    expected = {
        f"{package}/{file.relative_to(ROOT / folder).as_posix()}"
        for package, folder in SOURCES.items()
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    names = set(ZipFile(wheel).namelist())

    assert {name for name in names if ".dist-info/" not in name} == expected
    assert {name.partition("/")[0] for name in names if ".dist-info/" in name} == {"mailport-0.1.0.dist-info"}


def test_given_a_clean_environment_when_all_is_imported_then_every_module_is_the_wheels_own(
    installed: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [installed / "bin" / "python", "-I", "-c", IMPORT_ALL],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {name.partition(".")[0] for name in answer["imported"]} == set(SOURCES)
    assert {str(Path(file).resolve()) for file in answer["imported"].values()} <= set(answer["recorded"])


def test_given_a_clean_environment_when_the_command_is_called_then_it_answers(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed / "bin" / "mailport", "--help"], cwd=tmp_path, check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert "serve" in done.stdout
