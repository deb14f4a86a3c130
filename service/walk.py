"""The guided walk: what a newcomer does first, done once against the sandbox, each step with its result."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import grpc

from mailport.v1 import configuration_pb2, delivery_pb2, mail_service_pb2, mail_service_pb2_grpc
from service.sandbox.pages import MOUNT_PATH
from service.sandbox.sandbox import Sandbox
from service.terminal.configurations import draw_configuration
from service.terminal.deliveries import draw_delivery
from service.terminal.outcomes import draw_tested, draw_validated
from service.terminal.refusals import read_refusal
from service.terminal.refused import draw_refusal
from service.terminal.style import Style
from service.terminal.words import counted

CONFIGURATION_ID: Final = "alerts"
YOUR_ADDRESS: Final = "you@sandbox.example"
RECIPIENT: Final = "anna@sandbox.example"

_DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
_STEPS: Final = 6
_TIMEOUT_SECONDS: Final = 30.0
_CA_FILE: Final = "sandbox-ca.pem"
_PROGRAM: Final = "mailport"

ReadInbox = Callable[[str], str | None]
"""Answers the path of the page of the mail with this Message-ID, below the web side's address; None: not there."""


async def walk_sandbox(grpc_address: str, web_url: str, sandbox: Sandbox) -> bool:
    """Walks through the journey with a running *sandbox*; see `walk`."""

    def read_inbox(message_id: str) -> str | None:
        found = sandbox.inbox.newest(lambda message: message.message_id == message_id)
        return f"{MOUNT_PATH}/inbox/{found[0].id}" if found else None

    return await walk(
        grpc_address=grpc_address,
        web_url=web_url,
        smtp_host=sandbox.smtp_host,
        smtp_port=sandbox.smtp_port,
        username=sandbox.username,
        password=sandbox.password,
        ca_pem=sandbox.ca_pem,
        read_inbox=read_inbox,
    )


async def walk(
    *,
    grpc_address: str,
    web_url: str,
    smtp_host: str,
    smtp_port: int,
    username: str,
    password: str,
    ca_pem: str,
    read_inbox: ReadInbox,
) -> bool:
    """
    Makes the journey as any client does, over gRPC, and prints each step, its result and how to repeat it by hand.

    May be repeated: the configuration is made anew, and each walk sends mails of its own. Returns False, having printed
    why, when a step did not do what it should.
    """
    settings = configuration_pb2.Settings(
        from_address=username,  # many servers let an account send as itself only
        from_name="Alerts",
        smtp=configuration_pb2.SmtpTransport(
            host=smtp_host,
            port=smtp_port,
            security=configuration_pb2.CONNECTION_SECURITY_STARTTLS,
            ca_certificates=ca_pem,
        ),
        basic=configuration_pb2.BasicAuthentication(username=username, password=password),
    )
    # A proxy of the environment cannot reach this machine's own loopback.
    options = [("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(grpc_address, options=options) as channel:
        journey = _Journey(
            stub=mail_service_pb2_grpc.MailServiceStub(channel),
            screen=_Screen(
                grpc_address=grpc_address, program=_program(sys.argv[0]), style=Style.of(sys.stdout, os.environ)
            ),
            settings=settings,
            web_url=web_url,
            read_inbox=read_inbox,
        )
        try:
            await journey.run()
        except grpc.aio.AioRpcError as error:
            journey.screen.show(draw_refusal(read_refusal(error), journey.screen.style))
            return False
        except _Astray as error:
            journey.screen.show([f"{journey.screen.style.cross} {error}"])
            return False
    return True


class _Astray(Exception):
    """A step was answered, but not as it should be."""


def _program(started_as: str) -> str:
    """Returns the name that a person can type for this program: with its path where the shell would not find it."""
    is_script = Path(started_as).name == _PROGRAM
    return started_as if is_script and shutil.which(_PROGRAM) is None else _PROGRAM


class _Screen:
    """Prints the steps, numbered and indented alike."""

    def __init__(self, *, grpc_address: str, program: str, style: Style) -> None:
        self.style = style
        self._program = program
        self._server = "" if grpc_address == _DEFAULT_ADDRESS else f" --server {grpc_address}"
        self._number = 0

    def step(self, title: str, command: str, *before: str) -> None:
        """Begins a step: its title, and the commands that do the same; *before*: what to run ahead of them."""
        self._number += 1
        print(f"\n{self.style.bold(f'{self._number}/{_STEPS}  {title}')}")
        for line in (*before, f"{self._program} {command}{self._server}"):
            print(self.style.faint(f"     $ {line}"))

    def show(self, lines: Iterable[str]) -> None:
        """Prints the result of a step; what follows it may take a while, so it is seen at once."""
        for line in lines:
            print(f"     {line}")
        sys.stdout.flush()


class _Journey:
    """The steps, in order."""

    def __init__(
        self,
        *,
        stub: mail_service_pb2_grpc.MailServiceAsyncStub,
        screen: _Screen,
        settings: configuration_pb2.Settings,
        web_url: str,
        read_inbox: ReadInbox,
    ) -> None:
        self.screen = screen
        self._stub = stub
        self._settings = settings
        self._web_url = web_url
        self._read_inbox = read_inbox

    async def run(self) -> None:
        """Takes all steps. Raises AioRpcError for a refused one, _Astray for one that went wrong otherwise."""
        print(f"\nA walk through mailport. {self._web_url}{MOUNT_PATH}/ shows the mail server that it is made with.")
        await self._options()
        await self._configure()
        await self._send_test()
        await self._validate()
        sent = await self._send()
        await self._follow(sent)

    async def _options(self) -> None:
        self.screen.step("Options: what a settings form offers", "options")
        found = await self._stub.GetOptions(mail_service_pb2.GetOptionsRequest(), timeout=_TIMEOUT_SECONDS)
        versions = ", ".join(version.display_name for version in found.tls_versions)
        self._done(f"{counted(len(found.providers), 'provider')}; the minimum TLS version can be {versions}")

    async def _configure(self) -> None:
        smtp, basic = self._settings.smtp, self._settings.basic
        self.screen.step(
            "Configure: store the settings as a draft",
            f"configure {CONFIGURATION_ID} --from {self._settings.from_address} --from-name Alerts "
            f"--smtp {smtp.host}:{smtp.port} --security starttls --ca-file {_CA_FILE} "
            f"--username {basic.username} --password-file sandbox-password",
            f"curl -so {_CA_FILE} {self._web_url}{MOUNT_PATH}/ca.pem",
            f"echo {shlex.quote(basic.password)} > sandbox-password",
        )
        request = mail_service_pb2.ConfigureRequest(configuration_id=CONFIGURATION_ID, settings=self._settings)
        response = await self._stub.Configure(request, timeout=_TIMEOUT_SECONDS)
        self.screen.show(draw_configuration(response.configuration, self.screen.style))

    async def _send_test(self) -> None:
        self.screen.step(
            "Send a test mail with the draft: nothing is saved, the server's own verdict is shown",
            f"send-test {CONFIGURATION_ID} --to {YOUR_ADDRESS}",
        )
        request = mail_service_pb2.SendTestRequest(configuration_id=CONFIGURATION_ID, to=YOUR_ADDRESS)
        self.screen.show(draw_tested(await self._stub.SendTest(request, timeout=_TIMEOUT_SECONDS), self.screen.style))

    async def _validate(self) -> None:
        self.screen.step(
            "Validate and save: a mail to yourself proves the draft, then it is in use",
            f"validate {CONFIGURATION_ID} --user-email {YOUR_ADDRESS}",
        )
        request = mail_service_pb2.ValidateAndSaveRequest(configuration_id=CONFIGURATION_ID, user_email=YOUR_ADDRESS)
        response = await self._stub.ValidateAndSave(request, timeout=_TIMEOUT_SECONDS)
        response.ClearField("trace")  # it looks like the one above
        self.screen.show(draw_validated(response, self.screen.style))

    async def _send(self) -> delivery_pb2.Delivery:
        key = f"walk-{uuid.uuid4()}"
        subject, text = "Disk almost full", "/var is at 95 %."
        self.screen.step(
            "Send: stored before it is answered, and once only, however often it is called with the same key",
            f"send {CONFIGURATION_ID} --to {RECIPIENT} --subject {shlex.quote(subject)} --text {shlex.quote(text)} "
            f"--key {key} --wait",
        )
        request = mail_service_pb2.SendRequest(
            configuration_id=CONFIGURATION_ID,
            message=delivery_pb2.Message(
                to=[delivery_pb2.Address(name="Anna", address=RECIPIENT)], subject=subject, text_body=text
            ),
            idempotency_key=key,
            wait=True,
        )
        first = (await self._stub.Send(request, timeout=_TIMEOUT_SECONDS)).delivery
        if first.state != delivery_pb2.DELIVERY_STATE_SENT:
            self.screen.show(draw_delivery(first, self.screen.style))
            raise _Astray("The message should be sent by now.")
        self._done(f"Sent: delivery {first.delivery_id}")
        again = await self._stub.Send(request, timeout=_TIMEOUT_SECONDS)
        if not again.replayed or again.delivery.delivery_id != first.delivery_id:
            raise _Astray(f"Sent again with the same key, it became another delivery: {again.delivery.delivery_id}")
        self._done("Sent again with the same key: the same delivery, and no second mail.")
        return first

    async def _follow(self, sent: delivery_pb2.Delivery) -> None:
        self.screen.step("Follow it, and find it in the inbox", f"deliveries get {sent.delivery_id}")
        request = mail_service_pb2.GetDeliveryRequest(delivery_id=sent.delivery_id)
        followed = (await self._stub.GetDelivery(request, timeout=_TIMEOUT_SECONDS)).delivery
        self.screen.show(draw_delivery(followed, self.screen.style))
        page = self._read_inbox(followed.message_id)
        if page is None:
            raise _Astray(f"The mail {followed.message_id} is not in the sandbox's inbox.")
        self._done(f"In the inbox: {self._web_url}{page}")
        print(f"\nThat was it. All mail: {self._web_url}{MOUNT_PATH}/inbox  Stop with Ctrl-C.", flush=True)

    def _done(self, text: str) -> None:
        self.screen.show([f"{self.screen.style.tick} {text}"])
