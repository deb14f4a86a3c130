"""aiosmtplib without a service around it: connections that are kept, or one for each message."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from itertools import count
from typing import Any

import aiosmtplib

from tests.bench.answering import answering, given

SENDER = "robot@example.com"
RECIPIENT = "anna@example.com"


class Direct:
    """Sends over at most *connections* at once; with *ca*, after STARTTLS and XOAUTH2."""

    def __init__(self, *, port: int, ca: str | None, connections: int, keep: bool, text: str) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=ca) if ca else None
        self._connections = connections
        self._keep = keep
        self._text = text
        self._kept: list[aiosmtplib.SMTP] = []

    async def answer(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Sends ``messages``; connections of the run before are used again."""
        numbers = count()
        while self._keep and len(self._kept) < self._connections:
            self._kept.append(await self._connected())
        begun = time.monotonic()

        async def connection(kept: aiosmtplib.SMTP | None) -> None:
            while next(numbers) < question["messages"]:
                client = kept or await self._connected()
                await client.sendmail(SENDER, [RECIPIENT], self._content())
                if kept is None:
                    await client.quit()

        async with asyncio.TaskGroup() as connections:
            for number in range(self._connections):
                connections.create_task(connection(self._kept[number] if self._keep else None))
        return {"begun": begun, "ended": time.monotonic()}

    async def _connected(self) -> aiosmtplib.SMTP:
        client = aiosmtplib.SMTP(
            hostname="localhost" if self._context else "127.0.0.1",
            port=self._port,
            start_tls=self._context is not None,
            tls_context=self._context,
            timeout=60,
        )
        await client.connect()
        if self._context:
            await client.auth_xoauth2(SENDER, "token")
        return client

    def _content(self) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = SENDER, RECIPIENT, "Bench"
        message.set_content(self._text)
        return bytes(message)


async def main() -> None:
    """Answers until the input ends."""
    await answering({}, Direct(**given()).answer)


if __name__ == "__main__":
    asyncio.run(main())
