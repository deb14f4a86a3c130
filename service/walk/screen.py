"""What the walk prints: its steps, numbered and indented alike."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from service.terminal.style import Style

_DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
_PROGRAM: Final = "mailport"


class Astray(Exception):
    """A step was answered, but not as it should be; the text says how."""


class Screen:
    """Prints *steps* steps to standard output, with the commands that do the same at *grpc_address*."""

    def __init__(self, *, grpc_address: str, steps: int) -> None:
        self.style = Style.of(sys.stdout, os.environ)
        self._program = _program(sys.argv[0])
        self._server = "" if grpc_address == _DEFAULT_ADDRESS else f" --server {grpc_address}"
        self._steps = steps
        self._number = 0

    def step(self, title: str, command: str, *before: str) -> None:
        """Begins a step: its title, and the commands that do the same; *before*: what to run ahead of them."""
        self._number += 1
        print(f"\n{self.style.bold(f'{self._number}/{self._steps}  {title}')}")
        for line in (*before, self.command(command)):
            print(self.style.faint(f"     $ {line}"))

    def command(self, command: str) -> str:
        """Returns a command of mailport's as a person can type it."""
        return f"{self._program} {command}{self._server}"

    def done(self, text: str) -> None:
        """Prints what went well."""
        self.show([f"{self.style.tick} {text}"])

    def show(self, lines: Iterable[str]) -> None:
        """Prints the result of a step; what follows it may take a while, so it is seen at once."""
        for line in lines:
            print(f"     {line}")
        sys.stdout.flush()

    def aside(self, *lines: str) -> None:
        """Prints what stands before and after the steps."""
        print("", *lines, sep="\n", flush=True)


def _program(started_as: str) -> str:
    """Returns the name that a person can type for this program: with its path where the shell would not find it."""
    is_script = Path(started_as).name == _PROGRAM
    return started_as if is_script and shutil.which(_PROGRAM) is None else _PROGRAM
