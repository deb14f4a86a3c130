"""docs/failures.md is what the catalogue says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from domain.failures.catalogue import CATALOGUE, OUTCOME_UNKNOWN

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "failures.md"


def test_given_the_catalogue_when_the_page_is_compared_then_it_is_fresh() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "failures_page.py"), "--check"]

    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")


def test_given_every_cause_when_looked_up_then_its_reason_and_remedy_are_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")

    missing = [entry.reason for entry in (*CATALOGUE, OUTCOME_UNKNOWN) if f"\n## {entry.reason}\n" not in page]

    assert missing == []
    samples = [entry.sample.splitlines()[0] for entry in CATALOGUE if entry.sample]
    assert [sample for sample in samples if sample.replace("|", "\\|").replace("`", "'") not in page] == []
    assert not any(place in page for place in ("{server}", "{because}", "{reply}"))


def test_given_the_page_when_linked_then_the_readme_leads_to_it() -> None:
    assert "](docs/failures.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
