"""The wiring: the only file that names adapters and dependency_injector. One list, top to bottom, and synchronous."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import grpc
from dependency_injector import containers, providers
from psycopg_pool import AsyncConnectionPool

from adapters.dns.records import DnsRecords
from adapters.graph.transport import GraphMailTransport
from adapters.imap.mailbox import ImapMailboxReader
from adapters.oauth.client import OAuthClient
from adapters.oauth.dialling import JudgedTransports
from adapters.postgres.binaries import EmbeddedPostgresFailed
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.failures import DatabaseUrlInvalid, checked_dsn
from adapters.postgres.migrate import MigrationFailed, migrate, pending
from adapters.postgres.pool import make_pool
from adapters.postgres.signals import PostgresSignals
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.workers import present_workers
from adapters.smtp.reach import Reach
from adapters.smtp.transport import SmtpMailTransport
from adapters.system.clock import SystemClock
from adapters.system.egress import EgressAllowInvalid, EgressPolicy
from adapters.system.entropy import SystemEntropy
from adapters.system.keyfile import KeyFile
from adapters.system.keyring import KeyRing, KeyRingUnusable
from adapters.system.resolver import SystemLookup, SystemResolver
from adapters.system.vault import AesGcmVault
from domain.data_center import Presence
from domain.errors import Unavailable
from domain.ports.environment import Clock
from domain.retention import Retention
from domain.settings.parse import SettingsRules
from service.allowances import Allowances
from service.events import LoggedEvents
from service.groups import accept_together, grants_together, progress_together
from service.in_flow import InFlow
from service.keeper import Keeper
from service.metrics import Metrics
from service.options import Options, Problem, ProcessRole
from service.rpc.identity.base import Identity
from service.rpc.identity.bearer import BearerIdentity
from service.rpc.identity.certificates import CertificateIdentity, ClientsInvalid, load_clients
from service.rpc.identity.either import EitherIdentity
from service.rpc.identity.keys import KeyCache, KeysInvalid, load_jwks
from service.rpc.identity.none import NoIdentity
from service.rpc.interceptors import EdgeInterceptor
from service.rpc.lateness import Lateness
from service.rpc.load import MOST_CALLS, LoadBound
from service.rpc.mailbox_servicer import MailboxServicer
from service.rpc.send_stream import SendStream
from service.rpc.server import GrpcServer
from service.rpc.servicer import MailServicer
from service.rpc.tls import TlsFilesInvalid, server_credentials
from service.transports import TransportBySettings
from service.turns import Turns
from service.usecases.announce_ends import AnnounceEnds
from service.usecases.attempt import AttemptDelivery
from service.usecases.authorize import Authorize
from service.usecases.cancel_delivery import CancelDelivery
from service.usecases.changed_accounts import ChangedAccounts
from service.usecases.check_account import CheckAccount
from service.usecases.complete_auth import CompleteAuth
from service.usecases.configure import Configure
from service.usecases.confirm_validation import ConfirmValidation
from service.usecases.delete_configuration import DeleteConfiguration
from service.usecases.exchange_code import ExchangeCode
from service.usecases.explain import Explain
from service.usecases.find_fixes import FindFixes
from service.usecases.folder_hubs import FolderHubs
from service.usecases.following import Following
from service.usecases.forget_old import ForgetOld
from service.usecases.fresh_tokens import FreshTokens
from service.usecases.get_configuration import GetConfiguration
from service.usecases.get_delivery import GetDelivery
from service.usecases.get_message import GetMessage
from service.usecases.get_options import GetOptions
from service.usecases.keep_grants import KeepGrants
from service.usecases.known_configurations import KnownConfigurations
from service.usecases.list_configurations import ListConfigurations
from service.usecases.list_deliveries import ListDeliveries
from service.usecases.list_folders import ListFolders
from service.usecases.list_messages import ListMessages
from service.usecases.move_message import MoveMessage
from service.usecases.open_mailbox import OpenMailbox
from service.usecases.preflight import Preflight
from service.usecases.prove import Prove
from service.usecases.read_mails import ReadMails
from service.usecases.reap import Reap
from service.usecases.refresh_grant import RefreshGrant
from service.usecases.retry_delivery import RetryDelivery
from service.usecases.revoke_auth import RevokeAuth
from service.usecases.roster import Roster
from service.usecases.send import Send
from service.usecases.send_test import SendTest
from service.usecases.sender_posture import ReadPosture
from service.usecases.set_flags import SetFlags
from service.usecases.token_sources import TokenSources
from service.usecases.validate_and_save import ValidateAndSave
from service.usecases.watch_deliveries import WatchDeliveries
from service.usecases.watch_mailbox import WatchMailbox
from service.worker import Worker

_KEYS_NAME: Final = "keys.json"
_FORGET_EVERY: Final = timedelta(minutes=1)
_DATABASE_NAME: Final = "pg"
"""The folder that the embedded server makes in the data folder, whole or not at all."""


class StartFailed(Exception):
    """
    mailport cannot start: `message` says what is wrong, `remedy` what a person should do.

    *variable*: the environment's name for what is wrong, if it has one; the message then begins with it.
    """

    def __init__(self, message: str, remedy: str = "", *, variable: str = "") -> None:
        self.message = f"{variable}: {message}" if variable else message
        super().__init__(self.message)
        self.remedy = remedy
        self.problem = Problem(variable, message, remedy)


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
        raise StartFailed(
            str(error), "Correct the URL, or unset it for the embedded database.", variable="MAILPORT_DATABASE_URL"
        ) from None
    except EgressAllowInvalid as error:
        raise StartFailed(
            str(error),
            "List networks, addresses or host names, separated by commas.",
            variable="MAILPORT_EGRESS_ALLOW",
        ) from error
    except ClientsInvalid as error:
        raise StartFailed(
            str(error),
            'Write {"name of a certificate": {"tenant": "shop", "roles": ["send"]}}, one member for each client.',
            variable="MAILPORT_CLIENTS_FILE",
        ) from error
    except KeysInvalid as error:
        raise StartFailed(
            str(error), "Name a file or an https address that holds a JWK set (RFC 7517).", variable="MAILPORT_JWKS"
        ) from error
    except TlsFilesInvalid as error:
        raise StartFailed(
            str(error),
            "Give the PEM chain of the server's certificate, and in MAILPORT_TLS_KEY the key it was issued for.",
            variable="MAILPORT_TLS_CERT",
        ) from error
    except Unavailable as error:
        raise StartFailed(error.message, "Check MAILPORT_DATABASE_URL and that the database runs.") from error


def caller_identity(options: Options, clock: Clock) -> Identity:
    """Returns how callers prove who they are: certificate, bearer token, either, or not at all. Raises StartFailed."""
    with explained():
        certificate = CertificateIdentity(clients=load_clients(options.clients_file)) if options.clients_file else None
        bearer = None
        if options.jwks:
            keys = caller_keys(options, clock)
            bearer = BearerIdentity(keys=keys, issuer=options.jwt_issuer, audience=options.jwt_audience, clock=clock)
    if certificate and bearer:
        return EitherIdentity(bearer=bearer, certificate=certificate)
    return certificate or bearer or NoIdentity()


def caller_keys(options: Options, clock: Clock) -> KeyCache:
    """Returns the keys of those who sign for callers, fetched when needed. Raises KeysInvalid, for `explained`."""
    try:
        return KeyCache(load=load_jwks(options.jwks), clock=clock)
    except KeysInvalid:
        raise
    except ValueError as error:  # what urllib says of brackets that do not match
        raise KeysInvalid("It is neither a file nor a web address.") from error


def system_clock() -> Clock:
    """Returns the time that the process lives by."""
    return SystemClock()


def load_bound(options: Options, clock: Clock, lateness: Lateness) -> LoadBound:
    """Returns how many calls may run at once; where nobody says who he is, all are one tenant and share all of it."""
    if options.has_identity:
        return LoadBound(clock=clock, is_late=lateness)
    return LoadBound(clock=clock, per_tenant=MOST_CALLS)


def tls_credentials(options: Options) -> grpc.ServerCredentials | None:
    """Returns the server's certificate, or None for plain text. Raises StartFailed."""
    if options.tls_cert is None or options.tls_key is None:
        return None
    with explained():
        return server_credentials(certificate=options.tls_cert, key=options.tls_key, client_ca=options.client_ca)


class Container(containers.DeclarativeContainer):
    """Builds every part of one process; the pool is built closed and opened by `service.running`."""

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
    group = providers.Factory(PostgresUnitOfWork, pool=pool, vault=vault, at_once=True)
    worker_name = providers.Callable(lambda: f"{socket.gethostname()}/{os.getpid()}")
    smtp = providers.Singleton(
        SmtpMailTransport, resolver=resolver, clock=clock, host_name=providers.Callable(socket.gethostname)
    )
    graph = providers.Singleton(
        GraphMailTransport,
        open_wire=providers.Singleton(JudgedTransports, resolver=resolver, clock=clock).provided.open,
        clock=clock,
        entropy=entropy,
        turns=providers.Singleton(Turns, uow=uow.provider, clock=clock, name=worker_name),
    )
    transport = providers.Singleton(TransportBySettings, smtp=smtp, graph=graph)
    mailbox_reader = providers.Singleton(
        ImapMailboxReader, reach=providers.Singleton(Reach, clock=clock), resolver=resolver, clock=clock
    )
    rules = providers.Singleton(
        SettingsRules,
        plaintext_hosts=options.provided.plaintext_hosts,
        data_centers=options.provided.data_centers,
    )

    metrics = providers.Singleton(Metrics)
    events = providers.Singleton(LoggedEvents, metrics=metrics)

    authorization_server = providers.Singleton(OAuthClient, resolver=resolver, clock=clock)
    refresh_grant = providers.Singleton(
        RefreshGrant, uow=uow.provider, server=authorization_server, clock=clock, entropy=entropy, events=events
    )
    fresh_tokens = providers.Singleton(
        FreshTokens, uow=uow.provider, refresh=refresh_grant, clock=clock, entropy=entropy
    )
    token_sources = providers.Singleton(TokenSources, tokens=fresh_tokens, server=authorization_server)

    find_fixes = providers.Singleton(FindFixes, probe=smtp)
    prove = providers.Singleton(
        Prove, transport=transport, mailbox=mailbox_reader, find_fixes=find_fixes, clock=clock, entropy=entropy
    )
    configure = providers.Singleton(Configure, uow=uow.provider, clock=clock, rules=rules)
    get_configuration = providers.Singleton(GetConfiguration, uow=uow.provider, clock=clock)
    list_configurations = providers.Singleton(ListConfigurations, uow=uow.provider, clock=clock)
    delete_configuration = providers.Singleton(DeleteConfiguration, uow=uow.provider, server=authorization_server)
    get_options = providers.Singleton(GetOptions, data_centers=options.provided.data_centers, callback_url=callback_url)
    authorize = providers.Singleton(
        Authorize, uow=uow.provider, clock=clock, entropy=entropy, vault=vault, public_redirect_url=callback_url
    )
    exchange_code = providers.Singleton(
        ExchangeCode, server=authorization_server, transport=transport, clock=clock, entropy=entropy
    )
    complete_auth = providers.Singleton(
        CompleteAuth, uow=uow.provider, exchange=exchange_code, clock=clock, vault=vault, events=events
    )
    revoke_auth = providers.Singleton(RevokeAuth, uow=uow.provider, server=authorization_server, clock=clock)
    validate_and_save = providers.Singleton(
        ValidateAndSave,
        uow=uow.provider,
        prove=prove,
        sources=token_sources,
        clock=clock,
        entropy=entropy,
        vault=vault,
        data_center=options.provided.data_center,
    )
    confirm_validation = providers.Singleton(ConfirmValidation, uow=uow.provider, clock=clock, vault=vault)
    read_posture = providers.Singleton(ReadPosture, records=providers.Singleton(DnsRecords))
    preflight = providers.Singleton(Preflight, read_posture=read_posture, clock=clock)
    check_account = providers.Singleton(
        CheckAccount,
        uow=uow.provider,
        prove=prove,
        sources=token_sources,
        preflight=preflight,
        clock=clock,
        data_center=options.provided.data_center,
    )
    send_test = providers.Singleton(
        SendTest,
        uow=uow.provider,
        prove=prove,
        sources=token_sources,
        preflight=preflight,
        clock=clock,
        rules=rules,
        data_center=options.provided.data_center,
    )
    known = providers.Singleton(KnownConfigurations)
    progress = providers.Singleton(progress_together, group.provider)
    attempt = providers.Singleton(
        AttemptDelivery,
        uow=uow.provider,
        mark=progress,
        record=progress,
        grants=providers.Singleton(grants_together, group.provider),
        known=known,
        transport=transport,
        sources=token_sources,
        clock=clock,
        entropy=entropy,
    )
    changed_accounts = providers.Singleton(
        ChangedAccounts, signals=signals, lanes=providers.List(transport, mailbox_reader), known=known
    )
    reap = providers.Singleton(Reap, uow=uow.provider, clock=clock, entropy=entropy, events=events)
    roster = providers.Singleton(
        Roster,
        uow=uow.provider,
        clock=clock,
        events=events,
        name=providers.Callable(lambda: f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"),
        data_center=options.provided.data_center,
        order=options.provided.data_centers,
        has_worker=providers.Callable(lambda roles: ProcessRole.WORKER in roles, options.provided.roles),
    )
    allowances = providers.Singleton(Allowances, uow=uow.provider, known=known, clock=clock, worker=worker_name)
    worker = providers.Singleton(
        Worker,
        uow=uow.provider,
        attempt=attempt,
        reap=reap,
        signals=signals,
        events=events,
        allowances=allowances,
        name=worker_name,
        reach=roster.provided.reach,
    )
    in_flow = providers.Singleton(
        InFlow,
        lanes=providers.Callable(
            lambda roles, provide: provide() if ProcessRole.WORKER in roles else None,
            options.provided.roles,
            worker.provider,
        ),
    )
    accept = providers.Singleton(
        accept_together,
        group.provider,
        in_flow,
        providers.Callable(
            lambda roles, provide: provide if ProcessRole.WORKER in roles else None,
            options.provided.roles,
            worker.provider,
        ),
    )
    send = providers.Singleton(
        Send,
        uow=uow.provider,
        commit=accept,
        known=known,
        clock=clock,
        entropy=entropy,
        vault=vault,
        signals=signals,
        entering=in_flow.provided.entering,
    )
    get_delivery = providers.Singleton(GetDelivery, uow=uow.provider, clock=clock)
    list_deliveries = providers.Singleton(ListDeliveries, uow=uow.provider, clock=clock)
    cancel_delivery = providers.Singleton(CancelDelivery, uow=uow.provider, clock=clock, events=events)
    retry_delivery = providers.Singleton(RetryDelivery, uow=uow.provider, clock=clock)
    watch_deliveries = providers.Singleton(WatchDeliveries, uow=uow.provider, clock=clock, signals=signals)

    open_mailbox = providers.Singleton(OpenMailbox, uow=uow.provider, sources=token_sources)
    read_mails = providers.Singleton(ReadMails, reader=mailbox_reader, uow=uow.provider)
    following = providers.Singleton(
        Following,
        open_mailbox=open_mailbox,
        reader=mailbox_reader,
        read_mails=read_mails,
        clock=clock,
        entropy=entropy,
        events=events,
    )
    mailbox_servicer = providers.Singleton(
        MailboxServicer,
        list_folders=providers.Singleton(ListFolders, open_mailbox=open_mailbox, reader=mailbox_reader),
        list_messages=providers.Singleton(
            ListMessages, open_mailbox=open_mailbox, reader=mailbox_reader, read_mails=read_mails, clock=clock
        ),
        get_message=providers.Singleton(
            GetMessage, open_mailbox=open_mailbox, reader=mailbox_reader, read_mails=read_mails
        ),
        watch_mailbox=providers.Singleton(
            WatchMailbox, hubs=providers.Singleton(FolderHubs, following=following), following=following
        ),
        set_flags=providers.Singleton(SetFlags, open_mailbox=open_mailbox, reader=mailbox_reader),
        move_message=providers.Singleton(MoveMessage, open_mailbox=open_mailbox, reader=mailbox_reader),
    )

    identity = providers.Singleton(caller_identity, options, clock)
    lateness = providers.Singleton(Lateness, clock=clock)
    interceptor = providers.Singleton(
        EdgeInterceptor,
        identity=identity,
        clock=clock,
        entropy=entropy,
        load=providers.Singleton(load_bound, options, clock, lateness),
    )
    mail_servicer = providers.Singleton(
        MailServicer,
        configure=configure,
        get_configuration=get_configuration,
        list_configurations=list_configurations,
        delete_configuration=delete_configuration,
        get_options=get_options,
        explain=providers.Singleton(Explain),
        authorize=authorize,
        complete_auth=complete_auth,
        revoke_auth=revoke_auth,
        validate_and_save=validate_and_save,
        confirm_validation=confirm_validation,
        send_test=send_test,
        check_account=check_account,
        send=send,
        get_delivery=get_delivery,
        list_deliveries=list_deliveries,
        cancel_delivery=cancel_delivery,
        retry_delivery=retry_delivery,
        watch_deliveries=watch_deliveries,
        send_stream=providers.Singleton(SendStream, send=send, entropy=entropy),
    )
    grpc_server = providers.Singleton(
        GrpcServer,
        address=providers.Callable(str, options.provided.grpc_address),
        mail=mail_servicer,
        mailbox=mailbox_servicer,
        interceptor=interceptor,
        lateness=lateness,
        credentials=providers.Singleton(tls_credentials, options),
    )

    announce_ends = providers.Singleton(AnnounceEnds, uow=uow.provider, clock=clock, events=events)
    keep_grants = providers.Singleton(
        KeepGrants, uow=uow.provider, tokens=fresh_tokens, announce_ends=announce_ends, clock=clock, events=events
    )
    keeper = providers.Singleton(Keeper, keep=keep_grants)
    forget_old = providers.Singleton(
        ForgetOld,
        uow=uow.provider,
        clock=clock,
        retention=providers.Singleton(
            Retention, content=options.provided.content_retention, delivery=options.provided.delivery_retention
        ),
    )
    forgetter = providers.Singleton(Keeper, keep=forget_old, every=_FORGET_EVERY)


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


def living_workers(dsn: str) -> tuple[Presence, ...]:
    """Returns the sites at which a worker was within a day; blocks. Raises StartFailed."""
    with explained():
        return present_workers(dsn)


def load_keys(options: Options, *, now: datetime) -> KeyRing:
    """Returns the key ring, which is made by itself where `makes_keys` allows it. Raises StartFailed."""
    if makes_keys(options):
        return make_keys(options, now=now)
    with _keys_explained(options):
        return KeyFile(keys_path(options)).load()


def make_keys(options: Options, *, now: datetime) -> KeyRing:
    """Returns the key ring, made if the file is absent: for a new database. Raises StartFailed."""
    with _keys_explained(options):
        return KeyFile(keys_path(options)).load_or_create(now=now)


def keys_path(options: Options) -> Path:
    """Returns where the key ring is or is to be."""
    return options.keys_file or options.data_dir / _KEYS_NAME


@contextmanager
def _keys_explained(options: Options) -> Iterator[None]:
    try:
        yield
    except (KeyRingUnusable, OSError) as error:
        message = str(error) if isinstance(error, KeyRingUnusable) else f"It cannot be read: {error.strerror}."
        raise StartFailed(message, _keys_remedy(options), variable="MAILPORT_KEYS_FILE") from error


def makes_keys(options: Options) -> bool:
    """
    Tells whether a key ring that is absent may be made: there is no database yet that another one belongs to.

    To be asked before the embedded server starts, which makes its database.
    """
    return options.database_url is None and not has_embedded_database(options)


def has_embedded_database(options: Options) -> bool:
    """Tells whether the data folder holds an embedded database, or something in its place."""
    folder = options.data_dir / _DATABASE_NAME
    try:
        return os.path.lexists(folder) and any(folder.iterdir())
    except OSError:  # it is there and closed to us
        return True


def _keys_remedy(options: Options) -> str:
    if os.path.lexists(keys_path(options)):
        return "Put the file right, or name the key ring that this database was made with."
    if options.database_url is not None:
        return "Check the path; for a new database make a key ring with `mailport keys create FILE`."
    if makes_keys(options):
        return "Name a key ring, or a file in a folder that mailport may write to."
    return (
        f"Check the path, or put the key ring back from your copy: {options.data_dir} holds a database already, and "
        "a key ring is made by itself only together with a new one. To begin with an empty database, move "
        f"{options.data_dir / _DATABASE_NAME} away."
    )


def key_file(path: Path) -> KeyFile:
    """Returns the key file at *path*, for the commands that change it."""
    return KeyFile(path)


def egress_policy(text: str) -> EgressPolicy:
    """Returns what may be dialled besides the public internet. Raises StartFailed naming each wrong entry."""
    with explained():
        return EgressPolicy.parse(text)


def examine_keys(options: Options, *, unusable: AbstractSet[str] = frozenset()) -> None:
    """Raises StartFailed when the key ring can be neither read nor made; makes nothing. *unusable*: see `examine`."""
    is_own = options.database_url is not None or "DATABASE_URL" in unusable
    if options.keys_file is None and (is_own or "DATA_DIR" in unusable):
        return  # then the name of the ring is what is missing, and that is said already
    path = keys_path(options)
    if is_own or os.path.lexists(path) or not makes_keys(options):
        with _keys_explained(options):
            KeyFile(path).load()
    elif options.keys_file is not None and not os.access(path.parent, os.W_OK | os.X_OK):
        raise StartFailed(
            f"{path} does not exist, and cannot be made there.", _keys_remedy(options), variable="MAILPORT_KEYS_FILE"
        )


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
