"""`domain.ports.consents.Consents` in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from domain.consent import ConsentRecord, ConsentSession, ConsentState
from domain.errors import ConcurrentChange, SecretUnreadable
from domain.failures.failure import Failure
from domain.ports.vault import Place
from domain.secret import Secret, UnreadableSecret
from tests.fakes.store import StoredConsent, StoredConsentRecord

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork


class FakeConsents:
    """The verifier is sealed by the store's vault; a session is locked by whoever takes it, until its unit ends."""

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def add(self, session: ConsentSession) -> None:
        await self._unit.begin("consents.add")
        name = session.tenant, session.configuration_id
        if name not in self._unit.configuration_rows:
            raise ConcurrentChange("The configuration is gone.", metadata={"configuration_id": name[1]})
        verifier = self._unit.store.vault.seal(session.verifier.reveal().encode(), place=_place(session))
        blank = replace(session, verifier=Secret(""))
        self._unit.consent_rows[session.tenant, session.state_digest.hex()] = StoredConsent(blank, verifier)
        record = ConsentRecord(
            state=ConsentState.PENDING,
            create_time=session.create_time,
            expire_time=session.expire_time,
            redirect_url=session.redirect_url,
        )
        self._unit.consent_record_rows[name] = StoredConsentRecord(record, session.state_digest)

    async def take(self, state_digest: bytes, *, tenant: str | None) -> ConsentSession | None:
        await self._unit.begin("consents.take")
        await self._unit.lock(("consent", state_digest))
        owned = (name for name in self._unit.consent_rows if tenant is None or name[0] == tenant)
        name = next((name for name in owned if name[1] == state_digest.hex()), None)
        if name is None:
            return None
        stored = self._unit.consent_rows[name]
        del self._unit.consent_rows[name]
        return replace(stored.session, verifier=self._opened(stored))

    async def abandon(self, tenant: str, configuration_id: str) -> int:
        await self._unit.begin("consents.abandon")
        waiting = [
            name
            for name, stored in self._unit.consent_rows.items()
            if name[0] == tenant and stored.session.configuration_id == configuration_id
        ]
        for name in waiting:
            del self._unit.consent_rows[name]
        latest = self._unit.consent_record_rows.get((tenant, configuration_id))
        if latest is not None and latest.record.state in (ConsentState.PENDING, ConsentState.AUTHORIZED):
            del self._unit.consent_record_rows[tenant, configuration_id]
        return len(waiting)

    async def conclude(self, session: ConsentSession, failure: Failure | None) -> None:
        await self._unit.begin("consents.conclude")
        name = session.tenant, session.configuration_id
        stored = self._unit.consent_record_rows.get(name)
        if stored is None or stored.state_digest != session.state_digest:
            return
        state = ConsentState.AUTHORIZED if failure is None else ConsentState.REFUSED
        record = replace(stored.record, state=state, failure=failure)
        self._unit.consent_record_rows[name] = replace(stored, record=record)

    async def latest(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, ConsentRecord]:
        await self._unit.begin("consents.latest")
        rows = self._unit.consent_record_rows
        return {name: rows[tenant, name].record for name in configuration_ids if (tenant, name) in rows}

    async def ended(self, state_digest: bytes) -> ConsentRecord | None:
        await self._unit.begin("consents.ended")
        found = (each.record for each in self._unit.consent_record_rows.values() if each.state_digest == state_digest)
        record = next(found, None)
        return record if record is not None and record.state is not ConsentState.PENDING else None

    async def purge_expired(self, before: datetime) -> int:
        await self._unit.begin("consents.purge_expired")
        expired = [name for name, each in self._unit.consent_rows.items() if each.session.expire_time < before]
        for name in expired:
            del self._unit.consent_rows[name]
        return len(expired)

    def forget(self, tenant: str, configuration_id: str) -> None:
        """Lets everything go with its configuration."""
        self._unit.consent_record_rows.pop((tenant, configuration_id), None)
        for name, stored in list(self._unit.consent_rows.items()):
            if name[0] == tenant and stored.session.configuration_id == configuration_id:
                del self._unit.consent_rows[name]

    def _opened(self, stored: StoredConsent) -> Secret:
        try:
            return Secret(self._unit.store.vault.open(stored.verifier, place=_place(stored.session)).decode())
        except SecretUnreadable:
            return UnreadableSecret()


def _place(session: ConsentSession) -> Place:
    return Place(tenant=session.tenant, record=f"consent/{session.state_digest.hex()}", field="verifier")
