"""GetMessage: one message with its bodies and parts, and then as much of its content as is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.caller import Caller
from domain.errors import InputInvalid, Violation
from domain.mailbox_names import MailboxMessageId, read_message_id
from domain.ports.mailbox import LONGEST_SOURCE, MailboxAccount, MailboxReader
from domain.ports.transport import Patience
from domain.reading.model import DecodedChunk, MessagePart, ReadMessage
from domain.reading.transfer import ChunkedDecoder
from domain.reasons import Reason
from service.usecases.mails import Mail
from service.usecases.not_found import gone_folder_as_not_found
from service.usecases.open_mailbox import OpenMailbox
from service.usecases.read_mails import ReadMails, read_aside

LARGEST_READ: Final = 64 * 1024 * 1024
"""Octets of a message that are read for its parts; those of a larger one beyond are not listed, and it is TRUNCATED."""
MOST_AT_HAND: Final = 256 * 1024 * 1024
"""Octets of messages that the process holds at once; calls above that wait."""
LARGEST_KEPT: Final = 1024 * 1024
"""A message of up to so many octets is not fetched again for its content; each may be larger than announced by it."""
_PIECE: Final = 256 * 1024
PATIENCE: Final = Patience(until_content=timedelta(seconds=60), each_reply=timedelta(seconds=60))
"""None overall: how fast the content is taken is up to the caller."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The content to send after the message itself."""

    part_ids: tuple[str, ...] = ()
    attachments: bool = False
    raw: bool = False


@dataclass(frozen=True, slots=True)
class PartChunk:
    """A piece of a part's content; of the raw source where `part_id` is empty."""

    part_id: str
    chunk: DecodedChunk


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the octets of a message come from: what is at hand, else the server."""

    account: MailboxAccount
    message_id: MailboxMessageId
    kept: bytes | None


class GetMessage:
    """Reads messages."""

    def __init__(self, *, open_mailbox: OpenMailbox, reader: MailboxReader, read_mails: ReadMails) -> None:
        self._open_mailbox = open_mailbox
        self._reader = reader
        self._read_mails = read_mails
        self._room = _Room(MOST_AT_HAND)

    async def __call__(
        self, caller: Caller, configuration_id: str, message_id: str, wanted: Wanted
    ) -> AsyncGenerator[Mail | PartChunk]:
        """
        Yields the message, then what is *wanted* of its content: part by part, then the raw source.

        Content is decoded and comes in chunks of 1 MiB at most, as fast as it is taken; memory does not grow with it.
        Raises what `OpenMailbox` does, NotReady CURSOR_INVALID, NotFound when the message is gone, InputInvalid for
        parts that it has not, ProviderRefused.
        """
        account = await self._open_mailbox(caller.tenant, configuration_id)
        named = read_message_id(message_id, account=account.name)
        with gone_folder_as_not_found():
            mail, kept = await self._read(caller.tenant, account, named)
            assert mail.content is not None
            parts = _chosen(mail.content, wanted)
            yield mail
            source = _Source(account, named, kept)
            for together in _passes(parts):
                async with aclosing(self._contents(source, together)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            if wanted.raw:
                async with aclosing(self._raw(source)) as chunks:
                    async for chunk in chunks:
                        yield chunk

    async def _read(self, tenant: str, account: MailboxAccount, named: MailboxMessageId) -> tuple[Mail, bytes | None]:
        source = await self._reader.open_source(account, named, patience=PATIENCE, first=LARGEST_READ)
        async with aclosing(source.chunks) as chunks:  # type: ignore[type-var]
            # Servers round what they announce; one that lies gets no more room than it asked for.
            most = min(2 * max(source.message.size_bytes, 0) + LARGEST_KEPT, LARGEST_READ)
            async with self._room.taken(most):
                octets = await _joined(chunks, most=most)
                is_complete = len(octets) < most
                content = await read_aside(octets, is_complete=is_complete)
        mail = Mail(source.message, content.header, bounce=content.bounce, content=content)
        (mail,) = await self._read_mails.correlated(tenant, [mail])
        return mail, octets if is_complete and len(octets) <= LARGEST_KEPT else None

    async def _contents(self, source: _Source, parts: Sequence[MessagePart]) -> AsyncGenerator[PartChunk]:
        """Yields the contents of parts that follow one another, in one pass over the source."""
        waiting = list(parts)
        decoder = ChunkedDecoder(waiting[0].transfer_encoding)
        at = 0
        async with aclosing(self._octets(source, first=parts[-1].end)) as pieces:
            async for piece in pieces:
                while waiting and waiting[0].start < at + len(piece):
                    part = waiting[0]
                    for chunk in decoder.feed(piece[max(part.start - at, 0) : part.end - at]):
                        yield PartChunk(part.part_id, chunk)
                    if part.end > at + len(piece):
                        break
                    for chunk in decoder.finish():
                        yield PartChunk(part.part_id, chunk)
                    waiting.pop(0)
                    decoder = ChunkedDecoder(waiting[0].transfer_encoding if waiting else "")
                at += len(piece)
        for part in waiting:  # empty ones at the very end, and what the server did not give a second time
            for chunk in decoder.finish():
                yield PartChunk(part.part_id, chunk)
            decoder = ChunkedDecoder("")

    async def _raw(self, source: _Source) -> AsyncGenerator[PartChunk]:
        decoder = ChunkedDecoder("")
        async with aclosing(self._octets(source, first=LONGEST_SOURCE)) as pieces:
            async for piece in pieces:
                for chunk in decoder.feed(piece):
                    yield PartChunk("", chunk)
        for chunk in decoder.finish():
            yield PartChunk("", chunk)

    async def _octets(self, source: _Source, *, first: int) -> AsyncGenerator[bytes]:
        if source.kept is not None:
            kept = source.kept[:first]
            for begin in range(0, len(kept), _PIECE):
                yield kept[begin : begin + _PIECE]
            return
        opened = await self._reader.open_source(source.account, source.message_id, patience=PATIENCE, first=first)
        async with aclosing(opened.chunks) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                yield chunk


async def _joined(chunks: AsyncIterator[bytes], *, most: int) -> bytes:
    taken: list[bytes] = []
    left = most
    async for chunk in chunks:
        taken.append(chunk[:left])
        left -= len(taken[-1])
        if not left:
            break
    return b"".join(taken)


class _Room:
    """Octets that may be held at once; whoever wants more than is free waits, in the order of coming."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        async with self._turn:
            while self._free < size:
                self._freed.clear()
                await self._freed.wait()
            self._free -= size
        try:
            yield
        finally:
            self._free += size
            self._freed.set()


def _chosen(content: ReadMessage, wanted: Wanted) -> Sequence[MessagePart]:
    """Returns the parts whose content is wanted, in the order of the message. Raises InputInvalid for others."""
    there = {part.part_id for part in content.parts}
    missing = [
        Violation(
            field=f"part_ids[{index}]",
            reason=Reason.VALUE_MALFORMED,
            message="The message has no such part.",
            remedy="Name parts as GetMessage lists them in the message's parts.",
        )
        for index, part_id in enumerate(wanted.part_ids)
        if part_id not in there
    ]
    if missing:
        raise InputInvalid(missing)
    named = frozenset(wanted.part_ids)
    return [part for part in content.parts if part.part_id in named or (wanted.attachments and part.is_attachment)]


def _passes(parts: Sequence[MessagePart]) -> Sequence[Sequence[MessagePart]]:
    """Splits *parts* into groups within which each begins where the one before has ended, or behind it."""
    passes: list[list[MessagePart]] = []
    for part in sorted(parts, key=lambda each: (each.start, each.end)):
        fitting = next((group for group in passes if group[-1].end <= part.start), None)
        if fitting is None:
            passes.append([part])
        else:
            fitting.append(part)
    return passes
