"""The wiring: the only file that names adapters and dependency_injector. One list, top to bottom, and synchronous."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import grpc
from dependency_injector import containers, providers
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.binaries import EmbeddedPostgresFailed
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.failures import DatabaseUrlInvalid, checked_dsn
from adapters.postgres.migrate import MigrationFailed, migrate, pending
from adapters.postgres.pool import make_pool
from adapters.postgres.signals import PostgresSignals
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.smtp.transport import SmtpMailTransport
from adapters.system.clock import SystemClock
from adapters.system.egress import EgressAllowInvalid, EgressPolicy
from adapters.system.entropy import SystemEntropy
from adapters.system.keyfile import KeyFile
from adapters.system.keyring import KeyRing, KeyRingUnusable
from adapters.system.resolver import SystemLookup, SystemResolver
from adapters.system.vault import AesGcmVault
from domain.errors import Unavailable
from domain.ports.environment import Clock
from domain.settings.parse import SettingsRules
from service.options import Options
from service.rpc.identity.base import Identity
from service.rpc.identity.bearer import BearerIdentity
from service.rpc.identity.certificates import CertificateIdentity, ClientsInvalid, load_clients
from service.rpc.identity.either import EitherIdentity
from service.rpc.identity.keys import KeyCache, KeysInvalid, load_jwks
from service.rpc.identity.none import NoIdentity
from service.rpc.interceptors import EdgeInterceptor
from service.rpc.mailbox_servicer import MailboxServicer
from service.rpc.server import GrpcServer
from service.rpc.servicer import MailServicer
from service.rpc.tls import TlsFilesInvalid, server_credentials
from service.usecases.attempt import AttemptDelivery
from service.usecases.configure import Configure
from service.usecases.confirm_validation import ConfirmValidation
from service.usecases.delete_configuration import DeleteConfiguration
from service.usecases.get_configuration import GetConfiguration
from service.usecases.get_delivery import GetDelivery
from service.usecases.get_options import GetOptions
from service.usecases.list_configurations import ListConfigurations
from service.usecases.list_deliveries import ListDeliveries
from service.usecases.prove import Prove
from service.usecases.reap import Reap
from service.usecases.send import Send
from service.usecases.send_test import SendTest
from service.usecases.validate_and_save import ValidateAndSave
from service.worker import Worker

_KEYS_NAME: Final = "keys.json"


class StartFailed(Exception):
    """mailport cannot start: `message` says what is wrong, `remedy` what a person should do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@contextmanager
def explained() -> Iterator[None]:
    """Turns what keeps adapters from starting into StartFailed, once."""
    try:
        yield
    except (EmbeddedPostgresFailed, MigrationFailed) as error:
        raise StartFailed(error.message, error.remedy) from error
    except KeyRingUnusable as error:
        raise StartFailed(str(error)) from error
    except DatabaseUrlInvalid as error:
        raise StartFailed(f"MAILPORT_DATABASE_URL: {error}") from None
    except EgressAllowInvalid as error:
        raise StartFailed(
            f"MAILPORT_EGRESS_ALLOW: {error}", "List networks, addresses or host names, separated by commas."
        ) from error
    except ClientsInvalid as error:
        raise StartFailed(f"MAILPORT_CLIENTS_FILE: {error}") from error
    except KeysInvalid as error:
        raise StartFailed(f"MAILPORT_JWKS: {error}") from error
    except TlsFilesInvalid as error:
        raise StartFailed(f"MAILPORT_TLS_CERT: {error}") from error
    except Unavailable as error:
        raise StartFailed(error.message, "Check MAILPORT_DATABASE_URL and that the database runs.") from error


def caller_identity(options: Options, clock: Clock) -> Identity:
    """Returns how callers prove who they are: certificate, bearer token, either, or not at all. Raises StartFailed."""
    with explained():
        certificate = CertificateIdentity(clients=load_clients(options.clients_file)) if options.clients_file else None
        bearer = None
        if options.jwks:
            keys = KeyCache(load=load_jwks(options.jwks), clock=clock)
            bearer = BearerIdentity(keys=keys, issuer=options.jwt_issuer, audience=options.jwt_audience, clock=clock)
    if certificate and bearer:
        return EitherIdentity(bearer=bearer, certificate=certificate)
    return certificate or bearer or NoIdentity()


def tls_credentials(options: Options) -> grpc.ServerCredentials | None:
    """Returns the server's certificate, or None for plain text. Raises StartFailed."""
    if options.tls_cert is None or options.tls_key is None:
        return None
    with explained():
        return server_credentials(certificate=options.tls_cert, key=options.tls_key, client_ca=options.client_ca)


class Container(containers.DeclarativeContainer):
    """Builds every part of one process; the pool is built closed and opened by `service.server`."""

    options = providers.Dependency(instance_of=Options)
    callback_url = providers.Dependency(instance_of=str)
    pool = providers.Dependency(instance_of=AsyncConnectionPool)
    signals = providers.Dependency(instance_of=PostgresSignals)
    ring = providers.Dependency(instance_of=KeyRing)
    egress = providers.Dependency(instance_of=EgressPolicy)

    clock = providers.Singleton(SystemClock)
    entropy = providers.Singleton(SystemEntropy, clock=clock)
    vault = providers.Singleton(AesGcmVault, ring=ring)
    resolver = providers.Singleton(SystemResolver, policy=egress, lookup=providers.Singleton(SystemLookup))
    uow = providers.Factory(PostgresUnitOfWork, pool=pool, vault=vault)
    transport = providers.Singleton(
        SmtpMailTransport, resolver=resolver, clock=clock, host_name=providers.Callable(socket.gethostname)
    )
    rules = providers.Singleton(
        SettingsRules,
        plaintext_hosts=options.provided.plaintext_hosts,
        data_centers=options.provided.data_centers,
    )

    prove = providers.Singleton(Prove, transport=transport, clock=clock, entropy=entropy)
    configure = providers.Singleton(Configure, uow=uow.provider, clock=clock, rules=rules)
    get_configuration = providers.Singleton(GetConfiguration, uow=uow.provider)
    list_configurations = providers.Singleton(ListConfigurations, uow=uow.provider)
    delete_configuration = providers.Singleton(DeleteConfiguration, uow=uow.provider)
    get_options = providers.Singleton(GetOptions, data_centers=options.provided.data_centers, callback_url=callback_url)
    validate_and_save = providers.Singleton(
        ValidateAndSave, uow=uow.provider, prove=prove, clock=clock, entropy=entropy, vault=vault
    )
    confirm_validation = providers.Singleton(ConfirmValidation, uow=uow.provider, clock=clock, vault=vault)
    send_test = providers.Singleton(SendTest, uow=uow.provider, prove=prove, clock=clock, rules=rules)
    send = providers.Singleton(Send, uow=uow.provider, clock=clock, entropy=entropy, vault=vault, signals=signals)
    get_delivery = providers.Singleton(GetDelivery, uow=uow.provider)
    list_deliveries = providers.Singleton(ListDeliveries, uow=uow.provider)

    identity = providers.Singleton(caller_identity, options, clock)
    interceptor = providers.Singleton(EdgeInterceptor, identity=identity, clock=clock, entropy=entropy)
    mail_servicer = providers.Singleton(
        MailServicer,
        configure=configure,
        get_configuration=get_configuration,
        list_configurations=list_configurations,
        delete_configuration=delete_configuration,
        get_options=get_options,
        validate_and_save=validate_and_save,
        confirm_validation=confirm_validation,
        send_test=send_test,
        send=send,
        get_delivery=get_delivery,
        list_deliveries=list_deliveries,
    )
    grpc_server = providers.Singleton(
        GrpcServer,
        address=providers.Callable(str, options.provided.grpc_address),
        mail=mail_servicer,
        mailbox=providers.Singleton(MailboxServicer),
        interceptor=interceptor,
        credentials=providers.Singleton(tls_credentials, options),
    )

    attempt = providers.Singleton(AttemptDelivery, uow=uow.provider, transport=transport, clock=clock, entropy=entropy)
    reap = providers.Singleton(Reap, uow=uow.provider, clock=clock, entropy=entropy)
    worker = providers.Singleton(
        Worker,
        uow=uow.provider,
        attempt=attempt,
        reap=reap,
        signals=signals,
        name=providers.Callable(lambda: f"{socket.gethostname()}/{os.getpid()}"),
        data_centers=providers.Callable(lambda here: (here,) if here else (), options.provided.data_center),
    )


def embedded_postgres(options: Options) -> EmbeddedPostgres:
    """Returns the embedded server of the data folder, not started. Raises StartFailed when there are no binaries."""
    with explained():
        return EmbeddedPostgres(options.data_dir)


def given_dsn(options: Options) -> str | None:
    """Returns the operator's database, or None for the embedded one. Raises StartFailed when its URL cannot be read."""
    with explained():
        return checked_dsn(options.database_url.reveal()) if options.database_url else None


def bring_up_to_date(dsn: str) -> tuple[str, ...]:
    """Applies what the schema lacks and names it; blocks. Raises StartFailed."""
    with explained():
        return migrate(dsn).applied


def pending_migrations(dsn: str) -> tuple[str, ...]:
    """Names what the schema lacks; blocks. Raises StartFailed."""
    with explained():
        return pending(dsn)


def load_keys(options: Options, *, now: datetime) -> KeyRing:
    """Returns the key ring, made by itself beside the embedded database only. Raises StartFailed."""
    with explained():
        file = KeyFile(options.keys_file or options.data_dir / _KEYS_NAME)
        return file.load_or_create(now=now) if options.database_url is None else file.load()


def key_file(path: Path) -> KeyFile:
    """Returns the key file at *path*, for the commands that change it."""
    return KeyFile(path)


def egress_policy(text: str) -> EgressPolicy:
    """Returns what may be dialled besides the public internet. Raises StartFailed naming each wrong entry."""
    with explained():
        return EgressPolicy.parse(text)


def describe_edge(options: Options) -> str:
    """Says how callers are secured and identified, having read all that it takes; blocks. Raises StartFailed."""
    secured = "TLS" if tls_credentials(options) is not None else "plain text"
    caller_identity(options, SystemClock())
    ways = [
        way
        for way, is_used in (("client certificates", options.clients_file), ("bearer tokens", options.jwks))
        if is_used
    ]
    if options.jwks:
        with explained():
            asyncio.run(KeyCache(load=load_jwks(options.jwks), clock=SystemClock()).renew())
    return f"{secured}, callers by {' or '.join(ways)}" if ways else f"{secured}, every caller is the tenant default"


def container(options: Options, *, dsn: str, ring: KeyRing, egress: EgressPolicy, callback_url: str) -> Container:
    """Returns the wired container; must be called inside the running loop."""
    built = Container(
        options=providers.Object(options),
        callback_url=providers.Object(callback_url),
        pool=providers.Object(make_pool(dsn)),
        signals=providers.Object(PostgresSignals(dsn=dsn)),
        ring=providers.Object(ring),
        egress=providers.Object(egress),
    )
    built.check_dependencies()
    return built
