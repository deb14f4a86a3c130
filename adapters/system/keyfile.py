"""The file the key ring lives in: read only when nobody else can, replaced whole or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from adapters.system.keyring import KeyRing, KeyRingUnusable

_MAX_BYTES: Final = 1024 * 1024


class KeyFile:
    """
    One key file. Every method raises `KeyRingUnusable`, naming the path, when the file is not what it should be.

    A key file is never made by looking for it: `create` is called where that was decided, because a new ring beside an
    old database means that no stored secret opens.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> KeyRing:
        """Reads the ring. Refuses a file that is absent, not regular, or open to group or others in any way."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise KeyRingUnusable(
                f"{self.path} does not exist. Point MAILPORT_KEYS_FILE at the key ring this database was made with."
            ) from None
        except OSError as error:
            raise KeyRingUnusable(f"{self.path} cannot be read: {error.strerror}.") from error
        with os.fdopen(descriptor, "rb") as file:
            self._check(os.fstat(descriptor))
            text = file.read(_MAX_BYTES + 1)
        if len(text) > _MAX_BYTES:
            raise KeyRingUnusable(f"{self.path} is larger than any key ring.")
        try:
            return KeyRing.from_json(text)
        except KeyRingUnusable as error:
            raise KeyRingUnusable(f"{self.path} is not a usable key ring. {error}") from None

    def create(self, *, now: datetime) -> KeyRing:
        """Makes the file with one new key, mode 0600. A file that is there already is left alone: KeyRingUnusable."""
        ring = KeyRing.generate(now=now)
        with self._written(ring) as temporary:
            try:
                # A hard link fails where the name is taken, as a rename would not: of two processes exactly one wins.
                os.link(temporary, self.path)
            except FileExistsError:
                raise KeyRingUnusable(f"{self.path} exists already; it was not changed.") from None
        return ring

    def load_or_create(self, *, now: datetime) -> KeyRing:
        """Reads the ring, or makes it if the file is absent; processes that start together end up with one ring."""
        if not self.path.exists():
            try:
                return self.create(now=now)
            except KeyRingUnusable:
                if not self.path.exists():
                    raise
        return self.load()

    def add_key(self, *, now: datetime, promote: bool) -> KeyRing:
        """Adds a key (see `KeyRing.with_new_key`); of several at once, each adds its own."""
        return self._change(lambda ring: ring.with_new_key(now=now, promote=promote))

    def promote(self, number: int) -> KeyRing:
        """Makes key *number* the one that seals."""
        return self._change(lambda ring: ring.promoted(number))

    def _change(self, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
        # The folder is locked, not the file: the file that others wait on would be the one just replaced.
        with _locked(self.path.parent):
            ring = change(self.load())
            with self._written(ring) as temporary:
                os.replace(temporary, self.path)
        return ring

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise KeyRingUnusable(f"{self.path} is not a regular file.")
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077:
            raise KeyRingUnusable(
                f"{self.path} has mode {mode:04o}: others than its owner get at the keys. Run: chmod 600 {self.path}"
            )

    @contextmanager
    def _written(self, ring: KeyRing) -> Iterator[str]:
        """Yields a complete, synced file beside the real one; makes the caller's link or rename durable; clears up."""
        try:
            # mkstemp opens with O_EXCL and mode 0600: the material is never readable to others, not even for a moment.
            descriptor, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        except OSError as error:
            raise KeyRingUnusable(f"{self.path} cannot be written: {error.strerror}.") from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(ring.to_json())
                file.flush()
                os.fsync(descriptor)
            yield temporary
            _sync_folder(self.path.parent)
        except OSError as error:
            raise KeyRingUnusable(f"{self.path} cannot be written: {error.strerror}.") from error
        finally:
            Path(temporary).unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KeyRingUnusable(f"{folder} cannot be read: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
