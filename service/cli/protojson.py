"""Messages of the API that a person wrote as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import typer
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import Message

from service.cli.files import read_text

_M = TypeVar("_M", bound=Message)


def read_message(path: Path, kind: type[_M], *, option: str) -> _M:
    """
    Returns the message that the file (``-``: standard input) holds in the JSON form of the API; snake_case names too.

    Raises typer.BadParameter for what is none. The field is told, never its value: it may be a secret.
    """
    text = read_text(path, option=option)
    try:
        return Parse(text, kind())
    except ParseError as error:
        name = kind.DESCRIPTOR.full_name
        raise typer.BadParameter(f"{path} is no {name} in JSON: {without_values(error)}", param_hint=option) from None


def without_values(error: ParseError) -> str:
    """
    Returns what *error* says less the values that it quotes, which may be secret.

    The parser quotes a value that does not fit after the field's name, and names all fields on a second line.
    """
    first = str(error).partition("\n")[0]
    return first.partition(": ")[0] if first.startswith("Failed to parse") else first
