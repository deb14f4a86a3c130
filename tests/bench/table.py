"""Markdown tables, and the page of the docs that keeps the latest ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Section:
    """What one part of the bench found."""

    title: str
    about: str
    """What was measured and how, a paragraph."""
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)
    """What was left out and why, and what was odd."""

    def __str__(self) -> str:
        parts = [f"## {self.title}", self.about, _table(self.columns, self.rows)]
        if self.notes:
            parts.append("\n".join(f"- {note}" for note in self.notes))
        return "\n\n".join(part for part in parts if part) + "\n"


def write_page(page: Path, *, head: str, sections: Iterable[Section]) -> None:
    """Writes *sections* below *head* into *page*; a section of another run with another title stays, after them."""
    fresh = {section.title: str(section) for section in sections}
    kept = {title: text for title, text in _sections(page).items() if title not in fresh}
    page.write_text("\n".join([head, *fresh.values(), *kept.values()]), encoding="utf-8")


def _sections(page: Path) -> dict[str, str]:
    if not page.exists():
        return {}
    _, *sections = page.read_text(encoding="utf-8").split("\n## ")
    return {text.partition("\n")[0]: f"## {text.rstrip()}\n" for text in sections}


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(columns), ["---"] + ["---:"] * (len(columns) - 1), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
