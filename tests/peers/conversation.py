"""One connection to a scripted server: what was said, in the clear or not, and bytes read as the script asks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from tests.peers.tls_side import TlsSide

if TYPE_CHECKING:
    from tests.peers.script import Step

_MAX_BUFFER: Final = 100 * 1024 * 1024
_TLS_HANDSHAKE: Final = 0x16
_NO_LINGER: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Said:
    """Bytes one side sent, as they were handed over by the system."""

    by: Literal["client", "server"]
    data: bytes
    is_encrypted: bool

    def __str__(self) -> str:
        return f"{'C' if self.by == 'client' else 'S'}{'*' if self.is_encrypted else ':'} {self.data!r}"


class ScriptFailed(AssertionError):
    """The client did something else than the script says."""


class Conversation(asyncio.Protocol):
    """
    Runs the steps of one script on one connection.

    Nothing is read from the socket unless a step waits for it. So what a client sends right behind our ``220`` to
    STARTTLS is left for the handshake, and what it sends unasked is seen as such.
    """

    def __init__(self, steps: Sequence[Step], *, number: int, changed: asyncio.Event) -> None:
        self.number = number
        """1 for the first connection the server took."""
        self.said: list[Said] = []
        self.messages: list[bytes] = []
        """Contents the client sent after DATA, without the dots of transparency."""
        self.tag = ""
        """Tag of the latest IMAP command."""
        self.failure: str | None = None
        """Where the client left the script, if it did."""
        self.handshake_failure: str | None = None
        """Why a handshake failed that a script allowed to fail, or the alert a client of TLS 1.3 sent just after it."""
        self.tls_version: str | None = None
        self.server_name: str | None = None
        """The name the client asked for in its handshake (SNI)."""
        self.is_done = False
        """The script ended, well or not."""
        self.is_gone = False
        """The connection ended."""
        self._steps = steps
        self._changed = changed
        self._buffer = bytearray()
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None
        self._tls: TlsSide | None = None
        self._transport: asyncio.Transport

    @property
    def is_encrypted(self) -> bool:
        return self.tls_version is not None

    def heard(self, *, encrypted: bool | None = None) -> bytes:
        """Returns all the client sent: in clear (False), inside TLS (True) or both."""
        return b"".join(
            said.data for said in self.said if said.by == "client" and encrypted in {None, said.is_encrypted}
        )

    @property
    def commands(self) -> list[str]:
        """The lines of the client, messages included, without their ends."""
        return self.heard().decode("latin-1").split("\r\n")[:-1]

    def __str__(self) -> str:
        return "\n".join([f"connection {self.number} (* is inside TLS)", *map(str, self.said)])

    # What steps use.

    def write(self, data: bytes) -> None:
        """Hands *data* to the system in one piece, at once."""
        self.said.append(Said("server", data, self.is_encrypted))
        self._write(data)

    async def write_when_taken(self, data: bytes) -> None:
        """Writes off the record, and waits while the client does not take it."""
        self._write(data)
        await self._or_gone(self._writable)

    async def read_through(self, end: bytes) -> bytes:
        """Returns the bytes up to and including the next *end*."""
        while (found := self._buffer.find(end)) < 0:
            if self.is_gone:
                raise ScriptFailed(f"the client went away; unread: {bytes(self._buffer)!r}")
            await self._listen()
        taken = bytes(self._buffer[: found + len(end)])
        del self._buffer[: len(taken)]
        return taken

    async def read_exactly(self, size: int) -> bytes:
        """Returns the next *size* bytes."""
        while len(self._buffer) < size:
            if self.is_gone:
                raise ScriptFailed(f"the client went away; {len(self._buffer)} of {size} bytes came")
            await self._listen()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def until_gone(self) -> None:
        """Listens until the connection ends."""
        while not self.is_gone:
            await self._listen()
        self._buffer.clear()

    def push_back(self, data: bytes) -> None:
        """Puts bytes in front of those that come next."""
        self._buffer[:0] = data

    async def secure(self, context: ssl.SSLContext, *, may_fail: bool) -> bool:
        """Shakes hands as the server. Returns False if that failed and may."""
        if self._buffer and self._buffer[0] != _TLS_HANDSHAKE:
            raise ScriptFailed(f"the client sent {bytes(self._buffer)!r} in the clear, ahead of the handshake")
        self._tls = TlsSide(context, send=self._transport.write)
        try:
            while not self._tls.shake_hands():
                self._tls.feed(await self._next_of_handshake())
        except ssl.SSLError as error:
            if not may_fail:
                raise ScriptFailed(f"the handshake failed: {error}") from error
            self.handshake_failure = str(error)
            return False
        self.tls_version, self.server_name = self._tls.version, self._tls.server_name
        self._hear(b"")
        return True

    def close(self) -> None:
        if self._tls is not None and self._tls.is_established and not self._transport.is_closing():
            self._tls.say_goodbye()
        self._transport.close()

    def cut(self) -> None:
        """Ends TCP in order (FIN), without TLS's goodbye."""
        self._transport.close()

    def reset(self) -> None:
        """Ends TCP with a RST: what was not delivered yet is lost."""
        if not self.is_gone:
            raw: Any = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._transport.abort()

    async def stop(self) -> None:
        """Ends script and connection."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        raw: Any = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._task = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data: bytes) -> None:
        if self._tls is None or self._tls.is_established:
            self._hear(data)
        else:
            self._buffer += data
        if len(self._buffer) > _MAX_BUFFER:
            self._transport.abort()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone = True
        self._news.set()
        self._writable.set()
        self._changed.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def _run(self) -> None:
        self._transport.pause_reading()
        self._changed.set()
        try:
            for step in self._steps:
                try:
                    if not await step.run(self):
                        break
                except ScriptFailed as error:
                    self.failure = f"{step.label}: {error}"
                    break
                except Exception as error:
                    # In a task nobody awaits it would only be logged, and the test would wait in vain.
                    self.failure = f"{step.label}: {error!r}"
                    break
            else:
                self._check_nothing_is_left()
        finally:
            self.is_done = True
            self._changed.set()
            self.close()

    def _write(self, data: bytes) -> None:
        if self._tls is None:
            self._transport.write(data)
        else:
            self._tls.write(data)

    def _hear(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.feed(data)
            try:
                data = self._tls.read()
            except ssl.SSLError as error:
                self.handshake_failure = str(error)
                self._transport.close()
                return
        if data:
            self.said.append(Said("client", data, self.is_encrypted))
            self._buffer += data

    async def _next_of_handshake(self) -> bytes:
        while not self._buffer:
            if self.is_gone:
                raise ssl.SSLEOFError("the client went away in the handshake")
            await self._listen()
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def _check_nothing_is_left(self) -> None:
        if self._buffer:
            self.failure = f"the client said more than the script: {bytes(self._buffer)!r}"

    async def _listen(self) -> None:
        self._news.clear()
        self._transport.resume_reading()
        try:
            await self._news.wait()
        finally:
            self._transport.pause_reading()

    async def _or_gone(self, event: asyncio.Event) -> None:
        """Waits for *event*; keeps listening meanwhile, since only a reader notices that the client has left."""
        self._transport.resume_reading()
        try:
            await event.wait()
        finally:
            self._transport.pause_reading()
