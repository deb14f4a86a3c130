"""Servers that send what no server should: bounded memory, bounded time, one failure (P24)."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from datetime import timedelta

import pytest

from adapters.imap.mailbox import ImapMailboxReader
from domain.errors import ProviderRefused
from domain.failures.failure import FailureKind, Stage
from domain.ports.mailbox import Patience
from domain.reasons import Reason
from tests.integration.imap.boxes import PATIENCE, account, listed, meta, opened, refusal, serving
from tests.peers.fixtures import StartLineServer
from tests.peers.imap_script import Answer, answer, endless_line, endless_lines, endless_literal, nested
from tests.peers.script import close, flood, hang, send_slowly

_FOUND = {"EXAMINE .*": opened(1), "UID SEARCH .*": answer("* SEARCH 1")}
_MEGABYTE = 1024 * 1024
_LONG = Patience(until_content=timedelta(seconds=30), each_reply=timedelta(seconds=60), overall=timedelta(seconds=90))
"""Memory is what is measured, which makes all of it slow."""


@pytest.mark.parametrize(
    "flooding",
    [
        pytest.param(endless_literal(announced=99 * 1024**3), id="a literal of 99 GB"),
        pytest.param(endless_literal(announced=29 * _MEGABYTE), id="more than was announced"),
        pytest.param(endless_line(), id="a line without end"),
        pytest.param(endless_lines(), id="lines without end"),
        pytest.param(flood(b"* 1 FETCH (UID 1 BODY[] {1000000}\r\n" + b"x" * 1_000_000 + b")\r\n"), id="literals"),
        pytest.param(flood(b"+ go on\r\n" * 1000), id="continuations without end"),
    ],
)
async def test_given_a_flood_when_reading_then_it_is_cut_off_within_bounds(
    reader: ImapMailboxReader, line_server: StartLineServer, flooding: object
) -> None:
    flooded = Answer(untagged=(), reply=None, then=flooding)  # type: ignore[arg-type]
    server = await line_server(serving({**_FOUND, "UID FETCH .*": flooded}))
    tracemalloc.start()

    failure = await refusal(reader, account(server.port), patience=_LONG)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A literal may be held three times for a moment: as it comes, as octets, in the answer.
    assert peak < 3 * 32 * _MEGABYTE
    assert (failure.reason, failure.stage) == (Reason.REPLY_TOO_LARGE, Stage.MAILBOX)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(nested(40_000), id="deeper than any parser"),
        pytest.param(nested(900), id="as deep as Python goes"),
        pytest.param(b"* 1 FETCH (UID 1 RFC822.SIZE {5}\r\n12345 FLAGS (\r\n", id="a list without end"),
        pytest.param(b"* 1 FETCH UID\r\n", id="no list"),
        pytest.param(b'* 1 FETCH (UID 1 ENVELOPE ("x" NIL) RFC822.SIZE 1)\r\n', id="half an envelope"),
        pytest.param(b"* 1 FETCH (UID 1 FLAGS 7 RFC822.SIZE 1)\r\n", id="flags that are none"),
        pytest.param(b"* 1 FETCH (UID 99999999999999999999 FLAGS ())\r\n* SEARCH x\r\nnonsense\r\n", id="nonsense"),
        pytest.param(b"* 1 FETCH (BODY[] {%s}\r\n" % (b"9" * 5000), id="a number of 5,000 digits"),
        pytest.param(b"\x00\xff\r\n", id="octets"),
    ],
)
async def test_given_answers_that_are_none_when_reading_then_the_failure_is_the_servers(
    reader: ImapMailboxReader, line_server: StartLineServer, octets: bytes
) -> None:
    server = await line_server(serving({**_FOUND, "UID FETCH .*": answer(octets)}))

    failure = await refusal(reader, account(server.port))

    assert failure.reason in {Reason.PROTOCOL_ERROR, Reason.REPLY_TOO_LARGE}
    assert failure.kind is FailureKind.TRANSIENT


async def test_given_a_message_with_odd_parts_when_listed_then_it_is_listed_all_the_same(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    odd = b'* 1 FETCH (UID 1 FLAGS (1 "x" \\Seen \\Recent) INTERNALDATE "no date" RFC822.SIZE 5 BODY[HEADER] NIL)\r\n'
    server = await line_server(serving({**_FOUND, "UID FETCH .*": answer(odd)}))

    (message,) = (await listed(reader, account(server.port))).messages

    assert (message.flags, message.header, message.size_bytes) == (("1", "\\Seen", "x"), b"", 5)


async def test_given_a_server_that_drips_when_reading_then_each_answer_has_its_time(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    dripping = Answer(
        untagged=(), reply=None, then=send_slowly("* SEARCH " + "1 " * 200, every=timedelta(milliseconds=50))
    )
    server = await line_server(serving({"EXAMINE .*": opened(1), "UID SEARCH .*": dripping}))
    begin = time.monotonic()

    failure = await refusal(reader, account(server.port))

    assert failure.reason is Reason.SERVER_SILENT
    assert time.monotonic() - begin < 2 * PATIENCE.each_reply.total_seconds()


async def test_given_all_together_too_slow_when_reading_then_the_overall_time_ends_it(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    server = await line_server(serving({"LIST .*": Answer(reply=None, then=hang())}))
    box = account(server.port)
    short = Patience(until_content=timedelta(seconds=5), each_reply=timedelta(60), overall=timedelta(seconds=1))

    begin = time.monotonic()
    with pytest.raises(ProviderRefused) as raised:
        await reader.list_folders(box, patience=short)
    assert raised.value.reason is Reason.SERVER_SILENT
    assert time.monotonic() - begin < 3


async def test_given_a_caller_that_breaks_off_when_reading_then_the_connection_ends_and_the_thread_is_free(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    reached = asyncio.Event()

    def came(_: str) -> tuple[()]:
        reached.set()
        return ()

    server = await line_server(serving({"EXAMINE .*": Answer(untagged=came, reply=None, then=hang())}), repeat=True)
    for _ in range(6):  # more than there are threads
        reached.clear()
        task = asyncio.create_task(listed(reader, account(server.port, lane="tenant")))
        await reached.wait()
        begin = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - begin < 0.25
    await server.finished()


async def test_given_an_owner_whose_servers_all_hang_when_another_one_reads_then_there_are_threads_left(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    reached: list[str] = []
    full = asyncio.Event()

    def came(said: str) -> tuple[()]:
        reached.append(said)
        if len(reached) == 2:
            full.set()
        return ()

    hung = await line_server(serving({"EXAMINE .*": Answer(untagged=came, reply=None, then=hang())}), repeat=True)
    well = await line_server(serving({"EXAMINE .*": opened(0)}))
    hog = [
        asyncio.create_task(listed(reader, account(hung.port, lane=f"hog\0{number}"))) for number in range(8)
    ]  # twice the threads there are
    await full.wait()

    page = await asyncio.wait_for(listed(reader, account(well.port, lane="other\x00x")), 1)

    for task in hog:
        task.cancel()
    await asyncio.gather(*hog, return_exceptions=True)
    assert page.messages == ()
    assert len(reached) == 2


@pytest.mark.parametrize("word", ["EXAMINE", "UID SEARCH", "UID FETCH"])
async def test_given_a_connection_that_ends_when_reading_then_it_is_lost(
    reader: ImapMailboxReader, line_server: StartLineServer, word: str
) -> None:
    table = {**_FOUND, "UID FETCH .*": answer(meta(1, 1))}
    table[f"{word} .*"] = Answer(reply=None, then=close())
    server = await line_server(serving(table))

    failure = await refusal(reader, account(server.port))

    assert (failure.reason, failure.kind) == (Reason.CONNECTION_LOST, FailureKind.TRANSIENT)
