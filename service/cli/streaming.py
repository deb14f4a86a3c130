"""Client commands that hold a stream: following deliveries, and handing over many messages."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import Parse, ParseError

from mailport.v1 import mail_service_pb2
from service.cli.choices import State, state_value
from service.cli.commands import client_command
from service.cli.exits import ExitCode, exit_code_of
from service.cli.files import read_text
from service.cli.protojson import without_values
from service.cli.session import CallRefused, Session
from service.terminal.refusals import Refusal
from service.terminal.streams import code_of, draw_change, draw_streamed


def register(app: typer.Typer) -> None:
    """Adds the commands to *app*."""
    client_command(app, "watch", timeout_seconds=None)(watch)
    client_command(app, "send-many", timeout_seconds=None)(send_many)


def watch(
    session: Session,
    configuration: Annotated[str, typer.Option(metavar="ID", help="Deliveries of this configuration only.")] = "",
    delivery: Annotated[
        list[str] | None, typer.Option(metavar="DELIVERY_ID", help="This delivery only; repeatable.")
    ] = None,
    state: Annotated[list[State] | None, typer.Option(help="Changes into this state only; repeatable.")] = None,
    cursor: Annotated[str, typer.Option(metavar="CURSOR", help="Go on behind this one; else from now on.")] = "",
) -> None:
    """
    Follow deliveries: each change of state, as it happens, a line each. Ends with Ctrl-C, or after --timeout.

    With --json each line is an answer of the API, signs of life among them; its cursor is where to go on.
    """
    request = mail_service_pb2.WatchDeliveriesRequest(
        configuration_id=configuration,
        delivery_ids=delivery or (),
        states=[state_value(choice) for choice in state or ()],
        cursor=cursor,
    )
    try:
        for response in session.stream(session.mail.WatchDeliveries, request):
            cursor = response.cursor
            if session.is_json or response.HasField("delivery"):
                session.answer_line(response, partial(draw_change, response))
    except KeyboardInterrupt:
        return
    except CallRefused as refused:
        if refused.is_over:
            return
        if cursor and refused.helps_to_repeat:
            raise refused.advising(f"Go on with --cursor {cursor}") from None
        raise


def send_many(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One message a line, as JSON; - is standard input.")],
    configuration: Annotated[
        str, typer.Option(metavar="ID", help="The configuration of lines that do not name one.")
    ] = "",
) -> None:
    """
    Hand many messages over, on one stream: each line of FILE is a SendStreamRequest of the API as JSON.

    A line without clientReference gets its number as one. Give each an idempotencyKey: then the command can be repeated
    and sends nothing twice.
    """
    requests = _read(file, configuration)
    answered, code = 0, ExitCode.OK
    try:
        for response in session.stream(session.mail.SendStream, iter(requests)):
            answered += 1
            session.answer_line(response, partial(draw_streamed, response))
            if response.HasField("error"):
                error = response.error
                code = exit_code_of(Refusal(code=code_of(error), message=error.message, reason=error.reason))
    except CallRefused as refused:
        raise refused.advising(f"{answered} of {len(requests)} messages were answered before.") from None
    if code is not ExitCode.OK:
        raise typer.Exit(code)


def _read(file: Path, configuration: str) -> list[mail_service_pb2.SendStreamRequest]:
    """Returns all messages, so that a line that is none keeps everything from being sent."""
    requests = []
    for number, line in enumerate(read_text(file, option="FILE").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            request = Parse(line, mail_service_pb2.SendStreamRequest())
        except ParseError as error:
            message = f"line {number} of {file} is no SendStreamRequest in JSON: {without_values(error)}"
            raise typer.BadParameter(message, param_hint="FILE") from None
        request.client_reference = request.client_reference or str(number)
        request.configuration_id = request.configuration_id or configuration
        requests.append(request)
    return requests
