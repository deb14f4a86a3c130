"""What ``postmaster.pid`` tells, whole, half written and stale."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.postmaster import Postmaster, end_orphan, read_postmaster

WHOLE = "4711\n/data\n1700000000\n5433\n\n127.0.0.1\n  1234  5\nready   \n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WHOLE, Postmaster(4711, 5433, True)),
        (WHOLE.replace("ready   ", "starting"), Postmaster(4711, 5433, False)),
        ("4711\n/data\n", Postmaster(4711, 0, False)),
        ("", None),
        ("garbage\n", None),
    ],
)
def test_given_a_pid_file_when_read_then_tells_what_is_there(
    tmp_path: Path, text: str, expected: Postmaster | None
) -> None:
    (tmp_path / "postmaster.pid").write_text(text)

    assert read_postmaster(tmp_path) == expected


def test_given_no_pid_file_when_read_then_none(tmp_path: Path) -> None:
    assert read_postmaster(tmp_path) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_given_any_bytes_when_read_then_never_raises(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "postmaster.pid").write_bytes(content)

    found = read_postmaster(tmp_path)

    assert found is None or isinstance(found.pid, int)


def test_given_a_pid_that_belongs_to_another_program_when_ending_then_spares_it_and_clears_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "postmaster.pid").write_text(WHOLE.replace("4711", str(os.getpid())))

    end_orphan(tmp_path)

    assert not (tmp_path / "postmaster.pid").exists()
