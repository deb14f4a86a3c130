"""MailboxService through a running mailport against Dovecot: read, mark, file, follow."""

from __future__ import annotations

import asyncio
import os
import pwd
import time
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from typing import Any

import grpc
import pytest

from mailport.v1 import configuration_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from mailport.v1 import mailbox_service_pb2 as pb
from tests.broken_mail.corpus import COUNT, broken_messages
from tests.end_to_end.conftest import Mailport
from tests.end_to_end.mailboxes import (
    NAME,
    Box,
    arrived,
    beside,
    box_of,
    dovecot_settings,
    new_user,
    put,
    raw,
)
from tests.end_to_end.test_journey import details, reason
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot


@pytest.fixture
async def channel(mailport: Mailport) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(mailport.service.grpc_address) as channel:
        yield channel


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return new_user(dovecot)


@pytest.fixture
async def box(mailport: Mailport, dovecot: Dovecot, ca: TestCA, user: str, channel: grpc.aio.Channel) -> Box:
    """A configuration whose mailbox is a new one at Dovecot, proven."""
    await mailport.configure(dovecot_settings(mailport, dovecot, ca, user))
    return box_of(mailport, channel)


async def configured(mailport: Mailport, settings: configuration_pb2.Settings) -> None:
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id=NAME, settings=settings))


def stages(trace: failure_pb2.Trace) -> list[str]:
    return [failure_pb2.FailureStage.Name(step.stage).removeprefix("FAILURE_STAGE_") for step in trace.steps]


async def test_given_a_mailbox_when_validated_tested_and_checked_then_each_trace_ends_with_it(
    mailport: Mailport, dovecot: Dovecot, ca: TestCA, user: str
) -> None:
    await configured(mailport, dovecot_settings(mailport, dovecot, ca, user))

    tested = await mailport.stub.SendTest(api.SendTestRequest(configuration_id=NAME, to="a@sandbox.example"))
    validated = await mailport.stub.ValidateAndSave(
        api.ValidateAndSaveRequest(configuration_id=NAME, user_email="admin@sandbox.example")
    )
    checked = await mailport.stub.CheckAccount(api.CheckAccountRequest(configuration_id=NAME))

    assert validated.configuration.HasField("active")
    for trace in (tested.trace, validated.trace, checked.trace):
        assert stages(trace)[-1] == "MAILBOX"
        assert trace.steps[-1].succeeded
    assert "DATA" in stages(validated.trace)
    assert "DATA" not in stages(checked.trace)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"password": "wrong"}, "AUTH_REJECTED"),
        ({"port": 1}, "CONNECTION_REFUSED"),
        ({"ca_certificates": ""}, "CERT_UNTRUSTED"),
    ],
    ids=["password", "port", "authority"],
)
async def test_given_a_mailbox_that_does_not_open_when_proven_then_refused_by_stage_and_nothing_is_saved(
    mailport: Mailport, dovecot: Dovecot, ca: TestCA, user: str, change: dict[str, Any], expected: str
) -> None:
    await configured(mailport, dovecot_settings(mailport, dovecot, ca, user, **change))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.ValidateAndSave(
            api.ValidateAndSaveRequest(configuration_id=NAME, user_email="admin@sandbox.example")
        )

    assert reason(refused.value) == expected
    failure, trace = details(refused.value)["Failure"], details(refused.value)["Trace"]
    assert isinstance(failure, failure_pb2.Failure)
    assert isinstance(trace, failure_pb2.Trace)
    assert failure.stage == failure_pb2.FAILURE_STAGE_MAILBOX
    assert not trace.steps[-1].succeeded
    assert all(not fix.field.startswith("settings.smtp") for fix in failure.fixes)
    found = await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id=NAME))
    assert not found.configuration.HasField("active")


async def test_given_localised_folders_when_listed_then_each_opens_by_the_name_it_is_given_f37(
    box: Box, dovecot: Dovecot, ca: TestCA, user: str
) -> None:
    with beside(dovecot, ca, user) as client:
        for name in ("G&APY-nderilmi&AV8- Postalar", "M&APw-ll &- Reste", "&U,BTFw-", "R&-D"):
            assert client.create(f'"{name}"')[0] == "OK"
            put(client, [raw(name.replace("&", "and"))], folder=f'"{name}"')

    folders = await box.folders(counts=True)
    read = {folder.name: await box.every(folder.name) for folder in folders if folder.selectable}

    names = [folder.name for folder in folders]
    assert names[0] == "INBOX"
    assert names[1:] == sorted(names[1:])
    assert {"Gönderilmiş Postalar", "Müll & Reste", "台北", "R&D"} <= set(names)
    assert [len(read[name]) for name in ("Gönderilmiş Postalar", "Müll & Reste", "台北", "R&D")] == [1, 1, 1, 1]
    uses = {folder.name: folder.special_use for folder in folders}
    assert (uses["INBOX"], uses["Sent"]) == (pb.SPECIAL_USE_INBOX, pb.SPECIAL_USE_SENT)
    assert {folder.name: folder.message_count for folder in folders}["R&D"] == 1
    assert await box.every("inBOX") == []


async def test_given_unknown_charsets_when_listed_and_read_then_every_message_comes_with_its_flag_f38(
    box: Box, dovecot: Dovecot, ca: TestCA, user: str
) -> None:
    broken = (
        b"Subject: =?x-unknown?B?SGVsbG8=?=\r\nMessage-ID: <2@example.org>\r\n"
        b"Content-Type: text/plain; charset=bogus\r\nContent-Transfer-Encoding: 8bit\r\n\r\ncaf\xe9\r\n"
    )
    with beside(dovecot, ca, user) as client:
        put(client, [raw(1), broken, raw(3)])

    listed = await box.every()
    read = {each.message_id: await box.get(each.mailbox_message_id, raw=True) for each in listed}

    assert [each.message_id for each in listed] == ["<3@example.org>", "<2@example.org>", "<1@example.org>"]
    message, contents = read["<2@example.org>"]
    assert message.text_body.startswith("caf")
    assert pb.MESSAGE_DEFECT_CHARSET in message.defects
    assert contents[""] == broken
    assert all(not read[other][0].defects for other in ("<1@example.org>", "<3@example.org>"))


async def test_given_a_folder_that_was_made_anew_when_old_names_are_used_then_none_of_them_means_a_message_f39(
    box: Box, dovecot: Dovecot, ca: TestCA, user: str
) -> None:
    with beside(dovecot, ca, user) as client:
        client.create("Jobs")
        put(client, [raw("old-1"), raw("old-2")], folder="Jobs")
        old = await box.every("Jobs")
        page = await box.page("Jobs", size=1)
        watch, cursor = await box.watch("Jobs")
        client.delete("Jobs")
        await asyncio.sleep(1.1)  # Dovecot's UIDVALIDITY is the second in which a folder was made
        client.create("Jobs")
        put(client, [raw("new-1"), raw("new-2"), raw("new-3")], folder="Jobs")

        refusals = []
        for call in (
            box.get(old[0].mailbox_message_id),
            box.flag(old[0].mailbox_message_id, add=[r"\Deleted"]),
            box.move(old[0].mailbox_message_id, "Trash"),
            box.page("Jobs", size=1, token=page.next_page_token),
            box.watch("Jobs", cursor=cursor),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            refusals.append((refused.value.code(), reason(refused.value)))
        fresh = await box.every("Jobs")
        watch.cancel()

    assert set(refusals) == {(grpc.StatusCode.FAILED_PRECONDITION, "CURSOR_INVALID")}
    assert [each.subject for each in fresh] == ["new-3", "new-2", "new-1"]
    assert all(r"\Deleted" not in each.flags for each in fresh)


async def test_given_messages_when_read_in_every_way_then_none_is_marked_as_seen(
    box: Box, dovecot: Dovecot, ca: TestCA, user: str
) -> None:
    with beside(dovecot, ca, user) as client:
        put(client, [raw(number) for number in range(3)])
        for each in await box.every():
            await box.get(each.mailbox_message_id, raw=True)
        client.select("INBOX")
        unseen = client.search(None, "UNSEEN")[1][0].split()

    assert len(unseen) == 3
    assert len(await box.every(unseen=True)) == 3


async def test_given_a_search_when_listed_in_pages_then_what_fits_comes_newest_first_and_once(
    box: Box, dovecot: Dovecot, ca: TestCA, user: str
) -> None:
    with beside(dovecot, ca, user) as client:
        for number in range(25):
            fields = {"Subject": f"=?utf-8?q?Gr=C3=B6=C3=9Fe_{number}?=" if number % 2 else f"plain {number}"}
            put(client, [raw(number, **fields)])

    found = await box.every(size=4, subject="größe")

    assert [each.subject for each in found] == [f"Größe {number}" for number in range(23, 0, -2)]
    assert len({each.mailbox_message_id for each in found}) == 12
    page = await box.page(size=4, subject="größe")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await box.page(size=4, token=page.next_page_token)
    assert (refused.value.code(), reason(refused.value)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "PAGE_TOKEN_INVALID",
    )


async def test_given_attachments_when_fetched_then_content_comes_decoded_and_the_source_as_it_is(
    box: Box, dovecot: Dovecot, ca: TestCA, user: str
) -> None:
    message = EmailMessage()
    message["Subject"], message["Message-ID"] = "Zahlen", "<files@example.org>"
    message.set_content("Hallo.\n")
    message.add_alternative("<p>Hallo.</p>\n", subtype="html")
    large, small = bytes(range(256)) * 12_000, b"x,y\r\n1,2\r\n"
    message.add_attachment(large, maintype="application", subtype="octet-stream", filename="größe.bin")
    message.add_attachment(small, maintype="text", subtype="csv", filename="zahlen.csv")
    source = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    with beside(dovecot, ca, user) as client:
        put(client, [source])
    (listed,) = await box.every()

    read, contents = await box.get(listed.mailbox_message_id, attachments=True, raw=True)
    named = {part.file_name: part for part in read.parts if part.file_name}
    one, chosen = await box.get(listed.mailbox_message_id, parts=[named["zahlen.csv"].part_id])
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await box.get(listed.mailbox_message_id, parts=["9.9"])

    assert (read.text_body, read.html_body) == ("Hallo.\n", "<p>Hallo.</p>\n")
    assert contents[named["größe.bin"].part_id] == large
    assert contents[named["zahlen.csv"].part_id] == small
    assert contents[""] == source
    assert read.size_bytes == len(source)
    assert (one, chosen) == (read, {named["zahlen.csv"].part_id: small})
    assert (refused.value.code(), reason(refused.value)) == (grpc.StatusCode.INVALID_ARGUMENT, "VALUE_MALFORMED")


async def test_given_a_message_when_marked_and_filed_then_the_mailbox_shows_it_and_repeating_changes_nothing(
    box: Box, dovecot: Dovecot, ca: TestCA, user: str
) -> None:
    with beside(dovecot, ca, user) as client:
        put(client, [raw(1)])
    (message,) = await box.every()

    first = await box.flag(message.mailbox_message_id, add=[r"\Seen", "$Done"])
    again = await box.flag(message.mailbox_message_id, add=[r"\Seen", "$Done"])
    less = await box.flag(message.mailbox_message_id, remove=["$Done"])
    moved = await box.move(message.mailbox_message_id, "Trash")
    (there,) = await box.every("Trash")
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await box.get(message.mailbox_message_id)
    with pytest.raises(grpc.aio.AioRpcError) as nowhere:
        await box.move(moved, "No such folder")

    assert first == again == ("$Done", r"\Seen")
    assert less == (r"\Seen",)
    assert there.mailbox_message_id == moved
    assert await box.every() == []
    assert (gone.value.code(), nowhere.value.code()) == (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.NOT_FOUND)


async def test_given_a_watch_when_mail_arrives_and_it_is_resumed_then_each_message_comes_once(
    box: Box, dovecot: Dovecot, ca: TestCA, user: str
) -> None:
    with beside(dovecot, ca, user) as client:
        put(client, [raw("before")])
        watch, _ = await box.watch()
        put(client, [raw(1), raw(2)])
        first, second = await arrived(watch), await arrived(watch)
        watch.cancel()
        put(client, [raw(3), raw(4)])
        again, cursor = await box.watch(cursor=first.cursor)
        told = [await arrived(again) for _ in range(3)]
        put(client, [raw(5)])
        last = await arrived(again)
        again.cancel()

    assert cursor == first.cursor
    assert [each.message.subject for each in (first, *told, last)] == ["1", "2", "3", "4", "5"]
    assert told[0].message.mailbox_message_id == second.message.mailbox_message_id
    assert {each.mailbox_message_id for each in await box.every()} >= {
        each.message.mailbox_message_id for each in (first, *told, last)
    }


async def test_given_a_configuration_without_mailbox_when_read_then_every_rpc_says_mailbox_disabled(
    mailport: Mailport, channel: grpc.aio.Channel
) -> None:
    await mailport.configure()
    box = box_of(mailport, channel)

    refusals = []
    for call in (
        box.folders(),
        box.page(),
        box.get("x"),
        box.watch(),
        box.flag("x", add=[r"\Seen"]),
        box.move("x", "Trash"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        refusals.append((refused.value.code(), reason(refused.value)))

    assert refusals == [(grpc.StatusCode.FAILED_PRECONDITION, "MAILBOX_DISABLED")] * 6


async def test_given_five_hundred_broken_messages_when_listed_fetched_and_watched_then_each_comes_with_its_defects(
    box: Box, dovecot: Dovecot, user: str, figures: Callable[[str], None]
) -> None:
    """What no server takes by APPEND, such as NUL, lies in its folder all the same: written by other programs."""
    watch, _ = await box.watch()
    corpus = broken_messages()
    store(dovecot, user, [broken.octets for broken in corpus])
    began = time.monotonic()
    watched = [(await arrived(watch)).message for _ in corpus]
    watch.cancel()

    listed = await box.every()
    read = [await box.get(each.mailbox_message_id, attachments=True, raw=True) for each in listed]

    took = time.monotonic() - began
    assert len(listed) == len(read) == COUNT
    assert {each.mailbox_message_id for each in watched} == {each.mailbox_message_id for each in listed}
    raws = {contents[""] for _, contents in read}
    assert {broken.octets for broken in corpus if is_kept_as_it_is(broken.octets)} <= raws
    assert sum(bool(message.defects) for message, _ in read) >= COUNT * 3 // 4
    figures(f"broken messages through Dovecot: {COUNT} watched, listed and fetched whole, 0 errors, {took:.1f} s")


def is_kept_as_it_is(octets: bytes) -> bool:
    """Tells whether Dovecot gives the octets as they lie there: with CRLF alone, and without NUL."""
    return octets == octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") and b"\0" not in octets


def store(dovecot: Dovecot, user: str, messages: list[bytes]) -> None:
    """Lays *messages* into the inbox of *user* as files of its Maildir."""
    owner = pwd.getpwnam("nobody")
    folder = dovecot.folder / "mail" / user
    for number, message in enumerate(messages):
        name = f"{1_700_000_000 + number}.M{number}P1.localhost"
        written = folder / "tmp" / name
        written.write_bytes(message)
        os.chown(written, owner.pw_uid, owner.pw_gid)
        written.rename(folder / "new" / name)
