"""Mailboxes over IMAP: `domain.ports.mailbox.MailboxReader`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Final, TypeVar

from adapters.imap.failures import CannotMove, Gone, Outcome, ReadOnly, Stopped
from adapters.imap.following import Following
from adapters.imap.kept import Kept, KeptLimits, Lane
from adapters.imap.operations import Mailbox
from adapters.imap.reaching import Reach
from adapters.imap.session import Around, Opening, Session, Timer
from adapters.imap.threads import Threads
from adapters.imap.tracing import TraceLog
from adapters.imap.wire import Bounds
from domain.errors import NotFound, ProviderRefused
from domain.failures.evidence import Symptom
from domain.failures.failure import Failure, FailureKind, Stage
from domain.mailbox import INBOX, FlagChange, Folder, FolderMessage, MessageQuery, is_section
from domain.mailbox_names import MailboxMessageId, PagePosition, WatchCursor, stale
from domain.ports.environment import Clock
from domain.ports.mailbox import (
    CHUNK,
    LONGEST_SOURCE,
    FolderPage,
    MailboxAccount,
    News,
    Patience,
    RawSource,
    SignIn,
    Vigilance,
)
from domain.ports.network import Resolver
from domain.reasons import Reason

T = TypeVar("T")

_TRIES: Final = 2
"""A kept connection may have ended, or its token; then a new one is tried, once."""
_MOST_SHORT_LIVED: Final = 3
"""Connections in a row that a server opens to a follower and ends as if the token had, each before it gave any news."""


class ImapMailboxReader:
    """Reads and tends mailboxes; see the port. `aclose` ends all connections."""

    def __init__(
        self,
        *,
        reach: Reach,
        resolver: Resolver,
        clock: Clock,
        threads: int = 16,
        limits: KeptLimits | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        """*threads*: pieces of work at once, of the whole process; followed folders that are quiet need none."""
        self._threads = Threads(most=threads)
        self._clock = clock
        self._kept = Kept(limits=limits or KeptLimits(), clock=clock)
        self._around = Around(
            reach=reach, resolver=resolver, clock=clock, threads=self._threads, bounds=bounds or Bounds()
        )

    async def sign_in(self, account: MailboxAccount, *, patience: Patience) -> SignIn:
        """Signs in and opens INBOX read-only; see the port."""
        trace, timer = TraceLog(self._clock), Timer(patience, self._clock)
        session: Session | None = None
        try:
            session = await Opening(self._around, account, timer, trace).run()
            with trace.step(Stage.MAILBOX) as step:
                opened = await session.run(partial(_mailbox(session).select, INBOX), within=timer.left)
                step.detail = f"INBOX opened read-only, {opened.exists:,} messages"
        except Stopped as stopped:
            return SignIn(trace=trace.trace(), failure=stopped.failure)
        except TimeoutError:
            assert session is not None
            return SignIn(trace=trace.trace(), failure=session.witness.saw(Symptom.TOO_SLOW).failure)
        finally:
            if session is not None:
                session.discard()
        return SignIn(trace=trace.trace())

    async def list_folders(
        self, account: MailboxAccount, *, patience: Patience, with_counts: bool = False
    ) -> tuple[Folder, ...]:
        """Returns all folders; see the port."""
        return await self._do(account, patience, lambda box: box.folders(with_counts=with_counts))

    async def list_messages(
        self,
        account: MailboxAccount,
        folder: str,
        *,
        query: MessageQuery,
        limit: int,
        patience: Patience,
        position: PagePosition | None = None,
    ) -> FolderPage:
        """Returns a page; see the port."""
        if position is not None:
            _check(account, folder, position)
        below = position.below_uid if position is not None else None
        uid_validity = position.uid_validity if position is not None else None

        def work(box: Mailbox) -> FolderPage:
            return box.page(box.select(folder, uid_validity=uid_validity), query=query, limit=limit, below=below)

        return await self._do(account, patience, work)

    async def get_message(
        self, account: MailboxAccount, message_id: MailboxMessageId, *, patience: Patience
    ) -> FolderMessage:
        """Returns one message; see the port."""
        _check(account, message_id.folder, message_id)

        def work(box: Mailbox) -> FolderMessage:
            selected = box.select(message_id.folder, uid_validity=message_id.uid_validity)
            return box.message(selected, message_id.uid)

        return await self._do(account, patience, work)

    async def open_source(
        self,
        account: MailboxAccount,
        message_id: MailboxMessageId,
        *,
        patience: Patience,
        section: str = "",
        first: int | None = None,
    ) -> RawSource:
        """Returns raw octets on their way; see the port."""
        if not is_section(section):
            raise ValueError("no section of a message has such a name")
        _check(account, message_id.folder, message_id)
        end = LONGEST_SOURCE if first is None else min(first, LONGEST_SOURCE)
        size = min(CHUNK, end)

        def work(box: Mailbox) -> tuple[FolderMessage, bytes]:
            selected = box.select(message_id.folder, uid_validity=message_id.uid_validity)
            return box.message(selected, message_id.uid), box.chunk(message_id.uid, section, begin=0, size=size)

        message, begin = await self._do(account, patience, work)
        rest = partial(self._rest, account, message_id, patience, section, begin, end)
        return RawSource(message, rest() if len(begin) == CHUNK < end else _only(begin))

    async def set_flags(
        self, account: MailboxAccount, message_id: MailboxMessageId, change: FlagChange, *, patience: Patience
    ) -> tuple[str, ...]:
        """Adds and removes flags; see the port."""
        _check(account, message_id.folder, message_id)

        def work(box: Mailbox) -> tuple[str, ...]:
            box.select(message_id.folder, uid_validity=message_id.uid_validity, writable=True)
            return box.set_flags(message_id.uid, change)

        return await self._do(account, patience, work)

    async def move(
        self, account: MailboxAccount, message_id: MailboxMessageId, folder: str, *, patience: Patience
    ) -> MailboxMessageId | None:
        """Moves a message; see the port."""
        _check(account, message_id.folder, message_id)
        is_begun = False

        def work(box: Mailbox) -> MailboxMessageId | None:
            nonlocal is_begun
            selected = box.select(message_id.folder, uid_validity=message_id.uid_validity, writable=True)
            is_begun = True
            return box.move(selected, message_id.uid, folder)

        # What has begun is not begun anew: the message may be moved already, and would then seem to be gone.
        return await self._do(account, patience, work, may_repeat=lambda: not is_begun)

    async def position(self, account: MailboxAccount, folder: str, *, patience: Patience) -> WatchCursor:
        """Returns the end of a folder; see the port."""

        def work(box: Mailbox) -> WatchCursor:
            selected = box.select(folder)
            return WatchCursor(account.name, folder, selected.uid_validity, box.last_uid(selected))

        return await self._do(account, patience, work)

    async def follow(
        self,
        account: MailboxAccount,
        folder: str,
        *,
        vigilance: Vigilance,
        patience: Patience,
        cursor: WatchCursor | None = None,
    ) -> AsyncIterator[News]:
        """Yields what arrives; see the port."""
        if cursor is not None:
            _check(account, folder, cursor)
        lane = self._kept.lane(account)
        short_lived = 0
        try:
            while True:
                session, trace = await self._opened_to_follow(account, lane, patience, vigilance)
                following = Following(session, folder, account=account.name, vigilance=vigilance, cursor=cursor)
                told = 0
                try:
                    async with aclosing(following.run()) as news:
                        async for each in news:
                            told += 1
                            yield each
                except Stopped as stopped:
                    cursor = following.cursor
                    short_lived = short_lived + 1 if told < 2 else 0
                    # A token that has ended is no news to anybody: the next one is got by signing in again. A server
                    # that takes each one and does so every time would be asked without a pause, and nobody be told.
                    may_go_on = told and short_lived < _MOST_SHORT_LIVED and account.tokens is not None
                    if not (may_go_on and _may_be_the_token(stopped)):
                        raise ProviderRefused(stopped.failure, trace=trace.trace()) from stopped
                finally:
                    lane.out.discard(session)
                    session.discard()
        finally:
            self._kept.leave(lane)

    def forget(self, lane: str) -> None:
        """Ends the connections of *lane* and of those below it; see the port."""
        self._kept.forget(lane)

    async def aclose(self) -> None:
        """Ends all connections; who still uses one meets CONNECTION_LOST."""
        self._kept.close()
        self._threads.close()
        await asyncio.sleep(0)

    async def _opened_to_follow(
        self, account: MailboxAccount, lane: Lane, patience: Patience, vigilance: Vigilance
    ) -> tuple[Session, TraceLog]:
        trace = TraceLog(self._clock)
        quick = Patience(
            until_content=patience.until_content, each_reply=vigilance.each_reply, overall=patience.overall
        )
        generation = lane.generation
        try:
            session = await Opening(self._around, account, Timer(quick, self._clock), trace).run()
        except Stopped as stopped:
            raise ProviderRefused(stopped.failure, trace=trace.trace()) from stopped
        lane.out.add(session)
        if generation != lane.generation:
            session.cut()
        return session, trace

    async def _do(
        self,
        account: MailboxAccount,
        patience: Patience,
        work: Callable[[Mailbox], T],
        *,
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> T:
        """Does *work* on a kept connection or a new one, and once more on a new one where that had ended."""
        timer, lane, trace = Timer(patience, self._clock), self._kept.lane(account), TraceLog(self._clock)
        opening = Opening(self._around, account, timer, trace)
        try:
            async with asyncio.timeout(timer.left.total_seconds()):
                await lane.turns.acquire()
        except TimeoutError as error:
            self._kept.leave(lane)
            raise ProviderRefused(opening.witness.saw(Symptom.TOO_SLOW).failure, trace=trace.trace()) from error
        except BaseException:
            self._kept.leave(lane)
            raise
        try:
            return await self._in_turn(account, lane, timer, trace, work, may_repeat)
        except Stopped as stopped:
            raise ProviderRefused(stopped.failure, trace=trace.trace()) from stopped
        except TimeoutError as error:
            raise ProviderRefused(opening.witness.saw(Symptom.TOO_SLOW).failure, trace=trace.trace()) from error
        except Outcome as outcome:
            raise _error(outcome) from outcome
        finally:
            lane.turns.release()
            self._kept.leave(lane)

    async def _in_turn(
        self,
        account: MailboxAccount,
        lane: Lane,
        timer: Timer,
        trace: TraceLog,
        work: Callable[[Mailbox], T],
        may_repeat: Callable[[], bool],
    ) -> T:
        for tries_left in reversed(range(_TRIES)):
            session = self._kept.take(lane)
            was_kept = session is not None
            if session is None:
                generation = lane.generation
                session = await Opening(self._around, account, timer, trace).run()
                session.generation = generation
            try:
                return await self._in_trace(session, timer, trace, work)
            except Stopped as stopped:
                has_ended = (was_kept and stopped.is_end) or _may_be_the_token(stopped)
                session.is_broken |= has_ended
                if not tries_left or not has_ended or not may_repeat():
                    raise
            except (asyncio.CancelledError, TimeoutError):
                session.is_broken = True
                raise
            finally:
                self._kept.keep(lane, session)
        raise AssertionError("the last try returns or raises")

    async def _in_trace(self, session: Session, timer: Timer, trace: TraceLog, work: Callable[[Mailbox], T]) -> T:
        with trace.step(Stage.MAILBOX):
            return await session.run(partial(work, _mailbox(session)), within=timer.left)

    async def _rest(
        self,
        account: MailboxAccount,
        message_id: MailboxMessageId,
        patience: Patience,
        section: str,
        begin: bytes,
        end: int,
    ) -> AsyncGenerator[bytes, None]:
        """Yields *begin*, and what comes behind it up to *end*."""
        yield begin
        read, last = len(begin), len(begin)
        while last == CHUNK and read < end:
            size = min(CHUNK, end - read)

            def work(box: Mailbox, read: int = read, size: int = size) -> bytes:
                box.select(message_id.folder, uid_validity=message_id.uid_validity)
                return box.chunk(message_id.uid, section, begin=read, size=size)

            chunk = await self._do(account, patience, work)
            if chunk:
                yield chunk
            read, last = read + len(chunk), len(chunk)


async def _only(octets: bytes) -> AsyncGenerator[bytes, None]:
    if octets:
        yield octets


def _mailbox(session: Session) -> Mailbox:
    return Mailbox(session.conversation, account=session.account.name, is_utf8=session.is_utf8)


def _check(account: MailboxAccount, folder: str, named: MailboxMessageId | PagePosition | WatchCursor) -> None:
    if named.account != account.name:
        raise stale("It names another mailbox.")
    if named.folder != folder:
        raise stale("It names another folder.")


def _may_be_the_token(stopped: Stopped) -> bool:
    """Tells whether a server that had let somebody in no longer does, as when the access token ends (F23)."""
    return stopped.failure.kind is FailureKind.REAUTHORIZE and stopped.failure.stage is not Stage.TOKEN


def _error(outcome: Outcome) -> Exception:
    match outcome:
        case Gone():
            return NotFound("The message is no longer in the folder.", remedy="List the folder anew.")
        case ReadOnly():
            cause, remedy = "The folder can be read and not changed.", "Have its owner grant the right to change it."
            return ProviderRefused(_failure(Reason.PERMISSION_MISSING, cause, remedy))
        case CannotMove():
            cause = "The server can neither move a message (MOVE) nor expunge a single one (UIDPLUS)."
            remedy = "Mark the message with a flag instead; moving it could take other deleted messages away."
            return ProviderRefused(_failure(Reason.MOVE_UNSUPPORTED, cause, remedy))
    raise AssertionError(f"unknown outcome {type(outcome).__name__}")


def _failure(reason: Reason, cause: str, remedy: str) -> Failure:
    return Failure(reason=reason, kind=FailureKind.MISCONFIGURED, stage=Stage.MAILBOX, cause=cause, remedy=remedy)
