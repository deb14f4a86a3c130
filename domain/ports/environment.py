"""The ports behind which time and chance are: rules get values as arguments, use cases hold these two."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    """Tells the time. Both readings come at once and never fail."""

    def now(self) -> datetime:
        """
        Returns the wall-clock instant, aware and in UTC.

        For what is stored or shown. It may step either way when the machine's clock is set; a span that must not be
        wrong is measured with `monotonic`.
        """
        ...

    def monotonic(self) -> timedelta:
        """
        Returns the time since a fixed but arbitrary moment; never less than the reading before.

        Only differences mean anything, and only within one process: for deadlines and for checking a lease that the
        wall clock might prolong.
        """
        ...


class Entropy(Protocol):
    """
    Gives chance. Everything but `fraction` is fit for secrets: unpredictable to one who has seen all former values.

    It is safe to call from several threads.
    """

    def token(self, bits: int = 256) -> str:
        """
        Returns a secret of at least *bits* random bits, written URL-safe (base64url without padding).

        Raises ValueError below 128 bits, which is the least for what must not be guessed (RFC 6749 section 10.10).
        """
        ...

    def uuid(self) -> UUID:
        """
        Returns a new identifier that sorts by the time it was made: a UUID of version 7 (RFC 9562 section 5.7).

        Values of one object are strictly ascending, also when the clock stands still or steps back; values of
        several processes ascend as their clocks do. It is no secret, and whoever has it can read the time in it.
        """
        ...

    def fraction(self) -> float:
        """Returns a number from 0.0 up to, not including, 1.0, evenly distributed: the jitter of a retry."""
        ...

    def code(self, digits: int) -> str:
        """
        Returns exactly *digits* decimal digits, leading zeros included, each value as likely as any other.

        For a person to copy from a mail: 6 digits are a million values, so who checks it counts the guesses.
        Raises ValueError for fewer than 4 digits.
        """
        ...
