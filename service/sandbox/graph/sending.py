"""From a message to the inbox of the sandbox: who may send it, who gets it, where its copy goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from starlette.concurrency import run_in_threadpool

from service.sandbox.graph.access import Access
from service.sandbox.graph.bounces import bounce, undeliverable
from service.sandbox.graph.composing import compose, new_message_id
from service.sandbox.graph.errors import message_too_large, no_recipients
from service.sandbox.graph.item import Fields, Item, Recipient
from service.sandbox.graph.limits import Limits
from service.sandbox.graph.mailboxes import Mailboxes
from service.sandbox.graph.mime_form import split
from service.sandbox.graph.rendering import from_or
from service.sandbox.graph.tokens import Caller
from service.sandbox.inbox import Inbox
from service.sandbox.reading import clean
from service.sandbox.spool import Spool

_HEADERS: Final = 256 * 1024
"""Octets of a message that its headers are looked for in, for a report."""


class Sending:
    """Sends drafts and messages that never were one."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        mailboxes: Mailboxes,
        access: Access,
        limits: Callable[[], Limits],
        now: Callable[[], datetime],
    ) -> None:
        self._inbox = inbox
        self._mailboxes = mailboxes
        self._access = access
        self._limits = limits
        self._now = now
        self.rewrites_message_ids = False
        """Whether messages get another Message-ID on their way, as Exchange does on some paths."""

    async def send(
        self, item: Item, caller: Caller, *, keeps_copy: bool = True, copy_delay: timedelta = timedelta(0)
    ) -> None:
        """Sends *item*, a draft of its mailbox or none of any. Raises GraphError; the draft stays then."""
        fields, now = item.fields, self._now()
        from_address = from_or(fields, item.mailbox)
        on_behalf = self._access.is_on_behalf(caller, item.mailbox, from_address)
        if not fields.recipients:
            raise no_recipients()
        submitter = item.mailbox if caller.is_app else caller.account
        message_id = fields.internet_message_id
        if self.rewrites_message_ids or not message_id:
            message_id = new_message_id(item.mailbox)
        item.fields = replace(
            fields,
            internet_message_id=message_id,
            from_=fields.from_ or Recipient(item.mailbox),
            sender=Recipient(submitter) if on_behalf else fields.sender,
        )
        item.is_leaving = True  # a second request to send it finds it no more
        try:
            content = await run_in_threadpool(compose, item, submitter=submitter, on_behalf=on_behalf, now=now)
            if content.size_bytes > self._limits().message_bytes:
                raise message_too_large()
            await self._deliver(content, item.fields, from_address, caller, now)
            if keeps_copy:
                self._mailboxes.keep_sent(item, copy_delay=copy_delay)
        except BaseException:
            item.fields = fields
            raise
        finally:
            item.is_leaving = False

    async def _deliver(self, content: Spool, fields: Fields, from_address: str, caller: Caller, now: datetime) -> None:
        """Puts the message into the inbox for whom it reaches, and a report there for whom it does not."""
        failed = [(each, magic) for each in fields.recipients if (magic := undeliverable(each))]
        reached = [each for each in fields.recipients if not undeliverable(each)]
        if reached:
            await self._inbox.add(
                receive_time=now,
                sender=clean(from_address),
                recipients=tuple(map(clean, reached)),
                raw=content,
                username=clean(caller.account),
                is_smtputf8=not all(map(str.isascii, reached)),
            )
        if failed:
            report = bounce(
                to=from_address,
                subject=fields.subject,
                message_id=fields.internet_message_id,
                failed=failed,
                original_headers=split(content.read(count=_HEADERS))[0],
                now=now,
            )
            await self._inbox.add(receive_time=now, sender="", recipients=(clean(from_address),), raw=report)
