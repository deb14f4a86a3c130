"""The step that looks for what cures a failure: fits the catalogue's fixes, and tries the server's other doors once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from domain.cures import fitted, other_ways, with_ways
from domain.failures.failure import Failure
from domain.ports.probe import Offer, ServerProbe
from domain.settings.model import MailSettings, SmtpTransport

_LONGEST: Final = timedelta(seconds=5)
_MARGIN: Final = timedelta(milliseconds=500)
"""Left for the answer to the caller."""
_LEAST: Final = timedelta(milliseconds=200)
_MOST_WAYS: Final = 3


class FindFixes:
    """Finds fixes for settings that a person is proving; nothing is signed in to and nothing stored."""

    def __init__(self, *, probe: ServerProbe) -> None:
        self._probe = probe

    async def __call__(self, settings: MailSettings, failure: Failure, *, time_left: timedelta) -> Failure:
        """
        Returns *failure* with the fixes that cure it for *settings*, the most promising first.

        Takes five seconds at most and leaves a margin of *time_left*; where there is no time, ways are not tried and
        the catalogue's word stands.
        """
        known = fitted(failure, settings)
        ways = other_ways(failure, settings)[:_MOST_WAYS]
        within = min(_LONGEST, time_left - _MARGIN)
        if not ways or within < _LEAST:
            return known
        tried = await self._tried(ways, within)
        return replace(known, fixes=with_ways(known.fixes, settings, tried))

    async def _tried(
        self, ways: Sequence[SmtpTransport], within: timedelta
    ) -> Sequence[tuple[SmtpTransport, Offer | None]]:
        offers = await asyncio.gather(*(self._probe.look(way, time_left=within) for way in ways))
        return list(zip(ways, offers, strict=True))
