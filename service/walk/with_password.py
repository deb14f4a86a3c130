"""The first part of the walk: an account with a password."""

from __future__ import annotations

import shlex
from typing import Final

from mailport.v1 import (
    configuration_pb2,
    mail_service_pb2,
    mail_service_pb2_grpc,
    mailbox_service_pb2,
    mailbox_service_pb2_grpc,
)
from service.terminal.mailbox import draw_messages
from service.terminal.outcomes import draw_tested
from service.terminal.words import counted
from service.walk.screen import Astray, Screen
from service.walk.steps import CA_FILE, TIMEOUT_SECONDS, YOUR_ADDRESS, Steps
from service.walk.surroundings import Surroundings

CONFIGURATION_ID: Final = "alerts"
_SUBJECT: Final = "Disk almost full"


class WithPassword(Steps):
    """Options, configure, test, validate, send, follow, read back."""

    COUNT: Final = 7

    def __init__(
        self,
        *,
        stub: mail_service_pb2_grpc.MailServiceAsyncStub,
        screen: Screen,
        around: Surroundings,
        mailbox: mailbox_service_pb2_grpc.MailboxServiceAsyncStub,
    ) -> None:
        super().__init__(stub=stub, screen=screen, around=around)
        self._mailbox = mailbox

    async def run(self) -> None:
        """Takes the steps. Raises AioRpcError for a refused one, Astray for one that went wrong otherwise."""
        await self._options()
        await self._configure_account()
        await self._send_test()
        await self._validate(
            CONFIGURATION_ID, "Validate and save: a mail to yourself proves the draft, then it is in use"
        )
        delivery_id = await self._send_twice()
        self._screen.step("Follow it, and find it in the inbox", f"deliveries get {delivery_id}")
        await self._read_back(await self._follow(delivery_id))

    async def _options(self) -> None:
        self._screen.step("Options: what a settings form offers", "options")
        found = await self._stub.GetOptions(mail_service_pb2.GetOptionsRequest(), timeout=TIMEOUT_SECONDS)
        versions = ", ".join(version.display_name for version in found.tls_versions)
        self._screen.done(f"{counted(len(found.providers), 'provider')}; the minimum TLS version can be {versions}")

    async def _configure_account(self) -> None:
        username, password = self._around.username, self._around.password
        self._screen.step(
            "Configure: store the settings as a draft",
            f"configure {CONFIGURATION_ID} --from {username} --from-name Alerts {self._smtp_options()} "
            f"--username {username} --password-file sandbox-password "
            f"--mailbox {username} --mailbox-server {self._around.smtp_host}:{self._around.imap_port} "
            f"--mailbox-security starttls --mailbox-ca-file {CA_FILE} --mailbox-password-file sandbox-password",
            f"curl -so {CA_FILE} {self._pages}/ca.pem",
            f"echo {shlex.quote(password)} > sandbox-password",
        )
        settings = configuration_pb2.Settings(
            from_address=username,  # many servers let an account send as itself only
            from_name="Alerts",
            smtp=self._smtp(),
            basic=configuration_pb2.BasicAuthentication(username=username, password=password),
            mailbox=configuration_pb2.MailboxSettings(
                email=username,
                password=password,
                host=self._around.smtp_host,
                port=self._around.imap_port,
                security=configuration_pb2.CONNECTION_SECURITY_STARTTLS,
                ca_certificates=self._around.ca_pem,
            ),
        )
        await self._configure(CONFIGURATION_ID, settings)

    async def _send_test(self) -> None:
        self._screen.step(
            "Send a test mail with the draft: nothing is saved, the server's own verdict is shown",
            f"send-test {CONFIGURATION_ID} --to {YOUR_ADDRESS}",
        )
        request = mail_service_pb2.SendTestRequest(configuration_id=CONFIGURATION_ID, to=YOUR_ADDRESS)
        response = await self._stub.SendTest(request, timeout=TIMEOUT_SECONDS)
        self._screen.show(draw_tested(response, self._screen.style))

    async def _send_twice(self) -> str:
        request, first = await self._send(
            CONFIGURATION_ID,
            "Send: stored before it is answered, and once only, however often it is called with the same key",
            subject=_SUBJECT,
            text="/var is at 95 %.",
        )
        self._screen.done(f"Sent: delivery {first.delivery_id}")
        again = await self._stub.Send(request, timeout=TIMEOUT_SECONDS)
        if not again.replayed or again.delivery.delivery_id != first.delivery_id:
            raise Astray(f"Sent again with the same key, it became another delivery: {again.delivery.delivery_id}")
        self._screen.done("Sent again with the same key: the same delivery, and no second mail.")
        return first.delivery_id

    async def _read_back(self, message_id: str) -> None:
        """Shows the mail as the mailbox has it. Raises Astray where it has not."""
        self._screen.step(
            "Read it back over IMAP: the configuration's mailbox, where this account sees all that arrives",
            f"mailbox list {CONFIGURATION_ID} --subject {shlex.quote(_SUBJECT)}",
        )
        request = mailbox_service_pb2.ListMessagesRequest(
            configuration_id=CONFIGURATION_ID, query=mailbox_service_pb2.MessageQuery(subject=_SUBJECT)
        )
        response = await self._mailbox.ListMessages(request, timeout=TIMEOUT_SECONDS)
        found = [message for message in response.messages if message.message_id == message_id]
        if not found:
            raise Astray(f"The mail {message_id} is not in the mailbox.")
        self._screen.show(draw_messages(found, self._screen.style))
