"""Octets in and out of one IMAP session: command lines with their literals, and TLS."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import Final

from service.sandbox.imap.answers import Ended, Malformed

LINE_LIMIT: Final = 64 * 1024
_LITERAL: Final = re.compile(rb"\{(\d{1,15})(\+?)\}\r\n\Z")


class TooLarge(Exception):
    """A literal that is beyond the bounds and was not taken; the session can go on."""

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self.tag = tag


class Connection:
    """One client. Every read raises Ended when the client goes away or sends a line without end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def is_encrypted(self) -> bool:
        """Tells whether TLS is on."""
        return self._writer.get_extra_info("ssl_object") is not None

    def write(self, *lines: bytes) -> None:
        """Sends lines, given without their CRLF."""
        self._writer.write(b"".join(line + b"\r\n" for line in lines))

    async def drain(self) -> None:
        """Waits while the client does not take what was written."""
        try:
            await self._writer.drain()
        except (ConnectionError, ssl.SSLError):
            raise Ended from None

    async def read_line(self) -> bytes:
        """Returns the next line without its CRLF."""
        line = await self._line()
        return line.removesuffix(b"\r\n")

    async def read_command(self, *, limit: Callable[[bytes], int]) -> bytes:
        """
        Returns a command with its literals, without the last CRLF.

        *limit* says from its beginning how many octets a command may have. Raises TooLarge for a literal that asks
        before it is sent (RFC 3501 section 4.3), Ended for one that does not (RFC 7888 section 4).
        """
        command = last = await self._line()
        while found := _LITERAL.search(last):
            size, is_sent = int(found[1]), bool(found[2])
            if len(command) + size > limit(command):
                if is_sent:
                    raise Ended("The literal is too large")
                raise TooLarge(command.partition(b" ")[0])
            if not is_sent:
                self.write(b"+ OK")
                await self.drain()
            last = await self._exactly(size)
            command += last
            last = await self._line()
            command += last
        return command.removesuffix(b"\r\n")

    async def require_silence(self) -> None:
        """
        Raises Ended when the client has sent something behind its command already.

        Behind STARTTLS that would be taken for something said under TLS ("command injection", CVE-2011-0411).
        """
        try:
            async with asyncio.timeout(0):  # gives what is in the buffer; with nothing there, it is over at once
                await self._reader.read(1)
        except TimeoutError:
            return
        raise Ended("Nothing may be sent between STARTTLS and the handshake")

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """
        Shakes hands as the server. Raises Ended when that fails.

        To be called without a turn of the event loop since the answer was written: else the client's first octets
        would be read here and be missing in the handshake.
        """
        try:
            await self._writer.start_tls(context)
        except (OSError, ssl.SSLError):
            raise Ended from None

    def close(self) -> None:
        """Closes in order."""
        self._writer.close()

    def drop(self) -> None:
        """Drops the connection without a word."""
        self._writer.transport.abort()

    async def _line(self) -> bytes:
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise Ended("The line is too long") from None
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            raise Ended from None
        if not line.endswith(b"\r\n"):
            raise Malformed("Lines end with CRLF")
        return line

    async def _exactly(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            raise Ended from None
