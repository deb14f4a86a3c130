"""The data folder of the embedded server: made once, checked at every start."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.postgres.binaries import EmbeddedPostgresFailed
from adapters.postgres.identity import Identity, environment

USER: Final = "mailport"
_LONGEST_PATH_BYTES: Final = 900  # postgres cuts paths at 1,024 bytes (MAXPGPATH), silently


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One data folder and its password, below `home`."""

    home: Path
    binaries: Path

    @property
    def data(self) -> Path:
        """The folder postgres works in."""
        return self.home / "pg"

    @property
    def password_file(self) -> Path:
        """Holds the password of the only database user; mode 0600."""
        return self.home / "pg.password"

    def prepare(self, identity: Identity) -> None:
        """
        Makes the data folder if there is none, and checks the one there is.

        Raises EmbeddedPostgresFailed for a folder that is foreign, of another major version or lacks its password.
        """
        if len(os.fsencode(self.data)) > _LONGEST_PATH_BYTES:
            raise EmbeddedPostgresFailed(
                f"The path {self.data} is longer than PostgreSQL takes.", "Set MAILPORT_DATA_DIR to a shorter path."
            )
        if not self.data.exists() or not any(self.data.iterdir()):
            self._make(identity)
        self._check_version()
        if not self.password_file.exists():
            raise EmbeddedPostgresFailed(
                f"The password file {self.password_file} of the database beside it is gone.",
                "Restore that file from a backup, or move the folder pg away to start with an empty database.",
            )

    def _make(self, identity: Identity) -> None:
        # Made under another name, so that an interrupted initdb never looks like a database.
        fresh = self.home / "pg.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._write_password()
        for path in (fresh, self.password_file):
            identity.adopt(path)
        # The builtin C.UTF-8 sorts alike on every machine.
        done = identity.run(
            self.binaries / "initdb", "-D", fresh, "-U", USER, "-E", "UTF8", "--locale=C",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth=scram-sha-256",
            f"--pwfile={self.password_file}", "--no-instructions",
        )  # fmt: skip
        if done.returncode:
            raise EmbeddedPostgresFailed(
                f"PostgreSQL could not make its data folder in {self.home}: {done.stderr.strip()[-1000:]}",
                "Check free space and rights of that folder, or set MAILPORT_DATA_DIR to another.",
            )
        fresh.rename(self.data)
        _sync(self.home)

    def _write_password(self) -> None:
        self.password_file.unlink(missing_ok=True)
        descriptor = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
            file.flush()
            os.fsync(descriptor)

    def _check_version(self) -> None:
        try:
            have = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedPostgresFailed(
                f"{self.data} holds files and is not a PostgreSQL data folder.",
                "Move it away, or restore the whole folder from a backup.",
            ) from None
        shown = subprocess.run(
            [self.binaries / "postgres", "--version"], env=environment(), capture_output=True, text=True, check=True
        ).stdout
        # "postgres (PostgreSQL) 18.4 (Debian 18.4-1)"; a beta says "19beta1".
        want = shown.split("(PostgreSQL)")[1].split()[0].split(".")[0]
        if have != want:
            raise EmbeddedPostgresFailed(
                f"{self.data} was written by PostgreSQL {have}, and the programs here are PostgreSQL {want}.",
                f"Dump it with the programs of PostgreSQL {have} and restore the dump into a new folder, or use those"
                " programs.",
            )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
