"""The journey as a whole."""

from __future__ import annotations

import grpc

from mailport.v1 import mail_service_pb2_grpc, mailbox_service_pb2_grpc
from service.sandbox.pages import MOUNT_PATH
from service.terminal.refusals import read_refusal
from service.terminal.refused import draw_refusal
from service.walk import with_consent
from service.walk.screen import Astray, Screen
from service.walk.surroundings import Surroundings
from service.walk.with_consent import WithConsent
from service.walk.with_password import WithPassword


async def walk(*, grpc_address: str, around: Surroundings) -> bool:
    """
    Makes the journey as any client does, over gRPC, and prints each step, its result and how to repeat it by hand.

    May be repeated: the configurations are made anew, a person consents anew, and each walk sends mails of its own.
    Returns False, having printed why, when a step did not do what it should.
    """
    screen = Screen(grpc_address=grpc_address, steps=WithPassword.COUNT + WithConsent.COUNT)
    # A proxy of the environment cannot reach this machine's own loopback.
    options = [("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(grpc_address, options=options) as channel:
        stub = mail_service_pb2_grpc.MailServiceStub(channel)
        try:
            screen.aside(
                f"A walk through mailport. {around.web_url}{MOUNT_PATH}/ shows the servers that it is made with."
            )
            mailbox = mailbox_service_pb2_grpc.MailboxServiceStub(channel)
            await WithPassword(stub=stub, screen=screen, around=around, mailbox=mailbox).run()
            await WithConsent(stub=stub, screen=screen, around=around).run()
            _say_goodbye(screen, around)
        except grpc.aio.AioRpcError as error:
            screen.show(draw_refusal(read_refusal(error), screen.style))
            return False
        except Astray as error:
            screen.show([f"{screen.style.cross} {error}"])
            return False
    return True


def _say_goodbye(screen: Screen, around: Surroundings) -> None:
    command = screen.command(f"authorize {with_consent.CONFIGURATION_ID}")
    screen.aside(
        f"That was it. All mail: {around.web_url}{MOUNT_PATH}/inbox  Stop with Ctrl-C.",
        f"To consent in a browser yourself, sign in as {around.oauth.username} with {around.password} after:",
        screen.style.faint(f"     $ {command}"),
    )
