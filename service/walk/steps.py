"""The steps that are the same with a password and with consent."""

from __future__ import annotations

import shlex
import uuid
from typing import Final

from mailport.v1 import configuration_pb2, delivery_pb2, mail_service_pb2, mail_service_pb2_grpc
from service.sandbox.pages import MOUNT_PATH
from service.terminal.configurations import draw_configuration
from service.terminal.deliveries import draw_delivery
from service.terminal.outcomes import draw_validated
from service.walk.screen import Astray, Screen
from service.walk.surroundings import Surroundings

YOUR_ADDRESS: Final = "you@sandbox.example"
RECIPIENT: Final = "anna@sandbox.example"
TIMEOUT_SECONDS: Final = 30.0
CA_FILE: Final = "sandbox-ca.pem"


class Steps:
    """A part of the journey: the steps with one configuration, in order."""

    def __init__(
        self, *, stub: mail_service_pb2_grpc.MailServiceAsyncStub, screen: Screen, around: Surroundings
    ) -> None:
        self._stub = stub
        self._screen = screen
        self._around = around

    async def _configure(self, configuration_id: str, settings: configuration_pb2.Settings) -> None:
        request = mail_service_pb2.ConfigureRequest(configuration_id=configuration_id, settings=settings)
        response = await self._stub.Configure(request, timeout=TIMEOUT_SECONDS)
        self._screen.show(draw_configuration(response.configuration, self._screen.style))

    async def _validate(self, configuration_id: str, title: str) -> None:
        self._screen.step(title, f"validate {configuration_id} --user-email {YOUR_ADDRESS}")
        request = mail_service_pb2.ValidateAndSaveRequest(configuration_id=configuration_id, user_email=YOUR_ADDRESS)
        response = await self._stub.ValidateAndSave(request, timeout=TIMEOUT_SECONDS)
        response.ClearField("trace")  # it looks like the one of the mail that follows
        self._screen.show(draw_validated(response, self._screen.style))

    async def _send(
        self, configuration_id: str, title: str, *, subject: str, text: str
    ) -> tuple[mail_service_pb2.SendRequest, delivery_pb2.Delivery]:
        """Sends a mail of this walk's own and waits for it. Raises Astray where it is not sent by then."""
        key = f"walk-{uuid.uuid4()}"
        self._screen.step(
            title,
            f"send {configuration_id} --to {RECIPIENT} --subject {shlex.quote(subject)} --text {shlex.quote(text)} "
            f"--key {key} --wait",
        )
        request = mail_service_pb2.SendRequest(
            configuration_id=configuration_id,
            message=delivery_pb2.Message(
                to=[delivery_pb2.Address(name="Anna", address=RECIPIENT)], subject=subject, text_body=text
            ),
            idempotency_key=key,
            wait=True,
        )
        delivery = (await self._stub.Send(request, timeout=TIMEOUT_SECONDS)).delivery
        if delivery.state != delivery_pb2.DELIVERY_STATE_SENT:
            self._screen.show(draw_delivery(delivery, self._screen.style))
            raise Astray("The message should be sent by now.")
        return request, delivery

    async def _follow(self, delivery_id: str) -> str:
        """
        Shows the delivery with its attempts, and where its mail is; returns its Message-ID.

        Raises Astray where the mail is not there.
        """
        request = mail_service_pb2.GetDeliveryRequest(delivery_id=delivery_id)
        followed = (await self._stub.GetDelivery(request, timeout=TIMEOUT_SECONDS)).delivery
        self._screen.show(draw_delivery(followed, self._screen.style))
        page = self._around.read_inbox(followed.message_id)
        if page is None:
            raise Astray(f"The mail {followed.message_id} is not in the sandbox's inbox.")
        self._screen.done(f"In the inbox: {self._around.web_url}{page}")
        return followed.message_id

    def _smtp(self) -> configuration_pb2.SmtpTransport:
        return configuration_pb2.SmtpTransport(
            host=self._around.smtp_host,
            port=self._around.smtp_port,
            security=configuration_pb2.CONNECTION_SECURITY_STARTTLS,
            ca_certificates=self._around.ca_pem,
        )

    def _smtp_options(self) -> str:
        server = f"{self._around.smtp_host}:{self._around.smtp_port}"
        return f"--smtp {server} --security starttls --ca-file {CA_FILE}"

    @property
    def _pages(self) -> str:
        """The address of the sandbox's pages."""
        return f"{self._around.web_url}{MOUNT_PATH}"
