"""What remembers which foreseen ends were announced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from domain.announcement import Announcement
from domain.forecast import ForecastKind


class Announcements(Protocol):
    """What was said of each configuration's foreseen ends, one a kind at most; it goes with its configuration."""

    async def of(self, tenant: str, configuration_id: str) -> Mapping[ForecastKind, Announcement]:
        """Returns what is remembered of each kind of end; empty when nothing was said, or there is no configuration."""
        ...

    async def replace(
        self,
        tenant: str,
        configuration_id: str,
        kind: ForecastKind,
        *,
        before: Announcement | None,
        after: Announcement | None,
    ) -> bool:
        """
        Puts *after* in the place of *before*; None, for one of the two at most: nothing is remembered.

        True for one caller across all processes, who alone says what is to be said, once it has committed. False, with
        nothing changed, when something else than *before* is stored, or the configuration is gone.
        """
        ...
