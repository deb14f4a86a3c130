"""Octets that may be many: in memory while they are few, in an unnamed temporary file after that."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from typing import Final

IN_MEMORY: Final = 1024 * 1024
"""Octets up to which nothing goes to disk."""
_CHUNK: Final = 256 * 1024


class Spool:
    """
    Grows by `append`, by one writer, and is read from any place any number of times, from other threads too.

    The temporary file has no name and goes when nobody holds the spool any more.
    """

    def __init__(self, content: bytes = b"") -> None:
        self._start = bytearray()
        self._descriptor = -1
        self._size_bytes = 0
        self.append(content)

    @property
    def size_bytes(self) -> int:
        """Returns how many octets there are."""
        return self._size_bytes

    def append(self, content: bytes) -> None:
        """Adds octets at the end. Raises OSError when the disk is full."""
        if self._descriptor < 0 and self._size_bytes + len(content) <= IN_MEMORY:
            self._start += content
        else:
            if self._descriptor < 0:
                self._descriptor = _unnamed_file()
                weakref.finalize(self, os.close, self._descriptor)
                _write(self._descriptor, self._start, 0)
                self._start = bytearray()
            _write(self._descriptor, content, self._size_bytes)
        self._size_bytes += len(content)

    def read(self, first: int = 0, count: int = -1) -> bytes:
        """Returns up to *count* octets (-1: all) from the one at *first* on."""
        last = max(first, self._size_bytes if count < 0 else min(first + count, self._size_bytes))
        if self._descriptor < 0:
            return bytes(self._start[first:last])
        found = os.pread(self._descriptor, last - first, first)
        while len(found) < last - first:  # one call reads 2 GB at most
            found += os.pread(self._descriptor, last - first - len(found), first + len(found))
        return found

    def chunks(self, size_bytes: int = _CHUNK) -> Iterator[bytes]:
        """Goes through the octets, *size_bytes* at a time."""
        place = 0
        while chunk := self.read(place, size_bytes):
            place += len(chunk)
            yield chunk


def _unnamed_file() -> int:
    descriptor, path = tempfile.mkstemp(prefix="mailport-sandbox-")
    os.unlink(path)
    return descriptor


def _write(descriptor: int, content: bytes | bytearray, place: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, place)
        view, place = view[written:], place + written
