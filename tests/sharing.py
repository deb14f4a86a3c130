"""How several processes share the suite (pytest -n 4): what belongs together, and what begins first."""

from __future__ import annotations

from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

FIRST: Final = {
    "tests/proofs/test_deadlines.py": "machine",
    "tests/faults/": "machine",
    "tests/proofs/": "storms",
    "tests/integration/smtp/test_dovecot_tokens.py": "Dovecot with tokens",  # one for all of the file
}
"""
Groups, by how the names of their tests begin. Each is done by one process, a test at a time, and the long ones first.

What loads the machine on purpose is in two of them: more of it at once, and waits would be judged that are the suite's.
"""

_BY_FILE: Final = ("tests/unit/", "tests/end_to_end/")
"""Quick ones, not worth being handed out one by one; and those that often start one site for all of a file."""


def group_of(nodeid: str) -> str:
    """Returns with what a test is done; tests of one group follow each other in one process."""
    for beginning, group in FIRST.items():
        if nodeid.startswith(beginning):
            return group
    return nodeid.partition("::")[0] if nodeid.startswith(_BY_FILE) else nodeid


class _InGroups(LoadScopeScheduling):  # type: ignore[misc]
    """xdist's scheduler. Not --dist loadgroup: xdist 3.8 renames tests for it, of which pytest 9.2 takes no notice."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # by number of tests, which says little of how long they take
    return _InGroups(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts first what takes long, where processes share the suite, so that none of them waits for it at the end."""
    if hasattr(config, "workerinput"):
        order = [*dict.fromkeys(FIRST.values())]
        items.sort(key=lambda item: order.index(group) if (group := group_of(item.nodeid)) in order else len(order))
