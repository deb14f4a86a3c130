"""What attempts before this one may have left at the server."""

from __future__ import annotations

from enum import StrEnum

from domain.delivery import Delivery

__all__ = ["Earlier", "earlier_of"]


class Earlier(StrEnum):
    """What an attempt may find of those before it; a transport that can look there does so before it sends."""

    NOTHING = "NOTHING"
    """It is the first."""
    PARTS = "PARTS"
    """
    All ended before their point of no return, or with a definite answer, or their worker died before it: no copy was
    taken. What is no message yet, as a draft, may have been left.
    """
    COPY = "COPY"
    """One passed its point of no return without a definite answer: a copy may have been taken, or parts been left."""


def earlier_of(delivery: Delivery) -> Earlier:
    """
    Returns what the attempt that *delivery* was claimed for may find.

    A worker that died after the point of no return has been counted among the doubts by the reaper, one that died
    before it among the attempts alone; so is one that ended well, whose parts may be left all the same when the
    connection broke before it could remove them.
    """
    if delivery.doubt_count:
        return Earlier.COPY
    return Earlier.PARTS if delivery.attempt_count > 1 else Earlier.NOTHING
