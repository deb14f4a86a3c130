"""Accounts at scripted servers, and the parts that their scripts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from adapters.imap.mailbox import ImapMailboxReader
from domain.address import EmailAddress
from domain.connection import ConnectionSecurity
from domain.errors import ProviderRefused
from domain.failures.failure import Failure
from domain.host import Host
from domain.mailbox import FolderMessage, MessageQuery
from domain.ports.mailbox import FolderPage, MailboxAccount, Patience, TokenSource
from domain.secret import Secret
from domain.settings.model import MailboxSettings
from tests.peers.conversation import Conversation
from tests.peers.imap_script import Answer, ReactsTo, Words, answer, answering, fetched, greeting, selected
from tests.peers.script import Item, Step

PASSWORD: Final = 'pa"ss \\word'
PATIENCE: Final = Patience(
    until_content=timedelta(seconds=5), each_reply=timedelta(seconds=2), overall=timedelta(seconds=10)
)
RAW: Final = b"Subject: hi\r\n\r\nhello\r\n"


def account(port: int, *, tokens: TokenSource | None = None, lane: str = "", **changes: Any) -> MailboxAccount:
    """An account at a server of the test, without TLS unless *changes* of its settings say so."""
    fields: dict[str, Any] = {
        "email": EmailAddress("alice", "example.test"),
        "host": Host("localhost"),
        "port": port,
        "security": ConnectionSecurity.NONE,
        "password": None if tokens else Secret(PASSWORD),
        "use_oauth": tokens is not None,
    }
    return MailboxAccount(MailboxSettings(**{**fields, **changes}), tokens=tokens, lane=lane)


def serving(answers: Mapping[str, Answer | Sequence[Answer]], *capabilities: str, **options: Any) -> list[Item]:
    """A script that lets in by LOGIN whoever comes and answers by a table; see `answering`."""
    told = capabilities or ("IMAP4rev1",)
    table = {**answers, "LOGIN .*": answer(f"* CAPABILITY {' '.join(told)}")}
    return [greeting(*told), answering(table, **options)]


def let_in() -> Step:
    """Takes the client's response to a challenge and lets it in."""

    async def run(conversation: Conversation) -> bool:
        await conversation.read_through(b"\n")
        conversation.write(f"{conversation.tag} OK signed in\r\n".encode())
        return True

    return Step("take the response", run)


def opened(exists: int = 1, *, uid_validity: int = 7, uid_next: int | None = None) -> Answer:
    """The answer to SELECT and EXAMINE."""
    return answer(*selected(exists=exists, uid_validity=uid_validity, uid_next=uid_next))


def meta(number: int, uid: int, raw: bytes = RAW, *, flags: str = "") -> bytes:
    """What a FETCH for a list tells of one message."""
    more = f'INTERNALDATE "01-Mar-2026 12:00:00 +0000" RFC822.SIZE {len(raw)}'
    head = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    return fetched(number, uid=uid, raw=head, flags=flags, item="BODY[HEADER]<0>", more=more)


def metas(*, first: int = 1) -> ReactsTo:
    """Tells of whichever UIDs are fetched, numbered from *first*."""

    def react(said: str) -> list[Words]:
        uids = [int(word) for word in said.split()[2].split(",")]
        return [meta(first + place, uid) for place, uid in enumerate(uids)]

    return react


async def listed(
    reader: ImapMailboxReader, box: MailboxAccount, query: MessageQuery | None = None, **options: Any
) -> FolderPage:
    """The first page of INBOX, of ten messages at most."""
    options = {"limit": 10, "patience": PATIENCE, **options}
    return await reader.list_messages(box, "INBOX", query=query or MessageQuery(), **options)


async def refusal(reader: ImapMailboxReader, box: MailboxAccount, **options: Any) -> Failure:
    """What listing INBOX ends with."""
    try:
        found = await listed(reader, box, **options)
    except ProviderRefused as refused:
        return refused.failure
    raise AssertionError(f"nothing was refused: {found}")


def uids(messages: Sequence[FolderMessage]) -> list[int]:
    """The UIDs of messages."""
    return [message.id.uid for message in messages]
