"""One connection to a server: aiosmtplib's protocol for commands and TLS, with a reply reader of our own."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Iterable
from typing import Final

from aiosmtplib import SMTPServerDisconnected
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from adapters.smtp.replies import MalformedReply, Reply, ReplyReader

_MOST_UNREAD_OCTETS: Final = 64 * 1024
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")


class EarlyPlaintext(Exception):
    """Octets followed the reply to STARTTLS, before the handshake (RFC 3207 section 4.2)."""


class SpokeOutOfTurn(MalformedReply):
    """The server said something that nothing had asked for, so that no later reply could be matched to its command."""


class Wire(SMTPProtocol):
    """
    The protocol of aiosmtplib 5.1, less its way of reading.

    The library drops what arrives between commands, which loses a 421 said before closing, and keeps what follows a
    reply in the same segment, which then answers the next command. Here every octet is kept and judged: a 421, or the
    parting words of a server that closed, answer the next command; anything else out of turn ends the session, and so
    does any octet behind the 220 to STARTTLS. Replies are bounded by `ReplyReader`, and reading stops while too much is
    unread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._reader = ReplyReader()
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._is_full = False
        self._has_ended = False
        self._nothing_may_follow = False
        self._parting: Reply | None = None
        self._watcher: Callable[[], None] | None = None

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        if self._reader.unread_octets > _MOST_UNREAD_OCTETS and isinstance(self.transport, asyncio.ReadTransport):
            self.transport.pause_reading()
        self._tell()

    def eof_received(self) -> bool:
        self._has_ended = True
        self._tell()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._has_ended = True
        self._tell()
        self._gone.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._is_full = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self._is_full = False
        self._news.set()

    # What a session calls.

    async def listen(self) -> Reply:
        """
        Returns the next reply, without a time limit.

        Raises SMTPServerDisconnected when the connection ends first, UnreadableReply for what is none. Cancelling loses
        nothing of what arrived.
        """
        while (reply := self.heard()) is None:
            if self._has_ended:
                raise SMTPServerDisconnected("the connection was closed")
            self._news.clear()
            self._resume_reading()
            await self._news.wait()
        return reply

    def heard(self) -> Reply | None:
        """Returns the next reply if it has arrived as a whole, else None; raises UnreadableReply."""
        if (parting := self._parting) is not None:
            self._parting = None
            return parting
        return self._reader.take()

    async def read_response(self, timeout: float | None = None) -> SMTPResponse:  # noqa: ASYNC109 - the library's signature
        async with asyncio.timeout(timeout):
            reply = await self.listen()
        if self._nothing_may_follow and self._reader.has_more:
            raise EarlyPlaintext
        return SMTPResponse(reply.code, "\n".join(reply.lines))

    async def ask(self, *words: bytes) -> Reply:
        """
        Sends one command and returns its reply.

        Raises as `listen` does, SpokeOutOfTurn when the server talked before it was asked, ValueError, with nothing
        sent, when *words* hold a control character.
        """
        self.say(b" ".join(words))
        return await self.listen()

    def say(self, *commands: bytes) -> None:
        """
        Sends whole command lines in one piece; `listen` returns their replies, in order.

        Nothing leaves when the server has said its parting words, which `listen` returns then. Raises
        SMTPServerDisconnected when the connection is gone, and SpokeOutOfTurn and ValueError as `ask` does.
        """
        if any(map(_CONTROL.search, commands)):
            raise ValueError("a command holds a control character")
        if self._reader.has_more:
            self._parting = self._parting_words()
        if self._parting is None:
            self.write(b"\r\n".join((*commands, b"")))

    def expect_silence(self) -> None:
        """Raises SpokeOutOfTurn when anything has arrived that nothing asked for."""
        if self._reader.has_more:
            raise SpokeOutOfTurn(b"")

    async def secure(self, context: ssl.SSLContext, server_name: str) -> None:
        """
        Sends STARTTLS and shakes hands; from then on all goes encrypted.

        Raises SMTPResponseException when the server refuses, EarlyPlaintext, ssl.SSLError, and as `listen` does.
        """
        self.expect_silence()
        self._nothing_may_follow = True
        await self.start_tls(context, server_hostname=server_name)
        self._nothing_may_follow = False

    async def write_content(self, slices: Iterable[bytes]) -> bool:
        """
        Writes *slices* at the pace at which the server takes them; False when it answered or left before the last.

        Memory holds one slice besides the transport's own buffer, whatever the size of the message.
        """
        is_first = True
        for piece in slices:
            if not is_first:
                await asyncio.sleep(0)  # a fast server would otherwise hold up the event loop for the whole message
            is_first = False
            if self._is_answered:
                return False
            self.write(piece)
            while self._is_full and not self._is_answered:
                self._news.clear()
                await self._news.wait()
        return True

    def watch(self, watcher: Callable[[], None] | None) -> None:
        """Calls *watcher* whenever something arrives or the connection ends; None: no more."""
        self._watcher = watcher

    @property
    def is_quiet(self) -> bool:
        """Tells whether the connection stands and the server has said nothing that nobody has read."""
        return self.is_connected and not self._is_answered

    async def closed(self) -> None:
        """Waits until the connection is gone, whoever ended it."""
        await self._gone.wait()

    def close(self) -> None:
        """Ends the connection after what is written, with TLS's own farewell."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Ends the connection at once."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session, None on a plain connection."""
        found = self.transport.get_extra_info("ssl_object") if self.transport else None
        return found if isinstance(found, ssl.SSLObject) else None

    @property
    def local_address(self) -> str:
        """The address of this end, without a port; empty once the connection is gone."""
        name = self.transport.get_extra_info("sockname") if self.transport else None
        return str(name[0]) if name else ""

    def _tell(self) -> None:
        self._news.set()
        if self._watcher is not None:
            self._watcher()

    @property
    def _is_answered(self) -> bool:
        return self._reader.has_more or self._has_ended

    def _parting_words(self) -> Reply | None:
        reply = self._reader.take()
        if reply is None and self._has_ended:
            return None
        if reply is None or not (reply.code == 421 or (self._has_ended and reply.is_negative)):
            raise SpokeOutOfTurn(b"" if reply is None else f"{reply.code} {reply.lines[0]}".encode())
        return reply

    def _resume_reading(self) -> None:
        transport = self.transport
        if isinstance(transport, asyncio.ReadTransport) and not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()
