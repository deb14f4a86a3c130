"""Connections kept for the next message: whose they are, how many, how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from adapters.smtp.connection import Connection
from domain.ports.transport import belongs_to
from domain.providers import preset_for_host
from domain.settings.model import BasicAuthentication, OAuthAuthentication, SmtpTransport

Authentication = BasicAuthentication | OAuthAuthentication | None
_MOST_REFUSALS: Final = 5
"""Postfix slows a session down from 10 errors on and ends it at 20 (smtpd_soft_error_limit, smtpd_hard_error_limit)."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections there are, and when one is not used again."""

    connections: int = 5
    """At once for one lane with one set of settings that says nothing of it; fewer where the provider's preset does."""
    most_connections: int = 16
    """The same where the settings ask for as many or more."""
    idle: timedelta = timedelta(seconds=8)
    """Below what a server waits for the next command: 10 s in a Postfix under load, 300 s else (smtpd_timeout)."""
    age: timedelta = timedelta(minutes=5)
    """As Postfix keeps its own (smtp_connection_reuse_time_limit), so that a name that moves is looked up anew."""
    messages: int = 100
    """On one connection; some servers end a session after so many."""
    idle_in_all: int = 200
    """Of one process; beyond it, the one that is idle longest is closed."""


@dataclass(slots=True, eq=False)
class Lane:
    """One caller's name for a lane with one set of settings: who may share a connection."""

    name: str
    smtp: SmtpTransport
    authentication: Authentication
    turns: asyncio.Semaphore
    users: int = 0
    """Messages on their way and waiting for their turn."""
    generation: int = 0
    idle: list[Connection] = field(default_factory=list)
    """The one used last is the last."""


class Pool:
    """
    Idle connections by lane, and turns, so that a lane never has more connections than it may.

    Who has a turn uses one connection: an idle one if there is one, else one of its own. Nothing here does I/O but
    *farewell*, which ends a connection that nobody will use again, and must not wait.
    """

    def __init__(self, *, limits: PoolLimits, farewell: Callable[[Connection], None]) -> None:
        self._limits = limits
        self._farewell = farewell
        self._lanes: dict[tuple[str, SmtpTransport], list[Lane]] = {}
        self._idle: dict[Connection, tuple[Lane, float]] = {}
        """With the time since when, by the loop's clock; in that order."""
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def turn(
        self, name: str, smtp: SmtpTransport, authentication: Authentication, *, connections: int | None = None
    ) -> Lane:
        """
        Returns the lane when it is the caller's turn, in the order of asking; `leave` ends the turn.

        *connections*: how many the settings want at once, which never change for a lane; None: they do not say.
        """
        lane = self._lane(name, smtp, authentication, connections)
        lane.users += 1
        try:
            await lane.turns.acquire()
        except BaseException:
            self._drop_user(lane)
            raise
        return lane

    def leave(self, lane: Lane) -> None:
        """Ends a turn."""
        lane.turns.release()
        self._drop_user(lane)

    def take(self, lane: Lane) -> Connection | None:
        """Returns an idle connection that can be used, now the caller's."""
        while lane.idle:
            connection = lane.idle[-1]
            self._forget_idle(connection)
            if connection.wire.is_quiet and not self._is_worn(connection):
                return connection
            self._end(connection)
        return None

    def keep(self, lane: Lane, connection: Connection) -> bool:
        """Keeps *connection* for the next message of *lane*; False when it is of no more use, and still to be ended."""
        if (
            self._is_closed
            or connection.generation != lane.generation
            or self._is_worn(connection)
            or not connection.wire.is_quiet
        ):
            return False
        lane.idle.append(connection)
        self._idle[connection] = (lane, asyncio.get_running_loop().time())
        connection.wire.watch(partial(self._on_news, connection))
        if len(self._idle) > self._limits.idle_in_all:
            self._retire(next(iter(self._idle)))
        self._set_timer()
        return True

    def forget(self, name: str) -> None:
        """Ends the idle connections of the lanes that *name* stands for; those in use are not kept. See the port."""
        for lanes in [lanes for (named, _), lanes in self._lanes.items() if belongs_to(named, name)]:
            for lane in list(lanes):
                lane.generation += 1
                for connection in list(lane.idle):
                    self._retire(connection)

    def close(self) -> None:
        """Ends all idle connections, and keeps none from now on."""
        self._is_closed = True
        for connection in list(self._idle):
            self._retire(connection)
        self._set_timer()

    def _lane(self, name: str, smtp: SmtpTransport, authentication: Authentication, connections: int | None) -> Lane:
        lanes = self._lanes.setdefault((name, smtp), [])
        # Secrets have no hash, so that none is a key; the lanes of one name and server are one, or two after a change.
        for lane in lanes:
            if lane.authentication == authentication:
                return lane
        preset = preset_for_host(smtp.host)
        wanted = min(connections, self._limits.most_connections) if connections else self._limits.connections
        turns = asyncio.Semaphore(min((preset.limits.connections if preset else None) or wanted, wanted))
        lane = Lane(name, smtp, authentication, turns)
        lanes.append(lane)
        return lane

    def _is_worn(self, connection: Connection) -> bool:
        age = asyncio.get_running_loop().time() - connection.begin_time
        return (
            connection.messages >= self._limits.messages
            or connection.refusals >= _MOST_REFUSALS
            or age >= self._limits.age.total_seconds()
        )

    def _drop_user(self, lane: Lane) -> None:
        lane.users -= 1
        self._tidy(lane)

    def _tidy(self, lane: Lane) -> None:
        if lane.users or lane.idle:
            return
        key = (lane.name, lane.smtp)
        lanes = self._lanes.get(key, [])
        if lane in lanes:
            lanes.remove(lane)
        if not lanes:
            self._lanes.pop(key, None)

    def _forget_idle(self, connection: Connection) -> Lane:
        lane, _ = self._idle.pop(connection)
        lane.idle.remove(connection)
        connection.wire.watch(None)
        return lane

    def _retire(self, connection: Connection) -> None:
        lane = self._forget_idle(connection)
        self._end(connection)
        self._tidy(lane)

    def _end(self, connection: Connection) -> None:
        if connection.wire.is_quiet:
            self._farewell(connection)
        else:
            connection.wire.abort()

    def _on_news(self, connection: Connection) -> None:
        """A server that speaks or leaves while nothing was asked of it has ended the session; that is no failure."""
        self._retire(connection)

    def _set_timer(self) -> None:
        if not self._idle:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self._timer is None:
            _, since = next(iter(self._idle.values()))
            end = since + self._limits.idle.total_seconds()
            self._timer = asyncio.get_running_loop().call_at(end, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        latest = asyncio.get_running_loop().time() - self._limits.idle.total_seconds()
        for connection in [kept for kept, (_, since) in self._idle.items() if since <= latest]:
            self._retire(connection)
        self._set_timer()
