"""ListFolders, ListMessages, GetMessage, SetFlags and MoveMessage over a mailbox in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from domain.errors import DeadlineTooShort, InputInvalid, NotFound, NotReady, ProviderRefused, SecretUnreadable
from domain.failures.failure import FailureKind, Stage
from domain.mailbox import FlagChange, MessageQuery
from domain.ports.mailbox import RawSource
from domain.reading.model import BounceAction, Defect
from domain.reasons import Reason
from service.usecases import get_message as module
from service.usecases.get_message import PartChunk, Wanted
from service.usecases.mails import Mail
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    a_configuration,
    a_delivery,
    a_draft,
    a_mailbox,
    a_report,
    an_oauth_authentication,
    some_settings,
)
from tests.fakes.mailbox import a_mailbox_failure
from tests.unit.service.world import CALLER, MINUTE, World

ALL = MessageQuery()


def raw(number: object, **fields: str) -> bytes:
    written = {"From": "zoe@example.org", "Subject": str(number), "Message-ID": f"<{number}@example.org>"}
    written |= {name.replace("_", "-"): value for name, value in fields.items()}
    return "".join(f"{name}: {value}\r\n" for name, value in written.items()).encode() + b"\r\nHello.\r\n"


async def a_world(**mailbox: Any) -> World:
    world = World()
    await world.given(a_configuration(settings=some_settings(mailbox=a_mailbox(**mailbox))))
    return world


async def listed(world: World, query: MessageQuery = ALL, *, size: int = 0, token: str = "", **how: Any) -> Any:
    return await world.list_messages(
        CALLER, CONFIGURATION_ID, "INBOX", query, size=size, token=token, time_left=how.get("time_left", MINUTE)
    )


async def got(world: World, message_id: str, **wanted: Any) -> tuple[Mail, dict[str, bytes]]:
    pieces: AsyncGenerator[Mail | PartChunk] = world.get_message(CALLER, CONFIGURATION_ID, message_id, Wanted(**wanted))
    mail: Mail | None = None
    contents: dict[str, bytes] = {}
    async for piece in pieces:
        if isinstance(piece, Mail):
            assert mail is None
            mail = piece
        else:
            assert piece.chunk.offset == len(contents.get(piece.part_id, b""))
            contents[piece.part_id] = contents.get(piece.part_id, b"") + piece.chunk.data
    assert mail is not None
    return mail, contents


async def test_given_messages_when_listed_in_pages_then_each_comes_once_the_newest_first() -> None:
    world = await a_world()
    for number in range(5):
        world.mailbox.deliver(raw(number))

    first = await listed(world, size=2)
    second = await listed(world, size=2, token=str(first.next))
    third = await listed(world, size=2, token=str(second.next))

    assert [mail.header.subject for page in (first, second, third) for mail in page.mails] == ["4", "3", "2", "1", "0"]
    assert third.next is None


async def test_given_a_page_that_is_too_large_for_an_answer_when_cut_then_the_next_one_goes_on_behind_the_cut() -> None:
    world = await a_world()
    for number in range(5):
        world.mailbox.deliver(raw(number))

    cut = (await listed(world, size=4)).up_to(1)
    rest = await listed(world, size=4, token=str(cut.next))

    assert [mail.header.subject for page in (cut, rest) for mail in page.mails] == ["4", "3", "2", "1", "0"]
    assert (await listed(world, size=5)).up_to(9).next is None


async def test_given_wrong_sizes_and_tokens_when_listed_then_refused_by_name() -> None:
    world = await a_world()
    for number in range(3):
        world.mailbox.deliver(raw(number))
    token = str((await listed(world, size=1)).next)

    with pytest.raises(InputInvalid) as negative:
        await listed(world, size=-1)
    with pytest.raises(InputInvalid) as foreign:
        await listed(world, MessageQuery(unseen=True), token=token)
    world.mailbox.rebuild()
    with pytest.raises(NotReady) as stale:
        await listed(world, token=token)
    with pytest.raises(DeadlineTooShort):
        await listed(world, time_left=timedelta(milliseconds=1))

    assert negative.value.violations[0].field == "page_size"
    assert foreign.value.reason is Reason.PAGE_TOKEN_INVALID
    assert stale.value.reason is Reason.CURSOR_INVALID


async def test_given_replies_and_reports_when_listed_then_they_name_the_delivery_of_this_tenant_alone() -> None:
    world = await a_world()
    ours = await world.accepted(a_delivery(message_id="<ours@example.com>"))
    await world.accepted(a_delivery(tenant=OTHER_TENANT, message_id="<theirs@example.com>"))
    world.mailbox.deliver(raw("reply", In_Reply_To="<ours@example.com>"))
    world.mailbox.deliver(raw("foreign", In_Reply_To="<theirs@example.com>"))
    world.mailbox.deliver(a_report("<ours@example.com>"))

    page = await listed(world)
    again = await listed(world)
    view = await world.get_delivery(CALLER, ours.delivery_id)

    assert [mail.delivery_id for mail in page.mails] == [ours.delivery_id, "", ours.delivery_id]
    assert again == page
    (bounce,) = view.bounces
    assert (bounce.address, bounce.action, bounce.status) == ("anna@example.com", BounceAction.FAILED, "5.1.1")
    assert bounce.report_time == page.mails[0].message.receive_time


async def test_given_a_report_that_cannot_be_fetched_when_listed_then_the_others_come_and_it_reports_nothing() -> None:
    world = await a_world()
    world.mailbox.deliver(raw("before"))
    world.mailbox.deliver(a_report("<ours@example.com>"))
    opened = world.mailbox.open_source

    async def refuse(*arguments: Any, **named: Any) -> Any:
        raise ProviderRefused(a_mailbox_failure())

    world.mailbox.open_source = refuse  # type: ignore[method-assign]
    page = await listed(world)
    world.mailbox.open_source = opened  # type: ignore[method-assign]

    assert [mail.bounce for mail in page.mails] == [None, None]
    assert [mail.header.subject for mail in page.mails] == ["Undelivered", "before"]


async def test_given_a_server_that_sends_more_than_it_announced_when_fetched_then_no_more_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LARGEST_KEPT", 300_000)
    world = await a_world()
    uid = world.mailbox.deliver(raw("lies") + b"x" * 2_000_000)
    (mail,) = (await listed(world)).mails
    opened = world.mailbox.open_source
    given = 0

    async def counted(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        nonlocal given
        async for chunk in chunks:
            given += len(chunk)
            yield chunk

    async def lie(*arguments: Any, **named: Any) -> RawSource:
        source = await opened(*arguments, **named)
        return RawSource(replace(source.message, size_bytes=10), counted(source.chunks))

    world.mailbox.open_source = lie  # type: ignore[method-assign]
    pieces = world.get_message(CALLER, CONFIGURATION_ID, str(mail.message.id), Wanted())
    (read,) = [piece async for piece in pieces]

    assert isinstance(read, Mail)
    assert read.message.id.uid == uid
    assert read.content is not None
    assert Defect.TRUNCATED in read.content.defects
    assert given < 1_000_000


@pytest.mark.parametrize("kept", [True, False], ids=["at hand", "fetched again"])
async def test_given_parts_when_fetched_then_contents_are_whole_whatever_lies_between(
    kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kept:
        monkeypatch.setattr(module, "LARGEST_KEPT", 10)
    world = await a_world()
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inside\n")
    inner.add_attachment(b"\x00\x01" * 400_000, maintype="application", subtype="octet-stream", filename="in.bin")
    message = EmailMessage()
    message["Subject"] = "outer"
    message.set_content("text\n")
    message.add_attachment(b"first" * 100_000, maintype="application", subtype="octet-stream", filename="1.bin")
    message.add_attachment(inner)
    message.add_attachment(b"", maintype="application", subtype="octet-stream", filename="empty.bin")
    source = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    world.mailbox.deliver(source)
    (listed_mail,) = (await listed(world)).mails

    mail, contents = await got(world, str(listed_mail.message.id), attachments=True, raw=True)
    assert mail.content is not None
    every = {part.part_id: part for part in mail.content.parts}
    _, by_name = await got(world, str(listed_mail.message.id), part_ids=tuple(every))

    named = {part.file_name: part.part_id for part in every.values() if part.file_name}
    assert contents[""] == source
    assert contents[named["1.bin"]] == b"first" * 100_000
    assert contents[named["empty.bin"]] == b""
    assert set(by_name) == set(every)
    assert by_name[named["in.bin"]] == b"\x00\x01" * 400_000
    (attached,) = [name for name, part in every.items() if part.content_type == "message/rfc822"]
    assert b"Subject: inner" in by_name[attached]


async def test_given_parts_that_are_not_there_when_asked_for_then_each_is_named_and_nothing_is_sent() -> None:
    world = await a_world()
    world.mailbox.deliver(raw(1))
    (mail,) = (await listed(world)).mails

    with pytest.raises(InputInvalid) as refused:
        await got(world, str(mail.message.id), part_ids=("1", "2", "x"))

    assert [each.field for each in refused.value.violations] == ["part_ids[1]", "part_ids[2]"]


async def test_given_more_messages_than_there_is_room_for_when_read_then_they_wait_for_one_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_AT_HAND", 300)
    monkeypatch.setattr(module, "LARGEST_KEPT", 10)  # the room that each takes beside twice its size
    world = await a_world()
    for number in range(4):
        world.mailbox.deliver(raw(number))
    page = await listed(world)

    read = await asyncio.gather(*(got(world, str(mail.message.id)) for mail in page.mails))

    assert [mail.header.subject for mail, _ in read] == ["3", "2", "1", "0"]


async def test_given_a_message_when_marked_and_moved_then_the_mailbox_has_it_so() -> None:
    world = await a_world()
    world.mailbox.deliver(raw(1))
    (mail,) = (await listed(world)).mails
    name = str(mail.message.id)

    flags = await world.set_flags(CALLER, CONFIGURATION_ID, name, FlagChange(add=(r"\Seen",)), time_left=MINUTE)
    moved = await world.move_message(CALLER, CONFIGURATION_ID, name, "Sent", time_left=MINUTE)
    with pytest.raises(NotFound):
        await world.move_message(CALLER, CONFIGURATION_ID, str(moved), "Nowhere", time_left=MINUTE)
    with pytest.raises(NotFound):
        await world.set_flags(CALLER, CONFIGURATION_ID, name, FlagChange(add=("x",)), time_left=MINUTE)
    with pytest.raises(NotFound):
        await got(world, name)
    folders = await world.list_folders(CALLER, CONFIGURATION_ID, with_counts=True, time_left=MINUTE)

    assert flags == (r"\Seen",)
    assert {folder.name: folder.message_count for folder in folders} == {"INBOX": 0, "Sent": 1}


@pytest.mark.parametrize("name", ["", "nonsense", "AQEB"])
async def test_given_no_name_of_ours_when_used_then_refused_as_stale(name: str) -> None:
    world = await a_world()

    for call in (
        got(world, name),
        world.set_flags(CALLER, CONFIGURATION_ID, name, FlagChange(add=("x",)), time_left=MINUTE),
        world.move_message(CALLER, CONFIGURATION_ID, name, "Sent", time_left=MINUTE),
    ):
        with pytest.raises(NotReady) as refused:
            await call
        assert refused.value.reason is Reason.CURSOR_INVALID


async def test_given_a_server_that_says_no_when_called_then_its_failure_is_the_answer() -> None:
    world = await a_world()
    world.mailbox.usual_failure = a_mailbox_failure(FailureKind.THROTTLED, reason=Reason.THROTTLED)

    for call in (
        listed(world),
        world.list_folders(CALLER, CONFIGURATION_ID, with_counts=False, time_left=MINUTE),
    ):
        with pytest.raises(ProviderRefused) as refused:
            await call
        assert refused.value.failure.kind is FailureKind.THROTTLED


async def test_given_a_password_that_does_not_open_when_read_then_it_is_named() -> None:
    world = await a_world()
    (name,) = world.store.configurations
    stored = world.store.configurations[name]
    world.store.configurations[name] = replace(
        stored, sealed={field: value[:-1] + bytes([value[-1] ^ 1]) for field, value in stored.sealed.items()}
    )

    with pytest.raises(SecretUnreadable) as refused:
        await listed(world)

    assert refused.value.metadata["field"] == "settings.mailbox.password"


async def test_given_a_mailbox_when_proven_then_its_steps_come_last_and_the_draft_is_saved() -> None:
    world = World()
    await world.given(a_draft(settings=some_settings(mailbox=a_mailbox())))

    validated = await world.validated()

    assert [step.stage for step in validated.trace.steps] == [Stage.DATA, Stage.MAILBOX]
    assert validated.view.configuration.active is not None


async def test_given_a_mailbox_that_does_not_open_when_proven_then_nothing_is_saved_and_the_trace_shows_where() -> None:
    world = World()
    await world.given(a_draft(settings=some_settings(mailbox=a_mailbox())))
    before = world.snapshot()
    world.mailbox.usual_failure = a_mailbox_failure(FailureKind.MISCONFIGURED, reason=Reason.CONNECTION_REFUSED)

    for call in (
        world.validated(),
        world.check_account(CALLER, CONFIGURATION_ID, time_left=MINUTE),
        world.send_test(CALLER, CONFIGURATION_ID, to="a@example.com", unsaved=None, time_left=MINUTE),
    ):
        with pytest.raises(ProviderRefused) as refused:
            await call
        assert refused.value.failure.stage is Stage.MAILBOX
        assert refused.value.failure.fixes == ()
        assert refused.value.trace is not None
        assert not refused.value.trace.steps[-1].succeeded
        assert len(refused.value.trace.steps) == 2

    assert world.snapshot() == before
    assert world.probe.looked == [], "the ways to the mail server have nothing to do with the mailbox"


async def test_given_a_mailbox_with_oauth_when_proven_then_it_is_opened_with_a_token() -> None:
    world = World()
    settings = some_settings(authentication=an_oauth_authentication(), mailbox=a_mailbox(password=None, use_oauth=True))
    await world.given(a_draft(settings=settings))
    grant = await world.given_grant()

    await world.check_account(CALLER, CONFIGURATION_ID, time_left=MINUTE)

    assert world.mailbox.signed_in_with == [token.token.reveal() for token in grant.access_tokens]
