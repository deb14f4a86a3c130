"""Throttling of a mailbox: how many at once, how many in a time, and the quiet that a Retry-After asks for."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.sandbox.graph.errors import throttled
from service.sandbox.graph.limits import Limits


@dataclass(frozen=True, slots=True)
class _Quiet:
    since: datetime
    until: datetime


class Throttle:
    """Counts requests by mailbox; whoever enters leaves."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._running: Counter[str] = Counter()
        self._asked: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._uploaded: defaultdict[str, deque[tuple[datetime, int]]] = defaultdict(deque)
        self._quiet: dict[str, _Quiet] = {}

    def enter(self, mailbox: str) -> int:
        """Counts a request as running; returns how many run for the mailbox with it."""
        self._running[mailbox] += 1
        return self._running[mailbox]

    def leave(self, mailbox: str) -> None:
        """Counts a request as ended."""
        self._running[mailbox] -= 1

    def admit(self, mailbox: str, *, now: datetime) -> None:
        """Lets a request that has entered go on. Raises GraphError (429)."""
        limits = self.limits
        asked = self._asked[mailbox]
        asked.append(now)
        while asked[0] <= now - limits.request_window:
            asked.popleft()
        if self._running[mailbox] > limits.concurrent:
            raise throttled("MailboxConcurrency", limits.retry_after)
        if len(asked) > limits.requests:
            # Room again once enough of the oldest are out of the window, as long as nobody asks meanwhile.
            free_at = asked[len(asked) - limits.requests] + limits.request_window
            raise throttled("MailboxRequests", free_at - now)

    def admit_upload(self, mailbox: str, size_bytes: int, *, now: datetime) -> None:
        """Lets a range go on. Raises GraphError (429)."""
        uploaded = self._uploaded[mailbox]
        while uploaded and uploaded[0][0] <= now - self.limits.upload_window:
            uploaded.popleft()
        if sum(size for _, size in uploaded) + size_bytes > self.limits.uploaded_bytes:
            free_at = (uploaded[0][0] if uploaded else now) + self.limits.upload_window
            raise throttled("MailboxUpload", free_at - now)
        uploaded.append((now, size_bytes))

    def told_to_wait(self, mailbox: str, wait: timedelta, *, now: datetime) -> None:
        """Remembers a Retry-After that was answered; the latest end counts."""
        before = self._quiet.get(mailbox)
        if before is None or before.until <= now:
            self._quiet[mailbox] = _Quiet(now, now + wait)
        elif now + wait > before.until:
            self._quiet[mailbox] = _Quiet(before.since, now + wait)

    def into_quiet(self, mailbox: str, *, now: datetime) -> timedelta | None:
        """Returns how long after a Retry-After was given this is, while it lasts; None when none lasts."""
        quiet = self._quiet.get(mailbox)
        return now - quiet.since if quiet is not None and now < quiet.until else None

    def forget(self) -> None:
        """Begins anew but for the requests that run."""
        self._asked.clear()
        self._uploaded.clear()
        self._quiet.clear()
