"""How processes share the suite: nothing that a file starts for all of its tests is started by several of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sharing import FIRST, group_of

ROOT = Path(__file__).parents[2]
FOR_A_FILE = re.compile(r'^@pytest.*fixture\(.*scope="module"', re.MULTILINE)
SHARING = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "tests").rglob("test_*.py")
    if FOR_A_FILE.search(path.read_text("utf-8"))
)


@pytest.mark.parametrize("file", SHARING)
def test_given_a_file_with_a_fixture_for_all_of_it_when_shared_then_its_tests_stay_together(file: str) -> None:
    assert group_of(f"{file}::test_one") == group_of(f"{file}::test_other")


@pytest.mark.parametrize("beginning", FIRST)
def test_given_what_begins_first_when_looked_for_then_it_is_there(beginning: str) -> None:
    assert (ROOT / beginning).exists()


def test_given_tests_that_share_nothing_when_shared_then_each_may_go_to_another_process() -> None:
    assert group_of("tests/contract/test_grants.py::test_a[fake]") != group_of("tests/contract/test_grants.py::test_b")
