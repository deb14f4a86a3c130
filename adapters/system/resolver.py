"""Names looked up by the system, and every answer judged before anybody sees it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv6Address
from typing import Final, TypeAlias

from adapters.system.egress import Address, EgressPolicy, literal, normal_name
from domain.ports.network import DeniedAddress, EgressDenied, NameUnavailable, NameUnknown, PeerAddress

Lookup: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Asks for the addresses of a name, best first; raises OSError as `socket.getaddrinfo` does."""

_UNKNOWN: Final = frozenset(
    # EAI_NODATA and EAI_ADDRFAMILY are what glibc says for a name without addresses; other systems lack them.
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if hasattr(socket, name)
)
_LOOKUP_THREADS: Final = 32


class SystemLookup:
    """
    The C library's lookup: hosts file, search order and RFC 6724 sorting as for every other program on the machine.

    It blocks a thread for as long as a dead name server takes, cancelled or not. The threads are its own, so that a
    tenant with such a name holds up neither the event loop's other thread work nor, up to 32 at once, other names.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=_LOOKUP_THREADS, thread_name_prefix="lookup")

    async def __call__(self, name: str) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _addresses, name)


class SystemResolver:
    """`domain.ports.network.Resolver`: *lookup* finds the addresses, *policy* strikes those that may not be dialled."""

    def __init__(self, *, policy: EgressPolicy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def resolve(self, host: str, port: int) -> tuple[PeerAddress, ...]:
        written = literal(host)
        if written is not None:
            return self._judged(host, port, [written])
        name = normal_name(host)
        if name is None:
            raise NameUnknown(host, "this is neither a host name nor an IP address in its usual form")
        found = await self._look_up(host, name)
        if self._policy.allows_host(name):
            return _peers(found, port)
        return self._judged(host, port, found)

    async def _look_up(self, host: str, name: str) -> list[Address]:
        try:
            texts = await self._lookup(name)
        except socket.gaierror as error:
            if error.errno in _UNKNOWN:
                raise NameUnknown(host, "no such host, or it has no address") from error
            raise NameUnavailable(host, f"the name service did not answer ({error.strerror})") from error
        except OSError as error:
            raise NameUnavailable(host, f"the name could not be looked up ({error.strerror})") from error
        found = [address for text in texts if (address := literal(text)) is not None]
        if not found:
            raise NameUnknown(host, "the name has no address")
        return found

    def _judged(self, host: str, port: int, addresses: Iterable[Address]) -> tuple[PeerAddress, ...]:
        allowed: list[Address] = []
        denied: list[DeniedAddress] = []
        for address in dict.fromkeys(addresses):
            why = self._policy.judge(address)
            if why is None:
                allowed.append(address)
            else:
                denied.append(DeniedAddress(ip=str(address), why=why))
        if not allowed:
            raise EgressDenied(host, denied)
        return _peers(allowed, port)


def _peers(addresses: Iterable[Address], port: int) -> tuple[PeerAddress, ...]:
    plain = dict.fromkeys(_without_mapping(address) for address in addresses)
    return tuple(PeerAddress(ip=str(address), port=port, family=address.version) for address in plain)


def _without_mapping(address: Address) -> Address:
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _addresses(name: str) -> list[str]:
    # One socket type, else each address comes three times.
    # No AI_ADDRCONFIG: it hides localhost where only loopback is up.
    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(sockaddr[0]) for *_, sockaddr in answers]
