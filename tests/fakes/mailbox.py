"""A mailbox in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message

from domain.errors import MailportError, NotFound, ProviderRefused
from domain.failures.failure import Failure, FailureKind, Stage
from domain.failures.trace import Trace, TraceStep
from domain.mailbox import (
    INBOX,
    LONGEST_HEADER,
    SEEN,
    FlagChange,
    Folder,
    FolderMessage,
    MessageQuery,
    SpecialUse,
    is_section,
)
from domain.mailbox_names import MailboxMessageId, PagePosition, WatchCursor, query_digest, rebuilt, stale
from domain.no_token import failure_without_token
from domain.ports.environment import Clock
from domain.ports.mailbox import (
    CHUNK,
    LONGEST_SOURCE,
    MOST_NEWS,
    FolderPage,
    MailboxAccount,
    News,
    Patience,
    RawSource,
    SignIn,
    Vigilance,
)
from domain.ports.transport import belongs_to
from domain.reasons import Reason
from domain.secret import Secret
from tests.fakes.environment import FakeClock


def a_mailbox_failure(
    kind: FailureKind = FailureKind.TRANSIENT,
    *,
    reason: Reason = Reason.CONNECTION_LOST,
    stage: Stage = Stage.MAILBOX,
    code: str = "",
) -> Failure:
    """Returns a failure with words that do not matter."""
    return Failure(
        reason=reason, kind=kind, stage=stage, cause="The server said no.", remedy="Ask it.", provider_code=code
    )


@dataclass(slots=True)
class StoredMessage:
    """A message at the server."""

    raw: bytes
    receive_time: datetime
    flags: set[str] = field(default_factory=set)


@dataclass(slots=True)
class StoredFolder:
    """A folder at the server."""

    uid_validity: int = 111
    next_uid: int = 1
    messages: dict[int, StoredMessage] = field(default_factory=dict)
    """By UID, the oldest first."""
    special_use: SpecialUse | None = None
    selectable: bool = True


@dataclass(slots=True)
class _Follower:
    lane: str
    news: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Failure | None = None


class FakeMailbox:
    """
    `domain.ports.mailbox.MailboxReader` over the `folders` of one mailbox, which every account opens.

    `failures` are met one a call, before anything else; `refuses` tells whether an access token is refused.
    `before_answering` is awaited in each call, e.g. to block there. `deliver`, `expunge`, `rebuild` and `cut` are what
    happens at the server meanwhile; `prove_alive` has all followers say that they live.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self.folders: dict[str, StoredFolder] = {
            INBOX: StoredFolder(special_use=SpecialUse.INBOX),
            "Sent": StoredFolder(special_use=SpecialUse.SENT),
        }
        self.failures: list[Failure] = []
        self.usual_failure: Failure | None = None
        """Met by every call when `failures` is used up."""
        self.refuses: Callable[[Secret], bool] = lambda _: False
        self.before_answering: Callable[[], Awaitable[None]] | None = None
        self.forgotten: list[str] = []
        """Lanes, in the order in which they were forgotten."""
        self.signed_in_with: list[str] = []
        """The access tokens that opened it."""
        self.tells_moves = True
        """Whether `move` tells the new name (UIDPLUS)."""
        self.can_move = True
        """Whether the server has MOVE or UIDPLUS."""
        self._clock = clock or FakeClock()
        self._followers: list[_Follower] = []

    @property
    def following(self) -> int:
        """Tells how many connections follow a folder."""
        return len(self._followers)

    def deliver(
        self, raw: bytes, *, folder: str = INBOX, flags: tuple[str, ...] = (), receive_time: datetime | None = None
    ) -> int:
        """Puts a message into *folder* and returns its UID."""
        stored = self.folders[folder]
        uid = stored.next_uid
        stored.next_uid += 1
        stored.messages[uid] = StoredMessage(raw, receive_time or self._clock.now(), set(flags))
        self._wake()
        return uid

    def expunge(self, uid: int, *, folder: str = INBOX) -> None:
        """Takes a message away for good."""
        del self.folders[folder].messages[uid]

    def rebuild(self, folder: str = INBOX) -> None:
        """Gives the folder another UIDVALIDITY and its messages new UIDs."""
        stored = self.folders[folder]
        stored.uid_validity += 111
        stored.messages = dict(enumerate(stored.messages.values(), 1))
        stored.next_uid = len(stored.messages) + 1
        self._wake()

    def cut(self, failure: Failure | None = None) -> None:
        """Ends all connections that follow a folder."""
        for follower in self._followers:
            follower.failure = failure or a_mailbox_failure()
        self._wake()

    def prove_alive(self) -> None:
        """Has every follower say that it lives, as when IDLE is begun anew."""
        self._wake()

    async def sign_in(self, account: MailboxAccount, *, patience: Patience) -> SignIn:
        try:
            await self._enter(account)
        except ProviderRefused as refused:
            return SignIn(trace=self._trace(refused.failure), failure=refused.failure)
        return SignIn(trace=self._trace(None))

    async def list_folders(
        self, account: MailboxAccount, *, patience: Patience, with_counts: bool = False
    ) -> tuple[Folder, ...]:
        await self._enter(account)
        names = sorted(self.folders, key=lambda name: (name != INBOX, name))
        return tuple(
            Folder(
                name=name,
                delimiter="/",
                special_use=self.folders[name].special_use,
                selectable=self.folders[name].selectable,
                message_count=len(self.folders[name].messages) if with_counts else None,
                unseen_count=sum(SEEN not in each.flags for each in self.folders[name].messages.values())
                if with_counts
                else None,
            )
            for name in names
        )

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
        await self._enter(account)
        stored = self._selected(folder)
        if position is not None:
            self._check(account, stored, position.account, position.folder, position.uid_validity)
        below = position.below_uid if position else stored.next_uid
        found = [
            uid for uid in sorted(stored.messages, reverse=True) if uid < below and _fits(stored.messages[uid], query)
        ]
        end = None
        if len(found) > limit:
            digest = query_digest(query)
            end = PagePosition(account.name, folder, stored.uid_validity, found[limit - 1], digest)
        return FolderPage(tuple(self._told(account, folder, uid) for uid in found[:limit]), end)

    async def get_message(
        self, account: MailboxAccount, message_id: MailboxMessageId, *, patience: Patience
    ) -> FolderMessage:
        await self._enter(account)
        self._stored(account, message_id)
        return self._told(account, message_id.folder, message_id.uid)

    async def open_source(
        self,
        account: MailboxAccount,
        message_id: MailboxMessageId,
        *,
        patience: Patience,
        section: str = "",
        first: int | None = None,
    ) -> RawSource:
        if not is_section(section):
            raise ValueError("no section of a message has such a name")
        await self._enter(account)
        octets = _section(self._stored(account, message_id).raw, section)
        octets = octets[: min(LONGEST_SOURCE, LONGEST_SOURCE if first is None else first)]

        async def chunks() -> AsyncIterator[bytes]:
            for begin in range(0, len(octets), CHUNK):
                yield octets[begin : begin + CHUNK]

        return RawSource(self._told(account, message_id.folder, message_id.uid), chunks())

    async def set_flags(
        self, account: MailboxAccount, message_id: MailboxMessageId, change: FlagChange, *, patience: Patience
    ) -> tuple[str, ...]:
        await self._enter(account)
        flags = self._stored(account, message_id).flags
        flags -= set(change.remove)
        flags |= set(change.add)
        return tuple(sorted(flags))

    async def move(
        self, account: MailboxAccount, message_id: MailboxMessageId, folder: str, *, patience: Patience
    ) -> MailboxMessageId | None:
        await self._enter(account)
        message = self._stored(account, message_id)
        target = self._selected(folder)
        if not self.can_move:
            raise ProviderRefused(a_mailbox_failure(FailureKind.MISCONFIGURED, reason=Reason.PROTOCOL_ERROR))
        del self.folders[message_id.folder].messages[message_id.uid]
        uid = self.deliver(message.raw, folder=folder, flags=tuple(message.flags), receive_time=message.receive_time)
        return MailboxMessageId(account.name, folder, target.uid_validity, uid) if self.tells_moves else None

    async def position(self, account: MailboxAccount, folder: str, *, patience: Patience) -> WatchCursor:
        await self._enter(account)
        stored = self._selected(folder)
        return WatchCursor(account.name, folder, stored.uid_validity, stored.next_uid - 1)

    async def follow(
        self,
        account: MailboxAccount,
        folder: str,
        *,
        vigilance: Vigilance,
        patience: Patience,
        cursor: WatchCursor | None = None,
    ) -> AsyncIterator[News]:
        follower = _Follower(account.lane)
        self._followers.append(follower)
        try:
            cursor = cursor or await self.position(account, folder, patience=patience)
            await self._enter(account)
            self._check(account, self._selected(folder), cursor.account, cursor.folder, cursor.uid_validity)
            yield News(cursor)
            is_proof = False
            while True:
                stored = self._selected(folder)
                self._check(account, stored, cursor.account, cursor.folder, cursor.uid_validity)
                fresh = [uid for uid in stored.messages if uid > cursor.last_uid][:MOST_NEWS]
                if fresh:
                    cursor = replace(cursor, last_uid=fresh[-1])
                if fresh or is_proof:
                    yield News(cursor, tuple(self._told(account, folder, uid) for uid in fresh))
                if len(fresh) == MOST_NEWS:
                    continue
                await follower.news.wait()
                follower.news.clear()
                is_proof = True
                if follower.failure is not None:
                    raise ProviderRefused(follower.failure)
        finally:
            self._followers.remove(follower)

    def forget(self, lane: str) -> None:
        self.forgotten.append(lane)
        for follower in self._followers:
            if follower.lane and belongs_to(follower.lane, lane):
                follower.failure = a_mailbox_failure()
                follower.news.set()

    def _wake(self) -> None:
        for follower in self._followers:
            follower.news.set()

    async def _enter(self, account: MailboxAccount) -> None:
        if self.before_answering is not None:
            await self.before_answering()
        failure = await self._failure_to_sign_in(account)
        if failure is None and self.failures:
            failure = self.failures.pop(0)
        failure = failure or self.usual_failure
        if failure is not None:
            raise ProviderRefused(failure, trace=self._trace(failure))

    async def _failure_to_sign_in(self, account: MailboxAccount) -> Failure | None:
        if account.tokens is None:
            return None
        try:
            token = await account.tokens.token(rejected=None)
            if self.refuses(token):
                token = await account.tokens.token(rejected=token)
        except MailportError as error:
            return failure_without_token(error, now=self._clock.now())
        if self.refuses(token):
            return a_mailbox_failure(FailureKind.REAUTHORIZE, reason=Reason.AUTH_REJECTED)
        self.signed_in_with.append(token.reveal())
        return None

    def _trace(self, failure: Failure | None) -> Trace:
        stage = failure.stage if failure else Stage.MAILBOX
        step = TraceStep(stage=stage, succeeded=failure is None, duration=timedelta(milliseconds=1))
        return Trace(start_time=self._clock.now(), steps=(step,))

    def _selected(self, folder: str) -> StoredFolder:
        stored = self.folders.get(folder)
        if stored is None or not stored.selectable:
            raise ProviderRefused(a_mailbox_failure(FailureKind.PERMANENT, reason=Reason.FOLDER_UNKNOWN))
        return stored

    def _stored(self, account: MailboxAccount, message_id: MailboxMessageId) -> StoredMessage:
        stored = self._selected(message_id.folder)
        self._check(account, stored, message_id.account, message_id.folder, message_id.uid_validity)
        if message_id.uid not in stored.messages:
            raise NotFound("The message is no longer in the folder.")
        return stored.messages[message_id.uid]

    def _check(self, account: MailboxAccount, stored: StoredFolder, named: str, folder: str, uid_validity: int) -> None:
        if named != account.name:
            raise stale("It names another mailbox.")
        if uid_validity != stored.uid_validity:
            raise rebuilt(folder, was=uid_validity, now=stored.uid_validity)

    def _told(self, account: MailboxAccount, folder: str, uid: int) -> FolderMessage:
        stored = self.folders[folder]
        message = stored.messages[uid]
        return FolderMessage(
            id=MailboxMessageId(account.name, folder, stored.uid_validity, uid),
            flags=tuple(sorted(message.flags)),
            receive_time=message.receive_time,
            size_bytes=len(message.raw),
            header=_section(message.raw, "HEADER")[:LONGEST_HEADER],
        )


def _fits(message: StoredMessage, query: MessageQuery) -> bool:
    parsed = message_from_bytes(message.raw)
    within = (query.since_time is None or message.receive_time >= query.since_time) and (
        query.before_time is None or message.receive_time < query.before_time
    )
    flagged = set(query.flags) <= message.flags and not set(query.without_flags) & message.flags
    texts = (("From", query.from_text), ("To", query.to_text), ("Subject", query.subject))
    return (
        within
        and flagged
        and not (query.unseen and SEEN in message.flags)
        and all(wanted.lower() in _decoded(parsed, name) for name, wanted in texts)
        and query.text.lower() in _everything(parsed)
    )


def _decoded(parsed: Message, name: str) -> str:
    return str(make_header(decode_header(str(parsed.get(name, ""))))).lower()


def _everything(parsed: Message) -> str:
    bodies = [part.get_payload(decode=True) for part in parsed.walk() if not part.is_multipart()]
    texts = [body.decode("utf-8", "replace") for body in bodies if isinstance(body, bytes)]
    return "\n".join([*(_decoded(parsed, name) for name in parsed), *texts]).lower()


def _section(raw: bytes, section: str) -> bytes:
    """Returns the octets of *section*, as RFC 9051 section 6.4.5 numbers parts; empty for one that is not there."""
    numbers = [int(word) for word in section.split(".") if word.isdecimal()]
    word = section.rsplit(".", maxsplit=1)[-1] if section and not section[-1].isdecimal() else ""
    octets = raw
    for depth, number in enumerate(numbers):
        parts = list(_parts(octets))
        if not parts and number == 1 and depth == 0 and not word:
            return _split(octets)[1]
        if not 1 <= number <= len(parts):
            return b""
        octets = parts[number - 1]
    head, body = _split(octets)
    if word in ("HEADER", "MIME"):
        return head
    return body if word == "TEXT" or numbers else octets


def _split(octets: bytes) -> tuple[bytes, bytes]:
    head, blank, body = octets.partition(b"\r\n\r\n")
    return (head + blank, body) if blank else (octets, b"")


def _parts(octets: bytes) -> Iterator[bytes]:
    parsed = message_from_bytes(octets)
    boundary = parsed.get_boundary()
    if parsed.is_multipart() and boundary:
        pieces = (b"\r\n" + _split(octets)[1]).split(f"\r\n--{boundary}".encode())
        for piece in pieces[1:]:
            if not piece.startswith(b"--"):
                yield piece.partition(b"\r\n")[2]
