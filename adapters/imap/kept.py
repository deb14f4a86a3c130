"""Connections kept for the next piece of work: whose they are, how many, how long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from adapters.imap.session import Session
from domain.ports.environment import Clock
from domain.ports.mailbox import MailboxAccount
from domain.ports.transport import belongs_to
from domain.settings.model import MailboxSettings


@dataclass(frozen=True, slots=True)
class KeptLimits:
    """How many connections there are, and when one is not used again."""

    connections: int = 4
    """At once for one lane with one set of settings, those that follow a folder aside; Gmail allows 15 in all."""
    idle: timedelta = timedelta(seconds=60)
    """Servers wait 30 minutes for the next command (RFC 9051 section 5.4); mail programs of the owner need room too."""
    age: timedelta = timedelta(minutes=15)
    """So that a name that moves is looked up anew, and few tokens end on a connection."""
    idle_in_all: int = 100
    """Of one process; beyond it, the one that is idle longest is closed."""


@dataclass(slots=True, eq=False)
class Lane:
    """One caller's name for a lane with one set of settings: who may share a connection."""

    name: str
    settings: MailboxSettings
    turns: asyncio.Semaphore
    users: int = 0
    """Work under way and waiting for its turn."""
    generation: int = 0
    idle: list[Session] = field(default_factory=list)
    """The one used last is the last."""
    out: set[Session] = field(default_factory=set)
    """Those that follow a folder, and are ended when the lane is forgotten."""


class Kept:
    """Idle sessions by lane, and turns, so that a lane never has more connections than it may."""

    def __init__(self, *, limits: KeptLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._lanes: dict[str, list[Lane]] = {}
        self._idle: dict[Session, tuple[Lane, float]] = {}
        """With the time since when, by the loop's clock; in that order."""
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def lane(self, account: MailboxAccount) -> Lane:
        """Returns the lane of *account*, with one user more; `leave` ends that."""
        lanes = self._lanes.setdefault(account.lane, [])
        # Secrets have no hash, so that none is a key; the lanes of one name are one, or two after a change.
        found = next((lane for lane in lanes if lane.settings == account.settings), None)
        if found is None:
            found = Lane(account.lane, account.settings, asyncio.Semaphore(self._limits.connections))
            lanes.append(found)
        found.users += 1
        return found

    def leave(self, lane: Lane) -> None:
        """Ends what `lane` began."""
        lane.users -= 1
        self._tidy(lane)

    def take(self, lane: Lane) -> Session | None:
        """Returns an idle session that can be used, now the caller's."""
        while lane.idle:
            session = lane.idle[-1]
            self._forget_idle(session)
            if not session.is_broken and not self._is_worn(session):
                return session
            session.discard()
        return None

    def keep(self, lane: Lane, session: Session) -> None:
        """Keeps *session* for the next piece of work of *lane*, or ends it when it is of no more use."""
        if (
            self._is_closed
            or not lane.name
            or session.is_broken
            or session.generation != lane.generation
            or self._is_worn(session)
        ):
            session.discard()
            return
        lane.idle.append(session)
        self._idle[session] = (lane, asyncio.get_running_loop().time())
        if len(self._idle) > self._limits.idle_in_all:
            self._retire(next(iter(self._idle)))
        self._set_timer()

    def forget(self, name: str) -> None:
        """Ends the idle connections of the lanes that *name* stands for, and those that follow; keeps none in use."""
        for lanes in [lanes for named, lanes in self._lanes.items() if belongs_to(named, name)]:
            for lane in list(lanes):
                lane.generation += 1
                for session in list(lane.idle):
                    self._retire(session)
                for session in lane.out:
                    session.cut()

    def close(self) -> None:
        """Ends all idle connections and those that follow, and keeps none from now on."""
        self._is_closed = True
        self.forget("")
        self._set_timer()

    def _is_worn(self, session: Session) -> bool:
        return self._clock.monotonic() - session.begin_time >= self._limits.age

    def _tidy(self, lane: Lane) -> None:
        if lane.users or lane.idle:
            return
        lanes = self._lanes.get(lane.name, [])
        if lane in lanes:
            lanes.remove(lane)
        if not lanes:
            self._lanes.pop(lane.name, None)

    def _forget_idle(self, session: Session) -> Lane:
        lane, _ = self._idle.pop(session)
        lane.idle.remove(session)
        return lane

    def _retire(self, session: Session) -> None:
        lane = self._forget_idle(session)
        session.discard()
        self._tidy(lane)

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
        for session in [kept for kept, (_, since) in self._idle.items() if since <= latest]:
            self._retire(session)
        self._set_timer()
