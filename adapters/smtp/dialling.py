"""A host's addresses tried as RFC 8305 ("happy eyeballs") says, so that a dead one costs a quarter of a second."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import Final

from domain.ports.network import PeerAddress

STAGGER_SECONDS: Final = 0.25
"""Pause before the next address is tried beside those under way (RFC 8305 section 5)."""
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Dead:
    """An address that was dialled and not used."""

    peer: PeerAddress
    error: OSError
    """Why not; `Overtaken` when another address answered first."""
    duration: timedelta


class Overtaken(TimeoutError):
    """An address had not answered when another one did, and was given up; it may be slow and well."""


class Unreachable(Exception):
    """
    No address took the connection.

    `dead` has those that were dialled, in the order in which they were given up; `errors` says for each of all
    addresses why it was not reached.
    """

    def __init__(self, dead: Sequence[Dead], errors: Mapping[PeerAddress, OSError]) -> None:
        super().__init__("no address could be reached")
        self.dead = tuple(dead)
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Dialled:
    """A connected socket, and what it took."""

    socket: socket.socket
    peer: PeerAddress
    duration: timedelta
    """From the first packet to this address to its answer."""
    dead: tuple[Dead, ...]
    """The other addresses that were dialled, in the order in which they were given up."""


@dataclass(frozen=True, slots=True)
class _Try:
    peer: PeerAddress
    begin: float

    def duration(self) -> timedelta:
        return timedelta(seconds=asyncio.get_running_loop().time() - self.begin)

    def given_up(self, error: OSError) -> Dead:
        return Dead(self.peer, error, self.duration())


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
    now = asyncio.get_running_loop().time
    end = now() + seconds
    waiting = deque(by_turns(addresses))
    under_way: dict[asyncio.Task[socket.socket], _Try] = {}
    dead: list[Dead] = []
    try:
        while waiting or under_way:
            left = end - now()
            if left <= 0:
                break
            if waiting:
                address = waiting.popleft()
                under_way[asyncio.create_task(_connect(address))] = _Try(address, now())
            pause = min(STAGGER_SECONDS, left) if waiting else left
            done, _ = await asyncio.wait(under_way, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            # Those that failed come first: an answer in the same moment does not make them slow.
            for task in sorted(done, key=lambda task: task.exception() is None):
                error = task.exception()
                if error is None:
                    used = under_way.pop(task)
                    took = used.duration()
                    dead += [slow.given_up(_overtaken(slow)) for slow in under_way.values()]
                    return Dialled(task.result(), used.peer, took, tuple(dead))
                if not isinstance(error, OSError):
                    raise error
                dead.append(under_way.pop(task).given_up(error))
    finally:
        await _hang_up(under_way)
    late = TimeoutError(f"no answer within {seconds:.3g} s")
    dead += [slow.given_up(late) for slow in under_way.values()]
    undialled = dict.fromkeys(waiting, TimeoutError("not dialled, since the time was used up"))
    raise Unreachable(dead, {**{each.peer: each.error for each in dead}, **undialled})


def _overtaken(slow: _Try) -> Overtaken:
    return Overtaken(f"no answer within {slow.duration().total_seconds():.3g} s, when another address answered")


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


async def _hang_up(under_way: Iterable[asyncio.Task[socket.socket]]) -> None:
    for task in under_way:
        task.cancel()
    for outcome in await asyncio.gather(*under_way, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()
