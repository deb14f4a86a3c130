"""What is to be measured, and how thoroughly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.mailports import Database

SIZE_BYTES: Final = 2048
_LINE: Final = "mailport sends what it was given, once, and says so. "
TEXT: Final = "\n".join(_LINE[:50] for _ in range(SIZE_BYTES // 51)).ljust(SIZE_BYTES - 1, ".") + "\n"


@dataclass(frozen=True)
class Plan:
    """The choices of one run of the bench."""

    folder: Path
    """For everything that is written; gone afterwards."""
    rounds: int = 5
    messages: int | None = None
    """A round's, for each contestant; None: what suits the part."""
    contestants: frozenset[str] = frozenset()
    """Their first words; empty: all."""
    callers: tuple[int, ...] = (1, 16, 64)
    processes: tuple[int, ...] = (1, 2)
    seconds: int | None = None
    """How long the parts run that go by time; None: what suits the part."""
    queued: int = 1_000_000
    configurations: int = 1_000
    profile: Path | None = None
    _names: Iterator[int] = field(default_factory=lambda: iter(range(10_000)), repr=False)

    def wants(self, contestant: str) -> bool:
        """Tells whether *contestant* takes part."""
        return not self.contestants or contestant in self.contestants

    def new_folder(self, name: str) -> Path:
        """Returns where one contestant keeps its data; nothing is there yet."""
        return self.folder / f"{name}_{next(self._names)}"

    @contextmanager
    def database(self) -> Iterator[Database]:
        """A server of its own, with a cache that no part before has warmed."""
        server = Database(self.new_folder("postgres"))
        server.start()
        try:
            yield server
        finally:
            server.stop()
