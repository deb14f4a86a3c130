"""Secrets, which come from a file, from standard input or from a prompt, and never from the command line (P15)."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from service.cli.files import read_secret, without_line_end


def secret_from(
    *, label: str, option: str, file: Path | None, is_stdin: bool = False, may_ask: bool, is_json: bool = False
) -> str:
    """
    Returns a secret: the content of *file*, the first line of standard input, or what a person at a terminal types.

    Empty where none is given: mailport then keeps the one it has stored. *may_ask*: the settings use such a secret, so
    that a person may be asked for it; scripts never are.
    """
    if file is not None and is_stdin:
        raise typer.BadParameter("give one of a file and standard input", param_hint=option)
    if file is not None:
        return read_secret(file, option=option)
    if is_stdin:
        return without_line_end(sys.stdin.readline())
    if may_ask and not is_json and sys.stdin.isatty():
        answer: str = typer.prompt(
            f"{label} (Enter keeps the stored one)", default="", hide_input=True, show_default=False
        )
        return answer
    return ""


def required_secret(*, label: str, option: str, file: Path | None) -> str:
    """
    Returns a secret that a command cannot do without, blanks around it removed.

    It is the content of *file*, else what a person at a terminal types, else the first line of standard input. Raises
    typer.BadParameter for none.
    """
    if file is not None:
        secret = read_secret(file, option=option)
    elif sys.stdin.isatty():
        secret = typer.prompt(label, hide_input=True, err=True)
    else:
        secret = sys.stdin.readline()
    if not secret.strip():
        raise typer.BadParameter("nothing was given", param_hint=option)
    return secret.strip()
