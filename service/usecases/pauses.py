"""How long to wait before a mailbox is connected to again, and when to give up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from domain.errors import MailportError, ProviderRefused, Unavailable
from domain.failures.failure import FailureKind
from service.usecases.following import Following

_HEALS_BY_WAITING: Final = frozenset({FailureKind.TRANSIENT, FailureKind.THROTTLED})
_LONGEST: Final = timedelta(seconds=30)
_STANDS_FIRMLY: Final = timedelta(minutes=1)
"""A connection that stood so long starts the pauses anew when it breaks."""


class Pauses:
    """The pauses between the connections of one who follows a folder: short at first, then longer, with jitter."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._last_proof = following.clock.monotonic()
        self._tries = 0

    def proven(self, *, brought_mail: bool, began: timedelta) -> None:
        """Notes that the connection lives that was begun at *began*, by the monotonic clock."""
        self._last_proof = self._following.clock.monotonic()
        if brought_mail or self._last_proof - began > _STANDS_FIRMLY:
            self._tries = 0

    def after(self, error: MailportError) -> timedelta | None:
        """
        Returns how long to wait after *error* before the next try.

        None: waiting does not help, or the next try would come when the folder has been out of sight for too long.
        """
        if not _may_heal(error):
            return None
        jitter = self._following.entropy.fraction()
        if self._tries:
            pause = min(self._following.pause * 2 ** min(self._tries - 1, 10), _LONGEST) * (0.5 + jitter / 2)
        else:
            pause = self._following.pause * jitter / 4  # at once, but not all who lost the same server together
        self._tries += 1
        pause = max(pause, _asked(error, self._following.clock.now()))
        unseen = self._following.clock.monotonic() + pause - self._last_proof
        return pause if unseen <= self._following.blind else None


def _may_heal(error: MailportError) -> bool:
    if isinstance(error, ProviderRefused):
        return error.failure.kind in _HEALS_BY_WAITING
    return isinstance(error, Unavailable)


def _asked(error: MailportError, now: datetime) -> timedelta:
    """Returns how long the server, or the store, asked to be left alone."""
    if isinstance(error, ProviderRefused):
        retry_time = error.failure.retry_time
        return max(retry_time - now, timedelta(0)) if retry_time is not None else timedelta(0)
    return error.retry_after if isinstance(error, Unavailable) else timedelta(0)
