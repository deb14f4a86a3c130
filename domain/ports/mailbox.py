"""The port through which a mailbox is read: folders, lists, raw octets, flags, moves, and new mail as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from domain.mailbox import FlagChange, Folder, FolderMessage, MessageQuery
from domain.mailbox_names import MailboxMessageId, PagePosition, WatchCursor, account_of
from domain.ports.transport import Patience, SignIn, TokenSource
from domain.settings.model import MailboxSettings, MailSettings, OAuthAuthentication

__all__ = [
    "FolderPage",
    "MailboxAccount",
    "MailboxReader",
    "News",
    "Patience",
    "RawSource",
    "SignIn",
    "TokenSource",
    "Vigilance",
    "account_in",
]

CHUNK: Final = 256 * 1024
"""Octets that are asked for at a time, and the largest chunk of `RawSource`."""
LONGEST_SOURCE: Final = 150 * 1024 * 1024
"""Octets of a message that are read at all; no provider takes or delivers larger ones (Exchange Online: 150 MB)."""

MOST_NEWS: Final = 100
"""Messages in one `News`."""


@dataclass(frozen=True, slots=True)
class MailboxAccount:
    """A mailbox to open, and as whom."""

    settings: MailboxSettings
    tokens: TokenSource | None = None
    """Where `settings.use_oauth`; else None."""
    without_person: bool = False
    """Whether the tokens are ones that nobody consented to (app-only, signed assertion)."""
    lane: str = ""
    """As `MailTransport.submit` takes it: whose kept connections may be used; empty: one of its own each time."""

    @property
    def name(self) -> str:
        """Returns what ids and cursors carry of it; see `domain.mailbox_names.account_of`."""
        return account_of(self.settings)


def account_in(settings: MailSettings, *, tokens: TokenSource | None = None, lane: str = "") -> MailboxAccount | None:
    """Returns the account that *settings* read; None when they have no mailbox."""
    if settings.mailbox is None:
        return None
    signed = settings.authentication
    without_person = isinstance(signed, OAuthAuthentication) and not signed.grant_type.needs_person
    return MailboxAccount(
        settings=settings.mailbox,
        tokens=tokens if settings.mailbox.use_oauth else None,
        without_person=without_person and settings.mailbox.use_oauth,
        lane=lane,
    )


@dataclass(frozen=True, slots=True)
class FolderPage:
    """Some messages of a folder, the newest (highest UID) first."""

    messages: tuple[FolderMessage, ...]
    next: PagePosition | None = None
    """Where the list goes on; None: that was all. A page may be short or even empty and the list go on."""


@dataclass(frozen=True, slots=True)
class RawSource:
    """Raw octets of a message, still on their way; to be read to the end or closed."""

    message: FolderMessage
    chunks: AsyncIterator[bytes]
    """
    In order, none empty, none above `CHUNK`; ends early with ProviderRefused, or NotFound when the message goes. An
    async generator: whoever stops before the end calls its ``aclose``.
    """


@dataclass(frozen=True, slots=True)
class Vigilance:
    """How a folder is followed; every span is a bound, and shorter for a server that wants it so."""

    renew_after: timedelta = timedelta(minutes=5)
    """IDLE is ended and begun anew after so long, which proves that the server is still there; below 29 minutes
    (RFC 2177)."""
    each_reply: timedelta = timedelta(seconds=60)
    """For the answer to each command. Together with `renew_after` it bounds how long a dead connection goes unseen."""
    poll_after: timedelta = timedelta(seconds=30)
    """Between two looks at a server without IDLE."""

    @property
    def silence(self) -> timedelta:
        """Returns the longest that a connection can be dead without being noticed: six minutes by default."""
        return max(self.renew_after, self.poll_after) + self.each_reply


@dataclass(frozen=True, slots=True)
class News:
    """What `follow` has to say: new messages, or none as a proof that the connection lives."""

    cursor: WatchCursor
    """Where to resume after `messages`."""
    messages: tuple[FolderMessage, ...] = ()
    """By rising UID, `MOST_NEWS` at most; when there are as many, more may follow at once."""


class MailboxReader(Protocol):
    """
    Reads and tends a mailbox at its server. Nothing is marked as seen by reading.

    Unless said otherwise, each method raises ProviderRefused when the server cannot be reached, breaks off, is too slow
    for *patience* or says no; its failure has the stage MAILBOX, or TOKEN when there is no token, and its `trace` tells
    the way there. NotReady CURSOR_INVALID answers an id, cursor or position whose folder has another UIDVALIDITY by
    now, or whose account is not this one. ProviderRefused with the reason FOLDER_UNKNOWN answers the name of a folder
    that is not there. A refused access token is renewed once; one that ends in mid-session is no failure either.
    Every method may be cancelled at any time, and then ends its connection. In *patience*, `until_content` bounds the
    way up to the sign-in, `each_reply` every answer of the server after it, and `overall` all together.
    """

    async def sign_in(self, account: MailboxAccount, *, patience: Patience) -> SignIn:
        """
        Connects, secures, signs in and opens INBOX read-only, over a connection of its own.

        What goes wrong is in the answer. Raises only CancelledError.
        """
        ...

    async def list_folders(
        self, account: MailboxAccount, *, patience: Patience, with_counts: bool = False
    ) -> tuple[Folder, ...]:
        """
        Returns all folders, INBOX first, then by name; at most 10,000.

        *with_counts*: with `message_count` and `unseen_count`, for which the server looks into each folder.
        """
        ...

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
        """
        Returns the first page of the messages that *query* chooses, or the one at *position*.

        At most *limit* messages, 1 to 200. The list is by UID, the newest first; what arrives later is in no later
        page, and what goes is left out.
        """
        ...

    async def get_message(
        self, account: MailboxAccount, message_id: MailboxMessageId, *, patience: Patience
    ) -> FolderMessage:
        """Returns one message as a list has it. Raises NotFound when it is gone."""
        ...

    async def open_source(
        self,
        account: MailboxAccount,
        message_id: MailboxMessageId,
        *,
        patience: Patience,
        section: str = "",
        first: int | None = None,
    ) -> RawSource:
        """
        Returns the raw octets of a message, as they are fetched piece by piece.

        *section*: as RFC 9051 section 6.4.5 writes it, e.g. ``2.1`` for a part's content as it travels, ``2.1.MIME``,
        ``HEADER``, ``TEXT``; empty: the whole source. *first*: no more than so many octets; None: all, up to
        `LONGEST_SOURCE`. A section that is not there is empty. Raises NotFound when the message is gone, and ValueError
        for a section that is none. The connection is held until the chunks are read or closed.
        """
        ...

    async def set_flags(
        self,
        account: MailboxAccount,
        message_id: MailboxMessageId,
        change: FlagChange,
        *,
        patience: Patience,
    ) -> tuple[str, ...]:
        """
        Adds and removes flags, and returns all that the message has then, as `FolderMessage.flags`.

        Repeating it changes nothing. Raises NotFound when the message is gone.
        """
        ...

    async def move(
        self, account: MailboxAccount, message_id: MailboxMessageId, folder: str, *, patience: Patience
    ) -> MailboxMessageId | None:
        """
        Moves a message to *folder* and returns its new name, None where the server does not tell.

        Where the server has no MOVE it is copied, and the original alone expunged (UIDPLUS); a server that has neither
        is refused, since a plain EXPUNGE would take other deleted messages along. Raises NotFound when the message is
        gone.
        """
        ...

    async def position(self, account: MailboxAccount, folder: str, *, patience: Patience) -> WatchCursor:
        """Returns the end of *folder* as it is now: whoever follows it from there misses nothing that comes later."""
        ...

    def follow(
        self,
        account: MailboxAccount,
        folder: str,
        *,
        vigilance: Vigilance,
        patience: Patience,
        cursor: WatchCursor | None = None,
    ) -> AsyncIterator[News]:
        """
        Yields what arrives in *folder* after *cursor*, or from now on, over one connection of its own.

        The first one comes when the connection stands, and whatever came after *cursor* follows it. Each message comes
        once, by rising UID; one that is expunged before it is fetched is passed over. News without messages come each
        time the server has proven that it lives, within `vigilance.silence`.

        Never ends by itself: raises what ended it (see the class), NotReady CURSOR_INVALID when the folder was rebuilt
        meanwhile included. Whoever follows resumes with the last cursor, and waits before that as the failure says;
        nothing here tries again by itself but a token that has ended. *patience* bounds the way there alone. An async
        generator: whoever stops calls its ``aclose``.
        """
        ...

    def forget(self, lane: str) -> None:
        """
        Sees to it that nothing to come goes over a connection that stands in *lane* now, nor in one below it.

        See `domain.ports.transport.Lanes.forget`; connections that follow a folder end with CONNECTION_LOST.
        """
        ...
