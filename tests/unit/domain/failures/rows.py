"""Real answers with what they mean: the catalogue's rows, and further ones written down before the rule was."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from domain.failures.evidence import Surface
from domain.failures.explain import Explanation, explain_fully
from domain.failures.failure import Stage
from domain.failures.reading import read_answer

DATA = Path(__file__).parents[3] / "data"


@dataclass(frozen=True)
class Row:
    """One answer, where it was met, and what it means."""

    name: str
    surface: Surface
    provider: str
    stage: Stage
    answer: str
    kind: str
    reason: str
    http_status: int = 0

    def explained(self, answer: str | None = None) -> Explanation:
        """Returns what the rule says, knowing where it was met."""
        evidence = read_answer(
            self.answer if answer is None else answer,
            surface=self.surface,
            provider=self.provider,
            stage=self.stage,
            http_status=self.http_status,
        )
        return explain_fully(evidence)


def catalogue_rows() -> list[Row]:
    """Returns the rows of the catalogue."""
    return [_row(row, row["id"], row["match"], row["code"]) for row in _read("failure_catalogue.csv")]


def further_rows() -> list[Row]:
    """Returns the further answers."""
    return [_row(row, row["answer"][:40], row["answer"], "") for row in _read("further_answers.csv")]


def _read(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _row(row: dict[str, str], name: str, answer: str, code: str) -> Row:
    status = re.match(r"(?:HTTP )?(\d{3})\b", code)
    is_http = row["surface"] in ("graph", "oauth-token")
    return Row(
        name=name,
        surface=Surface(row["surface"]),
        provider="" if row["provider"] == "any" else row["provider"],
        stage=Stage(row["stage"]),
        answer=answer,
        kind=row["kind"],
        reason=row["reason"],
        http_status=int(status[1]) if status and is_http else 0,
    )
