"""The port that turns the host a tenant wrote into the addresses that may be dialled for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """One address to dial, already judged: dial this `ip`, and never look the name up a second time."""

    ip: str
    """The address in its canonical form (RFC 5952 for version 6), without brackets; never a name."""
    port: int
    family: Literal[4, 6]

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.family == 6 else f"{self.ip}:{self.port}"


@dataclass(frozen=True, slots=True)
class DeniedAddress:
    """One address that may not be dialled, and why."""

    ip: str
    why: str
    """For people, e.g. ``in 10.0.0.0/8 (private network)``; no secret, no name of ours."""


class ResolutionFailed(Exception):
    """
    No address to dial came out; subclasses say what to do about it.

    `host` is as it was asked for, `detail` is for people.
    """

    def __init__(self, host: str, detail: str) -> None:
        super().__init__(f"{host}: {detail}")
        self.host = host
        self.detail = detail


class NameUnknown(ResolutionFailed):
    """The host does not exist, has no address, or is neither a name nor an address: correct the setting."""


class NameUnavailable(ResolutionFailed):
    """The name could not be looked up just now; it may exist. Try again later."""


class EgressDenied(ResolutionFailed):
    """The host exists, and none of its addresses may be dialled: the operator decides, not the tenant."""

    def __init__(self, host: str, denied: Sequence[DeniedAddress]) -> None:
        super().__init__(host, "; ".join(f"{address.ip} is {address.why}" for address in denied))
        self.denied = tuple(denied)


class Resolver(Protocol):
    """
    Looks names up and keeps tenants' hosts away from networks that are none of theirs.

    Judging comes after the lookup and the judged address is the one to dial, so a name that answers differently the
    second time gains nothing. Who dials uses `PeerAddress.ip` and keeps the host's name for the TLS check alone.
    """

    async def resolve(self, host: str, port: int) -> tuple[PeerAddress, ...]:
        """
        Returns the addresses of *host* that may be dialled, best first (RFC 6724), without duplicates, at least one.

        *host* is a name in ASCII (A-labels) or an address literal without brackets. A literal is judged without any
        lookup. What a C library would read as a number though nobody writes addresses that way (``127.1``,
        ``0x7f000001``, ``2130706433``, circled digits) is NameUnknown and is never looked up. Addresses that may not be
        dialled are left out when others remain. An IPv4 address in IPv6 clothes (``::ffff:…``) comes back as the IPv4
        address it is.

        Takes as long as the system's lookup does and may be cancelled; the caller sets the limit.
        Raises NameUnknown, NameUnavailable or EgressDenied, and nothing else.
        """
        ...
