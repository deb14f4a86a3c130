"""Client commands that send mail and follow it."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, Final

import typer

from mailport.v1 import delivery_pb2, mail_service_pb2
from service.cli.choices import State, duration_value, instant_value, state_value
from service.cli.commands import SENDING_TIMEOUT, client_command
from service.cli.configuring import ConfigurationId, PageSize, PageToken, more
from service.cli.exits import ExitCode
from service.cli.message_options import MessageOptions
from service.cli.session import CallRefused, Session
from service.terminal.deliveries import FINAL_STATES, draw_deliveries, draw_delivery
from service.terminal.outcomes import draw_sent

DeliveryId = Annotated[str, typer.Argument(metavar="DELIVERY_ID", help="As `send` named it.")]
_REPEAT: Final = "Nobody knows whether it was accepted. Repeat the command with --key {key}: nothing is sent twice."


def register(app: typer.Typer) -> None:
    """Adds the commands to *app*."""
    client_command(app, "send", timeout_seconds=SENDING_TIMEOUT)(send)
    deliveries = typer.Typer(help="Follow and steer what was sent.", no_args_is_help=True)
    client_command(deliveries, "list")(list_deliveries)
    client_command(deliveries, "get")(get_delivery)
    client_command(deliveries, "cancel")(cancel_delivery)
    client_command(deliveries, "retry")(retry_delivery)
    app.add_typer(deliveries, name="deliveries")


def send(
    session: Session,
    configuration_id: ConfigurationId,
    message_options: MessageOptions,
    message: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The whole message as JSON instead; - is standard input.")
    ] = None,
    key: Annotated[
        str, typer.Option(metavar="KEY", help="Names this send: repeated with the same key it sends nothing twice.")
    ] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Answer only when the delivery is final.")] = False,
) -> None:
    """Hand a message over for delivery. It is stored safely before the answer comes."""
    key = key or str(uuid.uuid4())
    request = mail_service_pb2.SendRequest(
        configuration_id=configuration_id, message=message_options.read(file=message), idempotency_key=key, wait=wait
    )
    try:
        response = session.call(session.mail.Send, request)
    except CallRefused as refused:
        raise refused.advising(_REPEAT.format(key=key)) if refused.is_unanswered else refused from None
    session.answer(response, lambda style: draw_sent(response, style))
    if wait and (code := _outcome(response.delivery.state)) is not ExitCode.OK:
        raise typer.Exit(code)


def get_delivery(session: Session, delivery_id: DeliveryId) -> None:
    """Show a delivery: where it stands, for whom, and what each attempt met."""
    request = mail_service_pb2.GetDeliveryRequest(delivery_id=delivery_id)
    response = session.call(session.mail.GetDelivery, request)
    session.answer(response, lambda style: draw_delivery(response.delivery, style))


def cancel_delivery(session: Session, delivery_id: DeliveryId) -> None:
    """Stop a delivery for every recipient; refused when a copy was taken, or may have been."""
    response = session.call(
        session.mail.CancelDelivery, mail_service_pb2.CancelDeliveryRequest(delivery_id=delivery_id)
    )
    session.answer(response, lambda style: draw_delivery(response.delivery, style))


def retry_delivery(
    session: Session,
    delivery_id: DeliveryId,
    expire_after: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to try from now on, e.g. 90s, 30m, 24h, 7d.")
    ] = "",
) -> None:
    """Try a delivery again at once for all who do not have it. If it is in doubt, they may get a second copy."""
    request = mail_service_pb2.RetryDeliveryRequest(
        delivery_id=delivery_id,
        expire_after=duration_value(expire_after, option="--expire-after") if expire_after else None,
    )
    response = session.call(session.mail.RetryDelivery, request)
    session.answer(response, lambda style: draw_delivery(response.delivery, style))


def list_deliveries(
    session: Session,
    configuration: Annotated[str, typer.Option(metavar="ID", help="Deliveries of this configuration only.")] = "",
    state: Annotated[list[State] | None, typer.Option(help="Deliveries in this state only; repeatable.")] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="Accepted at or after, e.g. 2026-03-01T09:15Z.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Accepted before.")] = "",
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> None:
    """List deliveries, the newest first, a page at a time."""
    request = mail_service_pb2.ListDeliveriesRequest(
        configuration_id=configuration,
        states=[state_value(choice) for choice in state or ()],
        start_create_time=instant_value(since, option="--since") if since else None,
        end_create_time=instant_value(until, option="--until") if until else None,
        page_size=page_size,
        page_token=page_token,
    )
    response = session.call(session.mail.ListDeliveries, request)
    session.answer(
        response, lambda style: [*draw_deliveries(response.deliveries, style), *more(response.next_page_token)]
    )


def _outcome(state: delivery_pb2.DeliveryState.ValueType) -> ExitCode:
    if state == delivery_pb2.DELIVERY_STATE_SENT:
        return ExitCode.OK
    return ExitCode.PROVIDER_REFUSED if state in FINAL_STATES else ExitCode.NOT_FINAL
