"""Configurations and their revisions, secrets sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from adapters.postgres.codec import failure_from, is_storable, warning_from, warning_to
from adapters.postgres.session import Session
from adapters.postgres.settings_codec import Secrets, secrets_of, settings_from, settings_to
from adapters.postgres.signals import tell_of_account
from domain.account import Account
from domain.configuration import Configuration, Confirmation, Revision
from domain.errors import ConcurrentChange, SecretUnreadable
from domain.pause import Pause
from domain.ports.vault import Place, Vault
from domain.secret import Secret, UnreadableSecret

_COLUMNS: Final = sql.SQL(
    """
    c.configuration_id, c.version, c.last_revision, c.create_time, c.update_time,
    r.number, r.role, r.settings, r.warnings, r.basic_password, r.oauth_client_secret, r.mailbox_password,
    r.create_time as revision_create_time, r.validate_time,
    r.confirmation_digest, r.confirmation_expire_time, r.confirmation_tries_left
    """
)
_FIND: Final = sql.SQL(
    """
    select {columns} from configuration c left join revision r using (tenant, configuration_id)
    where c.tenant = %(tenant)s and c.configuration_id = %(id)s
    """
).format(columns=_COLUMNS)
_PAGE: Final = sql.SQL(
    """
    select {columns} from configuration c left join revision r using (tenant, configuration_id)
    where c.tenant = %(tenant)s and c.configuration_id in (
        select configuration_id from configuration
        where tenant = %(tenant)s and configuration_id > %(after)s
        order by configuration_id limit %(limit)s)
    order by c.configuration_id
    """
).format(columns=_COLUMNS)


class PostgresConfigurations:
    """A `domain.ports.configurations.Configurations` within one transaction."""

    def __init__(self, *, session: Session, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def find(self, tenant: str, configuration_id: str) -> Configuration | None:
        """See the port."""
        if not is_storable(configuration_id):
            return None
        rows = await self._session.rows(_FIND, {"tenant": tenant, "id": configuration_id})
        return self._configuration(tenant, rows) if rows else None

    async def lock(self, tenant: str, configuration_id: str) -> Configuration | None:
        """See the port."""
        if not is_storable(configuration_id):
            return None
        # In a statement of its own, so that the next one sees what whoever was waited for has left.
        await self._session.execute(
            "select from configuration where tenant = %(tenant)s and configuration_id = %(id)s for update",
            {"tenant": tenant, "id": configuration_id},
        )
        return await self.find(tenant, configuration_id)

    async def page(self, tenant: str, *, after: str, limit: int) -> tuple[Configuration, ...]:
        """See the port."""
        # PostgreSQL takes no NUL. No id has one, so the same ids are above what stands before it.
        beginning = after.partition("\0")[0]
        rows = await self._session.rows(_PAGE, {"tenant": tenant, "after": beginning, "limit": limit})
        together: dict[str, list[DictRow]] = {}
        for row in rows:
            together.setdefault(row["configuration_id"], []).append(row)
        return tuple(self._configuration(tenant, group) for group in together.values())

    async def with_oauth(self, *, after: Account | None, limit: int) -> tuple[Account, ...]:
        """See the port."""
        rows = await self._session.rows(
            """
            select tenant, configuration_id from revision r
            where (tenant, configuration_id) > (%(tenant)s, %(id)s) and settings ? 'oauth'
                and (role = 'active' or not exists (
                    select from revision a
                    where a.tenant = r.tenant and a.configuration_id = r.configuration_id and a.role = 'active'))
            order by tenant, configuration_id limit %(limit)s
            """,
            {"tenant": after.tenant if after else "", "id": after.configuration_id if after else "", "limit": limit},
        )
        return tuple(Account(row["tenant"], row["configuration_id"]) for row in rows)

    async def add(self, configuration: Configuration) -> None:
        """See the port."""
        added = await self._session.execute(
            """
            insert into configuration (tenant, configuration_id, version, last_revision, create_time, update_time)
            values (%(tenant)s, %(id)s, %(version)s, %(last_revision)s, %(create_time)s, %(update_time)s)
            on conflict do nothing
            """,
            _head(configuration),
        )
        if added != 1:
            raise _changed_meanwhile(configuration.configuration_id)
        await self._write_revisions(configuration)

    async def save(self, configuration: Configuration, *, expected_version: int) -> None:
        """See the port."""
        done = await self._session.execute(
            """
            update configuration
            set version = %(version)s, last_revision = %(last_revision)s, update_time = %(update_time)s
            where tenant = %(tenant)s and configuration_id = %(id)s and version = %(expected)s
            """,
            {**_head(configuration), "expected": expected_version},
        )
        if done != 1:
            raise _changed_meanwhile(configuration.configuration_id)
        await self._write_revisions(configuration)
        await tell_of_account(self._session, Account(configuration.tenant, configuration.configuration_id))

    async def delete(self, tenant: str, configuration_id: str, *, expected_version: int) -> None:
        """See the port."""
        done = await self._session.execute(
            """
            delete from configuration
            where tenant = %(tenant)s and configuration_id = %(id)s and version = %(expected)s
            """,
            {"tenant": tenant, "id": configuration_id, "expected": expected_version},
        )
        if done != 1:
            raise _changed_meanwhile(configuration_id)
        for table in ("allowance", "allowance_connection"):
            await self._session.execute(
                sql.SQL("delete from {} where tenant = %(tenant)s and configuration_id = %(id)s").format(
                    sql.Identifier(table)
                ),
                {"tenant": tenant, "id": configuration_id},
            )
        await tell_of_account(self._session, Account(tenant, configuration_id))

    async def pauses(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, Pause]:
        """See the port."""
        rows = await self._session.rows(
            """
            select configuration_id, revision, pause_until, failure from configuration_pause
            where tenant = %(tenant)s and configuration_id = any(%(ids)s)
            """,
            {"tenant": tenant, "ids": [each for each in configuration_ids if is_storable(each)]},
        )
        return {row["configuration_id"]: _pause(row) for row in rows}

    async def _write_revisions(self, configuration: Configuration) -> None:
        """
        Brings the stored revisions in line.

        A revision that is stored already keeps its settings and its sealed secrets as they are, byte for byte: they
        never change, and a secret that does not open must not be overwritten by its reading.
        """
        kept = {"draft": configuration.draft, "active": configuration.active}
        names = {"tenant": configuration.tenant, "id": configuration.configuration_id}
        await self._session.execute(
            """
            delete from revision
            where tenant = %(tenant)s and configuration_id = %(id)s and not (number = any(%(kept)s))
            """,
            {**names, "kept": [revision.number for revision in kept.values() if revision]},
        )
        for role, revision in kept.items():
            if revision is None:
                continue
            done = await self._session.execute(
                """
                update revision
                set role = %(role)s, validate_time = %(validate_time)s, confirmation_digest = %(digest)s,
                    confirmation_expire_time = %(expire_time)s, confirmation_tries_left = %(tries_left)s
                where tenant = %(tenant)s and configuration_id = %(id)s and number = %(number)s
                """,
                {**names, **_changing(role, revision)},
            )
            if done == 0:
                await self._insert_revision(configuration, role, revision)

    async def _insert_revision(self, configuration: Configuration, role: str, revision: Revision) -> None:
        places = _places(configuration.tenant, configuration.configuration_id, revision.number)
        sealed = {
            f"sealed_{name}": self._vault.seal(secret.reveal().encode(), place=place) if secret is not None else None
            for (name, place), secret in zip(places.items(), secrets_of(revision.settings), strict=True)
        }
        await self._session.execute(
            """
            insert into revision (
                tenant, configuration_id, number, role, settings, warnings,
                basic_password, oauth_client_secret, mailbox_password, create_time, validate_time,
                confirmation_digest, confirmation_expire_time, confirmation_tries_left)
            values (
                %(tenant)s, %(id)s, %(number)s, %(role)s, %(settings)s, %(warnings)s,
                %(sealed_basic_password)s, %(sealed_oauth_client_secret)s, %(sealed_mailbox_password)s,
                %(create_time)s, %(validate_time)s, %(digest)s, %(expire_time)s, %(tries_left)s)
            """,
            {
                "tenant": configuration.tenant,
                "id": configuration.configuration_id,
                "settings": Jsonb(settings_to(revision.settings)),
                "warnings": Jsonb([warning_to(warning) for warning in revision.warnings]),
                "create_time": revision.create_time,
                **_changing(role, revision),
                **sealed,
            },
        )

    def _configuration(self, tenant: str, rows: list[DictRow]) -> Configuration:
        head = rows[0]
        revisions = {row["role"]: self._revision(tenant, row) for row in rows if row["role"]}
        return Configuration(
            tenant=tenant,
            configuration_id=head["configuration_id"],
            version=head["version"],
            last_revision=head["last_revision"],
            create_time=head["create_time"],
            update_time=head["update_time"],
            draft=revisions.get("draft"),
            active=revisions.get("active"),
        )

    def _revision(self, tenant: str, row: DictRow) -> Revision:
        places = _places(tenant, row["configuration_id"], row["number"])
        secrets = Secrets(*(self._opened(row[name], place) for name, place in places.items()))
        confirmation = None
        if row["confirmation_digest"] is not None:
            confirmation = Confirmation(
                code_digest=row["confirmation_digest"],
                expire_time=row["confirmation_expire_time"],
                tries_left=row["confirmation_tries_left"],
            )
        return Revision(
            number=row["number"],
            settings=settings_from(row["settings"], secrets),
            create_time=row["revision_create_time"],
            warnings=tuple(warning_from(each) for each in row["warnings"]),
            validate_time=row["validate_time"],
            confirmation=confirmation,
        )

    def _opened(self, sealed: bytes | None, place: Place) -> Secret | None:
        if sealed is None:
            return None
        try:
            return Secret(self._vault.open(sealed, place=place).decode())
        except SecretUnreadable:
            return UnreadableSecret()


def _pause(row: DictRow) -> Pause:
    failure = failure_from(row["failure"])
    assert failure is not None  # the column is not null
    return Pause(revision=row["revision"], until=row["pause_until"], failure=failure)


def _places(tenant: str, configuration_id: str, number: int) -> dict[str, Place]:
    record = f"configuration/{configuration_id}/revision/{number}"
    return {name: Place(tenant=tenant, record=record, field=name) for name in Secrets._fields}


def _head(configuration: Configuration) -> dict[str, Any]:
    return {
        "tenant": configuration.tenant,
        "id": configuration.configuration_id,
        "version": configuration.version,
        "last_revision": configuration.last_revision,
        "create_time": configuration.create_time,
        "update_time": configuration.update_time,
    }


def _changing(role: str, revision: Revision) -> dict[str, Any]:
    confirmation = revision.confirmation
    return {
        "number": revision.number,
        "role": role,
        "validate_time": revision.validate_time,
        "digest": confirmation.code_digest if confirmation else None,
        "expire_time": confirmation.expire_time if confirmation else None,
        "tries_left": confirmation.tries_left if confirmation else None,
    }


def _changed_meanwhile(configuration_id: str) -> ConcurrentChange:
    return ConcurrentChange(
        f"Configuration {configuration_id} was changed by somebody else at the same time.",
        remedy="Read it again with GetConfiguration and repeat the change.",
        metadata={"configuration_id": configuration_id},
    )
