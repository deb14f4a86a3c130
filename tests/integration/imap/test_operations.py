"""Lists, moves and names at servers that Dovecot is not."""

from __future__ import annotations

import asyncio
import re

import pytest

from adapters.imap.mailbox import ImapMailboxReader
from domain.errors import NotFound, ProviderRefused
from domain.mailbox import FlagChange, MessageQuery
from domain.mailbox_names import MailboxMessageId
from domain.ports.mailbox import CHUNK, MailboxAccount
from domain.reasons import Reason
from tests.integration.imap.boxes import PATIENCE, account, listed, meta, metas, opened, serving, uids
from tests.peers.fixtures import StartLineServer
from tests.peers.imap_script import Answer, Words, answer, fetched, selected
from tests.peers.imap_script import listed as list_line
from tests.peers.script import close

HERE = {"SELECT .*": opened(3), "UID FETCH 5 \\(UID\\)": answer(fetched(3, uid=5))}


def an_id(box: MailboxAccount, uid: int = 5) -> MailboxMessageId:
    return MailboxMessageId(box.name, "INBOX", 7, uid)


async def test_given_names_in_modified_utf_7_when_opened_then_the_servers_own_octets_go_back(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    names = {
        b"[Gmail]/G&APY-nderilmi&AV8- Postalar": "[Gmail]/Gönderilmiş Postalar",
        b"M&APw-ll &- Reste": "Müll & Reste",
        b"&U,BTFw-": "台北",
        b"R&-D": "R&D",
        b"Bad&zz": "Bad&zz",
        b"Entw&APw-rfe": "Entwürfe",
        b"inbox": "INBOX",
        b"123": "123",
        b"caf\xc3\xa9": "café",
        b"caf\xe9s": "cafés",
    }
    lines = [list_line(octets, attributes=r"\HasNoChildren") for octets in names]
    existing = {octets.replace(b"inbox", b"INBOX") for octets in names}

    asked: list[bytes] = []

    def open_it(said: str) -> list[Words]:
        octets = said.encode("latin-1").removeprefix(b"EXAMINE ")
        if octets.startswith(b"{"):
            octets = octets.partition(b"\r\n")[2]
        asked.append(octets.strip(b'"'))
        return selected(exists=0)

    table = {"LIST .*": answer(*lines)}
    for octets in existing:
        name = re.escape(octets.decode("latin-1"))
        table[f'EXAMINE ({{\\d+}}\r\n)?"?{name}"?'] = Answer(open_it)
    server = await line_server(serving(table, otherwise=answer(reply="NO [NONEXISTENT] no such mailbox")), repeat=True)
    box = account(server.port, lane="tenant")

    folders = await reader.list_folders(box, patience=PATIENCE)
    for folder in folders:
        await reader.position(box, folder.name, patience=PATIENCE)

    assert {folder.name for folder in folders} == set(names.values())
    assert set(asked) == existing


async def test_given_utf8_accept_when_listed_then_names_are_utf_8_and_searches_have_no_charset(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    table = {
        "ENABLE UTF8=ACCEPT": answer("* ENABLED UTF8=ACCEPT"),
        "LIST .*": answer('* LIST () "/" "Müll & Reste"', '* LIST () "/" "R&-D"'),
        'EXAMINE "M\xc3\xbcll & Reste"': opened(1),
        "UID SEARCH 1:1 SUBJECT {.*": answer("* SEARCH"),
    }
    server = await line_server(serving(table, "IMAP4rev1", "ENABLE", "UTF8=ACCEPT", "LITERAL+"), repeat=True)
    box = account(server.port, lane="tenant")

    folders = await reader.list_folders(box, patience=PATIENCE)
    page = await reader.list_messages(
        box, "Müll & Reste", query=MessageQuery(subject="grüße"), limit=5, patience=PATIENCE
    )

    assert [folder.name for folder in folders] == ["INBOX", "Müll & Reste", "R&-D"]
    assert page.messages == ()
    assert b"CHARSET" not in server.heard()


async def test_given_a_server_without_utf_8_when_searching_in_any_script_then_the_headers_are_looked_at_here(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    raws = {1: b"Subject: plain\r\n\r\n", 2: b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n"}
    server = await line_server(
        serving(
            {
                "EXAMINE .*": opened(2),
                "UID SEARCH CHARSET .*": answer(reply="NO [BADCHARSET (US-ASCII)] no"),
                "UID SEARCH 1:2 UNSEEN": answer("* SEARCH 1 2"),
                "UID FETCH .*": answer(*(meta(uid, uid, raw) for uid, raw in raws.items())),
            },
        )
    )

    page = await listed(reader, account(server.port), MessageQuery(subject="GRÜSSE", unseen=True))

    assert uids(page.messages) == [2]


async def test_given_200_000_messages_without_esearch_when_the_first_page_is_listed_then_few_are_asked_for(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    asked: list[str] = []

    def search(said: str) -> list[str]:
        asked.append(said)
        low, high = map(int, said.split()[2].split(":"))
        return ["* SEARCH " + " ".join(str(1_000_000 + number) for number in range(low, high + 1))]

    server = await line_server(
        serving({"EXAMINE .*": opened(200_000), "UID SEARCH .*": Answer(search), "UID FETCH .*": Answer(metas())})
    )

    page = await listed(reader, account(server.port))

    assert uids(page.messages) == [1_200_000 - place for place in range(10)]
    assert page.next is not None
    assert asked == ["UID SEARCH 199990:200000"]


async def test_given_200_000_messages_with_esearch_when_few_fit_then_one_search_finds_them(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    server = await line_server(
        serving(
            {
                "EXAMINE .*": opened(200_000),
                r"UID SEARCH RETURN \(COUNT\) UNSEEN": answer('* ESEARCH (TAG "x") UID COUNT 2'),
                "UID SEARCH UNSEEN": answer("* SEARCH 7 199999"),
                "UID FETCH .*": Answer(metas()),
            },
            "IMAP4rev1",
            "ESEARCH",
        )
    )

    page = await listed(reader, account(server.port), MessageQuery(unseen=True))

    assert uids(page.messages) == [199_999, 7]
    assert page.next is None


async def test_given_no_move_when_moving_then_it_is_copied_and_that_one_expunged(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    table = {
        **HERE,
        'UID COPY 5 "Done"': answer(reply="OK [COPYUID 99 5 17] copied"),
        r"UID STORE 5 \+FLAGS.SILENT \(\\Deleted\)": answer(),
        "UID EXPUNGE 5": answer("* 3 EXPUNGE"),
    }
    server = await line_server(serving(table, "IMAP4rev1", "UIDPLUS"))
    box = account(server.port)

    assert await reader.move(box, an_id(box), "Done", patience=PATIENCE) == MailboxMessageId(box.name, "Done", 99, 17)
    assert b"UID EXPUNGE 5\r\n" in server.heard()


async def test_given_neither_move_nor_uidplus_when_moving_then_nothing_is_touched(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    server = await line_server(serving(HERE))
    box = account(server.port)

    with pytest.raises(ProviderRefused) as raised:
        await reader.move(box, an_id(box), "Done", patience=PATIENCE)

    assert raised.value.reason is Reason.MOVE_UNSUPPORTED
    assert not any(word in server.heard() for word in (b"COPY", b"STORE", b"EXPUNGE"))


async def test_given_a_move_whose_answer_is_lost_when_kept_then_it_is_not_repeated(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    table = {**HERE, "EXAMINE .*": opened(0), "UID MOVE .*": Answer(reply=None, then=close())}
    server = await line_server(serving(table, "IMAP4rev1", "MOVE"), repeat=True)
    box = account(server.port, lane="tenant")
    await listed(reader, box)

    with pytest.raises(ProviderRefused) as raised:
        await reader.move(box, an_id(box), "Done", patience=PATIENCE)

    assert raised.value.reason is Reason.CONNECTION_LOST
    assert server.heard().count(b"UID MOVE") == 1


async def test_given_a_folder_that_is_read_only_when_changed_then_the_right_is_missing(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    untagged = opened(3).untagged
    assert not callable(untagged)
    server = await line_server(serving({"SELECT .*": answer(*untagged, reply="OK [READ-ONLY] selected")}))
    box = account(server.port)

    with pytest.raises(ProviderRefused) as raised:
        await reader.set_flags(box, an_id(box), FlagChange(add=("\\Seen",)), patience=PATIENCE)

    assert raised.value.reason is Reason.PERMISSION_MISSING


async def test_given_a_message_that_goes_while_it_is_read_when_read_on_then_not_found(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    chunk = b"x" * CHUNK
    server = await line_server(
        serving(
            {
                "EXAMINE .*": opened(1),
                "UID FETCH 5 .UID FLAGS .*": answer(meta(1, 5)),
                r"UID FETCH 5 .*<0\..*": answer(fetched(1, uid=5, raw=chunk, item="BODY[]<0>")),
                r"UID FETCH 5 .*": answer(),
            }
        ),
        repeat=True,
    )
    box = account(server.port, lane="tenant")

    source = await reader.open_source(box, an_id(box), patience=PATIENCE)
    got = [await anext(source.chunks)]
    with pytest.raises(NotFound):
        got += [piece async for piece in source.chunks]

    assert got == [chunk]


async def test_given_many_callers_of_one_lane_when_reading_then_no_more_connections_are_open_than_may_be(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    server = await line_server(serving({"EXAMINE .*": opened(0)}), repeat=True)
    box = account(server.port, lane="tenant")

    await asyncio.gather(*(listed(reader, box) for _ in range(20)))

    assert len(server.conversations) <= 4


@pytest.mark.parametrize("name", ["a\r\nM9 DELETE INBOX", "a\0b", "\n"])
async def test_given_a_name_with_a_line_break_when_used_then_no_command_leaves(
    reader: ImapMailboxReader, line_server: StartLineServer, name: str
) -> None:
    server = await line_server(serving(HERE))
    box = account(server.port)

    with pytest.raises(ProviderRefused) as raised:
        await reader.move(box, an_id(box), name, patience=PATIENCE)

    assert b"DELETE" not in server.heard()
    assert raised.value.reason in {Reason.FOLDER_UNKNOWN, Reason.MOVE_UNSUPPORTED}
