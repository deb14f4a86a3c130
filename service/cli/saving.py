"""Contents of a message that come in chunks, into files."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import typer

from mailport.v1 import mailbox_service_pb2 as api
from service.cli.files import STDIN

STDOUT: Final = STDIN
_UNSAFE: Final = re.compile(r"[^\w .,()+@-]")
_NAME_LIMIT: Final = 120


class Saver:
    """
    Writes each part into a file of its own in *folder*, and the raw source to *raw* (``-``: standard output).

    Nothing that is there is written over. Leaving with an error removes what is not whole.
    """

    def __init__(self, *, folder: Path | None, raw: Path | None) -> None:
        self._folder, self._raw = folder, raw
        self._names: dict[str, str] = {}
        self._open: dict[str, tuple[Path, BinaryIO]] = {}
        self.saved: list[Path] = []

    def name_parts(self, parts: Sequence[api.MessagePart]) -> None:
        """Takes the names that the parts are to be saved under."""
        self._names = {part.part_id: file_name(part) for part in parts}

    def take(self, chunk: api.ContentChunk) -> None:
        """Writes one chunk. Raises typer.BadParameter where that cannot be done."""
        if not chunk.part_id and self._raw == STDOUT:
            sys.stdout.buffer.write(chunk.data)
            sys.stdout.buffer.flush()
            return
        if chunk.part_id not in self._open:
            self._begin(chunk.part_id)
        path, file = self._open[chunk.part_id]
        try:
            file.write(chunk.data)
        except OSError as error:
            raise typer.BadParameter(f"{path} cannot be written: {error.strerror}") from None
        if chunk.last:
            file.close()
            del self._open[chunk.part_id]
            self.saved.append(path)

    def give_up(self) -> None:
        """Removes files that are not whole."""
        for path, file in self._open.values():
            file.close()
            path.unlink(missing_ok=True)
        self._open.clear()

    def _begin(self, part_id: str) -> None:
        option = "--save" if part_id else "--raw"
        target = self._folder if part_id else self._raw
        assert target is not None  # only what was asked for comes
        path = target / self._names.get(part_id, f"part-{part_id}") if part_id else target
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("xb")
        except FileExistsError:
            raise typer.BadParameter(f"{path} is there already", param_hint=option) from None
        except OSError as error:
            raise typer.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint=option) from None
        self._open[part_id] = (path, file)


def file_name(part: api.MessagePart) -> str:
    """Returns a safe name: the part's number, and what the sender calls it without anything a path could be."""
    kept = _UNSAFE.sub("_", part.file_name).strip(" .")[-_NAME_LIMIT:]
    return f"{_UNSAFE.sub('_', part.part_id)}-{kept or part.content_type.replace('/', '.')}"
