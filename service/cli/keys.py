"""Commands for the key ring that seals secrets at rest."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Protocol

import typer

from service.cli.exits import ExitCode

# service.container brings the whole service along; each command imports it when it runs, so that the others start fast.

File = Annotated[
    Path,
    typer.Option("--file", metavar="FILE", envvar="MAILPORT_KEYS_FILE", help="The key file.", show_default=False),
]


class Key(Protocol):
    """What is shown of a key."""

    @property
    def number(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...


class Ring(Protocol):
    """What is shown of a key ring."""

    @property
    def keys(self) -> Sequence[Key]: ...
    @property
    def primary(self) -> int: ...


def register(app: typer.Typer) -> None:
    """Adds the commands to *app*."""
    keys = typer.Typer(help="Look after the key ring that seals secrets at rest.", no_args_is_help=True)
    for name, command in (("create", create), ("list", list_keys), ("add", add), ("promote", promote)):
        keys.command(name)(command)
    app.add_typer(keys, name="keys")


def create(path: Annotated[Path, typer.Argument(metavar="FILE", help="Where to make it; must not exist.")]) -> None:
    """Make a key file with one new key, mode 0600. Keep a copy apart from the database: it opens what is stored."""
    from service.container import key_file  # slow, see above

    with _explained():
        _show(key_file(path).create(now=datetime.now(UTC)))


def list_keys(file: File) -> None:
    """List the keys by number, never their material."""
    from service.container import key_file  # slow, see above

    with _explained():
        _show(key_file(file).load())


def add(
    file: File,
    promote: Annotated[
        bool, typer.Option("--promote", help="Seal with it at once; right where one process uses the file.")
    ] = False,
) -> None:
    """Add a key. With several replicas: add, hand the file to each, then promote."""
    from service.container import key_file  # slow, see above

    with _explained():
        _show(key_file(file).add_key(now=datetime.now(UTC), promote=promote))


def promote(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As `keys list` shows it.")], file: File
) -> None:
    """Make a key the one that seals. Every other key goes on opening what it sealed."""
    from service.container import key_file  # slow, see above

    with _explained():
        _show(key_file(file).promote(number))


@contextmanager
def _explained() -> Iterator[None]:
    from service.container import StartFailed, explained  # slow, see above

    try:
        with explained():
            yield
    except StartFailed as error:
        print(f"{error.message} {error.remedy}".rstrip(), file=sys.stderr)
        raise typer.Exit(ExitCode.FAILED) from None


def _show(ring: Ring) -> None:
    for key in ring.keys:
        seals = "  seals" if key.number == ring.primary else ""
        print(f"{key.number}  {key.created_at:%Y-%m-%d %H:%M:%SZ}{seals}")
