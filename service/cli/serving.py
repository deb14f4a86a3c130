"""The server's commands: serve, sandbox, migrate, check, version."""

from __future__ import annotations

import json as json_module
import os
import platform
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.exits import ExitCode

if TYPE_CHECKING:
    from service.options import Options

# service.server brings the whole service along; each command imports what it needs when it runs, so that client
# commands start fast.


def register(app: typer.Typer) -> None:
    """Adds the commands to *app*."""
    for command in (serve, sandbox, migrate, check, version):
        app.command()(command)


def serve(
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Run the simulators too, and let mail go to this machine.")
    ] = False,
    walk: Annotated[bool, typer.Option("--walk", help="Show the journey once, against the sandbox.")] = False,
) -> None:
    """Run API, worker and web side until Ctrl-C or SIGTERM. The environment says how (see the README)."""
    if walk and not sandbox:
        raise typer.BadParameter("the walk needs the simulators; add --sandbox", param_hint="--walk")
    options = _options(thorough=True)
    from service.server import serve as run  # slow, see above

    raise typer.Exit(run(options, sandbox=sandbox, walk=walk))


def sandbox() -> None:
    """Run the simulators alone until Ctrl-C or SIGTERM, for your own CI."""
    options = _options()
    from service.server import run_sandbox  # slow, see above

    raise typer.Exit(run_sandbox(options))


def migrate() -> None:
    """Bring the database's schema up to date."""
    options = _options()
    from service.server import migrate as run  # slow, see above

    raise typer.Exit(run(options))


def check() -> None:
    """Check configuration, database, keys and TLS; the exit code tells."""
    options = _options(thorough=True)
    from service.server import check as run  # slow, see above

    raise typer.Exit(run(options))


def version(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Tell the version of mailport and of what it runs on."""
    from importlib.metadata import version as version_of  # slow, see above

    facts = {"version": version_of("mailport"), "python": platform.python_version(), "grpc": version_of("grpcio")}
    if json:
        print(json_module.dumps(facts, indent=2))
    else:
        print(f"mailport {facts['version']} (Python {facts['python']}, gRPC {facts['grpc']})")


def _options(*, thorough: bool = False) -> Options:
    """
    Returns the options of the environment; tells every problem at once and ends where there is one.

    *thorough*: what the variables name, such as keys and certificates, is looked at too before that.
    """
    from service.options import OptionsInvalid, load_options  # slow, see above

    try:
        return load_options(os.environ, is_terminal=sys.stderr.isatty())
    except OptionsInvalid as error:
        problems = error.problems
        if thorough:
            from service.examining import examine  # slow, see above

            problems += examine(error.readable, unusable=error.unusable)
        print(*problems, sep="\n", file=sys.stderr)
        raise typer.Exit(ExitCode.FAILED) from None
