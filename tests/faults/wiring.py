"""mailport's parts as its container wires them, over a real database and a real token endpoint; and accounts for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, cast

import psycopg

from adapters.system.keyfile import KeyFile
from domain.grant import Grant, basis_of
from domain.secret import Secret
from domain.settings.model import MailSettings, OAuthAuthentication
from domain.token import TokenAnswer
from service.container import Container, container, egress_policy
from service.options import Address, Options
from service.sandbox.identity.behaviour import TRAITS, Behaviour
from service.usecases.token_sources import ProvableTokens
from tests.builders import TENANT, a_configuration, an_oauth_authentication, some_settings
from tests.consent_builders import VERIFIER, a_grant, an_access_token
from tests.faults.provider import REDIRECT_URL, SCOPES, Provider

LOOPBACK: Final = "127.0.0.0/8"
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process of mailport works."""

    folder: str
    database_url: str

    @property
    def keys_file(self) -> Path:
        """The key ring's file, which all processes read."""
        return Path(self.folder) / "keys.json"

    def options(self) -> Options:
        """Returns options of a process without any role on free ports."""
        return Options(
            data_dir=Path(self.folder),
            database_url=Secret(self.database_url),
            keys_file=self.keys_file,
            egress_allow=LOOPBACK,
            grpc_address=Address("127.0.0.1", 0),
            web_address=Address("127.0.0.1", 0),
            roles=frozenset(),
        )


@asynccontextmanager
async def wired(place: Place) -> AsyncIterator[Container]:
    """Gives the parts of one process, with an open pool."""
    parts = container(
        place.options(),
        dsn=place.database_url,
        ring=KeyFile(place.keys_file).load(),
        egress=egress_policy(LOOPBACK),
        callback_url=REDIRECT_URL,
    )
    pool = parts.pool()
    await pool.open(wait=True)
    try:
        yield parts
    finally:
        await parts.fresh_tokens().drain(timedelta(0))
        await pool.close()


async def source(parts: Container, configuration_id: str) -> ProvableTokens:
    """Returns where a sign-in of a configuration gets its tokens from."""
    async with parts.uow() as work:
        configuration = await work.configurations.find(TENANT, configuration_id)
    assert configuration is not None
    assert configuration.active is not None
    found = parts.token_sources().stored(TENANT, configuration_id, configuration.active.settings)
    assert found is not None
    return found


async def ask(parts: Container, configuration_id: str) -> str:
    """Returns what a sign-in would present. Raises what `TokenSource.token` does."""
    tokens = await source(parts, configuration_id)
    return (await tokens.token(rejected=None)).reveal()


class Accounts:
    """Makes configurations whose owner has consented, and looks at what is stored; by a way of its own."""

    def __init__(self, parts: Container, provider: Provider, database_url: str) -> None:
        self._parts = parts
        self._provider = provider
        self._database_url = database_url

    async def consented(self, behaviour: Behaviour) -> str:
        """Returns the id of a new configuration with a grant of generation 1; its account is ``ID@example.com``."""
        configuration_id = f"{behaviour}-{next(_NUMBERS)}"
        settings = self._settings(behaviour, configuration_id)
        client = settings.authentication
        assert isinstance(client, OAuthAuthentication)
        code = await self._provider.consent(behaviour, account_of(configuration_id))
        answer = await self._parts.authorization_server().exchange(
            client, code=Secret(code), verifier=Secret(VERIFIER), redirect_url=REDIRECT_URL, scopes=client.scopes
        )
        assert isinstance(answer, TokenAnswer), answer
        assert answer.refresh_token
        now = datetime.now(UTC)
        async with self._parts.uow() as work:
            await work.configurations.add(
                a_configuration(configuration_id=configuration_id, settings=settings, now=now)
            )
            await work.grants.save(
                a_grant(
                    configuration_id=configuration_id,
                    grant_id=f"grant-{configuration_id}",
                    basis=basis_of(client),
                    refresh_token=answer.refresh_token,
                    access_tokens=(an_access_token(token=answer.access_token, now=now),),
                    now=now,
                ),
                expected_generation=0,
            )
            await work.commit()
        return configuration_id

    def _settings(self, behaviour: Behaviour, configuration_id: str) -> MailSettings:
        endpoints = self._provider.endpoints(behaviour)
        traits = TRAITS[behaviour]
        return some_settings(
            authentication=an_oauth_authentication(
                client_id=traits.client_id,
                client_secret=Secret(traits.client_secret),
                authorization_endpoint=endpoints.authorization,
                token_endpoint=endpoints.token,
                scopes=tuple(SCOPES[behaviour].split()),
                username=account_of(configuration_id),
            )
        )

    async def grant(self, configuration_id: str) -> Grant:
        """Returns the grant as it is stored."""
        async with self._parts.uow() as work:
            held = await work.grants.of(TENANT, [configuration_id])
        (grant,) = held[configuration_id]
        return grant

    async def expire(self, configuration_id: str) -> None:
        """Lets the access token be over, and any pause after a failure too."""
        await self._execute(
            "update access_token set issue_time = now() - interval '2 hours', expire_time = now() - interval '1 hour' "
            "where configuration_id = %(id)s",
            configuration_id,
        )
        await self._execute(
            "update oauth_grant set retry_time = null where configuration_id = %(id)s", configuration_id
        )

    async def is_leased(self, configuration_id: str) -> bool:
        """Tells whether somebody has taken a refresh upon him and not ended it, in time or not."""
        statement = "select 1 from oauth_grant where configuration_id = %(id)s and lease_token is not null"
        return await self._execute(statement, configuration_id) == 1

    async def _execute(self, statement: str, configuration_id: str) -> int:
        def execute() -> int:
            with psycopg.connect(self._database_url, autocommit=True) as connection:
                return connection.execute(cast(Any, statement), {"id": configuration_id}).rowcount

        return await asyncio.to_thread(execute)


def account_of(configuration_id: str) -> str:
    """Returns the account that consented for a configuration."""
    return f"{configuration_id}@example.com"
