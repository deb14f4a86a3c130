"""Two meters for what may be sent: one that spreads it over time, one that counts the last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_HOURS_COUNTED: Final = 24
_BURST_SHARE: Final = 10
"""A tenth of what a period allows may go at once."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CellRate:
    """
    The generic cell rate algorithm: one message per *interval*, and up to *burst* of them at once.

    The leaky bucket as a meter, in the form of virtual scheduling (ATM Forum, Traffic Management 4.0, section 4.4.2;
    ITU-T I.371). Its whole state is one instant, the theoretical arrival time: when the next message would come if all
    came evenly. One that comes earlier than the tolerance allows does not conform and changes nothing, so that trying
    costs nothing. In any span there are at most ``burst + span / interval`` messages.
    """

    interval: timedelta
    """Emission interval, the increment I."""
    burst: int = 1
    """At least 1."""

    @classmethod
    def per_minute(cls, limit: int) -> Self:
        """
        Returns the rate that keeps to *limit* messages, at least 1, in any minute, wherever that begins.

        A tenth of them may go at once, and the rest is spread, so that burst and rate together stay within the limit.
        From 10 on, one of them is left over: a server counts what arrives, and the way there takes now more, now less.
        """
        burst = max(1, limit // _BURST_SHARE)
        spread = limit - burst + (1 if limit < _BURST_SHARE else 0)
        return cls(interval=_MINUTE / spread, burst=burst)

    @property
    def tolerance(self) -> timedelta:
        """How much earlier than its theoretical arrival time a message may come, the limit L."""
        return self.interval * (self.burst - 1)

    def conforming_time(self, arrival: datetime | None, *, now: datetime) -> datetime:
        """Returns from when on the next message conforms: *now* at the earliest."""
        return max(now, self._within_reach(arrival, now) - self.tolerance)

    def after_one(self, arrival: datetime | None, *, now: datetime) -> datetime:
        """Returns the theoretical arrival time once a message has come that conforms at *now*."""
        return max(now, self._within_reach(arrival, now)) + self.interval

    def _within_reach(self, arrival: datetime | None, now: datetime) -> datetime:
        """Cuts a time that cannot be: after the clock went back, or a limit was raised, the bucket is full at most."""
        return now if arrival is None else min(arrival, now + self.interval * self.burst)


@dataclass(frozen=True, slots=True)
class RollingDay:
    """
    What was sent in the last 24 hours, by the hour; an hour counts until its last second is a day old.

    A cell rate cannot keep such a limit without giving half of it away: with a day's burst it lets twice as many
    through in a day that begins with the burst, and Gmail prolongs the block of whoever goes on (support.google.com,
    answer 166852, seen 2026-11).
    """

    hours: tuple[tuple[int, int], ...] = ()
    """Hours since 1970 with what was counted in them, ascending."""

    def count(self, *, now: datetime) -> int:
        """Returns how many are counted."""
        return sum(number for _, number in self._kept(now))

    def free_time(self, number: int, limit: int, *, now: datetime) -> datetime:
        """
        Returns from when on *number* more fit into *limit*: *now* at the earliest.

        What is more than the whole limit waits for an empty day, as it would never fit.
        """
        kept = self._kept(now)
        over = sum(counted for _, counted in kept) + min(number, limit) - limit
        for hour, counted in kept:
            if over <= 0:
                break
            over -= counted
            if over <= 0:
                return _EPOCH + (hour + _HOURS_COUNTED + 1) * _HOUR
        return now

    def after(self, number: int, *, now: datetime) -> RollingDay:
        """Returns the count with *number* more."""
        hour = _hour(now)
        kept = dict(self._kept(now))
        kept[hour] = kept.get(hour, 0) + number
        return RollingDay(tuple(sorted(kept.items())))

    def without(self, number: int, *, now: datetime) -> RollingDay:
        """Returns the count without *number* that were counted last and not sent; never below zero."""
        left: list[tuple[int, int]] = []
        for hour, counted in reversed(self._kept(now)):
            taken = min(number, counted)
            number -= taken
            if counted > taken:
                left.append((hour, counted - taken))
        return RollingDay(tuple(reversed(left)))

    def _kept(self, now: datetime) -> list[tuple[int, int]]:
        """Drops what is a day old; hours that have not come yet, as the clock went back, count as this one."""
        current = _hour(now)
        kept: dict[int, int] = {}
        for hour, counted in self.hours:
            if hour >= current - _HOURS_COUNTED:
                kept[min(hour, current)] = kept.get(min(hour, current), 0) + counted
        return sorted(kept.items())


def _hour(now: datetime) -> int:
    return (now - _EPOCH) // _HOUR
