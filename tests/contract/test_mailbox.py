"""What every MailboxReader does (domain.ports.mailbox)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.connection import ConnectionSecurity
from domain.errors import NotFound, NotReady, ProviderRefused
from domain.failures.failure import Stage
from domain.mailbox import FlagChange, FolderMessage, MessageQuery, SpecialUse
from domain.mailbox_names import MailboxMessageId, WatchCursor
from domain.ports.mailbox import CHUNK, News, Vigilance
from domain.reasons import Reason
from tests.contract.mailbox_worlds import LONG_AGO, PATIENCE, DovecotWorld, FakeWorld, World

KINDS = {
    "imaps": (ConnectionSecurity.IMPLICIT_TLS, ""),
    "imaps, kept": (ConnectionSecurity.IMPLICIT_TLS, "tenant/configuration"),
    "starttls": (ConnectionSecurity.STARTTLS, ""),
}
VIGILANCE = Vigilance(renew_after=timedelta(seconds=20), each_reply=timedelta(seconds=10))
EVERYTHING = MessageQuery()


@pytest_asyncio.fixture(params=["fake", *KINDS])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    dovecot, ca = request.getfixturevalue("dovecot"), request.getfixturevalue("ca")
    world = DovecotWorld(dovecot, ca, *KINDS[request.param])
    await world.open()
    try:
        yield world
    finally:
        await world.close()


def mail(subject: str = "Hello", *, sender: str = "bob@example.test", body: str = "Hello") -> bytes:
    header = f"From: Bob <{sender}>\r\nTo: reader@example.test\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
    return f"{header}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n".encode()


async def listed(world: World, folder: str = "INBOX", query: MessageQuery = EVERYTHING) -> tuple[FolderMessage, ...]:
    page = await world.reader.list_messages(world.account, folder, query=query, limit=50, patience=PATIENCE)
    assert page.next is None
    return page.messages


async def source(world: World, named: MailboxMessageId, **options: object) -> bytes:
    opened = await world.reader.open_source(world.account, named, patience=PATIENCE, **options)  # type: ignore[arg-type]
    return b"".join([chunk async for chunk in opened.chunks])


def follow(world: World, cursor: WatchCursor | None = None, folder: str = "INBOX") -> AsyncGenerator[News, None]:
    followed = world.reader.follow(world.account, folder, vigilance=VIGILANCE, patience=PATIENCE, cursor=cursor)
    assert isinstance(followed, AsyncGenerator)
    return followed


async def next_messages(news: AsyncIterator[News]) -> News:
    async with asyncio.timeout(10):
        while True:
            told = await anext(news)
            if told.messages:
                return told


def subject_of(message: FolderMessage) -> str:
    (line,) = [line for line in message.header.decode().split("\r\n") if line.startswith("Subject: ")]
    return line.removeprefix("Subject: ")


async def test_given_an_account_when_signing_in_then_the_trace_ends_with_the_mailbox(world: World) -> None:
    signed_in = await world.reader.sign_in(world.account, patience=PATIENCE)

    assert signed_in.failure is None
    assert signed_in.trace.steps[-1].stage is Stage.MAILBOX
    assert signed_in.trace.steps[-1].succeeded


async def test_given_folders_of_any_script_when_listed_then_inbox_is_first_and_each_opens_by_its_name(
    world: World,
) -> None:
    names = ("Müll & Reste", "台北", "R&D", "[Gmail]/Gönderilmiş Postalar")
    for name in names:
        await world.create(name)
        await world.deliver(mail(f"in {names.index(name)}"), folder=name)

    folders = await world.reader.list_folders(world.account, patience=PATIENCE)

    assert folders[0].name == "INBOX"
    assert folders[0].special_use is SpecialUse.INBOX
    assert {folder.name: folder.special_use for folder in folders}["Sent"] is SpecialUse.SENT
    assert set(names) <= {folder.name for folder in folders}
    assert [folder.name for folder in folders[1:]] == sorted(folder.name for folder in folders[1:])
    for number, name in enumerate(names):
        (message,) = await listed(world, name)
        assert message.id.folder == name
        assert subject_of(message) == f"in {number}"


async def test_given_messages_when_folders_are_listed_with_counts_then_seen_and_unseen_are_told(world: World) -> None:
    await world.deliver(mail(), flags=("\\Seen",))
    await world.deliver(mail())

    folders = await world.reader.list_folders(world.account, patience=PATIENCE, with_counts=True)

    assert (folders[0].message_count, folders[0].unseen_count) == (2, 1)


async def test_given_messages_when_listed_page_by_page_then_each_comes_once_the_newest_first(world: World) -> None:
    for number in range(5):
        await world.deliver(mail(f"n {number}"))

    pages, position = [], None
    while True:
        page = await world.reader.list_messages(
            world.account, "INBOX", query=EVERYTHING, limit=2, patience=PATIENCE, position=position
        )
        pages.append([subject_of(message) for message in page.messages])
        position = page.next
        await world.deliver(mail("later"))  # is in no later page
        if position is None:
            break

    assert pages == [["n 4", "n 3"], ["n 2", "n 1"], ["n 0"]]


async def test_given_messages_when_listed_then_size_time_and_flags_are_the_servers_and_nothing_is_seen(
    world: World,
) -> None:
    raw = mail("x")
    await world.deliver(raw, flags=("\\Flagged", "$Forwarded"))

    (first,) = await listed(world)
    await source(world, first.id)
    (second,) = await listed(world)

    assert first == second
    assert (first.size_bytes, first.receive_time) == (len(raw), LONG_AGO)
    assert first.flags == ("$Forwarded", "\\Flagged")
    assert first.header == raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (MessageQuery(subject="GRÜSSE aus"), ["b"]),
        (MessageQuery(subject="日本"), ["c"]),
        (MessageQuery(from_text="eve@"), ["a"]),
        (MessageQuery(to_text="reader"), ["c", "b", "a"]),
        (MessageQuery(text="Привет"), ["c"]),
        (MessageQuery(text='in "quotes" \\ and (more) {3}'), ["a"]),
        (MessageQuery(unseen=True), ["c", "b"]),
        (MessageQuery(flags=("\\Flagged", "$Done")), ["b"]),
        (MessageQuery(without_flags=("\\Flagged", "\\Seen")), ["c"]),
        (MessageQuery(without_flags=("$Done",)), ["c", "a"]),
        (MessageQuery(since_time=LONG_AGO + timedelta(minutes=1)), ["c", "b"]),
        (MessageQuery(before_time=LONG_AGO + timedelta(minutes=1)), ["a"]),
        (MessageQuery(since_time=LONG_AGO, before_time=LONG_AGO + timedelta(minutes=2)), ["b", "a"]),
        (MessageQuery(subject="nowhere"), []),
    ],
)
async def test_given_a_query_when_listed_then_only_what_fits_comes(
    world: World, query: MessageQuery, expected: list[str]
) -> None:
    body = 'in "quotes" \\ and (more) {3}'
    await world.deliver(mail("a", sender="eve@example.test", body=body), flags=("\\Seen",), time=LONG_AGO)
    minute = timedelta(minutes=1)
    encoded = "=?utf-8?q?b_Gr=C3=BCsse_aus_Bern?=" if "SS" not in query.subject else "=?utf-8?q?b_Gr=C3=BCSSE_aus?="
    await world.deliver(mail(encoded), flags=("\\Flagged", "$Done"), time=LONG_AGO + minute)
    await world.deliver(mail("=?utf-8?q?c_=E6=97=A5=E6=9C=AC?=", body="Привет"), time=LONG_AGO + 2 * minute)

    found = await listed(world, query=query)

    # Each is told from the others by its time.
    names = {LONG_AGO: "a", LONG_AGO + minute: "b", LONG_AGO + 2 * minute: "c"}
    assert [names[message.receive_time] for message in found] == expected


async def test_given_a_large_message_when_its_source_is_read_then_it_comes_in_chunks_octet_by_octet(
    world: World,
) -> None:
    raw = mail(body="\r\n".join(f"line {number} ü" for number in range(40_000)))
    await world.deliver(raw)
    (message,) = await listed(world)

    opened = await world.reader.open_source(world.account, message.id, patience=PATIENCE)
    chunks = [chunk async for chunk in opened.chunks]

    assert opened.message == message
    assert b"".join(chunks) == raw
    assert len(chunks) > 2
    assert max(map(len, chunks)) <= CHUNK
    assert await source(world, message.id, first=CHUNK + 10) == raw[: CHUNK + 10]
    assert await source(world, message.id, first=10) == raw[:10]


async def test_given_sections_when_read_then_they_are_those_octets(world: World) -> None:
    raw = (
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--b--\r\n"
    )
    await world.deliver(raw)
    (message,) = await listed(world)

    assert await source(world, message.id, section="1") == b"one"
    assert await source(world, message.id, section="2") == b"<p>two"
    assert await source(world, message.id, section="2.MIME") == b"Content-Type: text/html\r\n\r\n"
    assert await source(world, message.id, section="HEADER") == raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert await source(world, message.id, section="TEXT") == raw.partition(b"\r\n\r\n")[2]
    assert await source(world, message.id, section="9") == b""
    with pytest.raises(ValueError, match="section"):
        await source(world, message.id, section="1] BODY[2")


async def test_given_a_message_when_flags_are_set_twice_then_they_are_as_asked_and_the_others_stay(
    world: World,
) -> None:
    await world.deliver(mail(), flags=("\\Flagged", "$Old"))
    (message,) = await listed(world)
    change = FlagChange(add=("\\Seen", "$Done"), remove=("$Old",))

    flags = [await world.reader.set_flags(world.account, message.id, change, patience=PATIENCE) for _ in range(2)]

    assert flags == [("$Done", "\\Flagged", "\\Seen")] * 2
    assert (await listed(world))[0].flags == flags[0]


async def test_given_a_message_when_moved_then_it_is_there_under_its_new_name_and_here_no_longer(world: World) -> None:
    await world.create("Erledigt & gut")
    await world.deliver(mail("moved"), flags=("\\Flagged",))
    await world.deliver(mail("deleted by another program"), flags=("\\Deleted",))
    stays, message = await listed(world)

    name = await world.reader.move(world.account, message.id, "Erledigt & gut", patience=PATIENCE)

    assert [each.id for each in await listed(world)] == [stays.id]
    (moved,) = await listed(world, "Erledigt & gut")
    assert moved.id == name
    assert (subject_of(moved), moved.flags) == ("moved", ("\\Flagged",))
    with pytest.raises(NotFound):
        await world.reader.move(world.account, message.id, "Erledigt & gut", patience=PATIENCE)


async def test_given_a_message_that_is_gone_when_named_then_not_found(world: World) -> None:
    await world.deliver(mail())
    (message,) = await listed(world)
    await world.empty("INBOX")

    with pytest.raises(NotFound):
        await world.reader.get_message(world.account, message.id, patience=PATIENCE)
    with pytest.raises(NotFound):
        await source(world, message.id)
    with pytest.raises(NotFound):
        await world.reader.set_flags(world.account, message.id, FlagChange(add=("\\Seen",)), patience=PATIENCE)


async def test_given_a_folder_that_is_not_there_when_named_then_folder_unknown(world: World) -> None:
    await world.deliver(mail())
    (message,) = await listed(world)

    with pytest.raises(ProviderRefused) as opened:
        await listed(world, "Nirgends")
    with pytest.raises(ProviderRefused) as moved:
        await world.reader.move(world.account, message.id, "Nirgends", patience=PATIENCE)

    assert opened.value.failure.stage is Stage.MAILBOX
    assert {opened.value.reason, moved.value.reason} == {Reason.FOLDER_UNKNOWN}
    assert await listed(world) == (message,)


async def test_given_a_rebuilt_folder_when_former_names_are_used_then_all_are_void_and_nothing_changes(
    world: World,
) -> None:
    await world.create("Work")
    for number in range(3):
        await world.deliver(mail(f"old {number}"), folder="Work")
    page = await world.reader.list_messages(world.account, "Work", query=EVERYTHING, limit=1, patience=PATIENCE)
    (old,) = page.messages
    cursor = await world.reader.position(world.account, "Work", patience=PATIENCE)
    await world.rebuild("Work")
    for number in range(3):
        await world.deliver(mail(f"new {number}"), folder="Work")

    attempts = (
        lambda: world.reader.get_message(world.account, old.id, patience=PATIENCE),
        lambda: source(world, old.id),
        lambda: world.reader.set_flags(world.account, old.id, FlagChange(add=("\\Seen",)), patience=PATIENCE),
        lambda: world.reader.move(world.account, old.id, "Trash", patience=PATIENCE),
        lambda: world.reader.list_messages(
            world.account, "Work", query=EVERYTHING, limit=1, patience=PATIENCE, position=page.next
        ),
        lambda: anext(follow(world, cursor, "Work")),
    )
    for attempt in attempts:
        with pytest.raises(NotReady) as raised:
            await attempt()
        assert raised.value.reason is Reason.CURSOR_INVALID

    fresh = await listed(world, "Work")
    assert [subject_of(message) for message in fresh] == ["new 2", "new 1", "new 0"]
    assert all(message.flags == () for message in fresh)


async def test_given_a_name_of_another_account_when_used_then_it_is_void(world: World) -> None:
    await world.deliver(mail())
    (message,) = await listed(world)
    foreign = replace(message.id, account="ab" * 12)

    with pytest.raises(NotReady) as raised:
        await world.reader.get_message(world.account, foreign, patience=PATIENCE)

    assert raised.value.reason is Reason.CURSOR_INVALID


async def test_given_a_followed_folder_when_mail_arrives_then_each_comes_once_and_the_cursor_resumes(
    world: World,
) -> None:
    await world.deliver(mail("before"))
    async with aclosing(follow(world)) as news:
        first = await anext(news)
        assert first.messages == ()
        arrived = asyncio.create_task(next_messages(news))
        await world.deliver(mail("one"))
        one = await arrived

    await world.deliver(mail("two"))
    await world.deliver(mail("three"))
    async with aclosing(follow(world, one.cursor)) as news:
        assert (await anext(news)).cursor == one.cursor
        rest = await next_messages(news)
        while len(rest.messages) < 2:
            rest = replace(rest, messages=rest.messages + (await next_messages(news)).messages)

    assert [subject_of(message) for message in one.messages] == ["one"]
    assert one.cursor.last_uid == one.messages[-1].id.uid
    assert [subject_of(message) for message in rest.messages] == ["two", "three"]
    assert [message.id for message in (*rest.messages[::-1], *one.messages)] == [
        message.id for message in (await listed(world))[:3]
    ]


async def test_given_a_cursor_from_before_the_first_message_when_followed_then_all_come_in_order(world: World) -> None:
    for number in range(105):
        await world.deliver(mail(f"n {number}"))
    end = await world.reader.position(world.account, "INBOX", patience=PATIENCE)

    subjects: list[str] = []
    async with aclosing(follow(world, replace(end, last_uid=0))) as news:
        while len(subjects) < 105:
            subjects += [subject_of(message) for message in (await next_messages(news)).messages]

    assert subjects == [f"n {number}" for number in range(105)]


async def test_given_a_lane_that_is_forgotten_when_followed_then_it_ends_with_a_failure(world: World) -> None:
    account = replace(world.account, lane="tenant\0configuration")
    followed = world.reader.follow(account, "INBOX", vigilance=VIGILANCE, patience=PATIENCE)
    await anext(followed)
    waiting = asyncio.ensure_future(anext(followed))
    await asyncio.sleep(0)

    world.reader.forget("tenant")

    with pytest.raises(ProviderRefused) as raised:
        async with asyncio.timeout(10):
            await waiting
    assert raised.value.reason is Reason.CONNECTION_LOST
