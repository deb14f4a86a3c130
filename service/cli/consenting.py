"""Client commands for consent: ask for it, bring back what the browser landed on, give it up."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from mailport.v1 import configuration_pb2, mail_service_pb2
from service.cli.browser import open_browser
from service.cli.commands import SENDING_TIMEOUT, client_command
from service.cli.configuring import ConfigurationId
from service.cli.consent_wait import await_consent
from service.cli.secrets import required_secret
from service.cli.session import Session
from service.terminal.consents import draw_authorized, draw_consented, draw_given_up, draw_started
from service.terminal.style import Style

_BROWSER: Final = "It was opened in your browser."
_NO_BROWSER: Final = "No browser could be opened; open the address by hand."
_WAITING: Final = "Waiting for the consent. Ctrl-C ends the waiting alone."


def register(app: typer.Typer) -> None:
    """Adds the commands to *app*."""
    client_command(app, "authorize")(authorize)
    client_command(app, "complete-auth", timeout_seconds=SENDING_TIMEOUT)(complete_auth)
    client_command(app, "revoke")(revoke)


def authorize(
    session: Session,
    configuration_id: ConfigurationId,
    redirect_url: Annotated[
        str, typer.Option(metavar="URL", help="Where the browser comes back to. Default: as configured.")
    ] = "",
    save: Annotated[bool, typer.Option("--save", help="The consent alone puts the draft into use.")] = False,
    login_hint: Annotated[
        str, typer.Option(metavar="ACCOUNT", help="Account to preselect. Default: the configured one.")
    ] = "",
    active: Annotated[bool, typer.Option("--active", help="For what is in use, although there is a draft.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, open no browser.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for the person to consent.")] = False,
) -> None:
    """
    Ask for consent: print the address of the provider's page, open it in a browser, and wait for the outcome.

    Waits at most the ten minutes that a consent may take; --timeout bounds each single call. With --json the address
    goes to standard error while it waits.
    """
    request = mail_service_pb2.AuthorizeRequest(
        configuration_id=configuration_id,
        redirect_url=redirect_url,
        save=save,
        login_hint=login_hint,
        for_active=active,
    )
    started = session.call(session.mail.Authorize, request)
    # Whoever holds the state can end the session. The address has to carry it; only a script that will complete the
    # session by itself gets it, as the API gives it.
    if no_wait:
        session.answer(started, lambda style: draw_started(started, style))
    else:
        _tell(session, lambda style: draw_started(started, style))
    if not no_browser:
        opened = open_browser(started.authorization_url)
        _tell(session, lambda _: [_BROWSER if opened else _NO_BROWSER])
    if no_wait:
        return
    _tell(session, lambda _: [_WAITING])
    configuration = await_consent(started, lambda: _read(session, configuration_id))
    session.answer(
        mail_service_pb2.GetConfigurationResponse(configuration=configuration),
        lambda style: draw_consented(configuration, style),
    )


def complete_auth(
    session: Session,
    callback_url_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Holds the address; without it a person is asked, or standard input read."),
    ] = None,
) -> None:
    """
    End a consent by hand with the address that the browser landed on, from its first to its last character.

    For a browser that cannot reach mailport's own page. The address holds a code, so it comes from a prompt, standard
    input or a file.
    """
    callback_url = required_secret(
        label="The address that the browser landed on", option="--callback-url-file", file=callback_url_file
    )
    request = mail_service_pb2.CompleteAuthRequest(callback_url=callback_url)
    response = session.call(session.mail.CompleteAuth, request)
    session.answer(response, lambda style: draw_authorized(response, style))


def revoke(
    session: Session,
    configuration_id: ConfigurationId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Give a consent up: revoke it at the provider where that is possible, and forget it in any case."""
    if not yes and not session.is_json and sys.stdin.isatty():
        typer.confirm(f"Give up the consent of {configuration_id}? It stops sending.", abort=True, err=True)
    request = mail_service_pb2.RevokeAuthRequest(configuration_id=configuration_id)
    response = session.call(session.mail.RevokeAuth, request)
    session.answer(response, lambda style: draw_given_up(response.grant_revocation, style))


def _tell(session: Session, draw: Callable[[Style], Iterable[str]]) -> None:
    """Prints lines at once for a person who waits, on standard error where standard output is for JSON alone."""
    stream = sys.stderr if session.is_json else sys.stdout
    print("\n".join(draw(Style.of(stream, os.environ))), file=stream, flush=True)


def _read(session: Session, configuration_id: str) -> configuration_pb2.Configuration:
    request = mail_service_pb2.GetConfigurationRequest(configuration_id=configuration_id)
    return session.call(session.mail.GetConfiguration, request).configuration
