"""
What opens connections, handed over by the container: the same that dials for SMTP, so that one set of rules holds.

Which addresses may be dialled is decided by `domain.ports.network.Resolver` before, for both alike.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable

from domain.connection import TlsVersion
from domain.failures.evidence import Symptom
from domain.failures.trace import TlsSession
from domain.ports.network import PeerAddress


class Reached(Protocol):
    """A connected socket that does not block, and what it took."""

    @property
    def socket(self) -> socket.socket: ...

    @property
    def peer(self) -> PeerAddress: ...

    @property
    def duration(self) -> timedelta: ...


@runtime_checkable
class NotReached(Protocol):
    """No address took the connection."""

    @property
    def symptom(self) -> Symptom: ...

    @property
    def detail(self) -> str:
        """Each address with its error, for people."""
        ...


class Reach(Protocol):
    """Opens and secures connections."""

    async def connect(self, addresses: Sequence[PeerAddress], *, seconds: float) -> Reached | NotReached:
        """Dials *addresses* by RFC 8305, exactly these, and leaves no other socket open; raises nothing of its own."""
        ...

    async def context(self, minimum: TlsVersion, ca_certificates: str) -> ssl.SSLContext:
        """Returns a context that verifies chain and name; raises ssl.SSLError when there is no certificate in it."""
        ...

    def fault(self, error: ssl.SSLError, *, from_first_byte: bool) -> tuple[Symptom, str]:
        """Names what a failed handshake shows; *from_first_byte*: words that are no TLS mean the other mode."""
        ...

    def describe(self, session: ssl.SSLSocket, clean: Callable[[str], str]) -> TlsSession:
        """Returns what was negotiated, scrubbed by *clean*."""
        ...
