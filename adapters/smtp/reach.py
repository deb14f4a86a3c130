"""Dialling and TLS for the connections of other adapters, whom the container hands it to: one set of rules for all."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.smtp.dialling import Dialled, Unreachable, dial
from adapters.smtp.tls import TlsContexts, describe
from adapters.smtp.verdicts import tls_fault, unreachable_fault
from domain.connection import TlsVersion
from domain.failures.evidence import Symptom
from domain.failures.trace import TlsSession
from domain.ports.environment import Clock
from domain.ports.network import PeerAddress


@dataclass(frozen=True, slots=True)
class NotReached:
    """No address took the connection."""

    symptom: Symptom
    detail: str
    """Each address with its error, for people."""


class Reach:
    """Opens and secures connections by the rules that hold for submission."""

    def __init__(self, *, clock: Clock, ca_file: Path | None = None) -> None:
        """Trusts the authorities in *ca_file* (PEM), or the system's, where the settings name none."""
        self._contexts = TlsContexts(clock=clock, ca_file=ca_file)

    async def connect(self, addresses: Sequence[PeerAddress], *, seconds: float) -> Dialled | NotReached:
        """Dials *addresses* as `dial` does."""
        try:
            return await dial(addresses, seconds=seconds)
        except Unreachable as unreachable:
            return NotReached(*unreachable_fault(unreachable.errors))

    async def context(self, minimum: TlsVersion, ca_certificates: str) -> ssl.SSLContext:
        """Returns a context that verifies chain and name; see `TlsContexts.get`."""
        return await self._contexts.get(minimum, ca_certificates)

    def fault(self, error: ssl.SSLError, *, from_first_byte: bool) -> tuple[Symptom, str]:
        """Names what a failed handshake shows; see `tls_fault`."""
        return tls_fault(error, from_first_byte=from_first_byte)

    def describe(self, session: ssl.SSLSocket, clean: Callable[[str], str]) -> TlsSession:
        """Returns what was negotiated; see `describe`."""
        return describe(session, clean)
