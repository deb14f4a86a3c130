"""The lock: what may be installed, by hash, from wherever the user's own settings point."""

from __future__ import annotations

import re
import tomllib

from tests.unit.packaging.conftest import ROOT

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)


def test_given_the_lock_when_read_then_it_names_no_registry_and_no_place() -> None:
    suspects = re.findall(r"^.*(?:://|--(?:extra-)?index|--find-links|--trusted-host|file:|@ ).*$", LOCK, re.MULTILINE)

    assert suspects == []


def test_given_the_lock_when_read_then_every_package_is_pinned_and_hashed() -> None:
    entries = re.split(r"\n(?=[^\s#])", LOCK.partition("\n")[2].partition("\n")[2])

    unhashed = [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry]

    assert len(entries) == len(PINNED.findall(LOCK))
    assert unhashed == []


def test_given_a_dependency_in_pyproject_when_looked_up_then_the_lock_pins_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[\[<>=~! ]", line)[0].lower().replace("_", "-") for line in wanted}

    pinned = {name for name, _ in PINNED.findall(LOCK)}

    assert names - pinned == set()
