"""How long to wait before a mailbox is connected to again, and when to give up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from domain.errors import MailportError, ProviderRefused, Unavailable
from domain.failures.failure import HEALS_BY_WAITING
from domain.reasons import Reason
from service.usecases.following import Following

_LONGEST: Final = timedelta(seconds=30)
_STANDS_FIRMLY: Final = timedelta(minutes=1)
"""A connection that stood so long starts the pauses anew when it breaks."""
_STANDS: Final = timedelta(seconds=10)
"""One that breaks sooner, and has brought nothing, may break over what comes next, each time."""


class Pauses:
    """The pauses between the connections of one who follows a folder: short at first, then longer, with jitter."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._last_proof = following.clock.monotonic()
        self._standing: tuple[timedelta, timedelta] | None = None
        """When the connection that stands was begun, and since when it stands."""
        self._tries = 0

    def proven(self, *, brought_mail: bool, began: timedelta) -> None:
        """Notes that the connection lives that was begun at *began*, by the monotonic clock."""
        now = self._following.clock.monotonic()
        is_first = self._standing is None or self._standing[0] != began
        if is_first:
            self._standing = (began, now)
        if brought_mail or not is_first:
            self._last_proof = now
        if brought_mail or now - began > _STANDS_FIRMLY:
            self._tries = 0

    def after(self, error: MailportError) -> timedelta | None:
        """
        Returns how long to wait after *error* before the next try.

        None: waiting does not help, or the next try would come when the folder has been out of sight for too long.
        A connection that stood for a while is in sight until it breaks: a quiet one proves itself but seldom.
        """
        now = self._following.clock.monotonic()
        silent = self._following.vigilance.each_reply if error.reason is Reason.SERVER_SILENT else timedelta(0)
        if self._standing is not None and now - self._standing[1] - silent >= _STANDS:
            self._last_proof = now
        self._standing = None
        if not _may_heal(error):
            return None
        jitter = self._following.entropy.fraction()
        if self._tries:
            pause = min(self._following.pause * 2 ** min(self._tries - 1, 10), _LONGEST) * (0.5 + jitter / 2)
        else:
            pause = self._following.pause * jitter / 4  # at once, but not all who lost the same server together
        self._tries += 1
        pause = max(pause, _asked(error, self._following.clock.now()))
        unseen = now + pause - self._last_proof
        return pause if unseen <= self._following.blind else None


def _may_heal(error: MailportError) -> bool:
    if isinstance(error, ProviderRefused):
        return error.failure.kind in HEALS_BY_WAITING
    return isinstance(error, Unavailable)


def _asked(error: MailportError, now: datetime) -> timedelta:
    """Returns how long the server, or the store, asked to be left alone."""
    if isinstance(error, ProviderRefused):
        retry_time = error.failure.retry_time
        return max(retry_time - now, timedelta(0)) if retry_time is not None else timedelta(0)
    return error.retry_after if isinstance(error, Unavailable) else timedelta(0)
