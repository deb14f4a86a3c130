"""What the submission service relays to: accepts over SMTP, delivers into Dovecot over LMTP."""

from __future__ import annotations

import asyncio
import smtplib
from typing import Any

from aiosmtpd.controller import Controller

from tests.peers.net import free_port


class Relay:
    """
    A relay in a thread of its own, since Dovecot and its tests live for the whole session.

    `refuse` maps a recipient to the reply it gets at RCPT; Dovecot passes that on to its client. `lmtp_port` is set
    once Dovecot is up.
    """

    def __init__(self) -> None:
        self.lmtp_port = 0
        self.refuse: dict[str, str] = {}
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=True)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if reply := self.refuse.get(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        def deliver() -> None:
            with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
                lmtp.sendmail(envelope.mail_from, envelope.rcpt_tos, envelope.original_content)

        try:
            await asyncio.to_thread(deliver)
        except (smtplib.SMTPException, OSError) as error:
            return f"451 4.3.0 {error}"
        return "250 2.0.0 relayed"
