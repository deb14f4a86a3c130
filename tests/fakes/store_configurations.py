"""`domain.ports.configurations.Configurations` in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from domain.account import Account
from domain.configuration import Configuration, Revision
from domain.errors import ConcurrentChange, SecretUnreadable
from domain.pause import Pause
from domain.ports.vault import Place, Vault
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import BasicAuthentication, MailSettings, OAuthAuthentication
from tests.fakes.store import Name, StoredConfiguration

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork


class FakeConfigurations:
    """Sealed by the store's vault; a revision that is stored already keeps what was sealed."""

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def find(self, tenant: str, configuration_id: str) -> Configuration | None:
        await self._unit.begin("configurations.find")
        stored = self._unit.configuration_rows.get((tenant, configuration_id))
        return self._opened(stored) if stored else None

    async def lock(self, tenant: str, configuration_id: str) -> Configuration | None:
        await self._unit.begin("configurations.lock")
        await self._unit.lock(("configuration", tenant, configuration_id))
        return await self.find(tenant, configuration_id)

    async def page(self, tenant: str, *, after: str, limit: int) -> tuple[Configuration, ...]:
        await self._unit.begin("configurations.page")
        rows = self._unit.configuration_rows.items()
        found = sorted((name, stored) for name, stored in rows if name[0] == tenant and name[1] > after)
        return tuple(self._opened(stored) for _, stored in found[:limit])

    async def with_oauth(self, *, after: Account | None, limit: int) -> tuple[Account, ...]:
        await self._unit.begin("configurations.with_oauth")
        beginning = (after.tenant, after.configuration_id) if after else ("", "")
        found = [
            Account(*name)
            for name, stored in sorted(self._unit.configuration_rows.items())
            if name > beginning and _uses_oauth(stored.configuration)
        ]
        return tuple(found[:limit])

    async def add(self, configuration: Configuration) -> None:
        await self._unit.begin("configurations.add")
        name = _name(configuration)
        await self._unit.lock(("configuration", *name))
        if name in self._unit.configuration_rows:
            raise _changed(configuration.configuration_id)
        self._put(configuration, None)

    async def save(self, configuration: Configuration, *, expected_version: int) -> None:
        await self._unit.begin("configurations.save")
        self._put(configuration, await self._expected(_name(configuration), expected_version))
        self._unit.accounts.append(Account(*_name(configuration)))

    async def delete(self, tenant: str, configuration_id: str, *, expected_version: int) -> None:
        await self._unit.begin("configurations.delete")
        await self._expected((tenant, configuration_id), expected_version)
        del self._unit.configuration_rows[tenant, configuration_id]
        self._unit.accounts.append(Account(tenant, configuration_id))
        self._unit.grants.forget(tenant, configuration_id)
        self._unit.consents.forget(tenant, configuration_id)
        self._unit.announcements.forget(tenant, configuration_id)
        self._unit.pause_rows.pop((tenant, configuration_id), None)
        self._unit.allowances.forget(tenant, configuration_id)

    async def pauses(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, Pause]:
        await self._unit.begin("configurations.pauses")
        rows = self._unit.pause_rows
        return {each: rows[tenant, each] for each in configuration_ids if (tenant, each) in rows}

    async def _expected(self, name: Name, version: int) -> StoredConfiguration:
        await self._unit.lock(("configuration", *name))
        stored = self._unit.configuration_rows.get(name)
        if stored is None or stored.configuration.version != version:
            raise _changed(name[1])
        return stored

    def _put(self, configuration: Configuration, stored: StoredConfiguration | None) -> None:
        sealed: dict[tuple[int, str], bytes] = {}

        def put(revision: Revision | None) -> Revision | None:
            if revision is None:
                return None
            if stored is not None and (known := _revision_of(stored, revision.number)) is not None:
                sealed.update((name, value) for name, value in stored.sealed.items() if name[0] == revision.number)
                return replace(revision, settings=known.settings, warnings=known.warnings)
            for field, secret in _secrets(revision.settings).items():
                place = _place(configuration, revision, field)
                sealed[revision.number, field] = self._vault.seal(secret.reveal().encode(), place=place)
            nothing = dict.fromkeys(_secrets(revision.settings), Secret(""))
            return replace(revision, settings=_with_secrets(revision.settings, nothing))

        blank = replace(configuration, draft=put(configuration.draft), active=put(configuration.active))
        self._unit.configuration_rows[_name(configuration)] = StoredConfiguration(blank, sealed)

    def _opened(self, stored: StoredConfiguration) -> Configuration:
        configuration = stored.configuration

        def opened(revision: Revision | None) -> Revision | None:
            if revision is None:
                return None
            secrets = {
                field: self._open(sealed, _place(configuration, revision, field))
                for (number, field), sealed in stored.sealed.items()
                if number == revision.number
            }
            return replace(revision, settings=_with_secrets(revision.settings, secrets))

        return replace(configuration, draft=opened(configuration.draft), active=opened(configuration.active))

    def _open(self, sealed: bytes, place: Place) -> Secret:
        try:
            return Secret(self._vault.open(sealed, place=place).decode())
        except SecretUnreadable:
            return UnreadableSecret()

    @property
    def _vault(self) -> Vault:
        return self._unit.store.vault


def _name(configuration: Configuration) -> Name:
    return configuration.tenant, configuration.configuration_id


def _place(configuration: Configuration, revision: Revision, field: str) -> Place:
    record = f"configuration/{configuration.configuration_id}/revision/{revision.number}"
    return Place(tenant=configuration.tenant, record=record, field=field)


def _secrets(settings: MailSettings) -> dict[str, Secret]:
    found: dict[str, Secret] = {}
    match settings.authentication:
        case BasicAuthentication(password=password):
            found["basic_password"] = password
        case OAuthAuthentication(client_secret=client_secret):
            found["oauth_client_secret"] = client_secret
    if settings.mailbox is not None and settings.mailbox.password is not None:
        found["mailbox_password"] = settings.mailbox.password
    return found


def _with_secrets(settings: MailSettings, secrets: Mapping[str, Secret]) -> MailSettings:
    authentication, mailbox = settings.authentication, settings.mailbox
    match authentication:
        case BasicAuthentication():
            authentication = replace(authentication, password=secrets["basic_password"])
        case OAuthAuthentication():
            authentication = replace(authentication, client_secret=secrets["oauth_client_secret"])
    if mailbox is not None and mailbox.password is not None:
        mailbox = replace(mailbox, password=secrets["mailbox_password"])
    return replace(settings, authentication=authentication, mailbox=mailbox)


def _revision_of(stored: StoredConfiguration, number: int) -> Revision | None:
    revisions = (stored.configuration.draft, stored.configuration.active)
    return next((revision for revision in revisions if revision is not None and revision.number == number), None)


def _changed(configuration_id: str) -> ConcurrentChange:
    return ConcurrentChange(
        f"Configuration {configuration_id} was changed by somebody else at the same time.",
        remedy="Read it again.",
        metadata={"configuration_id": configuration_id},
    )


def _uses_oauth(configuration: Configuration) -> bool:
    revision = configuration.active or configuration.draft
    return revision is not None and isinstance(revision.settings.authentication, OAuthAuthentication)
