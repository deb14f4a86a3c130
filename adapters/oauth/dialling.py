"""Judged HTTP, a fresh transport each time, with the certificate authorities of the moment."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2

from adapters.oauth.transport import JudgedTransport
from domain.ports.environment import Clock
from domain.ports.network import Resolver

_LIFETIME: Final = timedelta(hours=1)
"""After it the certificate authorities are read anew, so that the system's updates count without a restart."""


class JudgedTransports:
    """Opens transports that share what was read of the authorities, and nothing else."""

    def __init__(self, *, resolver: Resolver, clock: Clock, ca_file: Path | None = None) -> None:
        """Trusts the authorities in *ca_file* (PEM), or the system's."""
        self._resolver = resolver
        self._clock = clock
        self._ca_file = ca_file
        self._context: tuple[timedelta, ssl.SSLContext] | None = None

    async def open(self) -> JudgedTransport:
        """Returns a transport that its caller closes; it reads nothing from the environment and repeats nothing."""
        inner = httpx2.AsyncHTTPTransport(verify=await self._tls(), trust_env=False, retries=0)
        return JudgedTransport(resolver=self._resolver, inner=inner)

    async def _tls(self) -> ssl.SSLContext:
        now = self._clock.monotonic()
        if self._context is None or now - self._context[0] >= _LIFETIME:
            context = await asyncio.to_thread(_new_context, self._ca_file)
            self._context = (now, context)
        return self._context[1]


def _new_context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain and host name from the start
    context.hostname_checks_common_name = False  # RFC 9525 section 6.3
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context
