"""What a source tree imports, read from the syntax: nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]


def modules_below(package: str) -> list[Path]:
    """Returns every Python file of a top-level package of this repository."""
    return sorted((ROOT / package).rglob("*.py"))


def imported_by(source: str) -> Iterator[tuple[int, str]]:
    """Yields line and dotted name of each module that the source imports, at any depth of nesting."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
