"""Files that options name; ``-`` is standard input, read once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import typer

STDIN: Final = Path("-")


def read_bytes(path: Path, *, option: str) -> bytes:
    """Returns the file's content. Raises typer.BadParameter naming *option* where it cannot be read."""
    if path == STDIN:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint=option) from None


def read_text(path: Path, *, option: str) -> str:
    """Returns the file's content as UTF-8 text, without a byte order mark."""
    try:
        return read_bytes(path, option=option).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is not UTF-8 text", param_hint=option) from None


def read_secret(path: Path, *, option: str) -> str:
    """Returns the file's content without its last line end, which editors add; nothing else of it is touched."""
    return without_line_end(read_text(path, option=option))


def without_line_end(text: str) -> str:
    """Returns *text* without one line end at its end."""
    return text.removesuffix("\n").removesuffix("\r")
