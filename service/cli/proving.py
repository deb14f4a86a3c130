"""Client commands that prove settings with a real mail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailport.v1 import configuration_pb2, mail_service_pb2
from service.cli.commands import SENDING_TIMEOUT, client_command
from service.cli.configuring import ConfigurationId, Etag
from service.cli.protojson import read_message
from service.cli.session import Session
from service.terminal.configurations import draw_configuration
from service.terminal.outcomes import draw_checked, draw_tested, draw_validated


def register(app: typer.Typer) -> None:
    """Adds the commands to *app*."""
    client_command(app, "validate", timeout_seconds=SENDING_TIMEOUT)(validate)
    client_command(app, "confirm")(confirm)
    client_command(app, "check-account", timeout_seconds=SENDING_TIMEOUT)(check_account)
    client_command(app, "send-test", timeout_seconds=SENDING_TIMEOUT)(send_test)


def validate(
    session: Session,
    configuration_id: ConfigurationId,
    user_email: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Your own address. Default: the one in your credential.")
    ] = "",
    require_confirmation: Annotated[
        bool, typer.Option("--require-confirmation", help="Save only when `confirm` brings back the code in the mail.")
    ] = False,
    etag: Etag = "",
) -> None:
    """Prove the draft with a mail to yourself, then put it into use. On any failure nothing is saved."""
    request = mail_service_pb2.ValidateAndSaveRequest(
        configuration_id=configuration_id, user_email=user_email, require_confirmation=require_confirmation, etag=etag
    )
    response = session.call(session.mail.ValidateAndSave, request)
    session.answer(response, lambda style: draw_validated(response, style))


def confirm(
    session: Session,
    configuration_id: ConfigurationId,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The eight digits in the validation mail.")],
) -> None:
    """Put a proven draft into use with the code of the validation mail."""
    request = mail_service_pb2.ConfirmValidationRequest(configuration_id=configuration_id, code=code)
    response = session.call(session.mail.ConfirmValidation, request)
    session.answer(response, lambda style: draw_configuration(response.configuration, style))


def check_account(session: Session, configuration_id: ConfigurationId) -> None:
    """Sign in with the draft, else with what is in use, and send nothing: what works now, and what will bite later."""
    request = mail_service_pb2.CheckAccountRequest(configuration_id=configuration_id)
    response = session.call(session.mail.CheckAccount, request)
    session.answer(response, lambda style: draw_checked(response, style))


def send_test(
    session: Session,
    configuration_id: ConfigurationId,
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="Who gets the test mail.")],
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Unsaved settings to test, as JSON; - is standard input.")
    ] = None,
) -> None:
    """Send a test mail with the draft, else with what is in use; saves nothing, shows the server's own verdict."""
    request = mail_service_pb2.SendTestRequest(configuration_id=configuration_id, to=to)
    if settings is not None:
        request.settings.CopyFrom(read_message(settings, configuration_pb2.Settings, option="--settings"))
    response = session.call(session.mail.SendTest, request)
    session.answer(response, lambda style: draw_tested(response, style))
