"""The sandbox's IMAP server answers as Dovecot does: the same messages, the same commands, the same data."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import pytest

from service.sandbox.sandbox import Sandbox
from tests.integration.sandbox.conftest import trusting
from tests.integration.sandbox.imap_values import untagged_values
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot
from tests.peers.fixtures import DOVECOT_USERS
from tests.peers.imap_talk import ImapTalk, Reply

_PLAIN: Final = (
    "Date: Wed, 4 Feb 2026 23:30:00 -0500",
    "From: =?utf-8?Q?J=C3=B6rg?= <joerg@example.test>",
    'To: Anna <anna@example.test>, bob@example.test (Bob \\(B\\)), "Last, First" <l.f@example.test>',
    "Cc: undisclosed-recipients:;, Team: x@example.test, y@example.test;",
    "Subject: =?utf-8?B?R3LDvMOfZQ==?= from",
    " a folded subject",
    "Message-ID: <1@example.test>",
    "In-Reply-To: <0@example.test>",
    "X-Empty:",
    "",
    "First line",
    "Second, ünd 8 bit",
)
_MIXED: Final = (
    "From: a@example.test",
    "Sender: robot@example.test",
    "Reply-To: help@example.test",
    'Subject: "quoted" back\\slash',
    "MIME-Version: 1.0",
    'Content-Type: multipart/mixed; boundary="outer"',
    "",
    "Preamble",
    "--outer",
    'Content-Type: multipart/alternative; boundary="inner"',
    "",
    "--inner",
    "Content-Type: text/plain; charset=utf-8; format=flowed",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "Gr=C3=BC=C3=9Fe",
    "",
    "--inner",
    'Content-Type: text/html; charset="utf-8"',
    "Content-Language: de, en",
    "Content-Location: https://example.test/x",
    "",
    "<p>Hallo</p>",
    "--inner--",
    "",
    "--outer",
    "Content-Type: image/png; name*=utf-8''%C3%BC.png",
    "Content-ID: <pic@example.test>",
    "Content-Description: a picture",
    "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
    'Content-Disposition: attachment; filename="a b.png"; size=4',
    "Content-Transfer-Encoding: BASE64",
    "",
    "AAECAw==",
    "--outer",
    "Content-Type: message/rfc822",
    "",
    "From: inner@example.test",
    "Subject: inner",
    'Content-Type: multipart/mixed; boundary="deep"',
    "",
    "--deep",
    "",
    "deep one",
    "--deep",
    "Content-Type: application/octet-stream",
    "",
    "deep two",
    "--deep--",
    "an epilogue",
    "--outer",
    "Content-Type: message/rfc822",
    "",
    "Subject: single",
    "",
    "single body",
    "--outer--",
    "Epilogue",
)
_BROKEN: Final = (
    "Subject: no end",
    "Date: yesterday",
    'Content-Type: multipart/mixed; boundary="b"',
    "",
    "--b",
    "X-Nothing: of use",
    "",
    "one",
    "--b",
    "Content-Disposition: inline",
    "",
    "two, and the boundary never closes",
)
_NO_PARTS: Final = ("Subject: empty", 'Content-Type: multipart/mixed; boundary="b"', "", "nothing here")
_DIGEST: Final = (
    "Subject: digest",
    'Content-Type: multipart/digest; boundary="d"',
    "",
    "--d",
    "",
    "Subject: first",
    "",
    "of two",
    "--d",
    "Content-Type: text/plain",
    "",
    "plain",
    "--d--",
)
_MESSAGES: Final = [
    "".join(f"{line}\r\n" for line in lines).encode() for lines in (_PLAIN, _MIXED, _BROKEN, _NO_PARTS, _DIGEST)
]
_DATES: Final = ["01", "10", "11", "12", "28"]

_FETCHES: Final = [
    "UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
    "UID FETCH 1:* (BODYSTRUCTURE)",
    "UID FETCH 1:* BODY",
    "FETCH 1 ALL",
    "FETCH * FAST",
    "FETCH 2,1:2 (UID)",
    "UID FETCH 1:* BODY.PEEK[]",
    "UID FETCH 1:* (BODY.PEEK[HEADER] BODY.PEEK[TEXT])",
    "UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT To X-Empty Nothing)]",
    "UID FETCH 1:* BODY.PEEK[HEADER.FIELDS.NOT (Subject to)]",
    "UID FETCH 1:* (BODY.PEEK[1] BODY.PEEK[1.MIME])",
    "UID FETCH 2 (BODY.PEEK[1.1] BODY.PEEK[1.2] BODY.PEEK[1.2.MIME] BODY.PEEK[2] BODY.PEEK[2.MIME])",
    "UID FETCH 2 (BODY.PEEK[3] BODY.PEEK[3.HEADER] BODY.PEEK[3.TEXT])",
    "UID FETCH 2 (BODY.PEEK[3.1] BODY.PEEK[3.2] BODY.PEEK[3.2.MIME])",
    "UID FETCH 2 (BODY.PEEK[4] BODY.PEEK[4.1] BODY.PEEK[4.HEADER.FIELDS (SUBJECT)])",
    "UID FETCH 5 (BODY.PEEK[1] BODY.PEEK[1.HEADER] BODY.PEEK[1.1] BODY.PEEK[2])",
    "UID FETCH 1 (BODY.PEEK[]<0.10> BODY.PEEK[TEXT]<5.7> BODY.PEEK[]<100000.5> BODY.PEEK[1]<2.100000>)",
    "UID FETCH 1 (RFC822.HEADER)",
    "UID FETCH 77 (FLAGS)",
    "UID FETCH 900:* (UID)",
]
_SEARCHES: Final = [
    "ALL",
    "1:2",
    "2,4:*",
    "UID 2:3",
    "UID 900:*",
    "UNSEEN",
    "SEEN",
    "FLAGGED",
    "NOT ANSWERED",
    "KEYWORD Handled",
    "KEYWORD handled",
    "UNKEYWORD Handled",
    "DELETED",
    "FROM joerg",
    "FROM example.test",
    'TO "Last, First"',
    "CC x@example.test",
    "SUBJECT quoted",
    'SUBJECT "INNER"',
    'HEADER X-Empty ""',
    "HEADER Message-ID <1@example.test>",
    "TEXT hallo",
    "BODY boundary",
    'BODY "first line"',
    "SINCE 11-Jan-2026",
    "BEFORE 11-Jan-2026",
    "ON 11-Jan-2026",
    "SENTSINCE 4-Feb-2026",
    "SENTON 4-Feb-2026",
    "LARGER 500",
    "SMALLER 100",
    "OR FROM joerg SUBJECT digest",
    "NOT (OR SEEN SUBJECT digest)",
    "(UNSEEN) 1:3 NOT UID 1",
    "CHARSET UTF-8 UNSEEN",
    "RETURN () ALL",
    "RETURN (MIN MAX COUNT) UNSEEN",
    "RETURN (ALL COUNT) UID 1,2,5",
    "RETURN (MIN ALL) KEYWORD nowhere",
    "RETURN (COUNT) KEYWORD nowhere",
]
_TEXTS: Final = [("SUBJECT", "GRÜSSE"), ("SUBJECT", "grüße"), ("FROM", "Jörg"), ("BODY", "Grüße"), ("TEXT", "ünd")]
_WRONG: Final = [
    "FETCH 0 FLAGS",
    "FETCH 9 FLAGS",
    "FETCH 1 (NOTHING)",
    "FETCH 1 ()",
    "FETCH 1:x FLAGS",
    "UID NOOP",
    "UID FETCH",
    "STORE 1 FLAGS \\Nonsense",
    "STORE 1 FLAGS \\Recent",
    "STORE 9 +FLAGS \\Seen",
    "SEARCH NONSENSE",
    "SEARCH",
    "SEARCH SINCE yesterday",
    "SEARCH CHARSET X-NONE SUBJECT x",
    "COPY 1 Missing-folder",
    "MOVE 1 Missing-folder",
    'SELECT ""',
    "NONSENSE",
    "LOGIN a b",
    "STARTTLS",
    "STATUS Missing-folder (MESSAGES)",
    "DELETE INBOX",
    "CREATE INBOX",
]


@dataclass
class Both:
    """Two signed-in sessions that have a folder of the same messages open."""

    sandbox: ImapTalk
    dovecot: ImapTalk

    async def ask(self, *pieces: str | bytes) -> tuple[Reply, Reply]:
        return await self.sandbox.ask(*pieces), await self.dovecot.ask(*pieces)


async def _prepared(talk: ImapTalk, folder: str) -> None:
    assert (await talk.ask(f"CREATE {folder}")).status == "OK"
    for raw, day in zip(_MESSAGES, _DATES, strict=True):
        reply = await talk.ask(f'APPEND {folder} "{day}-Jan-2026 10:20:30 +0000" {{{len(raw)}}}', raw, "")
        assert reply.status == "OK", reply
    await talk.ask(f"SELECT {folder}")
    await talk.ask("STORE 2 +FLAGS.SILENT (\\Seen \\Flagged Handled)")
    await talk.ask("STORE 3 +FLAGS.SILENT (\\Deleted \\Answered)")


@pytest.fixture
async def both(sandbox: Sandbox, dovecot: Dovecot, ca: TestCA) -> AsyncIterator[Both]:
    folder = f"compare-{uuid4().hex}"
    user, password = "robot@example.test", DOVECOT_USERS["robot@example.test"]

    async def connected(port: int, tls: ssl.SSLContext, user: str, password: str) -> ImapTalk:
        talk = await ImapTalk.open("localhost", port, tls=tls)
        assert (await talk.ask(f'LOGIN {user} "{password}"')).status == "OK"
        await _prepared(talk, folder)
        return talk

    async with (
        await connected(sandbox.imaps_port, trusting(sandbox), sandbox.username, sandbox.password) as ours,
        await connected(dovecot.imaps, ca.client_context(), user, password) as theirs,
    ):
        yield Both(ours, theirs)


def _values(reply: Reply) -> list[Any]:
    return untagged_values(reply.untagged)


async def _differences(both: Both, commands: Sequence[tuple[str | bytes, ...]]) -> dict[str, tuple[Any, Any]]:
    """Returns the commands that were not answered alike, with both answers; in one session, since sign-in is slow."""
    found = {}
    for pieces in commands:
        ours, theirs = await both.ask(*pieces)
        values = (ours.status, *_values(ours)), (theirs.status, *_values(theirs))
        if values[0] != values[1] or ours.status != "OK":
            found[repr(pieces)] = values
    return found


async def test_given_the_same_messages_when_fetching_then_the_same_data_comes(both: Both) -> None:
    assert await _differences(both, [(command,) for command in _FETCHES]) == {}


async def test_given_the_same_messages_when_searching_then_the_same_are_found(both: Both) -> None:
    assert await _differences(both, [(f"UID SEARCH {keys}",) for keys in _SEARCHES]) == {}


async def test_given_text_that_is_not_ascii_when_searching_then_the_same_are_found(both: Both) -> None:
    commands = [(f"UID SEARCH CHARSET UTF-8 {key} {{{len(text.encode())}}}", text.encode(), "") for key, text in _TEXTS]

    assert await _differences(both, commands) == {}


async def test_given_what_is_wrong_when_asked_then_refused_alike_and_the_session_goes_on(both: Both) -> None:
    answers = {}
    for command in _WRONG:
        ours, theirs = await both.ask(command)
        answers[command] = ours.status, theirs.status

    assert {command: both for command, both in answers.items() if both not in {("NO", "NO"), ("BAD", "BAD")}} == {}
    assert {(await talk.ask("NOOP")).status for talk in (both.sandbox, both.dovecot)} == {"OK"}


async def test_given_changes_when_asked_for_one_after_the_other_then_the_same_is_told(both: Both) -> None:
    for command in (
        "STORE 1:2 +FLAGS (\\Answered $Forwarded)",
        "UID STORE 1 FLAGS.SILENT (\\Seen)",
        "STORE 2 -FLAGS \\Seen Handled",
        "UID FETCH 1:* FLAGS",
        "FETCH 4 (UID BODY[TEXT])",
        "FETCH 4 (BODY[TEXT])",
        "UID EXPUNGE 1:2",
        "NOOP",
        "EXPUNGE",
        "UID SEARCH ALL",
        "FETCH 3 (UID)",
        "CHECK",
        "UNSELECT",
        "FETCH 1 FLAGS",
    ):
        ours, theirs = await both.ask(command)

        assert (ours.status, _values(ours)) == (theirs.status, _values(theirs)), command


async def test_given_folders_when_listing_then_attributes_and_names_are_alike(both: Both) -> None:
    base = f"lists-{uuid4().hex}"
    for name in (base, f"{base}/one", f"{base}/one/two", f"{base}/M&APw-ll &- Reste", f"{base}/plain"):
        await both.ask(f'CREATE "{name}"')

    for command in (
        f'LIST "" "{base}/*"',
        f'LIST "" "{base}/%"',
        f'LIST "{base}/" "%"',
        f'LIST "" "{base}/one/*"',
        f'LIST "" ("{base}/one" "{base}/plain") RETURN (CHILDREN)',
        f'LIST "" "{base}/%" RETURN (CHILDREN STATUS (MESSAGES UIDNEXT))',
        'LIST "" ""',
        'LIST "" "inbox"',
        'LIST "" Sent RETURN (CHILDREN SPECIAL-USE)',
    ):
        ours, theirs = await both.ask(command)

        assert sorted(map(repr, _values(ours))) == sorted(map(repr, _values(theirs))), command
