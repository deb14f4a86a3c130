from __future__ import annotations

import asyncio
import base64
import smtplib
import socket
import ssl
import time
from pathlib import Path

import pytest

from service.sandbox.sandbox import Sandbox
from tests.integration.sandbox.conftest import SOON, send, session, trusting


def auth_plain(username: str, password: str) -> str:
    return base64.b64encode(f"\0{username}\0{password}".encode()).decode()


@pytest.mark.parametrize("starttls", [True, False], ids=["STARTTLS", "implicit TLS"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_given_the_account_when_signing_in_and_sending_then_the_message_is_in_the_inbox(
    sandbox: Sandbox, starttls: bool, mechanism: str
) -> None:
    raw = b"Subject: hello\r\n\r\n.dot\r\n..\r\nbody\r\n"

    def submit() -> None:
        with session(sandbox, starttls=starttls, login=False) as client:
            client.user, client.password = sandbox.username, sandbox.password
            client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
            client.sendmail("a@example.test", ["b@example.test", "c@example.test"], raw)

    await asyncio.to_thread(submit)

    message = await sandbox.inbox.wait_for(lambda _: True, SOON)
    assert (message.sender, message.recipients) == ("a@example.test", ("b@example.test", "c@example.test"))
    assert message.raw == raw
    assert (message.tls_version, message.username) == ("TLSv1.3", sandbox.username)


@pytest.mark.parametrize("starttls", [True, False], ids=["STARTTLS", "implicit TLS"])
async def test_given_tls_when_saying_ehlo_then_the_extensions_of_a_large_provider_are_listed(
    sandbox: Sandbox, starttls: bool
) -> None:
    def features() -> dict[str, str]:
        with session(sandbox, starttls=starttls, login=False) as client:
            return client.esmtp_features

    listed = await asyncio.to_thread(features)

    assert sorted(listed.pop("auth").split()) == ["LOGIN", "OAUTHBEARER", "PLAIN", "XOAUTH2"]
    assert listed == {"size": "35882577", "8bitmime": "", "smtputf8": "", "help": ""}


async def test_given_no_tls_yet_when_signing_in_then_is_told_to_start_it(sandbox: Sandbox) -> None:
    def attempt() -> tuple[dict[str, str], tuple[int, bytes], tuple[int, bytes]]:
        with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=10) as client:
            client.ehlo()
            signed_in = client.docmd("AUTH", "PLAIN " + auth_plain(sandbox.username, sandbox.password))
            return client.esmtp_features, signed_in, client.docmd("MAIL", "FROM:<a@example.test>")

    features, signed_in, mail = await asyncio.to_thread(attempt)

    assert "auth" not in features
    assert "starttls" in features
    assert signed_in == mail == (530, b"Must issue a STARTTLS command first")


@pytest.mark.parametrize("starttls", [True, False], ids=["STARTTLS", "implicit TLS"])
async def test_given_nobody_signed_in_when_sending_then_it_is_refused(sandbox: Sandbox, starttls: bool) -> None:
    def attempt() -> tuple[int, bytes]:
        with session(sandbox, starttls=starttls, login=False) as client:
            return client.mail("a@example.test")

    assert await asyncio.to_thread(attempt) == (530, b"5.7.0 Authentication required")


@pytest.mark.parametrize(
    ("username", "password"),
    [("robot@sandbox.example", "wrong"), ("nobody@sandbox.example", "sandbox-password"), ("röbot", "pässword")],
)
async def test_given_wrong_credentials_when_signing_in_then_535_and_another_try_works(
    sandbox: Sandbox, username: str, password: str
) -> None:
    def attempt() -> list[int]:
        with session(sandbox, login=False) as client:
            wrong = client.docmd("AUTH", "PLAIN " + auth_plain(username, password))
            right = client.docmd("auth", "plain " + auth_plain(sandbox.username.upper(), sandbox.password))
            return [wrong[0], right[0]]

    assert await asyncio.to_thread(attempt) == [535, 235]


async def test_given_a_very_long_credential_when_signing_in_then_it_is_read_to_its_end(sandbox: Sandbox) -> None:
    def attempt() -> tuple[int, bytes]:
        with session(sandbox, login=False) as client:
            return client.docmd("AUTH", "PLAIN " + auth_plain(sandbox.username, "x" * 6_000))

    code, reply = await asyncio.to_thread(attempt)

    assert (code, reply[:5]) == (535, b"5.7.8")


async def test_given_malformed_sign_in_when_answering_then_the_session_goes_on(sandbox: Sandbox) -> None:
    def attempt() -> list[int]:
        with session(sandbox, login=False) as client:
            lines = ["AUTH", "AUTH CRAM-MD5", "AUTH PLAIN !!!", "AUTH PLAIN AGEAYg==", "STARTTLS", "NOOP"]
            return [client.docmd(line)[0] for line in lines]

    assert await asyncio.to_thread(attempt) == [501, 504, 501, 535, 503, 250]


async def test_given_a_client_that_trusts_another_ca_when_connecting_then_others_are_still_served(
    sandbox: Sandbox,
) -> None:
    def distrust() -> None:
        with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=10) as client:
            client.starttls(context=ssl.create_default_context())

    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.to_thread(distrust)

    assert await asyncio.to_thread(send, sandbox, "b@example.test") == {}


async def test_given_octets_sent_along_with_starttls_when_securing_then_they_are_not_obeyed(sandbox: Sandbox) -> None:
    def inject() -> bytes:
        with socket.create_connection(("127.0.0.1", sandbox.smtp_port), 10) as plain:
            lines = plain.makefile("rb", buffering=0)
            lines.readline()
            plain.sendall(b"EHLO client.test\r\n")
            while lines.readline()[3:4] == b"-":
                continue
            plain.sendall(b"STARTTLS\r\nNOOP injected\r\n")
            assert lines.readline().startswith(b"220")
            with trusting(sandbox).wrap_socket(plain, server_hostname="127.0.0.1") as secured:
                secured.sendall(b"RSET\r\nQUIT\r\n")
                return b"".join(iter(lambda: secured.recv(1_000), b""))

    answers = await asyncio.to_thread(inject)

    assert answers == b"250 OK\r\n221 Bye\r\n"


async def test_given_an_international_address_when_sending_with_smtputf8_then_it_arrives(sandbox: Sandbox) -> None:
    raw = "Subject: Grüße\r\n\r\nżółw\r\n".encode()

    await asyncio.to_thread(send, sandbox, "用户@例え.test", raw=raw, mail_options=["SMTPUTF8", "BODY=8BITMIME"])

    message = await sandbox.inbox.wait_for(lambda _: True, SOON)
    assert message.recipients == ("用户@例え.test",)
    assert message.is_smtputf8
    assert (message.subject, message.raw) == ("Grüße", raw)


async def test_given_an_international_address_when_smtputf8_is_not_asked_for_then_it_is_refused(
    sandbox: Sandbox,
) -> None:
    def attempt() -> tuple[int, int]:
        with session(sandbox) as client:
            client.command_encoding = "utf-8"
            sender = client.docmd("MAIL", "FROM:<jörg@example.test>")
            client.mail("a@example.test")
            return sender[0], client.docmd("RCPT", "TO:<jörg@example.test>")[0]

    assert await asyncio.to_thread(attempt) == (553, 553)


async def test_given_the_null_sender_when_sending_then_it_is_taken_and_a_null_recipient_is_not(
    sandbox: Sandbox,
) -> None:
    def submit() -> tuple[int, int, int]:
        with session(sandbox) as client:
            return (
                client.docmd("MAIL", "FROM:<>")[0],
                client.docmd("RCPT", "TO:<>")[0],
                client.docmd("RCPT", "TO:<b@example.test>")[0] and client.data(b"Subject: bounce\r\n\r\n")[0],
            )

    codes = await asyncio.to_thread(submit)

    assert codes == (250, 553, 250)
    assert (await sandbox.inbox.wait_for(lambda _: True, SOON)).sender == ""


@pytest.mark.parametrize(
    ("recipient", "code", "enhanced"),
    [
        ("gone@example.test", 550, b"5.1.1"),
        ("full@example.test", 552, b"5.2.2"),
        ("later@example.test", 451, b"4.3.0"),
        ("greylist@example.test", 450, b"4.2.0"),
    ],
)
async def test_given_a_magic_recipient_among_others_when_sending_then_it_alone_is_refused(
    sandbox: Sandbox, recipient: str, code: int, enhanced: bytes
) -> None:
    refused = await asyncio.to_thread(send, sandbox, "ann@example.test", recipient, "bob@example.test")

    assert {address: (reply[0], reply[1][:5]) for address, reply in refused.items()} == {recipient: (code, enhanced)}
    message = await sandbox.inbox.wait_for(lambda _: True, SOON)
    assert message.recipients == ("ann@example.test", "bob@example.test")


async def test_given_a_greylisted_recipient_when_sending_the_third_time_then_it_arrives(sandbox: Sandbox) -> None:
    for _ in range(2):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await asyncio.to_thread(send, sandbox, "greylist@example.test")
    assert len(sandbox.inbox) == 0

    await asyncio.to_thread(send, sandbox, "greylist@example.test")

    assert len(sandbox.inbox) == 1


async def test_given_a_slow_recipient_when_sending_then_the_answer_takes_its_time(sandbox: Sandbox) -> None:
    began = time.monotonic()

    await asyncio.to_thread(send, sandbox, "slow@example.test")

    assert time.monotonic() - began >= 0.2
    assert len(sandbox.inbox) == 1


async def test_given_a_spam_recipient_when_sending_then_the_whole_message_is_refused_after_its_data(
    sandbox: Sandbox,
) -> None:
    with pytest.raises(smtplib.SMTPDataError) as raised:
        await asyncio.to_thread(send, sandbox, "ann@example.test", "spam@example.test")

    assert raised.value.smtp_code == 554
    assert len(sandbox.inbox) == 0


async def test_given_a_cut_recipient_when_sending_then_the_message_arrives_unanswered_and_next_time_answered(
    sandbox: Sandbox,
) -> None:
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError, ssl.SSLError)):
        await asyncio.to_thread(send, sandbox, "cut@example.test")
    assert len(sandbox.inbox) == 1

    await asyncio.to_thread(send, sandbox, "cut@example.test")

    assert len(sandbox.inbox) == 2


async def test_given_a_message_above_the_limit_when_sending_then_it_is_refused_by_size_and_by_data(
    certificates_folder: Path,
) -> None:
    raw = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 30

    def attempt() -> tuple[int, int, int]:
        with session(sandbox) as client:
            announced = client.mail("a@example.test", [f"SIZE={len(raw)}"])[0]
            client.mail("a@example.test")
            client.rcpt("b@example.test")
            sent = client.data(raw)[0]
            return announced, sent, client.noop()[0]

    async with Sandbox(folder=certificates_folder, size_limit_bytes=2_000) as sandbox:
        codes = await asyncio.to_thread(attempt)

        assert codes == (552, 552, 250)
        assert len(sandbox.inbox) == 0


async def test_given_a_message_of_20_mib_when_sending_then_it_arrives_octet_for_octet(sandbox: Sandbox) -> None:
    raw = b"Subject: large\r\n\r\n" + (b"." + b"0123456789abcdef" * 4 + b"\r\n") * 312_000

    await asyncio.to_thread(send, sandbox, "b@example.test", raw=raw)

    assert (await sandbox.inbox.wait_for(lambda _: True, SOON)).raw == raw


@pytest.mark.parametrize(("length", "code"), [(998, 250), (1_000, 500), (20_000, 500), (200_000, 500)])
async def test_given_a_line_when_it_is_longer_than_smtp_allows_then_it_is_refused(
    sandbox: Sandbox, length: int, code: int
) -> None:
    """F06."""

    def attempt() -> tuple[int, int]:
        with session(sandbox) as client:
            client.mail("a@example.test")
            client.rcpt("b@example.test")
            return client.data(b"Subject: long\r\n\r\n" + b"x" * length + b"\r\n")[0], client.noop()[0]

    assert await asyncio.to_thread(attempt) == (code, 250)


async def test_given_open_sessions_when_stopping_then_it_ends_at_once_and_frees_the_ports(
    certificates_folder: Path,
) -> None:
    sandbox = Sandbox(folder=certificates_folder)
    await sandbox.start()
    ports = sandbox.smtp_port, sandbox.smtps_port
    _, plain = await asyncio.open_connection("127.0.0.1", ports[0])
    reader, secured = await asyncio.open_connection("127.0.0.1", ports[1], ssl=trusting(sandbox))
    assert (await reader.readline()).startswith(b"220 localhost ESMTP")

    await asyncio.wait_for(sandbox.stop(), 5)

    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", ports[0])
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.smtp_port
    for writer in (plain, secured):
        writer.transport.abort()
    async with Sandbox(folder=certificates_folder, smtp_port=ports[0], smtps_port=ports[1]) as again:
        assert (again.smtp_port, again.smtps_port) == ports


async def test_given_a_port_that_is_taken_when_starting_then_neither_stays_open(
    sandbox: Sandbox, certificates_folder: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    other = Sandbox(folder=certificates_folder, smtp_port=free, smtps_port=sandbox.smtp_port)

    with pytest.raises(OSError, match="in use"):
        await other.start()

    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", free)


async def test_given_a_running_sandbox_when_starting_again_then_says_so(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="already running"):
        await sandbox.start()


async def test_given_a_second_run_when_a_client_kept_the_ca_then_it_still_trusts(certificates_folder: Path) -> None:
    async with Sandbox(folder=certificates_folder) as first:
        kept = first.ca_pem

    async with Sandbox(folder=certificates_folder) as second:
        assert second.ca_pem == kept
        assert second.ca_path.read_text() == kept
        assert await asyncio.to_thread(send, second, "b@example.test") == {}
