"""The pause of a configuration: which failures stop all its mail, for how long, and what shows that it works again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.failures.failure import Failure, FailureKind, Stage

SHORTEST_PAUSE: Final = timedelta(minutes=12)
"""Also after a message whose lifetime ends sooner: many short-lived ones must not lock an account out together."""

_UP_TO_SIGN_IN: Final = frozenset({Stage.DNS, Stage.CONNECT, Stage.TLS, Stage.EHLO, Stage.AUTH, Stage.TOKEN})
_BEYOND_SIGN_IN: Final = frozenset({Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA})


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing of a configuration is tried before `until`; one delivery probes then, and the rest waits for it."""

    revision: int
    """The number of the active revision that failed; another one has no part in the pause."""
    until: datetime
    failure: Failure


def pause_after(
    failure: Failure | None, *, revision: int, next_attempt_time: datetime | None, now: datetime
) -> Pause | None:
    """
    Returns the pause that an attempt with *revision* leaves behind, or None (P6).

    *failure*: of the message as a whole. Only MISCONFIGURED at a stage up to sign-in pauses: every other mail of the
    configuration would meet the same. *next_attempt_time*: when the failed delivery is due again; None when it has
    ended, and then there is no pause.
    """
    if failure is None or next_attempt_time is None:
        return None
    if failure.kind is not FailureKind.MISCONFIGURED or failure.stage not in _UP_TO_SIGN_IN:
        return None
    return Pause(revision=revision, until=max(next_attempt_time, now + SHORTEST_PAUSE), failure=failure)


def shows_usable(failure: Failure | None) -> bool:
    """Tells whether an attempt that a server answered got past sign-in; *failure*: of the message as a whole."""
    return failure is None or failure.stage in _BEYOND_SIGN_IN
