"""The step that lists and watches share: messages read, tied to what was sent, and what they report recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from domain.bounce import Bounce
from domain.errors import NotFound, NotReady, ProviderRefused
from domain.failures.failure import HEALS_BY_WAITING
from domain.mailbox import FolderMessage
from domain.ports.mailbox import MailboxAccount, MailboxReader
from domain.ports.storage import UnitOfWork
from domain.ports.transport import Patience
from domain.reading.correlation import candidate_ids
from domain.reading.header import read_header
from domain.reading.message import read_message
from domain.reading.model import BounceReport, MessageHeader, MessageKind, ReadMessage
from service.usecases.mails import Mail

REPORT_OCTETS: Final = 256 * 1024
"""Of a message that looks like a delivery report; its beginning says what it reports."""
_TRIES: Final = 2
_MOST_UNREAD: Final = 3
"""Reports of one page that cannot be fetched before no more are: a server that is away would hold up all the rest."""
_OFF_LOOP_OCTETS: Final = 64 * 1024
"""Above this, headers are read in a thread, so that nobody else's call waits for them."""


class ReadMails:
    """Reads messages of a mailbox as a tenant's."""

    def __init__(self, *, reader: MailboxReader, uow: Callable[[], UnitOfWork]) -> None:
        self._reader = reader
        self._uow = uow

    async def __call__(
        self,
        tenant: str,
        account: MailboxAccount,
        messages: Sequence[FolderMessage],
        *,
        patience: Patience,
        insist: bool = False,
    ) -> tuple[Mail, ...]:
        """
        Returns the mails in the order of *messages*; what delivery reports among them say is on their deliveries then.

        A report is fetched for that; one that cannot be is given as a mail that reports nothing. *insist*: the messages
        come but once, so that a report that could be fetched later raises ProviderRefused instead.
        Raises Unavailable when the store is away.
        """
        if not messages:
            return ()
        headers = await _read(messages)
        bounces: list[BounceReport | None] = []
        unread = 0
        for message, header in zip(messages, headers, strict=True):
            bounce = None
            if header.kind is MessageKind.DELIVERY_REPORT and unread < _MOST_UNREAD:
                try:
                    bounce = await self._report(account, message, patience)
                except ProviderRefused as refused:
                    if insist and refused.failure.kind in HEALS_BY_WAITING:
                        raise
                    unread += 1  # one message must not keep all others back
            bounces.append(bounce)
        mails = [Mail(*each) for each in zip(messages, headers, [""] * len(messages), bounces, strict=True)]
        return await self.correlated(tenant, mails)

    async def correlated(self, tenant: str, mails: Sequence[Mail]) -> tuple[Mail, ...]:
        """Returns *mails* with the deliveries that they are about, and records what they report of them."""
        candidates = [candidate_ids(mail.header, mail.bounce) for mail in mails]
        wanted = {each for ids in candidates for each in ids}
        if not wanted:
            return tuple(mails)
        async with self._uow() as work:
            known = await work.correlation.deliveries_of(tenant, wanted)
            tied = [
                Mail(mail.message, mail.header, _first(ids, known), mail.bounce, mail.content)
                for mail, ids in zip(mails, candidates, strict=True)
            ]
            news = [bounce for mail in tied for bounce in _bounces(mail)]
            if news and await work.correlation.record(tenant, news):
                await work.commit()
        return tuple(tied)

    async def _report(self, account: MailboxAccount, message: FolderMessage, patience: Patience) -> BounceReport | None:
        for tries_left in reversed(range(_TRIES)):
            try:
                octets = await self._beginning(account, message, patience)
            except (NotFound, NotReady):
                return None  # gone since
            except ProviderRefused:
                if not tries_left:
                    raise
                continue
            return (await read_aside(octets, is_complete=len(octets) < REPORT_OCTETS)).bounce
        raise AssertionError("the last try returns or raises")

    async def _beginning(self, account: MailboxAccount, message: FolderMessage, patience: Patience) -> bytes:
        source = await self._reader.open_source(account, message.id, patience=patience, first=REPORT_OCTETS)
        async with aclosing(source.chunks) as chunks:  # type: ignore[type-var]
            return b"".join([chunk async for chunk in chunks])


async def read_aside(octets: bytes, *, is_complete: bool) -> ReadMessage:
    """Reads a message, a large one in a thread."""
    if len(octets) > _OFF_LOOP_OCTETS:
        return await asyncio.to_thread(read_message, octets, is_complete=is_complete)
    return read_message(octets, is_complete=is_complete)


async def _read(messages: Sequence[FolderMessage]) -> Sequence[MessageHeader]:
    def work() -> Sequence[MessageHeader]:
        return [read_header(message.header) for message in messages]

    if sum(len(message.header) for message in messages) > _OFF_LOOP_OCTETS:
        return await asyncio.to_thread(work)
    return work()


def _first(ids: Sequence[str], known: Mapping[str, str]) -> str:
    return next((known[each] for each in ids if each in known), "")


def _bounces(mail: Mail) -> Sequence[Bounce]:
    if not mail.delivery_id or mail.bounce is None:
        return ()
    return [
        Bounce(
            delivery_id=mail.delivery_id,
            address=each.address,
            action=each.action,
            status=each.status,
            diagnostic=each.diagnostic,
            reporting_server=mail.bounce.reporting_server,
            report_time=mail.message.receive_time,
        )
        for each in mail.bounce.recipients
        if each.address
    ]
