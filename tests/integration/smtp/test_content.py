"""What goes over the wire: dots, line ends, eight bits, sizes, international addresses: F07, F08 and the extensions."""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from base64 import encodebytes
from functools import partial

import pytest

from domain.connection import ConnectionSecurity
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from tests.integration.smtp.sending import (
    CONTENT,
    IMPLICIT_TLS,
    STARTTLS,
    Sender,
    a_patience,
    an_envelope,
    failure_of,
    some_settings,
    step_of,
)
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartFaultySmtp, StartLineServer
from tests.peers.script import ehlo, expect, expect_message, farewell, mail, send

HEAD = b"From: robot@example.test\r\nSubject: Hello\r\n"


async def test_given_lines_that_begin_with_dots_when_sent_then_they_arrive_as_they_were(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F07."""
    content = HEAD + b"\r\nhello\r\n.\r\nworld\r\n..two\r\n.hidden\r\n"
    server = await line_server([send("220 mx"), ehlo(), mail(), farewell()])

    report = await sender.submit(some_settings(server.port), content=content)

    assert report.failure is None
    await sender.transport.aclose()
    await server.finished()
    assert server.messages == [content]
    assert server.heard().count(b"\r\n.\r\n") == 1


async def test_given_mixed_line_ends_when_sent_then_only_crlf_leaves(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F08: no second message can be smuggled in this one."""
    content = HEAD + b"\r\na\nb\rc\r\nd\n.\nMAIL FROM:<eve@example.net>\n"
    server = await line_server([send("220 mx"), ehlo(), mail(), farewell()])

    report = await sender.submit(some_settings(server.port), content=content)

    assert report.failure is None
    await sender.transport.aclose()
    await server.finished()
    assert server.messages == [HEAD + b"\r\na\r\nb\r\nc\r\nd\r\n.\r\nMAIL FROM:<eve@example.net>\r\n"]


@pytest.mark.parametrize("content", [b"", HEAD + b"\r\n", HEAD + b"\r\nno line end"], ids=["nothing", "empty", "open"])
async def test_given_little_or_no_body_when_sent_then_it_is_one_whole_message(
    sender: Sender, line_server: StartLineServer, content: bytes
) -> None:
    server = await line_server([send("220 mx"), ehlo(), mail(), farewell()])

    report = await sender.submit(some_settings(server.port), content=content)

    assert report.failure is None
    await sender.transport.aclose()
    await server.finished()
    assert server.messages == [content if content.endswith(b"\r\n") or not content else content + b"\r\n"]


@pytest.mark.parametrize("security", [STARTTLS, IMPLICIT_TLS])
async def test_given_an_attachment_of_20_mib_when_sent_then_it_arrives_whole(
    ca: TestCA, sender: Sender, faulty_smtp: StartFaultySmtp, security: ConnectionSecurity
) -> None:
    context = server_context(ca.issue("large"))
    server = await faulty_smtp(context=context, implicit=security is IMPLICIT_TLS)
    attachment = encodebytes(os.urandom(20 * 1024 * 1024)).replace(b"\n", b"\r\n")
    settings = some_settings(server.port, security=security)

    report = await sender.submit(settings, content=HEAD + b"\r\n" + attachment, patience=a_patience(30))

    assert report.failure is None
    assert server.messages[0].content == HEAD + b"\r\n" + attachment


async def test_given_a_server_that_reads_slowly_when_a_large_mail_is_sent_then_it_is_not_held_twice(
    sender: Sender,
) -> None:
    """T20: what waits for a slow reader is a slice, not the message."""
    over = asyncio.Event()
    server = await asyncio.start_server(partial(stall, until=over), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    content = HEAD + b"\r\n" + b"x" * 70 * 1024 * 1024

    async def measure() -> None:
        tracemalloc.start()

    patience = a_patience(0.7)
    report = await sender.submit(some_settings(port), content=content, patience=patience, before_content=measure)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    over.set()
    server.close()
    await server.wait_closed()
    assert failure_of(report).kind is FailureKind.IN_DOUBT
    assert peak < 8 * 1024 * 1024


async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, until: asyncio.Event) -> None:
    for reply in (b"220 mx", b"250 mx", b"250 ok", b"250 ok", b"354 go"):
        writer.write(reply + b"\r\n")
        if not reply.startswith(b"354"):
            await reader.readline()
    await writer.drain()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await until.wait()
    writer.transport.abort()


async def test_given_8bit_content_when_the_server_takes_it_then_it_goes_as_it_is(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp()
    content = HEAD + "Content-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n".encode()

    await sender.submit(some_settings(server.port), content=content)

    received = server.messages[0]
    assert received.content == content
    assert set(received.mail_options) == {f"SIZE={len(content)}", "BODY=8BITMIME"}


async def test_given_8bit_content_when_the_server_takes_seven_bits_then_it_is_recoded(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(hide=["8BITMIME"])
    fields = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    content = HEAD + fields + "\r\nGrüße\r\n".encode()

    report = await sender.submit(some_settings(server.port), content=content)

    assert report.failure is None
    received = server.messages[0]
    assert received.content.isascii()
    assert received.mail_options == (f"SIZE={len(received.content)}",)


async def test_given_a_message_above_the_servers_size_when_sent_then_it_is_refused_before_mail(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(data_size_limit=100)

    report = await sender.submit(some_settings(server.port), content=HEAD + b"\r\n" + b"x" * 100)

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (
        Reason.TOO_LARGE,
        FailureKind.PERMANENT,
        Stage.MAIL_FROM,
    )
    assert "the limit is 100" in failure.cause
    assert not any(command.startswith("MAIL") for command in server.commands)


async def test_given_international_addresses_when_the_server_takes_them_then_they_go_in_utf8(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp()

    report = await sender.submit(some_settings(server.port), "jörg@example.com", "r@example.com")

    assert report.failure is None
    assert "SMTPUTF8" in server.messages[0].mail_options
    assert server.messages[0].rcpt_tos == ("jörg@example.com", "r@example.com")


async def test_given_international_addresses_when_the_server_does_not_take_them_then_the_others_get_the_mail(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(smtputf8=False)

    report = await sender.submit(some_settings(server.port), "jörg@example.com", "r@example.com")

    joerg, other = report.verdicts
    assert joerg.failure is not None
    assert (joerg.failure.reason, joerg.failure.kind) == (Reason.SMTPUTF8_UNSUPPORTED, FailureKind.PERMANENT)
    assert other.is_accepted
    assert server.messages[0].rcpt_tos == ("r@example.com",)


async def test_given_only_international_recipients_when_the_server_does_not_take_them_then_no_mail_is_begun(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(smtputf8=False)

    report = await sender.submit(some_settings(server.port), "jörg@example.com")

    assert failure_of(report).reason is Reason.SMTPUTF8_UNSUPPORTED
    assert not step_of(report, Stage.MAIL_FROM).succeeded
    assert not any(command.startswith("MAIL") for command in server.commands)


@pytest.mark.parametrize(
    ("sender_address", "content"),
    [("jörg@example.com", CONTENT), ("robot@example.test", "Subject: Grüße\r\n\r\nHello\r\n".encode())],
    ids=["sender", "header"],
)
async def test_given_a_message_that_needs_smtputf8_when_it_is_not_offered_then_nobody_gets_it(
    sender: Sender, faulty_smtp: StartFaultySmtp, sender_address: str, content: bytes
) -> None:
    server = await faulty_smtp(smtputf8=False)
    envelope = an_envelope("a@example.com", "b@example.com", sender=sender_address)

    report = await sender.submit(some_settings(server.port), content=content, envelope=envelope)

    assert report.failure is not None
    assert report.failure.reason is Reason.SMTPUTF8_UNSUPPORTED
    assert [verdict.failure for verdict in report.verdicts] == [report.failure] * 2


async def test_given_the_size_is_offered_without_a_number_when_sent_then_there_is_no_limit(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server(
        [
            send("220 mx"),
            ehlo("SIZE"),
            (expect(rf"MAIL FROM:<robot@example\.test> SIZE={len(CONTENT)}"), send("250 ok")),
            (expect("RCPT .*"), send("250 ok")),
            (expect("DATA"), send("354 go")),
            (expect_message(), send("250 ok")),
            farewell(),
        ]
    )

    report = await sender.submit(some_settings(server.port))

    assert report.failure is None
    await server.finished()
