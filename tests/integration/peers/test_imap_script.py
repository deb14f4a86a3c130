"""The scripted IMAP server: what the words say is what goes over the wire."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartLineServer
from tests.peers.imap_script import (
    answer,
    answering,
    capability,
    command,
    done,
    endless_literal,
    fetched,
    greeting,
    idle,
    idling,
    listed,
    login,
    selected,
    starttls,
)
from tests.peers.imap_talk import ImapTalk
from tests.peers.script import send


async def test_given_a_script_when_a_client_follows_it_then_it_sees_what_the_words_say(
    line_server: StartLineServer, ca: TestCA
) -> None:
    server = await line_server(
        [
            greeting("IMAP4rev1", "STARTTLS"),
            starttls(server_context(ca.issue("imap-script"))),
            capability("IMAP4rev1", "IDLE"),
            login(),
            command("EXAMINE INBOX", *selected(exists=1, uid_validity=7), reply="OK [READ-ONLY] opened"),
            command(r"UID FETCH 12 \(.*\)", fetched(1, uid=12, raw=b"Subject: hi\r\n\r\nhi", flags=r"\Seen")),
            idle(),
            send("* 2 EXISTS"),
            done(),
        ]
    )

    async with await ImapTalk.open(server.host, server.port) as client:
        await client.starttls(ca.client_context())
        await client.ask("CAPABILITY")
        await client.ask("LOGIN robot {3}", b"p\xc3\xbc", "")
        opened = await client.ask("EXAMINE INBOX")
        message = await client.ask("UID FETCH 12 (BODY.PEEK[] FLAGS)")
        assert await client.begin("IDLE") == b"+ idling"
        pushed = await client.line()
        await client.go_on("DONE")

    assert opened.code("UIDVALIDITY") == b"7"
    assert message.starting("FETCH") == [b"(UID 12 FLAGS (\\Seen) BODY[] {17}\r\nSubject: hi\r\n\r\nhi)"]
    assert pushed == b"* 2 EXISTS"
    (conversation,) = await server.finished()
    assert b"LOGIN" not in conversation.heard(encrypted=False)


async def test_given_a_table_when_a_client_comes_again_then_lists_of_answers_begin_anew(
    line_server: StartLineServer,
) -> None:
    server = await line_server(
        [
            greeting("IMAP4rev1"),
            answering(
                {
                    "LOGIN .*": [answer(reply="NO [UNAVAILABLE] later"), answer()],
                    "LIST .*": answer(listed("a]&Jjo", attributes=r"\HasNoChildren"), listed("INBOX")),
                    "IDLE": idling(bye="idling is over"),
                }
            ),
        ],
        repeat=True,
    )

    async def talk() -> list[object]:
        async with await ImapTalk.open(server.host, server.port) as client:
            refused = await client.ask("LOGIN robot pw")
            taken = await client.ask("LOGIN robot pw")
            listing = await client.ask('LIST "" *')
            return [refused, taken, listing, await client.begin("IDLE"), await client.rest()]

    first, second = await talk(), await talk()

    assert [getattr(reply, "tagged", reply) for reply in first] == [
        b"NO [UNAVAILABLE] later",
        b"OK done",
        b"OK done",
        b"* BYE idling is over",
        b"",
    ]
    assert first == second
    await server.finished()


async def test_given_a_client_that_idles_when_it_leaves_then_the_script_ends_well(
    line_server: StartLineServer,
) -> None:
    server = await line_server([greeting(), answering({"IDLE": idling(pushes=["* 1 EXISTS"])})])

    async with await ImapTalk.open(server.host, server.port) as client:
        said = [await client.begin("IDLE"), await client.line()]

    assert said == [b"+ idling", b"* 1 EXISTS"]
    await server.finished()


async def test_given_an_endless_literal_when_the_client_leaves_then_the_script_ends_well(
    line_server: StartLineServer,
) -> None:
    server = await line_server(
        [greeting(), answering({".*FETCH.*": answer(reply=None, then=endless_literal()), "LOGIN .*": answer()})]
    )
    reader, writer = await asyncio.open_connection(server.host, server.port)

    writer.write(b"a LOGIN x y\r\nb FETCH 1 BODY[]\r\n")
    head = await reader.readuntil(b"{1099511627776}\r\n")
    await reader.readexactly(200_000)
    writer.transport.abort()

    assert head.startswith(b"* OK ready\r\na OK done\r\n* 1 FETCH")
    await server.finished()


async def test_given_a_table_that_drops_when_the_time_is_over_then_the_client_is_cut_off(
    line_server: StartLineServer,
) -> None:
    server = await line_server([greeting(), answering({}, drop_after=timedelta(milliseconds=50))])

    async with await ImapTalk.open(server.host, server.port) as client:
        said = await client.ask("NOOP")
        rest = await client.rest()

    assert (said.status, rest) == ("OK", b"")
    await server.finished()
