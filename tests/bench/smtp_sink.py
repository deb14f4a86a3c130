"""
A mail server that takes everything and keeps nothing, in a process of its own, as fast as Python can.

``python -m tests.bench.smtp_sink [--hide-pipelining] [--certificate PEM --key PEM]`` prints its port and runs until its
standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
from pathlib import Path
from typing import Final

from tests.peers.ca import Issued, server_context

_END: Final = b"\r\n.\r\n"
_ANSWERS: Final = {
    b"MAIL": b"250 2.1.0 ok\r\n",
    b"RCPT": b"250 2.1.5 ok\r\n",
    b"RSET": b"250 2.0.0 ok\r\n",
    b"AUTH": b"235 2.7.0 welcome\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
    b"STAR": b"220 2.0.0 go ahead\r\n",
}


class Sink(asyncio.Protocol):
    """One session; answers to commands that came together go out together, as Postfix does it."""

    def __init__(self, capabilities: tuple[str, ...], context: ssl.SSLContext | None) -> None:
        self._capabilities = capabilities
        self._context = context
        self._transport: asyncio.Transport
        self._unread = bytearray()
        self._is_content = False
        self._is_secured = False
        self._securing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._is_secured:
            transport.write(b"220 sink.example.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if self._securing is None or self._securing.done():
            self._answer()

    def _answer(self) -> None:
        answers = []
        while (answer := self._next()) is not None:
            answers.append(answer)
        if answers and answers[-1] == _ANSWERS[b"STAR"]:
            self._transport.pause_reading()  # what follows is for the handshake
        if answers:
            self._transport.write(b"".join(answers))
        if answers and answers[-1] == _ANSWERS[b"STAR"]:
            self._securing = asyncio.get_running_loop().create_task(self._secure())
        elif answers and answers[-1] == _ANSWERS[b"QUIT"]:
            self._transport.close()

    def _next(self) -> bytes | None:
        end = self._unread.find(_END if self._is_content else b"\r\n")
        if end < 0:
            return None
        verb = bytes(self._unread[:4]).upper()
        del self._unread[: end + (len(_END) if self._is_content else 2)]
        if self._is_content:
            self._is_content = False
            return b"250 2.0.0 taken\r\n"
        self._is_content = verb == b"DATA"
        if verb in (b"EHLO", b"HELO"):
            lines = ["sink.example.test", *self._capabilities]
            if self._context is not None:
                lines.append("AUTH PLAIN XOAUTH2" if self._is_secured else "STARTTLS")
            return "".join(f"250-{line}\r\n" for line in lines[:-1]).encode() + f"250 {lines[-1]}\r\n".encode()
        return _ANSWERS.get(verb, b"500 5.5.1 what?\r\n")

    async def _secure(self) -> None:
        assert self._context is not None
        self._is_secured = True
        secured = await asyncio.get_running_loop().start_tls(self._transport, self, self._context, server_side=True)
        assert secured is not None
        self._transport = secured
        self._answer()  # to what came before this task went on


async def _run(capabilities: tuple[str, ...], context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(capabilities, context), "127.0.0.1", 0, backlog=1000)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    """Runs the sink."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hide-pipelining", action="store_true")
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    options = parser.parse_args()
    context = server_context(Issued(options.certificate, options.key)) if options.certificate else None
    asyncio.run(_run(("SIZE", "8BITMIME") if options.hide_pipelining else ("SIZE", "8BITMIME", "PIPELINING"), context))


if __name__ == "__main__":
    main()
