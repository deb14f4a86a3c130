"""The command line: the server's commands, and a client for every RPC, for people and scripts."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command that the arguments name; ends the process with one of `service.cli.exits.ExitCode`."""
    for stream in (sys.stdout, sys.stderr):
        # A name in another script must not end the command where the terminal cannot show it.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    from service.cli.app import app  # here, so that naming `main` costs nothing

    app()
