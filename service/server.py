"""What the server commands do: serve, the sandbox alone, migrate, check."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from service.container import (
    StartFailed,
    bring_up_to_date,
    egress_policy,
    living_workers,
    load_keys,
    pending_migrations,
)
from service.examining import describe_edge, examine
from service.logs import EXIT_FORCED, set_up_logs
from service.options import Address, Options, ProcessRole
from service.options.model import PREFIX
from service.running import Running, database, running, served, started_sandbox
from service.sandbox.pages import MOUNT_PATH
from service.sandbox.sandbox import Sandbox

_EXIT_WITHIN: Final = timedelta(seconds=28)
"""Below the 30 seconds that orchestrators give before they kill."""


def serve(options: Options, *, sandbox: bool, walk: bool) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code. *walk* shows the journey once, against the sandbox."""
    if problems := examine(options):
        print(*problems, sep="\n", file=sys.stderr)
        return 1
    set_up_logs(level=options.log_level, form=options.log_format.value)
    return _explained(lambda: asyncio.run(_serve(options, sandbox=sandbox, walk=walk)))


def run_sandbox(options: Options) -> int:
    """Runs the simulators alone, for a user's own CI, until SIGTERM or SIGINT; returns the exit code."""
    set_up_logs(level=options.log_level, form=options.log_format.value)
    return _explained(lambda: asyncio.run(_run_sandbox(options)))


def migrate(options: Options) -> int:
    """Brings the database's schema up to date and names what was applied; returns the exit code."""

    def bring_up() -> int:
        with database(options) as dsn:
            applied = bring_up_to_date(dsn)
        print("\n".join(f"applied {name}" for name in applied) or "the schema is up to date")
        return 0

    return _explained(bring_up)


def check(options: Options) -> int:
    """Examines all that a start needs and tells what is wrong; changes no schema. Returns 1 when something is."""
    problems = examine(options)
    for problem in problems:
        print(f"FAIL  {problem.name}: {problem.message} {problem.remedy}")
    wrong = {problem.name.removeprefix(PREFIX) for problem in problems}
    failed = len(problems)
    for name, (variables, examination) in _EXAMINATIONS.items():
        if not wrong.isdisjoint(variables.split()):
            continue  # said above
        try:
            print(f"ok    {name}: {examination(options)}")
        except StartFailed as error:
            failed += 1
            print(f"FAIL  {name}: {error.message} {error.remedy}".rstrip())
    if not failed and options.database_url is not None:  # nobody else works on an embedded one
        print(*_workers(options), sep="\n")
    return 1 if failed else 0


async def _serve(options: Options, *, sandbox: bool, walk: bool) -> int:
    stopping = _stop_event()
    async with running(options, sandbox=sandbox) as service:
        _say(service)
        obstacle = no_walk(options) if walk else None
        if obstacle:
            print(f"The walk is skipped: {obstacle}", flush=True)
        tasks = [asyncio.create_task(stopping.wait()), asyncio.create_task(service.failed.wait())]
        journey = asyncio.create_task(_walk(service)) if walk and sandbox and not obstacle else None
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        _end_at_the_latest()
        for task in [*tasks, *([journey] if journey else [])]:
            task.cancel()
        return 1 if service.failed.is_set() else 0


async def _walk(service: Running) -> None:
    from service.walk import walk_sandbox  # here, since serving needs no client

    if service.sandbox is not None:
        await walk_sandbox(service.grpc_address, service.web_url, service.sandbox)


async def _run_sandbox(options: Options) -> int:
    stopping = _stop_event()
    async with started_sandbox(options) as simulators, served(simulators.site, options.web_address) as address:
        host = simulators.smtp_host
        print(
            f"The sandbox runs: SMTP {host}:{simulators.smtp_port} (STARTTLS) and {host}:{simulators.smtps_port}"
            f" (implicit TLS), IMAP {_imap(simulators)}, inbox http://{address.from_here}{MOUNT_PATH}/inbox,"
            f" Graph {simulators.graph.root(f'http://{address.from_here}')}",
            flush=True,
        )
        await stopping.wait()
    return 0


def no_walk(options: Options) -> str | None:
    """Returns why a process with these *options* cannot be walked through, for people; None if it can."""
    if options.tls_cert is not None:
        return "it speaks plain text, and this mailport takes TLS alone (MAILPORT_TLS_CERT)."
    if options.has_identity:
        return "it has no credentials, and this mailport asks callers for them (MAILPORT_JWKS, MAILPORT_CLIENTS_FILE)."
    if options.public_url and not Address(urlsplit(options.public_url).hostname or "", 0).is_loopback:
        return "its browser is on this machine, and this mailport sends browsers elsewhere (MAILPORT_PUBLIC_URL)."
    if missing := {ProcessRole.API, ProcessRole.WEB, ProcessRole.WORKER} - options.roles:
        return f"it needs the role {' and '.join(sorted(missing))}, which this process has not (MAILPORT_ROLES)."
    return None


def _end_at_the_latest() -> None:
    """Ends the process even if something hangs while it drains, such as a look-up at a dead name server (P26)."""

    def end() -> None:
        logging.getLogger(__name__).critical(EXIT_FORCED)
        os._exit(1)

    watchdog = threading.Timer(_EXIT_WITHIN.total_seconds(), end)
    watchdog.daemon = True
    watchdog.start()


def _say(service: Running) -> None:
    lines = [f"mailport serves gRPC on {service.grpc_address or '(no role api)'}, web on {service.web_url}"]
    if service.options.database_url is None:
        lines.append(f"Its data is in {service.options.data_dir}")
    if service.sandbox is not None:
        lines.append(f"The sandbox's inbox is at {service.web_url}{MOUNT_PATH}/inbox")
        lines.append(f"The same over IMAP: {_imap(service.sandbox)}")
        lines.append(
            f"The sandbox's Graph, with an account to try, is at {service.sandbox.graph.root(service.web_url)}/"
        )
    print("\n".join(lines), flush=True)


def _imap(simulators: Sandbox) -> str:
    host = simulators.smtp_host
    return (
        f"{host}:{simulators.imap_port} (STARTTLS) and {host}:{simulators.imaps_port} (implicit TLS), "
        f"user {simulators.username}, password {simulators.password}"
    )


def _stop_event() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _explained(run: Callable[[], int]) -> int:
    try:
        return run()
    except StartFailed as error:
        print(f"mailport cannot start: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"What to do: {error.remedy}", file=sys.stderr)
        return 1


def _examine_egress(options: Options) -> str:
    egress_policy(options.egress_allow)
    return f"the public internet{' and ' + options.egress_allow if options.egress_allow else ''}"


def _examine_database(options: Options) -> str:
    with database(options) as dsn:
        missing = pending_migrations(dsn)
    kind = "the operator's" if options.database_url else f"embedded in {options.data_dir}"
    return f"{kind}, " + (
        f"lacks {', '.join(missing)}; `mailport migrate` applies it" if missing else "schema up to date"
    )


def _workers(options: Options) -> list[str]:
    """Tells which workers live; that there are none is a warning, since they may be started after this."""
    with database(options) as dsn:
        if pending_migrations(dsn):
            return []
        live = {each.data_center: each.live for each in living_workers(dsn) if each.live}
    empty = [name for name in options.data_centers if name not in live]
    lines = [f"warn  workers: none lives at the data center {name}" for name in empty]
    if not live:
        lines = ["warn  workers: none lives; mail is accepted and waits until a process with the role worker runs"]
    told = ", ".join(f"{count} at {name or 'no named data center'}" for name, count in live.items())
    return [*([f"ok    workers: {told}"] if live else []), *lines]


def _examine_keys(options: Options) -> str:
    ring = load_keys(options, now=datetime.now(UTC))
    return f"{len(ring.keys)} key(s), number {ring.primary} seals"


_EXAMINATIONS: Final[dict[str, tuple[str, Callable[[Options], str]]]] = {
    "egress": ("EGRESS_ALLOW", _examine_egress),
    "database": ("DATABASE_URL", _examine_database),
    "keys": ("KEYS_FILE DATABASE_URL", _examine_keys),
    "tls and callers": ("TLS_CERT CLIENT_CA CLIENTS_FILE JWKS", describe_edge),
}
"""What each looks at, by the variables' names without prefix, and what it says when all is well."""
