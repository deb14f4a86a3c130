"""Octets to and from a server, bounded in time and number: below imaplib, which bounds neither."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_PIECE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a server may make one connection hold and wait for (threats-and-promises section 2)."""

    line: int = 64 * 1024
    """Octets of a line."""
    literal: int = 30 * 1024 * 1024
    """Octets of a literal."""
    lines: int = 10_000
    """Lines of the answer to one command."""
    reply: int = 32 * 1024 * 1024
    """Octets of the answer to one command, all together."""


class TooMuch(Exception):
    """The server sent more than is taken; the connection is of no more use."""


class EarlyPlaintext(Exception):
    """Octets came between the answer to STARTTLS and the handshake: they would pass for protected ones (RFC 9051)."""


class Wire:
    """
    A connected socket, read with a buffer of its own; used by one thread at a time.

    `cut` alone may be called from another thread, and ends whatever waits here.
    """

    def __init__(self, connected: socket.socket, *, bounds: Bounds) -> None:
        self._socket = connected
        self._bounds = bounds
        self._buffer = bytearray()
        self._lines_left = bounds.lines
        self._octets_left = bounds.reply
        self._end = time.monotonic()
        self._is_cut = False

    @property
    def is_secure(self) -> bool:
        """Tells whether TLS protects it."""
        return isinstance(self._socket, ssl.SSLSocket)

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The TLS session, None on a plain connection."""
        return self._socket if isinstance(self._socket, ssl.SSLSocket) else None

    def fileno(self) -> int:
        """Returns the descriptor to be watched for news; see `has_waiting`."""
        return self._socket.fileno()

    def begin(self, *, seconds: float) -> None:
        """Begins a command: its answer has the bounds to itself, and must be complete in *seconds*."""
        self._lines_left = self._bounds.lines
        self._octets_left = self._bounds.reply
        self._end = time.monotonic() + seconds

    def has_waiting(self) -> bool:
        """Tells whether octets have been received that nobody has read, of which the descriptor says nothing."""
        pending = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return bool(self._buffer) or pending > 0

    def has_come(self) -> bool:
        """
        Tells, without waiting, whether there is something to read, the end of the connection included.

        A descriptor may be readable for TLS's own sake alone, e.g. for a session ticket.
        """
        if self._buffer:
            return True
        self._socket.settimeout(0)
        try:
            piece = self._socket.recv(_PIECE)
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        self._octets_left -= len(piece)
        self._buffer += piece
        return True

    def readline(self) -> bytes:
        """Returns the next line with its end; empty or without an end when the server has hung up."""
        self._lines_left -= 1
        if self._lines_left < 0:
            raise TooMuch(f"above {self._bounds.lines:,} lines")
        begin = 0
        while (at := self._buffer.find(b"\n", begin)) < 0:
            begin = len(self._buffer)
            if begin > self._bounds.line:
                break
            if not self._receive():
                return self._take(len(self._buffer))
        if at < 0 or at + 1 > self._bounds.line:
            raise TooMuch(f"a line above {self._bounds.line:,} octets")
        return self._take(at + 1)

    def read(self, size: int) -> bytes:
        """Returns *size* octets, fewer when the server has hung up."""
        if size > self._bounds.literal:
            raise TooMuch(f"a literal of {size:,} octets")
        if size > self._octets_left:
            raise TooMuch(f"above {self._bounds.reply:,} octets")
        while len(self._buffer) < size and self._receive():
            pass
        return self._take(min(size, len(self._buffer)))

    def send(self, octets: bytes) -> None:
        """Sends *octets*."""
        self._socket.settimeout(self._seconds_left())
        self._socket.sendall(octets)

    def secure(self, context: ssl.SSLContext, server_name: str) -> None:
        """Begins TLS; raises what the handshake raises."""
        self._socket.settimeout(self._seconds_left())
        # Not on connecting, so that the socket to cut is the one that shakes hands.
        self._socket = context.wrap_socket(self._socket, server_hostname=server_name, do_handshake_on_connect=False)
        if self._is_cut:
            self.cut()
        self._socket.settimeout(self._seconds_left())
        self._socket.do_handshake()

    def refuse_early(self) -> None:
        """Raises EarlyPlaintext for octets that have come already: a server has no more to say before the handshake."""
        self._socket.settimeout(0)
        with suppress(BlockingIOError):
            if self._buffer or self._socket.recv(1, socket.MSG_PEEK):
                raise EarlyPlaintext

    def cut(self) -> None:
        """Ends the connection at once, for whoever reads or writes it too; the descriptor is left to `close`."""
        self._is_cut = True
        with suppress(OSError):  # ended already
            # Past TLS, whose own shutdown would take the session away from under the thread that reads it.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives the descriptor back; nobody may be reading or writing any more."""
        self._socket.close()

    def _receive(self) -> bool:
        self._socket.settimeout(self._seconds_left())
        piece = self._socket.recv(_PIECE)
        self._octets_left -= len(piece)
        if self._octets_left < 0:
            raise TooMuch(f"above {self._bounds.reply:,} octets")
        self._buffer += piece
        return bool(piece)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _seconds_left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("no complete answer in time")
        return left
