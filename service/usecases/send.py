"""Send: accepts a message for delivery; durable before it answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from domain.account import Account
from domain.caller import Caller
from domain.configuration import Configuration
from domain.delivery import Delivery, Recipient, minimum_retention
from domain.errors import AlreadyExists, InputInvalid, MailportError, NotReady, Unavailable, Violation
from domain.idempotency import check_key, content_bytes
from domain.message import WrittenMessage
from domain.message_parser import ParsedMessage, parse_message
from domain.mime.compose import compose, make_message_id
from domain.ports.acceptance import Accepted, IdempotencyRecord, NewDelivery
from domain.ports.environment import Clock, Entropy
from domain.ports.signals import Signals
from domain.ports.storage import UnitOfWork
from domain.ports.vault import Vault
from domain.settings.model import MailSettings
from service.commit_together import CommitTogether
from service.usecases.known_configurations import KnownConfigurations
from service.usecases.lookup import configuration_of, delivery_of
from service.usecases.views import DeliveryView

DIGEST_PURPOSE: Final = "idempotency-content"
_OFF_LOOP_BYTES: Final = 256 * 1024
"""Above this, a message is read and flattened in a thread, so that nobody else's call waits for it."""
_LOOK_AGAIN: Final = timedelta(seconds=1)
_ANSWER_BEFORE: Final = timedelta(milliseconds=500)

_T = TypeVar("_T")

Entering = Callable[[Delivery, timedelta], contextlib.AbstractAsyncContextManager[None]]
"""Holds a delivery back for a moment, at most as long as is said, and is left once it is stored."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The delivery that the call stands for."""

    view: DeliveryView
    is_replay: bool


class Send:
    """Accepts messages under idempotency keys."""

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        commit: CommitTogether[NewDelivery, Accepted | None],
        known: KnownConfigurations,
        clock: Clock,
        entropy: Entropy,
        vault: Vault,
        signals: Signals,
        entering: Entering,
    ) -> None:
        self._uow = uow
        self._commit = commit
        self._known = known
        self._clock = clock
        self._entropy = entropy
        self._vault = vault
        self._signals = signals
        self._entering = entering

    async def __call__(
        self,
        caller: Caller,
        configuration_id: str,
        written: WrittenMessage,
        *,
        key: str,
        wait: bool,
        time_left: timedelta,
        found: Sequence[Violation] = (),
    ) -> Sent:
        """
        Returns the delivery once it is stored; with *wait* once it is settled, or shortly before *time_left* is over.

        The same key with the same content returns the first delivery, whatever became of the configuration since.
        *found*: what is wrong with the request already, to be named beside all else.
        Raises InputInvalid, NotFound, NotReady NOT_CONFIGURED, AlreadyExists for a key used with other content; nothing
        is stored then and the key stays free.
        """
        deadline = self._clock.monotonic() + time_left
        wrong = list(found)
        if key and (violation := check_key(key)):
            wrong.append(violation)
        if wrong:
            raise InputInvalid([*wrong, *await self._violations(caller, configuration_id, written)])
        digest = await self._digest(configuration_id, written) if key else b""
        try:
            accepted = await self._accept(caller, configuration_id, written, key, digest, deadline)
        except Unavailable:
            raise  # looking the key up would only make the caller wait for the store once more
        except MailportError as error:
            accepted = await self._replay(caller, key, error)
        if key and accepted.content_digest != digest:
            raise AlreadyExists(
                "This idempotency key was used for a message with other content.",
                remedy="Use a new key for a new message; repeat a call with exactly the same content.",
                metadata={"delivery_id": accepted.delivery.delivery_id},
            )
        delivery = accepted.delivery
        if wait:
            delivery = await self._settled(delivery, deadline)
        return Sent(view=DeliveryView(delivery), is_replay=accepted.is_replay)

    async def _accept(
        self,
        caller: Caller,
        configuration_id: str,
        written: WrittenMessage,
        key: str,
        digest: bytes,
        deadline: timedelta,
    ) -> Accepted:
        configuration = self._known.latest(Account(caller.tenant, configuration_id))
        while True:
            if configuration is None:
                async with self._uow() as work:
                    configuration = await configuration_of(work, caller.tenant, configuration_id)
                self._known.learn(configuration)
            accepted = await self._accept_for(configuration, written, key, digest, deadline)
            if accepted is not None:
                return accepted
            configuration = None  # it was changed by somebody

    async def _accept_for(
        self, configuration: Configuration, written: WrittenMessage, key: str, digest: bytes, deadline: timedelta
    ) -> Accepted | None:
        """Accepts the message for the configuration as it was read; None when it is another by now."""
        now = self._clock.now()
        tenant, configuration_id = configuration.tenant, configuration.configuration_id
        try:
            settings = configuration.require_active().settings
        except NotReady:
            if await self._is_current(configuration):
                raise
            return None
        identity = str(self._entropy.uuid())

        def prepare() -> tuple[Delivery, bytes]:
            parsed = parse_message(written, settings=settings, now=now)
            delivery = _new_delivery(tenant, identity, configuration_id, parsed, now, settings)
            return delivery, compose(parsed.message, message_id=delivery.message_id, date=now)

        try:
            delivery, content = await _aside(prepare, written)
        except MailportError:
            if await self._is_current(configuration):
                raise
            return None
        record = None
        if key:
            kept_until = now + minimum_retention(delivery.expire_time, now)
            record = IdempotencyRecord(key=key, content_digest=digest, expire_time=kept_until)
        new = NewDelivery(delivery, content, record, version=configuration.version)
        async with self._entering(delivery, (deadline - self._clock.monotonic()) / 2):
            return await self._commit(new, size=len(content))

    async def _is_current(self, configuration: Configuration) -> bool:
        """Tells whether what a message was judged by, and refused, is what the store has."""
        async with self._uow() as work:
            found = await configuration_of(work, configuration.tenant, configuration.configuration_id)
        self._known.learn(found)
        return found.version == configuration.version

    async def _violations(
        self, caller: Caller, configuration_id: str, written: WrittenMessage
    ) -> tuple[Violation, ...]:
        """Returns what is wrong with a message that is refused already; nothing where no settings can judge it."""
        now = self._clock.now()
        try:
            async with self._uow() as work:
                configuration = await configuration_of(work, caller.tenant, configuration_id)
            settings = configuration.require_active().settings
            await _aside(lambda: parse_message(written, settings=settings, now=now), written)
        except InputInvalid as invalid:
            return invalid.violations
        except MailportError:
            return ()
        return ()

    async def _replay(self, caller: Caller, key: str, error: MailportError) -> Accepted:
        """A repeated call is answered as the first was, even if it could not be accepted anew."""
        if key:
            async with self._uow() as work:
                if (found := await work.deliveries.accepted(caller.tenant, key)) is not None:
                    return found
        raise error

    async def _digest(self, configuration_id: str, written: WrittenMessage) -> bytes:
        def digest() -> bytes:
            return self._vault.digest(b"".join(content_bytes(configuration_id, written)), purpose=DIGEST_PURPOSE)

        return await _aside(digest, written)

    async def _settled(self, delivery: Delivery, deadline: timedelta) -> Delivery:
        """Waits for the outcome; the message is accepted, so a store that is away meanwhile is no reason to fail."""
        async with self._signals.listen(delivery.delivery_id) as news:
            while True:
                with contextlib.suppress(Unavailable):
                    async with self._uow() as work:
                        delivery = await delivery_of(work, delivery.tenant, delivery.delivery_id)
                left = deadline - self._clock.monotonic() - _ANSWER_BEFORE
                if delivery.is_settled or left <= timedelta(0):
                    return delivery
                await news.changed(min(left, _LOOK_AGAIN))


def _new_delivery(
    tenant: str, identity: str, configuration_id: str, parsed: ParsedMessage, now: datetime, settings: MailSettings
) -> Delivery:
    due = parsed.send_time or now
    envelope = parsed.envelope
    return Delivery(
        tenant=tenant,
        delivery_id=identity,
        configuration_id=configuration_id,
        message_id=parsed.message.message_id or make_message_id(identity, envelope.sender),
        sender=envelope.sender,
        recipients=tuple(Recipient(address) for address in envelope.recipients),
        create_time=now,
        update_time=now,
        expire_time=due + parsed.expire_after,
        next_attempt_time=due,
        in_doubt_policy=parsed.in_doubt_policy,
        data_center=settings.data_center,
        data_center_policy=settings.data_center_policy,
    )


async def _aside(work: Callable[[], _T], message: WrittenMessage) -> _T:
    """Runs what takes time in proportion to *message*: in a thread when that is large."""
    size = len(message.raw_mime) + len(message.text_body) + len(message.html_body)
    if size + sum(len(each.content) for each in message.attachments) > _OFF_LOOP_BYTES:
        return await asyncio.to_thread(work)
    return work()
