"""A mailport of two tenants with the sandbox's strict provider, and words for what attackers do to a consent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx2
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.system.keyfile import KeyFile
from domain.secret import Secret
from mailport.v1 import configuration_pb2
from mailport.v1 import mail_service_pb2 as api
from service.options import Address, Options
from service.sandbox.identity.behaviour import Behaviour
from service.walk.simulated import ACCOUNT, surroundings
from service.web.callback import CALLBACK_PATH
from tests.end_to_end.conftest import Mailport, started
from tests.fakes.environment import FakeClock
from tests.unit.service.rpc.identity.calls import AUDIENCE, ISSUER, Issuer

OURS: Final = "acme"
THEIRS: Final = "globex"
_NUMBERS = count(1)


@dataclass(frozen=True)
class Waiting:
    """A consent that its user has given; the browser has not been back yet."""

    configuration_id: str
    tenant: str
    state: str
    landed: str
    """The whole address that the provider sends the browser to."""

    @property
    def query(self) -> str:
        return self.landed.partition("?")[2]


@dataclass(frozen=True)
class Site:
    """Calls mailport as one tenant or the other, and as a browser."""

    mailport: Mailport
    database_url: str
    browser: httpx2.AsyncClient
    _issuer: Issuer

    async def call(self, name: str, request: Any, *, tenant: str = OURS, roles: str = "configure send read") -> Any:
        """Calls the RPC *name* with a bearer token of *tenant*."""
        token = self._issuer.token(tenant=tenant, roles=roles)
        return await getattr(self.mailport.stub, name)(request, metadata=(("authorization", f"Bearer {token}"),))

    async def configured(self, configuration_id: str = "", *, tenant: str = OURS) -> str:
        """Stores a draft whose account consents at the strict provider; returns its id, by default a new one."""
        name = configuration_id or f"c{next(_NUMBERS)}"
        request = api.ConfigureRequest(configuration_id=name, settings=self.settings())
        await self.call("Configure", request, tenant=tenant)
        return name

    def settings(self) -> configuration_pb2.Settings:
        """Returns such settings."""
        settings = self.mailport.settings()
        settings.from_address = ACCOUNT
        settings.oauth.CopyFrom(surroundings(self.mailport.service.web_url, self.mailport.sandbox).oauth)
        return settings

    async def waiting(self, configuration_id: str = "", *, tenant: str = OURS) -> Waiting:
        """Authorizes *configuration_id*, by default a new one, and lets its user consent."""
        name = configuration_id or await self.configured(tenant=tenant)
        begun = await self.call("Authorize", api.AuthorizeRequest(configuration_id=name), tenant=tenant)
        landed = self.mailport.sandbox.identity.consent(begun.authorization_url, account=ACCOUNT)
        return Waiting(name, tenant, begun.state, landed)

    async def open_page(self, query: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> int:
        """Opens the callback page with *query* and returns the status."""
        url = f"{self.mailport.service.web_url}{CALLBACK_PATH}?{query}"
        return (await self.browser.request(method, url, headers=headers)).status_code

    async def configuration(self, configuration_id: str, *, tenant: str = OURS) -> configuration_pb2.Configuration:
        """Reads a configuration as its owner."""
        request = api.GetConfigurationRequest(configuration_id=configuration_id)
        found: configuration_pb2.Configuration = (
            await self.call("GetConfiguration", request, tenant=tenant)
        ).configuration
        return found

    @property
    def token_calls(self) -> int:
        """How often the token endpoint has been asked."""
        counters = self.mailport.sandbox.identity.counters(Behaviour.STRICT)
        return sum(counters.token_calls.values())

    @contextmanager
    def token_calls_made(self, expected: int) -> Iterator[None]:
        """Asserts how often the token endpoint is asked inside."""
        before = self.token_calls
        yield
        assert self.token_calls - before == expected

    async def expire(self, waiting: Waiting) -> None:
        """Lets the ten minutes of a session be over."""
        async with await psycopg.AsyncConnection.connect(self.database_url, autocommit=True) as connection:
            done = await connection.execute(
                "update consent_session set expire_time = now() where tenant = %s and configuration_id = %s",
                (waiting.tenant, waiting.configuration_id),
            )
        assert done.rowcount == 1


@asynccontextmanager
async def a_site(folder: Path, *, server: str, template: str) -> AsyncIterator[Site]:
    """Starts one, with a database of its own on *server*."""
    name = f"consent_site_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as admin:
        statement = sql.SQL("create database {} template {} strategy file_copy")
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    database_url = make_conninfo(server, dbname=name)
    issuer = Issuer(FakeClock(datetime.now(UTC)))
    (folder / "jwks.json").write_bytes(await issuer.jwks())
    keys = folder / "keys.json"
    KeyFile(keys).create(now=datetime.now(UTC))
    options = Options(
        data_dir=folder,
        grpc_address=Address("127.0.0.1", 0),
        web_address=Address("127.0.0.1", 0),
        database_url=Secret(database_url),
        keys_file=keys,
        jwks=str(folder / "jwks.json"),
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
    )
    async with started(options) as mailport, httpx2.AsyncClient(trust_env=False, timeout=30) as browser:
        yield Site(mailport, database_url, browser, issuer)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
