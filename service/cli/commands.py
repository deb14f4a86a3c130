"""Turns a function into a client command: with the options that every one of them takes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Concatenate, Final, ParamSpec, cast

import typer

from service.cli.connection import Connection
from service.cli.groups import flattened, gathered
from service.cli.session import CallRefused, Session

_P = ParamSpec("_P")

USUAL_TIMEOUT: Final = 30.0
"""Seconds; what the service itself allows a call without a deadline."""
SENDING_TIMEOUT: Final = 90.0
"""Seconds, for calls that talk to a mail server before they answer."""


def client_command(
    group: typer.Typer, name: str, *, timeout_seconds: float | None = USUAL_TIMEOUT
) -> Callable[[Callable[Concatenate[Session, _P], None]], Callable[Concatenate[Session, _P], None]]:
    """
    Adds the decorated function to *group* as command *name*, with --json, --timeout and the options of `Connection`.

    The function gets an open `Session` first. A refused call is printed and becomes the exit code.
    """

    def register(function: Callable[Concatenate[Session, _P], None]) -> Callable[Concatenate[Session, _P], None]:
        def open_session(
            connection: Connection,
            json: Annotated[
                bool, typer.Option("--json", help="Print JSON, the API's own; refusals go to stderr.")
            ] = False,
            timeout: Annotated[
                float | None, typer.Option(metavar="SECONDS", min=0.1, help="How long the call may take.")
            ] = timeout_seconds,
        ) -> Session:
            return Session(connection, timeout_seconds=timeout, is_json=json)

        body: Callable[..., Any] = functools.partial(cast("Any", function), None)

        def command(**values: Any) -> None:
            with open_session(**gathered(open_session, values)) as session:
                try:
                    function(session, **gathered(body, values))  # type: ignore[call-arg]
                except CallRefused as refused:
                    raise typer.Exit(session.refuse(refused.refusal)) from None

        parameters = [*flattened(body), *flattened(open_session)]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        group.command(name, help=inspect.getdoc(function))(command)
        return function

    return register
