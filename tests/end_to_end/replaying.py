"""Rows of the failure catalogue said again by servers that mailport really talks to, and what it made of them."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import grpc
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.system.keyfile import KeyFile
from domain.secret import Secret
from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.options import Address, Options
from tests.end_to_end.conftest import a_message, started
from tests.end_to_end.consents import authorize, complete, reaches, read, returned
from tests.end_to_end.scripted import tokens
from tests.end_to_end.test_journey import details
from tests.integration.oauth.token_endpoint import Asked, Reply, TokenEndpoint
from tests.peers.ca import LOCAL_NAMES, TestCA, server_context
from tests.peers.script import Item, close, ehlo, expect, expect_message, send, tls
from tests.unit.domain.failures.rows import Row

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from mailport.v1.mail_service_pb2_grpc import MailServiceAsyncStub

ROBOT: Final = "robot@example.com"
HOSTS: Final = {
    "google": "smtp.gmail.com",
    "microsoft": "smtp.office365.com",
    "yahoo": "smtp.mail.yahoo.com",
    "zoho": "smtp.zoho.com",
    "fastmail": "smtp.fastmail.com",
    "gmx": "mail.gmx.com",
    "yandex": "smtp.yandex.com",
    "ses": "email-smtp.eu-west-1.amazonaws.com",
    "sendgrid": "smtp.sendgrid.net",
    "brevo": "smtp-relay.brevo.com",
}
"""The servers that say such things; in these tests all of them are on loopback."""
OWN: Final = "mx.example.com"
IMAP_HOSTS: Final = {
    "google": "imap.gmail.com",
    "microsoft": "outlook.office365.com",
    "icloud": "imap.mail.me.com",
}
NAMES: Final = (*LOCAL_NAMES, OWN, *HOSTS.values(), *IMAP_HOSTS.values())
_SCOPES: Final = {
    "google": (configuration_pb2.OAUTH_PROVIDER_GOOGLE, ["https://mail.google.com/"]),
    "microsoft": (
        configuration_pb2.OAUTH_PROVIDER_MICROSOFT,
        ["offline_access", "https://outlook.office.com/SMTP.Send"],
    ),
}
_CUSTOM: Final = (configuration_pb2.OAUTH_PROVIDER_CUSTOM, ["https://mail.example.com/"])
STARTTLS: Final = configuration_pb2.CONNECTION_SECURITY_STARTTLS
IMPLICIT_TLS: Final = configuration_pb2.CONNECTION_SECURITY_IMPLICIT_TLS
MECHANISMS: Final = {"password": "PLAIN", "token": "XOAUTH2"}
_NUMBERS = count(1)
_WITHIN: Final = timedelta(seconds=30)
_IS_REPLY: Final = re.compile(r"\d{3}[ -]")
_ENDED: Final = (
    delivery_pb2.DELIVERY_STATE_RETRYING,
    delivery_pb2.DELIVERY_STATE_HELD,
    delivery_pb2.DELIVERY_STATE_IN_DOUBT,
    delivery_pb2.DELIVERY_STATE_FAILED,
    delivery_pb2.DELIVERY_STATE_SENT,
)


class Names:
    """What the C library finds: the providers' names on this machine, and whatever fails as the test says."""

    def __init__(self) -> None:
        self._failing: dict[str, int] = {}
        self.addresses: dict[str, tuple[str, ...]] = dict.fromkeys(NAMES, ("127.0.0.1",))

    @contextmanager
    def failing(self, name: str, error: int) -> Iterator[None]:
        """Lets the look-up of *name* end with *error*, one of `socket.EAI_NONAME` and its like."""
        self._failing[name] = error
        try:
            yield
        finally:
            del self._failing[name]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Is asked instead of the machine's own names."""
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
            if error := self._failing.get(host):
                raise socket.gaierror(error, "as the test says")
            return [
                answer for each in self.addresses.get(host, (host,)) for answer in real(each, *arguments, **options)
            ]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", getaddrinfo)
            yield


@dataclass(frozen=True, slots=True)
class Told:
    """What one call or delivery made of an answer."""

    way: str
    failure: failure_pb2.Failure
    trace: failure_pb2.Trace

    @property
    def verdict(self) -> tuple[str, str, str]:
        """Reason, kind and stage as the catalogue writes them."""
        return (
            self.failure.reason,
            failure_pb2.FailureKind.Name(self.failure.kind).removeprefix("FAILURE_KIND_"),
            failure_pb2.FailureStage.Name(self.failure.stage).removeprefix("FAILURE_STAGE_"),
        )


async def told_by_call(way: str, call: Awaitable[object]) -> Told:
    """Returns what the status of a refused *call* tells."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    found = details(refused.value)
    failure, trace = found.get("Failure"), found.get("Trace", failure_pb2.Trace())
    assert isinstance(failure, failure_pb2.Failure), f"{way}: no Failure in {refused.value}"
    assert isinstance(trace, failure_pb2.Trace)
    return Told(way, failure, trace)


@asynccontextmanager
async def a_replay(folder: Path, *, server: str, template: str, ca: TestCA) -> AsyncIterator[Replay]:
    """Starts a mailport in this process, with a database of its own on *server*."""
    name = f"replay_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as admin:
        statement = sql.SQL("create database {} template {} strategy file_copy")
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    keys = folder / "keys.json"
    KeyFile(keys).create(now=datetime.now(UTC))
    options = Options(
        data_dir=folder,
        grpc_address=Address("127.0.0.1", 0),
        web_address=Address("127.0.0.1", 0),
        database_url=Secret(make_conninfo(server, dbname=name)),
        keys_file=keys,
    )
    context, names = server_context(ca.issue(name, names=NAMES)), Names()
    with names.in_use():
        async with started(options) as mailport, TokenEndpoint(b"") as endpoint:
            yield Replay(mailport.stub, ca, context, endpoint, names, mailport.service.grpc_address)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@dataclass
class Replay:
    """A mailport, and the peers that it is sent to."""

    stub: MailServiceAsyncStub
    ca: TestCA
    context: ssl.SSLContext
    """The mail server's, with a certificate for all of `NAMES`."""
    endpoint: TokenEndpoint
    names: Names
    grpc_address: str
    count: int = field(default=0)

    def new_name(self) -> str:
        self.count += 1
        return f"replay-{self.count}"

    def settings(
        self,
        port: int,
        *,
        host: str = "localhost",
        provider: str = "",
        signs_in: str = "password",
        security: configuration_pb2.ConnectionSecurity.ValueType = STARTTLS,
    ) -> configuration_pb2.Settings:
        """Returns settings for *host*, which *signs_in* with a ``password``, a ``token``, or nothing."""
        in_the_clear = signs_in == "nothing, in the clear"
        settings = configuration_pb2.Settings(
            from_address=ROBOT,
            smtp=configuration_pb2.SmtpTransport(
                host=host,
                port=port,
                security=configuration_pb2.CONNECTION_SECURITY_NONE if in_the_clear else security,
                ca_certificates="" if in_the_clear else self.ca.pem,
            ),
        )
        if signs_in == "password":
            settings.basic.CopyFrom(configuration_pb2.BasicAuthentication(username=ROBOT, password="s3cret-w0rd"))
        elif signs_in == "token":
            settings.oauth.CopyFrom(self.client(provider))
        return settings

    def client(self, provider: str) -> configuration_pb2.OAuthAuthentication:
        """Returns a client of *provider* whose endpoints are the test's."""
        kind, scopes = _SCOPES.get(provider, _CUSTOM)
        return configuration_pb2.OAuthAuthentication(
            provider=kind,
            client_id="mailport",
            client_secret="CS-SECRET",
            authorization_endpoint=f"http://localhost:{self.endpoint.port}/authorize",
            token_endpoint=self.endpoint.url,
            scopes=scopes,
            username=ROBOT,
        )

    async def configure(self, name: str, settings: configuration_pb2.Settings) -> None:
        await self.stub.Configure(api.ConfigureRequest(configuration_id=name, settings=settings))

    async def consent(self, name: str, *, save: bool = True, answer: Reply | None = None) -> None:
        """Lets the account of the draft consent, with *answer* to the exchange; *save*: that makes the draft active."""
        self.endpoint.answers[:] = [_NewTokens() if answer is None else answer]
        session = await self.authorize(name, save=save)
        await complete(self.stub, returned(session, code="C0DE"))

    async def authorize(self, name: str, *, save: bool = False) -> api.AuthorizeResponse:
        return await authorize(self.stub, name, save=save)

    def validate(self, name: str, *, within: timedelta = _WITHIN) -> Awaitable[object]:
        request = api.ValidateAndSaveRequest(configuration_id=name, user_email="admin@example.com")
        return self.stub.ValidateAndSave(request, timeout=within.total_seconds())

    def test(self, name: str, *, within: timedelta = _WITHIN) -> Awaitable[object]:
        request = api.SendTestRequest(configuration_id=name, to="admin@example.com")
        return self.stub.SendTest(request, timeout=within.total_seconds())

    def test_unsaved(self, settings: configuration_pb2.Settings) -> Awaitable[object]:
        request = api.SendTestRequest(to="admin@example.com", settings=settings)
        return self.stub.SendTest(request, timeout=_WITHIN.total_seconds())

    async def delivery(self, name: str) -> delivery_pb2.Delivery:
        """Sends a mail that is tried once, and returns its delivery as that attempt left it."""
        request = api.SendRequest(configuration_id=name, message=a_message())
        delivery_id = (await self.stub.Send(request)).delivery.delivery_id
        return await reaches(self.stub, delivery_id, *_ENDED)

    async def explain(self, row: Row) -> Told:
        """Returns what Explain says of *row*, knowing where it was met."""
        request = api.ExplainRequest(
            text=row.answer,
            surface=api.Surface.Value(f"SURFACE_{row.surface.name}"),
            provider="amazon-ses" if row.provider == "ses" else row.provider,
            stage=failure_pb2.FailureStage.Value(f"FAILURE_STAGE_{row.stage}"),
            http_status=row.http_status,
        )
        explained = await self.stub.Explain(request)
        return Told("Explain", explained.failure, failure_pb2.Trace())

    async def read(self, name: str) -> configuration_pb2.Configuration:
        return await read(self.stub, name)


class _NewTokens:
    """Answers other tokens to each request, so that a renewed one is another one."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, asked: Asked) -> bytes:
        self._count += 1
        return tokens(self._count)


def told_by_delivery(delivery: delivery_pb2.Delivery) -> Told:
    """Returns what the first attempt tells; the delivery and its recipient must say the same."""
    attempt = delivery.attempts[0]
    assert attempt.failure == delivery.failure
    assert delivery.recipients[0].failure == delivery.failure
    return Told("Send", attempt.failure, attempt.trace)


def refusing(row: Row, context: ssl.SSLContext, *, signs_in: str, announces: Sequence[str] = ()) -> list[Item]:
    """Returns the script of one connection that ends with *row*'s answer where the row was met."""
    script: list[Item] = []
    for stage, asked, taken in _session(context, signs_in, announces):
        if stage == row.stage:
            again = [asked, said(row)] if signs_in == "token" and stage == "AUTH" else []
            return [*script, asked, said(row), *again, close()]  # a refused token is renewed once and shown again
        script += [asked, taken]
    raise AssertionError(f"{row.stage} is no stage of SMTP")


def _session(context: ssl.SSLContext, signs_in: str, announces: Sequence[str]) -> Iterator[tuple[str, Item, Item]]:
    """Yields for each stage what is waited for and what is answered when all is well."""
    secured = ehlo(f"AUTH {MECHANISMS[signs_in]}" if signs_in in MECHANISMS else "HELP", *announces, "SIZE 35882577")
    if signs_in == "nothing, in the clear":
        yield "EHLO", (), (send("220 mx.example.com ESMTP"), secured)
    else:
        yield "EHLO", (), (send("220 mx.example.com ESMTP"), ehlo("STARTTLS"))
        yield "TLS", expect("STARTTLS"), (send("220 2.0.0 Ready"), tls(context), secured)
    if signs_in in MECHANISMS:
        yield "AUTH", expect(f"AUTH {MECHANISMS[signs_in]} .*"), send("235 2.7.0 Accepted")
    yield "MAIL_FROM", expect("MAIL FROM:.*"), send("250 2.1.0 OK")
    yield "RCPT_TO", expect("RCPT TO:.*"), send("250 2.1.5 OK")
    yield "DATA", (expect("DATA"), send("354 Go ahead"), expect_message()), send("250 2.0.0 OK")


def accepting(context: ssl.SSLContext, *, signs_in: str) -> list[Item]:
    """Returns the script of one connection that takes a mail."""
    return [*((asked, taken) for _, asked, taken in _session(context, signs_in, ())), close()]


def letting_in(context: ssl.SSLContext, *, signs_in: str) -> list[Item]:
    """Returns the script of one connection that takes the sign-in; what follows is not its business."""
    steps = [
        (asked, taken) for stage, asked, taken in _session(context, signs_in, ()) if stage in ("EHLO", "TLS", "AUTH")
    ]
    return [*steps, close()]


def said(row: Row) -> Item:
    """Returns how a server says *row*'s answer; exceptions and challenges are done and not said."""
    if row.name == "P061":
        return close()
    if row.name == "P002":  # the challenge that Google sends, and what follows it
        return (
            send(row.answer),
            expect(""),
            send("535-5.7.8 Username and Password not accepted. For more information, go to", "535 5.7.8 gsmtp"),
        )
    lines = row.answer.splitlines()
    if not _IS_REPLY.match(lines[0]):  # the row was found in a log that left out the code
        lines = [f"554 5.6.0 {line}" for line in lines]
    return send(*lines)
