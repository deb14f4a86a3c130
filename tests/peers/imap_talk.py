"""An IMAP client that says what the test types and gives back what the server said, octet by octet."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

_LITERAL: Final = re.compile(rb"\{(\d+)\}\r\n\Z")
_LIMIT: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one command: untagged lines, literals within them, without their last CRLF."""

    untagged: tuple[bytes, ...]
    tagged: bytes
    """The final line without its tag, e.g. ``OK [READ-ONLY] done``."""

    @property
    def status(self) -> str:
        """OK, NO or BAD."""
        return self.tagged.partition(b" ")[0].decode()

    def starting(self, word: str) -> list[bytes]:
        """Returns the untagged lines that begin with ``* word`` (or ``* n word``), without that beginning."""
        wanted = re.compile(rb"\* (?:\d+ )?" + word.encode() + rb"(?: |\Z)", re.IGNORECASE)
        return [line[found.end() :] for line in self.untagged if (found := wanted.match(line))]

    def code(self, name: str) -> bytes | None:
        """Returns the value of a response code, in any line; an empty one for a code without value."""
        wanted = re.compile(rb"(?:OK|NO|BAD|BYE) \[" + name.encode() + rb"(?: ([^\]]*))?\]", re.IGNORECASE)
        for line in (self.tagged, *self.untagged):
            if found := wanted.match(line.removeprefix(b"* ")):
                return found[1] or b""
        return None


class ImapTalk:
    """One connection. Every wait ends after *within* with TimeoutError."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, within: timedelta = timedelta(seconds=30)
    ) -> None:
        self._reader, self._writer, self._within = reader, writer, within
        self._number = 0
        self.greeting = b""

    @classmethod
    async def open(cls, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> Self:
        """Connects, under TLS from the start with *tls*, and reads the greeting."""
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=_LIMIT)
        talk = cls(reader, writer)
        talk.greeting = await talk.line()
        return talk

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def starttls(self, tls: ssl.SSLContext) -> None:
        """Asks for TLS and shakes hands."""
        assert (await self.ask("STARTTLS")).status == "OK"
        await self._writer.start_tls(tls, server_hostname="localhost")

    async def ask(self, *pieces: str | bytes) -> Reply:
        """
        Sends a command and returns the answer to it.

        Of several *pieces* each but the first is sent as a literal's octets and what follows them: a piece ends with
        ``{n}`` where the next one must wait for the server's go-ahead, with ``{n+}`` where it need not.
        """
        self._number += 1
        tag = f"t{self._number}".encode()
        untagged: list[bytes] = []
        self._writer.write(tag + b" ")
        for index, piece in enumerate(pieces):
            data = piece.encode() if isinstance(piece, str) else piece
            self._writer.write(data + b"\r\n" if index == len(pieces) - 1 or data.endswith(b"}") else data)
            if data.endswith(b"}") and not data.endswith(b"+}"):
                line = await self.line()
                if line.startswith(tag + b" "):
                    return Reply(tuple(untagged), line.partition(b" ")[2])
                assert line.startswith(b"+"), line
        while not (line := await self.line()).startswith(tag + b" "):
            untagged.append(line)
        return Reply(tuple(untagged), line.partition(b" ")[2])

    async def ask_to_the_end(self, command: str) -> bytes:
        """Sends a command and returns all that comes until the server closes."""
        self._number += 1
        self._writer.write(f"t{self._number} {command}\r\n".encode())
        return await self.rest()

    async def begin(self, command: str) -> bytes:
        """Sends a command that the server asks to go on with (IDLE, AUTHENTICATE) and returns its ``+`` line."""
        self._number += 1
        self._writer.write(f"t{self._number} {command}\r\n".encode())
        return await self.line()

    async def go_on(self, text: str) -> Reply:
        """Sends a line without a tag and returns the rest of the answer to the command begun."""
        self._writer.write(text.encode() + b"\r\n")
        untagged: list[bytes] = []
        while not (line := await self.line()).startswith(f"t{self._number} ".encode()):
            untagged.append(line)
        return Reply(tuple(untagged), line.partition(b" ")[2])

    def send(self, data: bytes) -> None:
        """Sends octets as they are."""
        self._writer.write(data)

    async def line(self) -> bytes:
        """Returns the next line with its literals, without its CRLF. Raises EOFError at the end."""
        async with asyncio.timeout(self._within.total_seconds()):
            line = last = await self._one()
            while found := _LITERAL.search(last):
                line += await self._reader.readexactly(int(found[1]))
                line += (last := await self._one())
        return line.removesuffix(b"\r\n")

    async def rest(self) -> bytes:
        """Returns all that comes until the server closes."""
        async with asyncio.timeout(self._within.total_seconds()):
            return await self._reader.read()

    async def _one(self) -> bytes:
        return await self._reader.readuntil(b"\r\n")
