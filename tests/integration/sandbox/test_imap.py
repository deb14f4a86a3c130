"""The sandbox's IMAP server over the wire: sign-in, reading back what was sent, changing, watching."""

from __future__ import annotations

import asyncio
import base64
import imaplib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.sandbox.sandbox import Sandbox
from tests.integration.sandbox.conftest import send, trusting
from tests.peers.imap_talk import ImapTalk

RAW = b"Subject: hello\r\nFrom: a@example.test\r\nTo: b@example.test\r\n\r\nbody\r\n"


async def _connected(sandbox: Sandbox) -> ImapTalk:
    return await ImapTalk.open("127.0.0.1", sandbox.imaps_port, tls=trusting(sandbox))


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ImapTalk]:
    """A session that has signed in."""
    async with await _connected(sandbox) as talk:
        assert (await talk.ask(f"LOGIN {sandbox.username} {sandbox.password}")).status == "OK"
        yield talk


async def _arrive(sandbox: Sandbox, raw: bytes = RAW, *, to: str = "b@example.test") -> None:
    await sandbox.inbox.add(receive_time=datetime.now(UTC), sender="a@example.test", recipients=(to,), raw=raw)


async def test_given_a_mail_sent_over_smtp_when_read_with_the_standard_client_then_it_comes_back_as_sent(
    sandbox: Sandbox,
) -> None:
    raw = b"Subject: back\r\nTo: b@example.test\r\n\r\nas sent\r\n"
    await asyncio.to_thread(send, sandbox, "b@example.test", raw=raw)

    def read() -> tuple[object, ...]:
        client = imaplib.IMAP4("127.0.0.1", sandbox.imap_port)
        client.starttls(trusting(sandbox))
        client.login(sandbox.username, sandbox.password)
        opened = client.select("INBOX", readonly=True)
        found = client.uid("SEARCH", None, 'SUBJECT "back"')  # type: ignore[arg-type]
        fetched = client.uid("FETCH", "1", "(FLAGS BODY.PEEK[])")
        client.logout()
        return opened, found, fetched[1][0]

    opened, found, fetched = await asyncio.to_thread(read)

    assert (opened, found) == (("OK", [b"1"]), ("OK", [b"1"]))
    assert fetched == (b"1 (UID 1 FLAGS (\\Recent) BODY[] {%d}" % len(raw), raw)


async def test_given_no_tls_when_signing_in_then_refused_before_any_look_at_the_password(sandbox: Sandbox) -> None:
    async with await ImapTalk.open("127.0.0.1", sandbox.imap_port) as talk:
        told = await talk.ask("CAPABILITY")
        answers = [
            await talk.ask(f"LOGIN {sandbox.username} {sandbox.password}"),
            await talk.ask("AUTHENTICATE PLAIN " + base64.b64encode(b"\0a\0b").decode()),
            await talk.ask("SELECT INBOX"),
        ]

    assert b"LOGINDISABLED" in told.untagged[0]
    assert b"AUTH=" not in told.untagged[0]
    assert [(answer.status, answer.code("PRIVACYREQUIRED")) for answer in answers] == [
        ("NO", b""),
        ("NO", b""),
        ("BAD", None),
    ]


async def test_given_a_command_behind_starttls_when_sent_ahead_of_the_handshake_then_the_session_ends(
    sandbox: Sandbox,
) -> None:
    async with await ImapTalk.open("127.0.0.1", sandbox.imap_port) as talk:
        talk.send(b"a STARTTLS\r\nb NOOP\r\n")
        rest = await talk.rest()

    assert rest.startswith(b"* BYE ")
    assert b" OK" not in rest


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN", "PLAIN asked"])
@pytest.mark.parametrize(("password", "status"), [(None, "OK"), ("wrong", "NO")])
async def test_given_a_password_when_signing_in_then_it_is_checked(
    sandbox: Sandbox, mechanism: str, password: str | None, status: str
) -> None:
    username, secret = sandbox.username.upper(), password or sandbox.password
    blob = base64.b64encode(f"\0{username}\0{secret}".encode()).decode()

    async with await _connected(sandbox) as talk:
        if mechanism == "LOGIN":
            answer = await talk.ask(f"LOGIN {username} {{{len(secret)}}}", secret.encode(), "")
        elif mechanism == "PLAIN":
            answer = await talk.ask(f"AUTHENTICATE PLAIN {blob}")
        else:
            assert await talk.begin("AUTHENTICATE PLAIN") == b"+ "
            answer = await talk.go_on(blob)
        refused = answer.code("AUTHENTICATIONFAILED")
        after = await talk.ask("SELECT INBOX")

    assert answer.status == status
    assert (refused is None) is (status == "OK")
    assert after.status == ("OK" if status == "OK" else "BAD")


async def test_given_messages_of_several_people_when_listing_then_the_account_sees_all_of_them(
    sandbox: Sandbox, client: ImapTalk
) -> None:
    await _arrive(sandbox, to="one@example.test")
    await _arrive(sandbox, to="two@example.test")

    opened = await client.ask("EXAMINE inbox")
    status = await client.ask("STATUS INBOX (MESSAGES UNSEEN UIDNEXT)")

    assert b"* 2 EXISTS" in opened.untagged
    assert opened.tagged == b"OK [READ-ONLY] Opened"
    assert status.untagged == (b'* STATUS "INBOX" (MESSAGES 2 UNSEEN 2 UIDNEXT 3)',)


async def test_given_an_idling_client_when_a_mail_arrives_and_another_session_marks_it_then_it_is_told(
    sandbox: Sandbox, client: ImapTalk
) -> None:
    await client.ask("SELECT INBOX")

    assert await client.begin("IDLE") == b"+ idling"
    await _arrive(sandbox)
    arrival = [await client.line(), await client.line()]
    async with await _connected(sandbox) as other:
        await other.ask(f"LOGIN {sandbox.username} {sandbox.password}")
        await other.ask("SELECT INBOX")
        await other.ask(r"STORE 1 +FLAGS (\Flagged Handled)")
        changes = [await client.line(), await client.line()]
        await other.ask(r"STORE 1 +FLAGS.SILENT (\Deleted)")
        await client.line()
        await other.ask("EXPUNGE")
        gone = await client.line()
    ended = await client.go_on("DONE")

    assert arrival == [b"* 1 EXISTS", b"* 1 RECENT"]
    assert changes[0].startswith(b"* FLAGS (")
    assert changes[1] == b"* 1 FETCH (UID 1 FLAGS (Handled \\Flagged \\Recent))"
    assert gone == b"* 1 EXPUNGE"
    assert ended.tagged == b"OK Idle ended"


async def test_given_an_idling_client_when_it_says_something_else_then_bad_and_the_session_goes_on(
    client: ImapTalk,
) -> None:
    await client.begin("IDLE")

    answer = await client.go_on("NOOP")

    assert answer.status == "BAD"
    assert (await client.ask("NOOP")).status == "OK"


async def test_given_an_expunge_elsewhere_when_naming_messages_by_number_then_numbers_hold_until_told(
    sandbox: Sandbox, client: ImapTalk
) -> None:
    for number in range(3):
        await _arrive(sandbox, b"Subject: %d\r\n\r\n" % number)
    await client.ask("SELECT INBOX")
    async with await _connected(sandbox) as other:
        await other.ask(f"LOGIN {sandbox.username} {sandbox.password}")
        await other.ask("SELECT INBOX")
        await other.ask(r"STORE 1 +FLAGS.SILENT \Deleted")
        await other.ask("EXPUNGE")

    fetched = await client.ask("FETCH 2 BODY.PEEK[HEADER.FIELDS (Subject)]")
    stored = await client.ask(r"STORE 1 +FLAGS \Seen")
    told = await client.ask("NOOP")
    after = await client.ask("FETCH 2 BODY.PEEK[HEADER.FIELDS (Subject)]")

    assert fetched.untagged == (b'* 2 FETCH (BODY[HEADER.FIELDS ("SUBJECT")] {14}\r\nSubject: 1\r\n\r\n)',)
    assert stored.code("EXPUNGEISSUED") == b""
    assert told.untagged == (b"* 1 EXPUNGE",)
    assert b"Subject: 2" in after.untagged[0]


async def test_given_uidplus_when_copying_moving_and_expunging_then_codes_name_the_new_uids(
    sandbox: Sandbox, client: ImapTalk
) -> None:
    for _ in range(4):
        await _arrive(sandbox)
    opened = await client.ask("SELECT INBOX")
    archive = (await client.ask("STATUS Archive (UIDVALIDITY)")).untagged[0].split()[-1].rstrip(b")")

    copied = await client.ask("UID COPY 1,3:9 Archive")
    moved = await client.ask("UID MOVE 2:3 Archive")
    await client.ask(r"UID STORE 1,4 +FLAGS.SILENT (\Deleted)")
    expunged = await client.ask("UID EXPUNGE 4:9")
    missing = await client.ask("UID MOVE 1 Nowhere")
    left = await client.ask("UID SEARCH ALL")

    assert opened.code("UIDVALIDITY") != archive
    assert copied.tagged == b"OK [COPYUID %s 1,3:4 1:3] Copied" % archive
    assert moved.untagged == (b"* OK [COPYUID %s 2:3 4:5] Moved" % archive, b"* 3 EXPUNGE", b"* 2 EXPUNGE")
    assert expunged.untagged == (b"* 2 EXPUNGE",)
    assert missing.code("TRYCREATE") == b""
    assert left.untagged == (b"* SEARCH 1",)


async def test_given_a_folder_open_for_reading_when_changing_it_then_refused_and_nothing_is_marked_as_seen(
    sandbox: Sandbox, client: ImapTalk
) -> None:
    await _arrive(sandbox)
    await client.ask("EXAMINE INBOX")

    read = await client.ask("FETCH 1 BODY[]")
    refused = [
        await client.ask(command)
        for command in (r"STORE 1 +FLAGS \Seen", "EXPUNGE", "MOVE 1 Archive", "UID EXPUNGE 1:*")
    ]
    status = await client.ask("STATUS INBOX (UNSEEN)")

    assert b"FLAGS" not in read.untagged[0]
    assert [answer.status for answer in refused] == ["NO"] * 4
    assert status.untagged == (b'* STATUS "INBOX" (UNSEEN 1)',)


async def test_given_the_inbox_emptied_when_looking_again_then_every_folder_has_lost_its_copies(
    sandbox: Sandbox, client: ImapTalk
) -> None:
    await _arrive(sandbox)
    await client.ask("SELECT INBOX")
    await client.ask("COPY 1 Archive")

    sandbox.inbox.clear()
    told = await client.ask("NOOP")
    archive = await client.ask("STATUS Archive (MESSAGES UIDNEXT)")

    assert told.untagged == (b"* 1 EXPUNGE",)
    assert archive.untagged == (b'* STATUS "Archive" (MESSAGES 0 UIDNEXT 2)',)


async def test_given_a_rebuilt_folder_when_it_is_open_then_the_session_ends_and_uids_come_under_another_validity(
    sandbox: Sandbox, client: ImapTalk
) -> None:
    await _arrive(sandbox)
    await _arrive(sandbox)
    before = await client.ask("SELECT INBOX")
    await client.ask(r"STORE 1 +FLAGS.SILENT \Deleted")
    await client.ask("EXPUNGE")

    sandbox.imap.mailboxes.of(sandbox.username).rebuild("INBOX")
    ended = await client.ask_to_the_end("NOOP")
    async with await _connected(sandbox) as again:
        await again.ask(f"LOGIN {sandbox.username} {sandbox.password}")
        after = await again.ask("SELECT INBOX")
        found = await again.ask("UID SEARCH ALL")

    assert ended.startswith(b"* BYE ")
    assert before.code("UIDVALIDITY") != after.code("UIDVALIDITY")
    assert found.untagged == (b"* SEARCH 1",)


@pytest.mark.parametrize("ending", ["stop", "drop_sessions"])
async def test_given_sessions_when_the_server_ends_them_then_all_are_gone(
    certificates_folder: Path, ending: str
) -> None:
    async with Sandbox(folder=certificates_folder) as sandbox, await _connected(sandbox) as talk:
        await talk.ask(f"LOGIN {sandbox.username} {sandbox.password}")
        await talk.begin("IDLE")
        server = sandbox.imap

        await (server.stop() if ending == "stop" else server.drop_sessions())

        assert await talk.rest() == b""
        assert server.session_count == 0


@pytest.mark.parametrize(
    ("without", "command"),
    [("IDLE", "IDLE"), ("MOVE", "MOVE 1 Archive"), ("MOVE", "UID MOVE 1 Archive"), ("UIDPLUS", "UID EXPUNGE 1")],
)
async def test_given_a_server_that_lacks_something_when_asked_for_it_then_it_neither_says_nor_does_it(
    certificates_folder: Path, without: str, command: str
) -> None:
    async with (
        Sandbox(folder=certificates_folder, imap_without=frozenset({without})) as sandbox,
        await _connected(sandbox) as talk,
    ):
        signed_in = await talk.ask(f"LOGIN {sandbox.username} {sandbox.password}")
        await _arrive(sandbox)
        await talk.ask("SELECT INBOX")
        answer = await talk.ask(command)
        copied = await talk.ask("COPY 1 Archive")

    assert without.encode() not in (signed_in.code("CAPABILITY") or b"").split()
    assert answer.status == "BAD"
    assert (copied.code("COPYUID") is None) is (without == "UIDPLUS")
