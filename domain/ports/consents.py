"""What keeps consent sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from domain.consent import ConsentRecord, ConsentSession
from domain.failures.failure import Failure


class Consents(Protocol):
    """Consent sessions that wait for their user, and how each configuration's latest one ended."""

    async def add(self, session: ConsentSession) -> None:
        """
        Stores a session, its verifier sealed; it is the configuration's latest from now on, and others stay valid.

        Raises ConcurrentChange when the configuration is gone.
        """
        ...

    async def take(self, state_digest: bytes, *, tenant: str | None) -> ConsentSession | None:
        """
        Removes the session and returns it; of any number of callers one gets it, once it commits.

        *tenant*: only a session of this tenant; None, for the browser's callback, which has no credential: of any.
        Returns None when there is none such. One that has expired comes all the same: the caller says so. A verifier
        that does not open comes as an UnreadableSecret.
        """
        ...

    async def abandon(self, tenant: str, configuration_id: str) -> int:
        """
        Removes the configuration's sessions that wait for their user; returns their number.

        A latest one that was PENDING or AUTHORIZED is forgotten, as nothing comes of it any more; a REFUSED one stays.
        """
        ...

    async def conclude(self, session: ConsentSession, failure: Failure | None) -> None:
        """Records how a session that was taken ended; nothing when a later one has been started meanwhile."""
        ...

    async def latest(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, ConsentRecord]:
        """
        Returns the latest session of each configuration, as recorded (see `domain.consent.standing`), by id.

        Configurations for which none was ever started are left out.
        """
        ...

    async def ended(self, state_digest: bytes) -> ConsentRecord | None:
        """
        Returns how the session of that state ended, of any tenant: for the browser, whose credential the state is.

        None when there is none such, when it has not ended, or when it is not its configuration's latest any more.
        """
        ...

    async def purge_expired(self, before: datetime) -> int:
        """Removes the sessions that expired before *before*; returns their number."""
        ...
