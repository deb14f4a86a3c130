"""Folders followed: IDLE that dies in each way, servers without it, rebuilt folders (F39, F40)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import timedelta

import pytest

from adapters.imap.mailbox import ImapMailboxReader
from domain.errors import NotReady, ProviderRefused
from domain.failures.failure import FailureKind
from domain.mailbox_names import WatchCursor
from domain.ports.mailbox import MailboxAccount, News, Vigilance
from domain.reasons import Reason
from tests.fakes.tokens import FakeTokens
from tests.integration.imap.boxes import PATIENCE, account, let_in, metas, opened, serving, uids
from tests.peers.fixtures import StartLineServer
from tests.peers.imap_script import Answer, answer, idling
from tests.peers.script import close, hang

QUICK = Vigilance(
    renew_after=timedelta(milliseconds=300), each_reply=timedelta(seconds=1), poll_after=timedelta(milliseconds=100)
)
NOTHING = answer("* SEARCH")
IDLES = ("IMAP4rev1", "IDLE")


def follow(
    reader: ImapMailboxReader, box: MailboxAccount, cursor: WatchCursor | None = None
) -> AsyncGenerator[News, None]:
    followed = reader.follow(box, "INBOX", vigilance=QUICK, patience=PATIENCE, cursor=cursor)
    assert isinstance(followed, AsyncGenerator)
    return followed


async def ended(news: AsyncGenerator[News, None]) -> ProviderRefused:
    """Returns what ends *news*, which must not be long in coming."""
    with pytest.raises(ProviderRefused) as raised:
        await last_of(news)
    return raised.value


async def last_of(news: AsyncGenerator[News, None]) -> None:
    """Follows to the end."""
    async with asyncio.timeout(5), aclosing(news):
        async for _ in news:
            pass


async def test_given_idle_when_mail_arrives_then_it_comes_with_its_cursor(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    arrived = asyncio.Event()
    server = await line_server(
        serving(
            {
                "EXAMINE .*": opened(3, uid_next=12),
                "UID SEARCH UID 12:.*": [answer("* SEARCH 11"), answer("* SEARCH 12 13")],
                "UID SEARCH UID 14:.*": answer("* SEARCH 13"),
                "UID FETCH 12,13 .*": answer(*metas(first=4)("UID FETCH 12,13 x")),
                "IDLE": idling(pushes=["* 2 FETCH (FLAGS (\\Seen))", "* 5 EXISTS"], until=arrived),
            },
            *IDLES,
        )
    )
    async with asyncio.timeout(5), aclosing(follow(reader, account(server.port))) as news:
        first = await anext(news)
        arrived.set()
        second = await anext(news)

    assert (first.cursor.last_uid, first.messages) == (11, ())
    assert (second.cursor.last_uid, uids(second.messages)) == (13, [12, 13])


async def test_given_a_quiet_folder_when_followed_then_each_renewal_of_idle_is_a_sign_of_life(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    table = {"EXAMINE .*": opened(0), "UID SEARCH .*": NOTHING, "IDLE": idling()}
    server = await line_server(serving(table, *IDLES))

    async with asyncio.timeout(5), aclosing(follow(reader, account(server.port))) as news:
        signs = [await anext(news) for _ in range(4)]

    assert all(sign.messages == () for sign in signs)
    assert server.heard().count(b"DONE") >= 3


@pytest.mark.parametrize(
    ("idle", "reason"),
    [
        pytest.param(idling(bye="timeout"), Reason.CONNECTION_LOST, id="BYE instead of idling"),
        pytest.param(Answer(reply=None, then=close()), Reason.CONNECTION_LOST, id="closed instead of idling"),
        pytest.param(Answer(reply=None, then=hang()), Reason.SERVER_SILENT, id="nothing instead of idling"),
        pytest.param(Answer(("+ idling",), None, hang()), Reason.SERVER_SILENT, id="packets dropped in idle"),
        pytest.param(Answer(("+ idling",), None, close()), Reason.CONNECTION_LOST, id="closed in idle"),
        pytest.param(
            Answer(("+ idling", "* BYE Server shutting down"), None, close()), Reason.CONNECTION_LOST, id="BYE in idle"
        ),
    ],
)
async def test_given_idle_that_dies_when_followed_then_it_ends_within_the_bound(
    reader: ImapMailboxReader, line_server: StartLineServer, idle: Answer, reason: Reason
) -> None:
    table = {"EXAMINE .*": opened(0), "UID SEARCH .*": NOTHING, "IDLE": idle}
    server = await line_server(serving(table, *IDLES))

    refused = await ended(follow(reader, account(server.port)))

    assert refused.reason is reason


@pytest.mark.parametrize(
    ("capabilities", "idle"),
    [(("IMAP4rev1",), answer()), (IDLES, answer(reply="NO not today"))],
    ids=["none", "refused"],
)
async def test_given_no_idle_when_followed_then_the_folder_is_looked_at_in_turns(
    reader: ImapMailboxReader, line_server: StartLineServer, capabilities: tuple[str, ...], idle: Answer
) -> None:
    server = await line_server(
        serving(
            {
                "EXAMINE .*": opened(0, uid_next=5),
                "UID SEARCH UID 5:.*": [NOTHING, NOTHING, answer("* SEARCH 5")],
                "UID SEARCH UID 6:.*": NOTHING,
                "UID FETCH .*": Answer(metas()),
                "IDLE": idle,
            },
            *capabilities,
        )
    )

    async with asyncio.timeout(5), aclosing(follow(reader, account(server.port))) as news:
        told = [await anext(news) for _ in range(3)]

    assert [uids(each.messages) for each in told] == [[], [], [5]]
    assert server.heard().count(b"NOOP") >= 2


async def test_given_another_uidvalidity_when_resumed_or_told_in_passing_then_the_cursor_is_void(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    flipped = idling(pushes=["* OK [UIDVALIDITY 222] rebuilt", "* 3 EXISTS"])
    table = {"EXAMINE .*": opened(0, uid_validity=111), "UID SEARCH .*": NOTHING, "IDLE": flipped}
    server = await line_server(serving(table, *IDLES), repeat=True)
    box = account(server.port)
    old = WatchCursor(box.name, "INBOX", 110, 500)

    for cursor in (old, None):
        with pytest.raises(NotReady) as raised:
            await last_of(follow(reader, box, cursor))
        assert raised.value.reason is Reason.CURSOR_INVALID


async def test_given_a_token_that_ends_when_followed_then_it_signs_in_again_and_misses_nothing(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    ends = idling(pushes=["* BYE [EXPIRED] Access token has expired"])
    first = {"EXAMINE .*": opened(0, uid_next=5), "UID SEARCH .*": NOTHING, "IDLE": ends}
    second = {
        "EXAMINE .*": opened(1, uid_next=6),
        "UID SEARCH UID 5:.*": answer("* SEARCH 5"),
        "UID SEARCH UID 6:.*": NOTHING,
        "UID FETCH .*": Answer(metas()),
        "IDLE": idling(),
    }
    capabilities = (*IDLES, "AUTH=XOAUTH2")
    sign_in = {"AUTHENTICATE XOAUTH2": Answer(("+ ",), None, let_in())}
    server = await line_server(
        *(
            serving({**table, **sign_in, "CAPABILITY": _capability(capabilities)}, *capabilities)
            for table in (first, second)
        )
    )

    async with asyncio.timeout(5):
        async with aclosing(follow(reader, account(server.port, tokens=FakeTokens("a-token")))) as news:
            told = [await anext(news) for _ in range(3)]

    assert [uids(each.messages) for each in told] == [[], [], [5]]
    assert len(server.conversations) == 2


async def test_given_a_server_that_ends_every_session_for_its_token_when_followed_then_that_is_told(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    capabilities = (*IDLES, "AUTH=XOAUTH2")
    ends = idling(pushes=["* BYE [EXPIRED] Access token has expired"])
    table = {
        "AUTHENTICATE XOAUTH2": Answer(("+ ",), None, let_in()),
        "CAPABILITY": _capability(capabilities),
        "EXAMINE .*": opened(0),
        "UID SEARCH .*": NOTHING,
        "IDLE": ends,
    }
    server = await line_server(serving(table, *capabilities), repeat=True)

    refused = await ended(follow(reader, account(server.port, tokens=FakeTokens("a-token"))))

    assert refused.failure.kind is FailureKind.REAUTHORIZE
    assert len(server.conversations) == 3


@pytest.mark.parametrize(
    "table",
    [
        {"UID SEARCH .*": answer("* SEARCH", "* 5 EXISTS"), "IDLE": idling()},
        {"UID SEARCH .*": NOTHING, "IDLE": idling(pushes=["* 5 EXISTS"])},
    ],
    ids=["in every search", "in every idle"],
)
async def test_given_a_server_that_always_speaks_of_news_when_followed_then_it_is_asked_ever_more_slowly(
    reader: ImapMailboxReader, line_server: StartLineServer, table: dict[str, Answer]
) -> None:
    server = await line_server(serving({"EXAMINE .*": opened(5, uid_next=6), **table}, *IDLES))
    slow = Vigilance(renew_after=timedelta(seconds=5), each_reply=timedelta(seconds=1), poll_after=timedelta(seconds=5))

    followed = reader.follow(account(server.port), "INBOX", vigilance=slow, patience=PATIENCE)
    assert isinstance(followed, AsyncGenerator)
    async with aclosing(followed) as news:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                async for _ in news:
                    pass

    assert server.heard().count(b"UID SEARCH") <= 10


async def test_given_many_quiet_folders_when_followed_then_none_holds_a_thread(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    table = {"EXAMINE .*": opened(0), "UID SEARCH .*": NOTHING, "IDLE": idling()}
    server = await line_server(serving(table, *IDLES), repeat=True)

    followed = [follow(reader, account(server.port)) for _ in range(20)]  # five times the threads there are
    async with asyncio.timeout(10):
        first = await asyncio.gather(*(anext(news) for news in followed))
        second = await asyncio.gather(*(anext(news) for news in followed))
    for news in followed:
        await news.aclose()

    assert len(first) == len(second) == 20


def _capability(words: tuple[str, ...]) -> Answer:
    return answer(f"* CAPABILITY {' '.join(words)}")
