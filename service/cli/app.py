"""The command `mailport` with all its commands."""

from __future__ import annotations

from typing import Final

import typer

from service.cli import configuring, consenting, explaining, keys, mailbox, proving, sending, serving, streaming
from service.cli.exits import HELP

app: Final = typer.Typer(
    help="mailport: the one place where a platform's services get mail out and in.",
    epilog=HELP,
    no_args_is_help=True,
    add_completion=False,
    # Plain help and plain tracebacks: what scripts, logs and tickets can take, and no local variable printed (P15).
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for room in (serving, configuring, consenting, proving, sending, streaming, mailbox, explaining, keys):
    room.register(app)
