"""The generated code that is committed is what the protos generate."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.unit.packaging.conftest import ROOT

GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def generated_below(folder: Path) -> dict[str, str]:
    """Returns the text of each generated file by its path below *folder*."""
    return {
        file.relative_to(folder).as_posix(): file.read_text("utf-8")
        for pattern in GENERATED
        for file in folder.rglob(pattern)
    }


def test_given_the_protos_when_generated_afresh_then_the_committed_code_is_the_same(tmp_path: Path) -> None:
    committed = generated_below(ROOT / "proto")

    subprocess.run(["sh", ROOT / "scripts" / "stubs.sh", tmp_path], check=True, capture_output=True, text=True)

    fresh = generated_below(tmp_path)
    assert committed.keys() == fresh.keys()
    assert [name for name in fresh if fresh[name] != committed[name]] == [], "run make proto"
