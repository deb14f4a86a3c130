"""The mailports of the bench: real processes on a durable database of its own, proven settings included."""

from __future__ import annotations

import asyncio
import pstats
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.system.keyfile import KeyFile
from mailport.v1 import configuration_pb2, mail_service_pb2
from tests.end_to_end.process import MailportProcess, a_process

SENDER: Final = "robot@example.com"
_SETTLED_SECONDS: Final = 60
_WAITING: Final = "select count(*) from delivery where next_attempt_time is not null or state = 'SENDING'"

_TROUBLE: Final = """
    select count(*), state, left(min(failure::text), 1000) from delivery where state <> 'SENT' group by state
    """


class Database:
    """One server as mailport starts it, fsync and all; each contestant has a database in it."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedPostgres(folder)
        self._admin = ""

    def start(self) -> None:
        self._admin = self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def create(self, name: str) -> str:
        """Makes an empty database and returns its DSN."""
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(SQL("create database {}").format(Identifier(name)))
        return make_conninfo(self._admin, dbname=name)


@dataclass(frozen=True, slots=True)
class Mailports:
    """One mailport, or several on one database."""

    processes: Sequence[MailportProcess]
    dsn: str

    @property
    def addresses(self) -> list[str]:
        return [process.grpc_address for process in self.processes]

    async def configure(self, names: Sequence[str], settings: configuration_pb2.Settings) -> None:
        """Configures and proves *settings* under each of *names*; each proof is one mail."""
        at_once = asyncio.Semaphore(8)

        async def prove(name: str) -> None:
            async with at_once:
                await stub.Configure(mail_service_pb2.ConfigureRequest(configuration_id=name, settings=settings))
                await stub.ValidateAndSave(
                    mail_service_pb2.ValidateAndSaveRequest(configuration_id=name, user_email=SENDER)
                )

        stub = self.processes[0].stub
        await asyncio.gather(*map(prove, names))

    async def settled(self) -> None:
        """Waits until nothing is queued or under way, so that no contestant pays for the one before it."""
        end = time.monotonic() + _SETTLED_SECONDS
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            while (row := await (await connection.execute(_WAITING)).fetchone()) and row[0]:
                if time.monotonic() > end:
                    raise RuntimeError(f"{row[0]} deliveries have not ended {_SETTLED_SECONDS} s after their arrival")
                await asyncio.sleep(0.05)

    async def trouble(self) -> str:
        """Returns what is left to deliver, and the first reasons that were given for it."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            found = await (await connection.execute(_TROUBLE)).fetchall()
        return "; ".join(f"{count} {state}: {failure}" for count, state, failure in found) or "nothing is waiting"

    def resident_mib(self) -> float:
        """Returns the resident memory of all processes together, without the database's."""
        return sum(_resident_kib(process.process.pid) for process in self.processes) / 1024


@asynccontextmanager
async def mailports(
    folder: Path, database: Database, *, processes: int = 1, profile: Path | None = None
) -> AsyncIterator[Mailports]:
    """
    Starts *processes* of mailport on one new database, with their data in *folder*.

    With *profile*, the first runs under cProfile, its figures go to that file and the costliest calls to one beside.
    """
    keys = _new_keys(folder)
    dsn = database.create(folder.name)
    async with AsyncExitStack() as stack:
        running = []
        for number in range(processes):
            under = ("-m", "cProfile", "-o", str(profile)) if profile and number == 0 else ()
            started = await stack.enter_async_context(
                a_process(
                    folder / f"data-{number}",
                    under=under,
                    MAILPORT_DATABASE_URL=dsn,
                    MAILPORT_KEYS_FILE=str(keys),
                )
            )
            running.append(started)
        yield Mailports(running, dsn)
        for each in running:
            await each.stop()
    if profile:
        _print_profile(profile)


def plain_settings(port: int, *, connections: int = 0) -> configuration_pb2.Settings:
    """Returns settings for a sink without TLS and sign-in; *connections* 0: as many as a process opens by itself, 5."""
    return configuration_pb2.Settings(
        limits=configuration_pb2.SendingLimits(max_connections=connections),
        from_address=SENDER,
        smtp=configuration_pb2.SmtpTransport(
            host="127.0.0.1", port=port, security=configuration_pb2.CONNECTION_SECURITY_NONE
        ),
    )


def _new_keys(folder: Path) -> Path:
    folder.mkdir(parents=True)
    keys = folder / "keys.json"
    KeyFile(keys).create(now=datetime.now(UTC))
    return keys


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _print_profile(profile: Path) -> None:
    with profile.with_suffix(".txt").open("w") as page:
        for order in ("tottime", "cumulative"):
            pstats.Stats(str(profile), stream=page).sort_stats(order).print_stats(60)
    sys.stderr.write(f"profile: {profile} and {profile.with_suffix('.txt').name} beside it\n")
