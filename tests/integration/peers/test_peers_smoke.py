"""The peers themselves: a test peer that does not do what it says proves nothing."""

from __future__ import annotations

import asyncio
import base64
import smtplib
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from itertools import count

import pytest

from tests.peers.ca import Issued, TestCA, server_context
from tests.peers.dovecot import Dovecot
from tests.peers.faulty_smtp import Fault
from tests.peers.fixtures import DOVECOT_USERS, StartFaultySmtp, StartLineServer
from tests.peers.net import black_hole, free_port
from tests.peers.require import REQUIRE_PEERS, require
from tests.peers.script import (
    abort,
    close,
    cut,
    ehlo,
    expect,
    farewell,
    flood,
    hang,
    mail,
    multiline,
    send,
    send_bytes,
    send_slowly,
    signal,
    starttls,
    tls,
    wait,
)

ALICE = "alice@example.test"
_numbers = count(1)


class Client:
    """The least of an SMTP client: says exactly what a test tells it to, and reads whole replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, line: str, *, raw: bool = False) -> str:
        self.writer.write(line.encode() + (b"" if raw else b"\r\n"))
        return await self.reply()

    async def reply(self) -> str:
        lines = []
        while True:
            line = (await self.reader.readuntil(b"\r\n")).decode()[:-2]
            lines.append(line)
            if line[3:4] != "-":
                return "\n".join(lines)

    async def mail(self, *recipients: str, content: str = "Subject: hi\r\n\r\nhi\r\n") -> str:
        await self.say("MAIL FROM:<alice@example.test>")
        for recipient in recipients:
            await self.say(f"RCPT TO:<{recipient}>")
        await self.say("DATA")
        return await self.say(f"{content}.", raw=False)


@asynccontextmanager
async def a_client(port: int, *, tls_with: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls_with, server_hostname="localhost" if tls_with else None
    )
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def secured(client: Client, context: ssl.SSLContext) -> AsyncIterator[Client]:
    """Does STARTTLS by hand, with a fresh reader: what came before the handshake is not carried over."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport = await loop.start_tls(client.writer.transport, protocol, context, server_hostname="localhost")
    assert transport is not None
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


def a_recipient() -> str:
    return f"smoke-{next(_numbers)}@example.test"


def a_mail(to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ALICE, to, "smoke"
    message.set_content("hello")
    return message


# Dovecot


def _over_starttls(dovecot: Dovecot, context: ssl.SSLContext) -> smtplib.SMTP:
    smtp = smtplib.SMTP("localhost", dovecot.submission, timeout=10)
    smtp.starttls(context=context)
    return smtp


def _over_implicit_tls(dovecot: Dovecot, context: ssl.SSLContext) -> smtplib.SMTP:
    return smtplib.SMTP_SSL("localhost", dovecot.submissions, timeout=10, context=context)


CONNECTIONS = pytest.mark.parametrize("connect", [_over_starttls, _over_implicit_tls])
Connect = Callable[[Dovecot, ssl.SSLContext], smtplib.SMTP]


@CONNECTIONS
def test_given_dovecot_when_a_mail_is_submitted_with_a_password_then_it_is_in_the_mailbox(
    dovecot: Dovecot, ca: TestCA, connect: Connect
) -> None:
    to = a_recipient()

    with connect(dovecot, ca.client_context()) as smtp:
        smtp.login(ALICE, DOVECOT_USERS[ALICE])
        refused = smtp.send_message(a_mail(to))

    (delivered,) = dovecot.mail_of(to)
    assert refused == {}
    assert b"Subject: smoke" in delivered


@CONNECTIONS
def test_given_dovecot_when_the_password_is_wrong_then_535_at_once(
    dovecot: Dovecot, ca: TestCA, connect: Connect
) -> None:
    with (
        connect(dovecot, ca.client_context()) as smtp,
        pytest.raises(smtplib.SMTPAuthenticationError) as raised,
    ):
        smtp.login(ALICE, "wrong")

    assert raised.value.smtp_code == 535


def test_given_dovecot_when_in_clear_from_another_address_then_no_sign_in_is_offered(dovecot: Dovecot) -> None:
    with smtplib.SMTP("localhost", dovecot.submission, timeout=10, source_address=("127.0.0.2", 0)) as smtp:
        smtp.ehlo()

        assert smtp.has_extn("starttls")
        assert smtp.esmtp_features["auth"].split() == []


def test_given_dovecot_when_its_relay_refuses_a_recipient_then_the_client_is_told(dovecot: Dovecot, ca: TestCA) -> None:
    to, gone = a_recipient(), a_recipient()
    dovecot.relay.refuse[gone] = "550 5.1.1 unknown"

    with _over_starttls(dovecot, ca.client_context()) as smtp:
        smtp.login(ALICE, DOVECOT_USERS[ALICE])
        refused = smtp.send_message(a_mail(to), to_addrs=[to, gone])

    assert refused[gone][0] == 550
    assert len(dovecot.mail_of(to)) == 1


def test_given_dovecot_when_the_ca_is_not_trusted_then_the_handshake_fails(dovecot: Dovecot) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _over_implicit_tls(dovecot, ssl.create_default_context())


# Certificates and TLS versions


async def _handshake_error(port: int, context: ssl.SSLContext) -> str:
    try:
        async with a_client(port, tls_with=context):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except ssl.SSLError as error:
        return error.reason


@pytest.mark.parametrize(
    ("issue", "complaint"),
    [
        (lambda ca: ca.issue("good"), ""),
        (lambda ca: ca.issue("rsa", use_rsa=True), ""),
        (lambda ca: ca.issue("expired", expired=True), "certificate has expired"),
        (lambda ca: ca.self_signed("self-signed"), "self-signed certificate"),
        (lambda ca: ca.issue("other", names=("mail.example.org",)), "Hostname mismatch"),
    ],
    ids=["good", "rsa", "expired", "self-signed", "wrong name"],
)
async def test_given_a_certificate_when_a_client_verifies_it_then_each_defect_has_its_own_complaint(
    ca: TestCA, line_server: StartLineServer, issue: Callable[[TestCA], Issued], complaint: str
) -> None:
    server = await line_server([tls(server_context(issue(ca)), may_fail=True), hang()])

    error = await _handshake_error(server.port, ca.client_context())

    assert complaint in error
    assert bool(error) == bool(complaint)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("use_rsa", [False, True], ids=["ecdsa", "rsa"])
async def test_given_a_server_of_an_old_version_when_a_client_connects_then_only_one_that_lowers_itself_gets_in(
    ca: TestCA, line_server: StartLineServer, version: ssl.TLSVersion, use_rsa: bool
) -> None:
    context = server_context(ca.issue("old", use_rsa=use_rsa), newest=version)
    server = await line_server([tls(context, may_fail=True), send("220 old"), hang()], repeat=True)
    lowered = ca.client_context()
    lowered.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        lowered.minimum_version = version

    async with a_client(server.port, tls_with=lowered) as client:
        greeting = await client.reply()
    error = await _handshake_error(server.port, ca.client_context())

    assert greeting == "220 old"
    assert server.conversations[0].tls_version == version.name.replace("_", ".")
    assert server.conversations[0].server_name == "localhost"
    assert "PROTOCOL" in error


# The scripted server


async def test_given_f16_when_starttls_is_answered_then_the_injected_bytes_come_in_the_same_segment(
    ca: TestCA, line_server: StartLineServer
) -> None:
    context = server_context(ca.issue("f16"))
    server = await line_server(
        [
            send("220 mx"),
            ehlo("STARTTLS"),
            starttls(context, reply="220 go", injected=b"250-evil.example\r\n250 AUTH PL"),
            ehlo("AUTH XOAUTH2"),
            farewell(),
        ]
    )

    async with a_client(server.port) as client:
        await client.reply()
        offered = await client.say("EHLO me.example.test")
        client.writer.write(b"STARTTLS\r\n")
        segment = await client.reader.read(65536)
        async with secured(client, ca.client_context()) as secure:
            real = await secure.say("EHLO me.example.test")
            await secure.say("QUIT")
    (talk,) = await server.finished()

    assert offered == "250-mx.example.test\n250 STARTTLS"
    assert segment == b"220 go\r\n250-evil.example\r\n250 AUTH PL"
    assert real == "250-mx.example.test\n250 AUTH XOAUTH2"
    assert talk.heard(encrypted=False) == b"EHLO me.example.test\r\nSTARTTLS\r\n"
    assert talk.heard(encrypted=True) == b"EHLO me.example.test\r\nQUIT\r\n"


async def test_given_f19_when_replies_have_many_lines_or_come_byte_by_byte_then_the_script_goes_through(
    line_server: StartLineServer,
) -> None:
    server = await line_server(
        [
            send_slowly("220-mx ESMTP", "220-No spam", "220"),
            expect("EHLO .*"),
            send("250-mx", "250-234 odd text", "250-SIZE 1000000", "250"),
            mail(recipients=2, verdict=multiline(250, "queued", "2.0.0 ok")),
            farewell(),
        ]
    )

    async with a_client(server.port) as client:
        greeting = await client.reply()
        await client.say("EHLO me.example.test")
        verdict = await client.mail("a@example.test", "b@example.test", content="Subject: x\r\n\r\n..dot\r\n")
        await client.say("QUIT")
    await server.finished()

    assert greeting == "220-mx ESMTP\n220-No spam\n220"
    assert verdict == "250-queued\n250 2.0.0 ok"
    assert server.messages == [b"Subject: x\r\n\r\n.dot\r\n"]


async def test_given_f18_when_a_connection_is_closed_with_421_then_the_next_one_gets_the_next_script(
    line_server: StartLineServer,
) -> None:
    idle = asyncio.Event()
    server = await line_server(
        [send("220 mx"), ehlo(), mail(), wait(idle), send("421 4.4.2 timeout"), close()],
        [send("220 mx"), ehlo(), mail(), abort()],
    )

    async with a_client(server.port) as first:
        await first.reply()
        await first.say("EHLO me.example.test")
        await first.mail("a@example.test")
        idle.set()
        stale = await first.reply()
        end = await first.reader.read()
    async with a_client(server.port) as second:
        await second.reply()
        await second.say("EHLO me.example.test")
        await second.mail("b@example.test")
        with pytest.raises(ConnectionResetError):
            await second.reader.readuntil()
    talks = await server.finished()

    assert (stale, end) == ("421 4.4.2 timeout", b"")
    assert [talk.number for talk in talks] == [1, 2]
    assert len(server.messages) == 2


async def test_given_f24_over_tls_when_the_connection_is_cut_then_no_goodbye_is_sent(
    ca: TestCA, line_server: StartLineServer
) -> None:
    server = await line_server([tls(server_context(ca.issue("f24"))), send("250 2.0.0 queued as 1"), cut()])

    async with a_client(server.port, tls_with=ca.client_context()) as client:
        reply = await client.reply()
        end = await client.reader.read()
    await server.finished()

    assert (reply, end) == ("250 2.0.0 queued as 1", b"")


async def test_given_f25_when_a_server_hangs_then_the_client_waits_and_the_script_ends_with_it(
    line_server: StartLineServer,
) -> None:
    came = asyncio.Event()
    server = await line_server([signal(came), hang()], repeat=True)

    async with a_client(server.port) as client, a_client(server.port):
        await came.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reply(), 0.05)
        await server.connected(2)
    talks = await server.finished()

    assert len(talks) == 2


async def test_given_an_endless_reply_when_the_client_leaves_then_the_flood_ends(line_server: StartLineServer) -> None:
    server = await line_server([flood(b"250-" + b"x" * 10_000)])

    async with a_client(server.port) as client:
        taken = await client.reader.readexactly(200_000)
    await server.finished()

    assert taken.startswith(b"250-xxx")


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (b"HELO me\r\n", r"expect 'EHLO .*': the client said 'HELO me'"),
        (b"EHLO me\n", "does not end with CRLF"),
        (b"EHLO me\r\nQUIT\r\n", "more than the script"),
        (b"EHLO", "went away; unread: b'EHLO'"),
    ],
)
async def test_given_a_client_that_leaves_the_script_when_finished_then_it_fails_with_the_transcript(
    line_server: StartLineServer, said: bytes, complaint: str
) -> None:
    server = await line_server([expect("EHLO .*"), send("250 mx")])

    async with a_client(server.port) as client:
        client.writer.write(said)
        if said.endswith(b"\n"):
            await client.reader.read()
    with pytest.raises(AssertionError, match=complaint) as raised:
        await server.finished()

    assert "connection 1" in str(raised.value)
    assert repr(said) in str(raised.value)


async def test_given_more_connections_than_scripts_when_finished_then_it_fails(line_server: StartLineServer) -> None:
    server = await line_server([send("220 mx")])

    for _ in range(2):
        async with a_client(server.port) as client:
            await client.reader.read()

    with pytest.raises(AssertionError, match="2 connections for 1 scripts"):
        await server.finished()


async def test_given_bytes_ahead_of_the_handshake_when_the_script_secures_then_it_fails(
    ca: TestCA, line_server: StartLineServer
) -> None:
    server = await line_server([expect("STARTTLS"), send_bytes(b"220\r\n"), tls(server_context(ca.issue("early")))])

    async with a_client(server.port) as client:
        client.writer.write(b"STARTTLS\r\nEHLO early\r\n")
        await client.reader.read()

    with pytest.raises(AssertionError, match=r"EHLO early.* in the clear, ahead"):
        await server.finished()


# The polite server with faults


async def _signed_in(client: Client, password: str = "s3cr3t!") -> str:
    await client.reply()
    await client.say("EHLO me.example.test")
    blob = base64.b64encode(f"\0robot\0{password}".encode()).decode()
    return await client.say(f"AUTH PLAIN {blob}")


async def test_given_a_plan_when_a_mail_is_sent_then_each_stage_fails_as_often_as_planned(
    ca: TestCA, faulty_smtp: StartFaultySmtp
) -> None:
    peer = await faulty_smtp(
        context=server_context(ca.issue("faulty")),
        implicit=True,
        passwords={"robot": "s3cr3t!"},
        plan={"rcpt:later@example.test": ["450 4.2.1 busy", Fault.PASS, "450 4.2.1 busy"], "dot": ["451 4.3.0 no"]},
    )

    async with a_client(peer.port, tls_with=ca.client_context()) as client:
        wrong = await _signed_in(client, "wrong")
    async with a_client(peer.port, tls_with=ca.client_context()) as client:
        right = await _signed_in(client)
        await client.say("MAIL FROM:<a@example.test>")
        replies = [await client.say("RCPT TO:<later@example.test>") for _ in range(4)]
        await client.say("RSET")
        dots = [await client.mail("x@example.test") for _ in range(2)]
        (message,) = await peer.wait_for_messages()

    assert (wrong[:3], right[:3]) == ("535", "235")
    assert [reply[:3] for reply in replies] == ["450", "250", "450", "250"]
    assert [dot[:3] for dot in dots] == ["451", "250"]
    assert (message.rcpt_tos, message.login, message.is_encrypted) == (("x@example.test",), "robot", True)
    assert (peer.connections, peer.most_open_connections) == (2, 1)
    assert peer.commands.count("RCPT TO:<later@example.test>") == 4


async def test_given_starttls_when_offered_then_sign_in_comes_after_it_and_the_message_is_marked(
    ca: TestCA, faulty_smtp: StartFaultySmtp
) -> None:
    peer = await faulty_smtp(context=server_context(ca.issue("starttls")), passwords={"robot": "s3cr3t!"})

    async with a_client(peer.port) as client:
        await client.reply()
        clear = await client.say("EHLO me.example.test")
        early = await client.say("MAIL FROM:<a@example.test>")
        await client.say("STARTTLS")
        async with secured(client, ca.client_context()) as secure:
            offered = await secure.say("EHLO me.example.test")
            login = await secure.say("AUTH LOGIN")
            await secure.say(base64.b64encode(b"robot").decode())
            signed_in = await secure.say(base64.b64encode(b"s3cr3t!").decode())
            await secure.mail("x@example.test")
        (message,) = await peer.wait_for_messages()

    assert "STARTTLS" in clear
    assert "AUTH" not in clear
    assert early[:3] == "530"
    assert "AUTH LOGIN PLAIN XOAUTH2" in offered
    assert (login[:3], signed_in[:3]) == ("334", "235")
    assert message.is_encrypted


async def test_given_drop_hang_and_421_when_reached_then_the_connection_is_cut_silent_or_closed(
    faulty_smtp: StartFaultySmtp,
) -> None:
    peer = await faulty_smtp(
        plan={"mail": ["421 4.3.2 later"], "rcpt": [Fault.DROP], "data": [Fault.HANG]},
        hide=("SIZE",),
        announce=("X-A",),
    )

    async with a_client(peer.port) as client:
        await client.reply()
        offered = await client.say("EHLO me.example.test")
        closing = await client.say("MAIL FROM:<a@example.test>")
        end = await client.reader.read()
    async with a_client(peer.port) as client:
        await client.reply()
        await client.say("EHLO me.example.test")
        await client.say("MAIL FROM:<a@example.test>")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await client.say("RCPT TO:<b@example.test>")
    async with a_client(peer.port) as client:
        await client.reply()
        await client.say("EHLO me.example.test")
        await client.say("MAIL FROM:<a@example.test>")
        await client.say("RCPT TO:<b@example.test>")
        client.writer.write(b"DATA\r\n")
        await asyncio.wait_for(peer.is_hanging.wait(), 5)

    assert "SIZE" not in offered
    assert "X-A" in offered
    assert (closing, end) == ("421 4.3.2 later", b"")
    assert peer.messages == []


# Ports, and peers that are missing


async def test_given_f13_a_black_hole_when_dialled_then_neither_yes_nor_no_comes() -> None:
    with black_hole() as port, pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.open_connection("127.0.0.2", port), 0.3)


async def test_given_a_free_port_when_dialled_then_refused() -> None:
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", free_port())


@pytest.mark.parametrize(("demanded", "outcome"), [("1", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_given_a_missing_peer_when_required_then_skipped_on_a_laptop_and_failed_where_demanded(
    monkeypatch: pytest.MonkeyPatch, demanded: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv(REQUIRE_PEERS, demanded)

    with pytest.raises(outcome, match="needs root"):
        require("Dovecot", missing="needs root")
