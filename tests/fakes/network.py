"""A resolver that knows the names a test gives it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from domain.ports.network import NameUnknown, PeerAddress, ResolutionFailed


class FakeResolver:
    """
    `domain.ports.network.Resolver`: *names* maps a host to its addresses, best first, or to the failure it ends with.

    Address literals resolve to themselves and `localhost` to 127.0.0.1 unless *names* says otherwise; nothing is
    judged, so a test that is about denial gives `EgressDenied`. Every host asked for is kept in `asked`.
    """

    def __init__(self, names: Mapping[str, Sequence[str] | ResolutionFailed] | None = None) -> None:
        self.names: dict[str, Sequence[str] | ResolutionFailed] = {"localhost": ("127.0.0.1",), **(names or {})}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> tuple[PeerAddress, ...]:
        self.asked.append(host)
        answer = self.names.get(host.lower().removesuffix("."))
        if answer is None:
            answer = (host,) if _is_literal(host) else NameUnknown(host, "no such host, or it has no address")
        if isinstance(answer, ResolutionFailed):
            raise answer
        return tuple(_peer(text, port) for text in dict.fromkeys(answer))


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _peer(text: str, port: int) -> PeerAddress:
    address = ipaddress.ip_address(text)
    return PeerAddress(ip=str(address), port=port, family=address.version)
