"""The allowance of an account: what it may send now, lowered when its server throttles, raised again by time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from domain.failures.failure import Failure, FailureKind, Stage
from domain.limits import AccountLimits
from domain.metering import CellRate, RollingDay

LOWERING: Final = 0.5
"""What a throttling answer leaves of the allowance: additive increase, multiplicative decrease (RFC 5681)."""
FLOOR: Final = 1 / 1000
"""The least share that is left; whatever the share, one connection and one message a minute remain."""
RAISING: Final = timedelta(minutes=30)
"""For getting back what one lowering took."""
RAISED_BY: Final = timedelta(days=1)
"""For getting all back, from however low."""
ONE_SIGN: Final = timedelta(seconds=10)
"""Throttling answers within it are about the same haste: they lower once."""
LONGEST_REST: Final = timedelta(days=1)
NOMINAL_RATE: Final = 6_000
"""Messages a minute that an account without a limit is taken to have once its server throttles it."""
NOMINAL_CONNECTIONS: Final = 5
"""Connections that it is taken to have then: what one process uses."""

_OF_THE_ACCOUNT: Final = frozenset({Stage.CONNECT, Stage.EHLO, Stage.AUTH, Stage.MAIL_FROM, Stage.DATA, Stage.API})
_TOO_FAST: Final = re.compile(r"(421|432) 4\.3\.2|4\d\d 4\.7\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """
    What is remembered of an account's sending; with `AccountLimits` it tells what may go when.

    Instants are of one clock, the store's. When that goes back nothing more is allowed than before, and nothing waits
    for longer than its bucket, its day or its rest takes.
    """

    arrival_time: datetime | None = None
    """Theoretical arrival time of the next message, see `CellRate`; None: as good as past."""
    messages: RollingDay = field(default_factory=RollingDay)
    """Sent in the last 24 hours; counted as long as there is a limit for them."""
    recipients: RollingDay = field(default_factory=RollingDay)
    """The same."""
    factor: float = 1.0
    """Share of the limits that was left at `lower_time`, in [FLOOR, 1]."""
    lower_time: datetime | None = None
    """When a throttling answer lowered it last; None: it never did, or all has been raised again."""
    rest_until: datetime | None = None
    """What the throttling answer asked to be waited; nothing is sent before."""
    failure: Failure | None = None
    """The throttling answer."""

    def share(self, *, now: datetime) -> float:
        """Returns which share of the limits holds *now*, in [FLOOR, 1]: raised evenly since it was lowered."""
        if self.lower_time is None:
            return 1.0
        since = max(timedelta(0), now - self.lower_time)
        return min(1.0, self.factor + max(since / RAISING * self.factor, since / RAISED_BY))

    def is_lowered(self, *, now: datetime) -> bool:
        """Tells whether less than the limits holds, or nothing may go at all because of a throttling answer."""
        return self.share(now=now) < 1 or self._rest(now) > now

    def in_force(self, limits: AccountLimits, *, now: datetime) -> AccountLimits:
        """
        Returns what holds *now* of *limits*.

        Connections and messages a minute are lowered, never below one; an account without such limits has nominal ones
        while it is lowered. The day's are facts: whoever is told that they are used up is also told to rest.
        """
        share = self.share(now=now)
        if share >= 1:
            return limits
        return replace(
            limits,
            connections=max(1, int((limits.connections or NOMINAL_CONNECTIONS) * share)),
            messages_per_minute=max(1, int((limits.messages_per_minute or NOMINAL_RATE) * share)),
        )

    def free_time(self, limits: AccountLimits, recipients: int, *, now: datetime) -> datetime:
        """Returns from when on a message to so many *recipients* may go: *now* at the earliest."""
        bounds = self.in_force(limits, now=now)
        times = [now, self._rest(now)]
        if bounds.messages_per_minute:
            rate = CellRate.per_minute(bounds.messages_per_minute)
            times.append(rate.conforming_time(self.arrival_time, now=now))
        if bounds.messages_per_day:
            times.append(self.messages.free_time(1, bounds.messages_per_day, now=now))
        if bounds.recipients_per_day:
            times.append(self.recipients.free_time(recipients, bounds.recipients_per_day, now=now))
        return max(times)

    def after(self, limits: AccountLimits, recipients: int, *, now: datetime) -> Allowance:
        """Returns what is left once a message to so many *recipients* goes, whose `free_time` is *now*."""
        bounds = self.in_force(limits, now=now)
        rate = CellRate.per_minute(bounds.messages_per_minute) if bounds.messages_per_minute else None
        return replace(
            self,
            arrival_time=rate.after_one(self.arrival_time, now=now) if rate else None,
            messages=self.messages.after(1, now=now) if bounds.messages_per_day else RollingDay(),
            recipients=self.recipients.after(recipients, now=now) if bounds.recipients_per_day else RollingDay(),
        )

    def given_back(self, recipients: int, *, now: datetime) -> Allowance:
        """Returns it once a message to so many *recipients* did not reach the server: the day's counts forget it."""
        return replace(
            self, messages=self.messages.without(1, now=now), recipients=self.recipients.without(recipients, now=now)
        )

    def lowered(self, failure: Failure, *, now: datetime) -> Allowance:
        """Returns what a throttling answer leaves of it (`throttles`): half, and a rest."""
        rest = min(max(failure.retry_time or now, now + ONE_SIGN), now + LONGEST_REST)
        resting = replace(self, rest_until=max(rest, self._rest(now)), failure=failure)
        if self.lower_time is not None and timedelta(0) <= now - self.lower_time < ONE_SIGN:
            return resting
        return replace(resting, factor=max(FLOOR, self.share(now=now) * LOWERING), lower_time=now)

    def rested(self, until: datetime, *, now: datetime) -> Allowance:
        """Returns it with a rest *until* then at least, a day at most: asked for beside mail that was taken."""
        return replace(self, rest_until=max(min(until, now + LONGEST_REST), self._rest(now)))

    def settled(self, *, now: datetime) -> Allowance:
        """Returns it without what was lowered, if all of that has been raised again."""
        if self.is_lowered(now=now):
            return self
        return replace(self, factor=1.0, lower_time=None, rest_until=None, failure=None)

    def _rest(self, now: datetime) -> datetime:
        return now if self.rest_until is None else max(now, min(self.rest_until, now + LONGEST_REST))


def throttles(failure: Failure | None) -> bool:
    """
    Tells whether *failure*, of an attempt, says that the account sends too fast or too much.

    So does what is THROTTLED; also a server that closes or refuses for now as a whole (421 and 432 with 4.3.2, RFC 3463
    section 3.4) or for reasons of policy (4.7.x, section 3.8). Not what is said of single recipients, such as
    greylisting or Exchange Online's bound for one recipient (5.2.121), nor of names, TLS and tokens.
    """
    if failure is None or failure.stage not in _OF_THE_ACCOUNT:
        return False
    return failure.kind is FailureKind.THROTTLED or (
        failure.kind is FailureKind.TRANSIENT and _TOO_FAST.fullmatch(failure.provider_code) is not None
    )
