"""All use cases over one store, one mail server and one clock that are fakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from domain.configuration import Configuration
from domain.delivery import Delivery
from domain.grant import Grant, GrantKey
from domain.message import WrittenMessage
from domain.ports.acceptance import Accepted, IdempotencyRecord, NewDelivery
from domain.ports.delivery_queue import Claim, Outcome
from domain.settings.parse import SettingsRules
from service.commit_together import CommitTogether
from service.groups import grants_together
from service.in_flow import InFlow
from service.usecases.announce_ends import AnnounceEnds
from service.usecases.attempt import LEASE, AttemptDelivery
from service.usecases.authorize import Authorize
from service.usecases.cancel_delivery import CancelDelivery
from service.usecases.check_account import CheckAccount
from service.usecases.complete_auth import CompleteAuth
from service.usecases.configure import Configure
from service.usecases.confirm_validation import ConfirmValidation
from service.usecases.delete_configuration import DeleteConfiguration
from service.usecases.exchange_code import ExchangeCode
from service.usecases.find_fixes import FindFixes
from service.usecases.folder_hubs import FolderHubs
from service.usecases.following import Following
from service.usecases.fresh_tokens import FreshTokens
from service.usecases.get_configuration import GetConfiguration
from service.usecases.get_delivery import GetDelivery
from service.usecases.get_message import GetMessage
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
from service.usecases.send import Send, Sent
from service.usecases.send_test import SendTest
from service.usecases.sender_posture import ReadPosture
from service.usecases.set_flags import SetFlags
from service.usecases.token_sources import TokenSources
from service.usecases.validate_and_save import ValidateAndSave, Validated
from service.usecases.watch_deliveries import WatchDeliveries
from service.usecases.watch_mailbox import WatchMailbox
from tests.builders import CONFIGURATION_ID, CONTENT, a_caller, a_configuration, a_delivery, a_message
from tests.consent_builders import a_grant
from tests.fakes.authorization import FakeAuthorizationServer
from tests.fakes.environment import FakeClock, FakeEntropy
from tests.fakes.events import FakeEvents
from tests.fakes.mailbox import FakeMailbox
from tests.fakes.probe import FakeProbe
from tests.fakes.sender_dns import FakeSenderRecords
from tests.fakes.signals import FakeSignals
from tests.fakes.storage import FakeStore, FakeUnitOfWork
from tests.fakes.transport import FakeTransport
from tests.fakes.vault import FakeVault
from tests.storing import accept_one

_VAIN: Final = timedelta(seconds=5)

CALLER = a_caller()
MINUTE = timedelta(minutes=1)


async def until(holds: Callable[[], bool]) -> None:
    """Lets the other tasks run until *holds*; only a broken test waits in vain, for five seconds."""
    async with asyncio.timeout(_VAIN.total_seconds()):
        while not holds():  # noqa: ASYNC110 - what is waited for is the state of a fake, which raises no event
            await asyncio.sleep(0)


class World:
    """A mailport without a network, a database and an edge."""

    def __init__(self, *, signals: FakeSignals | None = None, transport: FakeTransport | None = None) -> None:
        self.clock = FakeClock()
        self.entropy = FakeEntropy(clock=self.clock)
        self.vault = FakeVault()
        self.signals = signals or FakeSignals(clock=self.clock)
        self.store = FakeStore(clock=self.clock, vault=self.vault, signals=self.signals)
        self.transport = transport or FakeTransport(clock=self.clock)
        self.mailbox = FakeMailbox(clock=self.clock)
        self.rules = SettingsRules()
        self.events = FakeEvents()
        tick = timedelta(milliseconds=1)
        self.server = FakeAuthorizationServer()
        self.refresh_grant = RefreshGrant(
            uow=self.uow,
            server=self.server,
            clock=self.clock,
            entropy=self.entropy,
            events=self.events,
            store_again=tick,
            former_holder=tick,
        )
        self.fresh_tokens = FreshTokens(
            uow=self.uow, refresh=self.refresh_grant, clock=self.clock, entropy=self.entropy, look_again=tick
        )
        self.sources = TokenSources(tokens=self.fresh_tokens, server=self.server)
        self.probe = FakeProbe()
        prove = Prove(
            transport=self.transport,
            mailbox=self.mailbox,
            find_fixes=FindFixes(probe=self.probe),
            clock=self.clock,
            entropy=self.entropy,
        )
        self.prove = prove
        self.configure = Configure(uow=self.uow, clock=self.clock, rules=self.rules)
        self.get_configuration = GetConfiguration(uow=self.uow, clock=self.clock)
        self.list_configurations = ListConfigurations(uow=self.uow, clock=self.clock)
        self.delete_configuration = DeleteConfiguration(uow=self.uow, server=self.server)
        self.validate_and_save = ValidateAndSave(
            uow=self.uow,
            prove=prove,
            sources=self.sources,
            clock=self.clock,
            entropy=self.entropy,
            vault=self.vault,
        )
        self.authorize = Authorize(
            uow=self.uow,
            clock=self.clock,
            entropy=self.entropy,
            vault=self.vault,
            public_redirect_url="https://mail.example.com/oauth/callback",
        )
        self.complete_auth = CompleteAuth(
            uow=self.uow,
            exchange=ExchangeCode(server=self.server, transport=self.transport, clock=self.clock, entropy=self.entropy),
            clock=self.clock,
            vault=self.vault,
            events=self.events,
            store_again=tick,
        )
        self.revoke_auth = RevokeAuth(uow=self.uow, server=self.server, clock=self.clock)
        self.announce_ends = AnnounceEnds(uow=self.uow, clock=self.clock, events=self.events)
        self.keep_grants = KeepGrants(
            uow=self.uow,
            tokens=self.fresh_tokens,
            announce_ends=self.announce_ends,
            clock=self.clock,
            events=self.events,
        )
        self.confirm_validation = ConfirmValidation(uow=self.uow, clock=self.clock, vault=self.vault)
        self.records = FakeSenderRecords()
        preflight = self.preflight = Preflight(read_posture=ReadPosture(records=self.records), clock=self.clock)
        self.send_test = SendTest(
            uow=self.uow, prove=prove, sources=self.sources, preflight=preflight, clock=self.clock, rules=self.rules
        )
        self.check_account = CheckAccount(
            uow=self.uow, prove=prove, sources=self.sources, preflight=preflight, clock=self.clock
        )
        self.known = KnownConfigurations()
        self.accept: CommitTogether[NewDelivery, Accepted | None] = CommitTogether(
            uow=self.uow, apply=lambda work, batch: work.deliveries.accept_all(batch)
        )
        self.progress: CommitTogether[Claim | Outcome, bool] = CommitTogether(
            uow=self.uow, apply=lambda work, steps: work.deliveries.progress_all(steps)
        )
        self.send = Send(
            uow=self.uow,
            commit=self.accept,
            known=self.known,
            clock=self.clock,
            entropy=self.entropy,
            vault=self.vault,
            signals=self.signals,
            entering=InFlow().entering,
        )
        self.get_delivery = GetDelivery(uow=self.uow, clock=self.clock)
        self.list_deliveries = ListDeliveries(uow=self.uow, clock=self.clock)
        self.cancel_delivery = CancelDelivery(uow=self.uow, clock=self.clock, events=self.events)
        self.retry_delivery = RetryDelivery(uow=self.uow, clock=self.clock)
        self.watch_deliveries = WatchDeliveries(
            uow=self.uow, clock=self.clock, signals=self.signals, breath=timedelta(0)
        )
        self.reap = Reap(uow=self.uow, clock=self.clock, entropy=self.entropy, events=self.events)
        self.attempt = self.an_attempt_step()
        opening = OpenMailbox(uow=self.uow, sources=self.sources)
        self.read_mails = ReadMails(reader=self.mailbox, uow=self.uow)
        self.list_folders = ListFolders(open_mailbox=opening, reader=self.mailbox)
        self.list_messages = ListMessages(
            open_mailbox=opening, reader=self.mailbox, read_mails=self.read_mails, clock=self.clock
        )
        self.get_message = GetMessage(open_mailbox=opening, reader=self.mailbox, read_mails=self.read_mails)
        self.set_flags = SetFlags(open_mailbox=opening, reader=self.mailbox)
        self.move_message = MoveMessage(open_mailbox=opening, reader=self.mailbox)
        self.following = Following(
            open_mailbox=opening,
            reader=self.mailbox,
            read_mails=self.read_mails,
            clock=self.clock,
            entropy=self.entropy,
            events=self.events,
            pause=tick,
            pace=tick * 50,
        )
        self.hubs = FolderHubs(following=self.following)
        self.watch_mailbox = WatchMailbox(hubs=self.hubs, following=self.following)

    def uow(self) -> FakeUnitOfWork:
        """Returns a fresh unit of work."""
        return FakeUnitOfWork(self.store)

    def an_attempt_step(self, *, renew_every: timedelta = MINUTE) -> AttemptDelivery:
        """Returns the attempt step with pauses that a test does not feel."""
        tick = timedelta(milliseconds=1)
        return AttemptDelivery(
            uow=self.uow,
            mark=self.progress,
            record=self.progress,
            grants=grants_together(self.uow),
            known=self.known,
            transport=self.transport,
            sources=self.sources,
            clock=self.clock,
            entropy=self.entropy,
            renew_every=renew_every,
            store_again=tick,
            last_moment=tick * 20,
        )

    async def given(self, configuration: Configuration | None = None) -> Configuration:
        """Stores a configuration, by default one that is active."""
        stored = configuration or a_configuration()
        async with self.uow() as work:
            await work.configurations.add(stored)
            await work.commit()
        return stored

    async def given_grant(self, grant: Grant | None = None) -> Grant:
        """Stores a grant of the configuration, which the authorization server knows of."""
        stored = grant or a_grant()
        async with self.uow() as work:
            await work.grants.save(stored, expected_generation=0)
            await work.commit()
        self.server.adopt(stored.refresh_token.reveal())
        return stored

    async def grant(self, key: GrantKey | None = None) -> Grant:
        """Returns a grant as it is stored; of several the one of *key*, else the newest."""
        async with self.uow() as work:
            held = await work.grants.of(CALLER.tenant, [CONFIGURATION_ID])
        grants = held.get(CONFIGURATION_ID, ())
        return next(grant for grant in grants if key in (None, grant.key))

    async def accepted(
        self, delivery: Delivery | None = None, *, content: bytes = CONTENT, key: IdempotencyRecord | None = None
    ) -> Delivery:
        """Stores a delivery as Send does."""
        stored = delivery or a_delivery()
        async with self.uow() as work:
            await accept_one(work, stored, content, key=key)
            await work.commit()
        return stored

    async def claim(self, *, worker: str = "worker-1") -> Claim:
        """Takes the oldest due delivery as a worker does."""
        async with self.uow() as work:
            (claim,) = await work.deliveries.claim(worker=worker, lease=LEASE, limit=1)
            await work.commit()
        return claim

    async def attempted(self) -> Delivery:
        """Claims the oldest due delivery and attempts it once; returns it as it is stored afterwards."""
        claim = await self.claim()
        await self.attempt(claim)
        return self.store.delivery(claim.delivery.delivery_id)

    async def sent(
        self, message: WrittenMessage | None = None, *, key: str = "", wait: bool = False, time_left: timedelta = MINUTE
    ) -> Sent:
        """Calls Send."""
        written = message or a_message()
        return await self.send(CALLER, CONFIGURATION_ID, written, key=key, wait=wait, time_left=time_left)

    async def validated(self, *, user_email: str = "", require_confirmation: bool = False, etag: str = "") -> Validated:
        """Calls ValidateAndSave."""
        return await self.validate_and_save(
            CALLER,
            CONFIGURATION_ID,
            user_email=user_email,
            require_confirmation=require_confirmation,
            etag=etag,
            time_left=MINUTE,
        )

    def snapshot(self) -> tuple[Mapping[object, object], ...]:
        """Everything that is stored, sealed values included, to be compared with a later one."""
        store = self.store
        return dict(store.configurations), dict(store.deliveries), dict(store.keys), dict(store.grants.items())
