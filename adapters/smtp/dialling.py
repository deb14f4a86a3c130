"""A host's addresses tried as RFC 8305 ("happy eyeballs") says, so that a dead one costs a quarter of a second."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from domain.ports.network import PeerAddress

STAGGER_SECONDS: Final = 0.25
"""Pause before the next address is tried beside those under way (RFC 8305 section 5)."""
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


class Unreachable(Exception):
    """No address took the connection; `errors` says for each why, in the order in which they were tried."""

    def __init__(self, errors: dict[PeerAddress, OSError]) -> None:
        super().__init__("no address could be reached")
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Dialled:
    """A connected socket, and what it took."""

    socket: socket.socket
    peer: PeerAddress
    errors: dict[PeerAddress, OSError]
    """Of the addresses that had failed by then."""


def by_turns(addresses: Sequence[PeerAddress]) -> list[PeerAddress]:
    """Returns *addresses* with the families alternating, the first one's family leading (RFC 8305 section 4)."""
    if not addresses:
        return []
    first = [address for address in addresses if address.family == addresses[0].family]
    other = [address for address in addresses if address.family != addresses[0].family]
    return [address for pair in zip_longest(first, other) for address in pair if address is not None]


async def dial(addresses: Sequence[PeerAddress], *, seconds: float) -> Dialled:
    """
    Connects to the first of *addresses* that answers within *seconds*; exactly these are dialled, and no name.

    A failed address makes room for the next at once. Leaves no socket open but the one returned, also when cancelled.
    Raises Unreachable.
    """
    end = asyncio.get_running_loop().time() + seconds
    waiting = deque(by_turns(addresses))
    under_way: dict[asyncio.Task[socket.socket], PeerAddress] = {}
    errors: dict[PeerAddress, OSError] = {}
    try:
        while waiting or under_way:
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                break
            if waiting:
                address = waiting.popleft()
                under_way[asyncio.create_task(_connect(address))] = address
            pause = min(STAGGER_SECONDS, left) if waiting else left
            done, _ = await asyncio.wait(under_way, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is None:
                    peer = under_way.pop(task)
                    return Dialled(task.result(), peer, errors)
                if not isinstance(error, OSError):
                    raise error
                errors[under_way.pop(task)] = error
    finally:
        await _hang_up(under_way)
    late = TimeoutError(f"no answer within {seconds:.3g} s")
    raise Unreachable({**errors, **dict.fromkeys([*under_way.values(), *waiting], late)})


async def _connect(address: PeerAddress) -> socket.socket:
    end = socket.socket(_FAMILIES[address.family], socket.SOCK_STREAM)
    try:
        end.setblocking(False)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(end, (address.ip, address.port))
    except BaseException:
        end.close()
        raise
    return end


async def _hang_up(under_way: dict[asyncio.Task[socket.socket], PeerAddress]) -> None:
    for task in under_way:
        task.cancel()
    for outcome in await asyncio.gather(*under_way, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()
