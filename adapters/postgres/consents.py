"""Consent sessions, their verifier sealed, and how the latest one of each configuration stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from psycopg import sql
from psycopg.errors import ForeignKeyViolation
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from adapters.postgres.codec import failure_from, failure_to, is_storable
from adapters.postgres.consent_codec import basis_from, basis_to
from adapters.postgres.session import Session
from domain.consent import ConsentRecord, ConsentSession, ConsentState
from domain.errors import ConcurrentChange, SecretUnreadable
from domain.failures.failure import Failure
from domain.ports.vault import Place, Vault
from domain.secret import Secret, UnreadableSecret

# One statement: of two that delete the same row, the second waits for the first to commit and then finds nothing.
_TAKE: Final = sql.SQL(
    """
    delete from consent_session
    where state_digest = %(digest)s and (tenant = %(tenant)s or %(tenant)s::text is null)
    returning tenant, configuration_id, revision, verifier, nonce, redirect_url, save, scopes, basis,
        create_time, expire_time
    """
)


class PostgresConsents:
    """A `domain.ports.consents.Consents` within one transaction."""

    def __init__(self, *, session: Session, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def add(self, session: ConsentSession) -> None:
        """See the port."""
        place = _place(session.tenant, session.state_digest)
        try:
            await self._session.execute(
                """
                with added as (
                    insert into consent_session (
                        tenant, state_digest, configuration_id, revision, verifier, nonce, redirect_url, save, scopes,
                        basis, create_time, expire_time)
                    values (
                        %(tenant)s, %(digest)s, %(id)s, %(revision)s, %(verifier)s, %(nonce)s, %(redirect_url)s,
                        %(save)s, %(scopes)s, %(basis)s, %(create_time)s, %(expire_time)s))
                insert into consent_record (
                    tenant, configuration_id, state_digest, state, create_time, expire_time, redirect_url)
                values (
                    %(tenant)s, %(id)s, %(digest)s, 'PENDING', %(create_time)s, %(expire_time)s, %(redirect_url)s)
                on conflict (tenant, configuration_id) do update
                set state_digest = excluded.state_digest, state = excluded.state, create_time = excluded.create_time,
                    expire_time = excluded.expire_time, redirect_url = excluded.redirect_url, failure = null
                """,
                {
                    "tenant": session.tenant,
                    "digest": session.state_digest,
                    "id": session.configuration_id,
                    "revision": session.revision,
                    "verifier": self._vault.seal(session.verifier.reveal().encode(), place=place),
                    "nonce": session.nonce,
                    "redirect_url": session.redirect_url,
                    "save": session.save,
                    "scopes": Jsonb(list(session.scopes)),
                    "basis": Jsonb(basis_to(session.basis)),
                    "create_time": session.create_time,
                    "expire_time": session.expire_time,
                },
            )
        except ForeignKeyViolation as gone:
            raise _gone(session.configuration_id) from gone

    async def take(self, state_digest: bytes, *, tenant: str | None) -> ConsentSession | None:
        """See the port."""
        row = await self._session.row(_TAKE, {"digest": state_digest, "tenant": tenant})
        return self._consent(state_digest, row) if row else None

    async def abandon(self, tenant: str, configuration_id: str) -> int:
        """See the port."""
        names = {"tenant": tenant, "id": configuration_id}
        removed = await self._session.execute(
            "delete from consent_session where tenant = %(tenant)s and configuration_id = %(id)s", names
        )
        await self._session.execute(
            """
            delete from consent_record
            where tenant = %(tenant)s and configuration_id = %(id)s and state in ('PENDING', 'AUTHORIZED')
            """,
            names,
        )
        return removed

    async def conclude(self, session: ConsentSession, failure: Failure | None) -> None:
        """See the port."""
        state = ConsentState.AUTHORIZED if failure is None else ConsentState.REFUSED
        await self._session.execute(
            """
            update consent_record set state = %(state)s, failure = %(failure)s
            where tenant = %(tenant)s and configuration_id = %(id)s and state_digest = %(digest)s
            """,
            {
                "tenant": session.tenant,
                "id": session.configuration_id,
                "digest": session.state_digest,
                "state": state.value,
                "failure": Jsonb(failure_to(failure)) if failure else None,
            },
        )

    async def latest(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, ConsentRecord]:
        """See the port."""
        ids = [each for each in configuration_ids if is_storable(each)]
        if not ids:
            return {}
        rows = await self._session.rows(
            """
            select configuration_id, state, create_time, expire_time, redirect_url, failure from consent_record
            where tenant = %(tenant)s and configuration_id = any(%(ids)s)
            """,
            {"tenant": tenant, "ids": ids},
        )
        return {row["configuration_id"]: _record(row) for row in rows}

    async def ended(self, state_digest: bytes) -> ConsentRecord | None:
        """See the port."""
        row = await self._session.row(
            """
            select state, create_time, expire_time, redirect_url, failure from consent_record
            where state_digest = %(digest)s and state <> 'PENDING'
            """,
            {"digest": state_digest},
        )
        return _record(row) if row else None

    async def purge_expired(self, before: datetime) -> int:
        """See the port."""
        return await self._session.execute(
            "delete from consent_session where expire_time < %(before)s", {"before": before}
        )

    def _consent(self, state_digest: bytes, row: DictRow) -> ConsentSession:
        return ConsentSession(
            tenant=row["tenant"],
            configuration_id=row["configuration_id"],
            revision=row["revision"],
            state_digest=state_digest,
            verifier=self._opened(row["verifier"], _place(row["tenant"], state_digest)),
            nonce=row["nonce"],
            redirect_url=row["redirect_url"],
            save=row["save"],
            scopes=tuple(row["scopes"]),
            basis=basis_from(row["basis"]),
            create_time=row["create_time"],
            expire_time=row["expire_time"],
        )

    def _opened(self, sealed: bytes, place: Place) -> Secret:
        try:
            return Secret(self._vault.open(sealed, place=place).decode())
        except SecretUnreadable:
            return UnreadableSecret()


def _record(row: DictRow) -> ConsentRecord:
    return ConsentRecord(
        state=ConsentState(row["state"]),
        create_time=row["create_time"],
        expire_time=row["expire_time"],
        redirect_url=row["redirect_url"],
        failure=failure_from(row["failure"]),
    )


def _place(tenant: str, state_digest: bytes) -> Place:
    return Place(tenant=tenant, record=f"consent/{state_digest.hex()}", field="verifier")


def _gone(configuration_id: str) -> ConcurrentChange:
    return ConcurrentChange(
        f"Configuration {configuration_id} was deleted by somebody else at the same time.",
        remedy="Call Configure to set it up anew.",
        metadata={"configuration_id": configuration_id},
    )
