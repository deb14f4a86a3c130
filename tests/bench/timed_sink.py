"""An SMTP sink on asyncio: lean, with STARTTLS and XOAUTH2, and a note of when it accepted each message."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from tests.bench.answering import answering, given

_MESSAGE_ID: Final = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_END: Final = b"\r\n.\r\n"
_XOAUTH2: Final = re.compile(rb"user=[^\x01]+\x01auth=Bearer [^\x01]+\x01\x01")


@dataclass
class Taken:
    """What all sessions together took."""

    count: int = 0
    arrivals: dict[str, float] = field(default_factory=dict)

    async def tell(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        if not question.get("arrivals"):
            return {"count": self.count}
        arrivals, self.arrivals = self.arrivals, {}
        return {"count": self.count, "arrivals": arrivals}


class Session(asyncio.Protocol):
    """One connection. Commands are taken in groups (RFC 2920), and their replies leave together."""

    def __init__(self, taken: Taken, context: ssl.SSLContext | None) -> None:
        self._taken = taken
        self._context = context
        self._is_open = context is None
        self._is_secure = False
        self._is_securing = False
        self._awaits_token = False
        self._in_content = False
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._is_secure:
            self._transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._is_securing:
            self._answer()

    def _answer(self) -> None:
        replies = b""
        while (reply := self._next()) is not None:
            replies += reply
        if replies and not self._transport.is_closing():
            self._transport.write(replies)
        if replies.startswith(b"220"):
            self._is_securing = True
            self._securing = asyncio.create_task(self._secure())

    def _next(self) -> bytes | None:
        if self._in_content:
            return self._content()
        line, found, rest = self._unread.partition(b"\r\n")
        if not found:
            return None
        self._unread = rest
        if self._awaits_token:
            self._awaits_token = False
            return self._signed_in(line)
        return self._command(line)

    def _content(self) -> bytes | None:
        end = self._unread.find(_END)
        if end < 0:
            return None
        content, self._unread = self._unread[:end], self._unread[end + len(_END) :]
        self._in_content = False
        self._taken.count += 1
        if found := _MESSAGE_ID.search(content):
            self._taken.arrivals[found[1].decode()] = time.time()
        return b"250 2.0.0 taken\r\n"

    def _command(self, line: bytes) -> bytes:
        verb, _, rest = line.partition(b" ")
        match verb.upper():
            case b"EHLO" | b"HELO":
                return self._greeting()
            case b"STARTTLS" if self._context and not self._is_secure:
                return b"220 2.0.0 go ahead\r\n"
            case b"AUTH":
                _, _, response = rest.partition(b" ")
                self._awaits_token = not response
                return self._signed_in(response) if response else b"334 \r\n"
            case b"QUIT":
                self._transport.write(b"221 2.0.0 bye\r\n")
                self._transport.close()
                return b""
            case b"MAIL" | b"RCPT" | b"DATA" if not self._is_open:
                return b"530 5.7.0 sign in first\r\n"
            case b"DATA":
                self._in_content = True
                return b"354 go ahead\r\n"
            case _:
                return b"250 2.0.0 ok\r\n"

    def _greeting(self) -> bytes:
        words = [b"sink.example", b"PIPELINING", b"8BITMIME", b"SMTPUTF8", b"SIZE 50000000", b"ENHANCEDSTATUSCODES"]
        if self._context:
            words.append(b"AUTH XOAUTH2 PLAIN" if self._is_secure else b"STARTTLS")
        *others, last = words
        return b"".join(b"250-%b\r\n" % word for word in others) + b"250 %b\r\n" % last

    def _signed_in(self, response: bytes) -> bytes:
        if not _XOAUTH2.fullmatch(base64.b64decode(response)):
            return b"535 5.7.8 not a token\r\n"
        self._is_open = True
        return b"235 2.7.0 signed in\r\n"

    async def _secure(self) -> None:
        assert self._context is not None
        self._is_secure = True
        self._unread = b""
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(self._transport, self, self._context, server_side=True)
        except (OSError, ssl.SSLError):
            self._transport.close()
            return
        assert secured is not None
        self._transport = secured
        self._is_securing = False
        self._answer()  # what came before the new transport was known


async def main() -> None:
    """Serves until the input ends."""
    context = None
    if files := given()["tls"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
    taken = Taken()
    server = await asyncio.get_running_loop().create_server(lambda: Session(taken, context), "127.0.0.1", 0)
    await answering({"port": server.sockets[0].getsockname()[1]}, taken.tell)


if __name__ == "__main__":
    asyncio.run(main())
