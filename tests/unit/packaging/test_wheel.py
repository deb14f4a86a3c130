"""What a user installs: the four packages with everything they read at run time, and the command."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from zipfile import ZipFile

from tests.unit.packaging.conftest import ROOT

SOURCES = {"domain": "domain", "adapters": "adapters", "service": "service", "mailport": "proto/mailport"}
START_SECONDS = 30  # a first start makes a database

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


async def test_given_a_clean_environment_when_the_server_is_started_then_it_serves_and_stops_when_told(
    installed: Path, tmp_path: Path
) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "MAILPORT_DATA_DIR": str(tmp_path / "data"),
        "MAILPORT_GRPC_ADDRESS": "127.0.0.1:0",
        "MAILPORT_WEB_ADDRESS": "127.0.0.1:0",
    }
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        server = await asyncio.create_subprocess_exec(
            installed / "bin" / "mailport", "serve",
            cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
        )  # fmt: skip

    try:
        assert server.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            line = await server.stdout.readline()
            assert line.startswith(b"mailport serves gRPC on 127.0.0.1:"), log.read_text("utf-8")
            server.terminate()
            exit_code = await server.wait()
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()

    assert exit_code == 0, log.read_text("utf-8")
