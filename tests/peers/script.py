"""
The words of which scripts for `LineServer` are made.

A script is a list of steps, or of groups of steps, for one connection, read top to bottom::

    [
        send("220-mx ESMTP", "220-No spam", "220"),          # F19: several lines, the last with the code only
        ehlo("STARTTLS"),
        starttls(context, injected=b"250-evil.example\\r\\n250 AUTH PLAIN\\r\\n"),   # F16: one segment with the 220
        ehlo("AUTH XOAUTH2", "SIZE 1000000"),
        mail(recipients=2),
        send("421 4.4.2 idle too long"), close(),            # F18
    ]

After its last step a script closes the connection; a client that has said more than the script asked for has left it.
Lines are written without their CRLF. Patterns are regular expressions for a whole line, case aside.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from tests.peers.conversation import Conversation, ScriptFailed

_CRLF: Final = b"\r\n"


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `run` returns False to end the script early and well."""

    label: str
    run: Callable[[Conversation], Awaitable[bool]]


Item: TypeAlias = "Step | Sequence[Item]"


def flattened(items: Iterable[Item]) -> list[Step]:
    """Returns the steps of a script whose groups are opened up."""
    steps: list[Step] = []
    for item in items:
        steps.extend([item] if isinstance(item, Step) else flattened(item))
    return steps


# What the server says.


def send(*lines: str) -> Step:
    """Sends whole lines in one segment."""
    return send_bytes(_joined(lines))


def send_bytes(data: bytes) -> Step:
    """Sends exactly *data*, in one segment if the system can."""

    async def run(conversation: Conversation) -> bool:
        conversation.write(data)
        return True

    return Step(f"send {data[:60]!r}", run)


def send_slowly(*lines: str, every: timedelta = timedelta(milliseconds=1)) -> Step:
    """Sends lines byte by byte, one *every* so often (F19; ten seconds for F25)."""
    data = _joined(lines)

    async def run(conversation: Conversation) -> bool:
        for byte in data:
            if conversation.is_gone:
                raise ScriptFailed("the client went away")
            conversation.write(bytes([byte]))
            await asyncio.sleep(every.total_seconds())
        return True

    return Step(f"send slowly {data[:60]!r}", run)


def flood(chunk: bytes) -> Step:
    """Sends *chunk* again and again until the client goes away: a line or a reply without end."""

    async def run(conversation: Conversation) -> bool:
        while not conversation.is_gone:
            await conversation.write_when_taken(chunk)
            await asyncio.sleep(0)
        return False

    return Step(f"flood with {chunk[:60]!r}", run)


# What the server waits for.


def expect(pattern: str) -> Step:
    """Reads one line, ended by CRLF, that matches *pattern* as a whole."""
    wanted = re.compile(pattern, re.IGNORECASE | re.DOTALL)

    async def run(conversation: Conversation) -> bool:
        line = await conversation.read_through(b"\n")
        if not line.endswith(_CRLF):
            raise ScriptFailed(f"the line does not end with CRLF: {line!r}")
        text = line[: -len(_CRLF)].decode("latin-1")
        if wanted.fullmatch(text) is None:
            raise ScriptFailed(f"the client said {text!r}")
        return True

    return Step(f"expect {pattern!r}", run)


def expect_hello() -> Step:
    """Reads the first bytes of a client's TLS handshake (RFC 8446 section 5.1)."""

    async def run(conversation: Conversation) -> bool:
        await conversation.read_through(b"\x16\x03")
        return True

    return Step("expect a TLS handshake", run)


def expect_message() -> Step:
    """Reads a message through its final dot and keeps it in `Conversation.messages`."""

    async def run(conversation: Conversation) -> bool:
        # With the CRLF of the DATA line put back, an empty message ends like any other.
        conversation.push_back(_CRLF)
        data = await conversation.read_through(b"\r\n.\r\n")
        body = data[len(_CRLF) : -len(b".\r\n")]
        conversation.messages.append(re.sub(rb"(?m)^\.", b"", body))
        return True

    return Step("expect a message", run)


def wait(event: asyncio.Event) -> Step:
    """Goes on when the test sets *event*."""

    async def run(conversation: Conversation) -> bool:
        await event.wait()
        return True

    return Step("wait for the test", run)


def signal(event: asyncio.Event) -> Step:
    """Sets *event*: tells the test that the script came this far."""

    async def run(conversation: Conversation) -> bool:
        event.set()
        return True

    return Step("signal the test", run)


def hang() -> Step:
    """Says nothing more and listens until the client goes away (F25)."""

    async def run(conversation: Conversation) -> bool:
        await conversation.until_gone()
        return False

    return Step("hang", run)


# How the connection changes and ends.


def tls(context: ssl.SSLContext, *, may_fail: bool = False) -> Step:
    """
    Shakes hands: as the first step for implicit TLS, or behind the reply to STARTTLS.

    With *may_fail* a client that refuses the certificate or the version ends the script well; see
    `Conversation.handshake_failure`. A client of TLS 1.3 refuses just after it: a `hang` that follows ends the script.
    """

    async def run(conversation: Conversation) -> bool:
        return await conversation.secure(context, may_fail=may_fail)

    return Step("shake hands", run)


def close() -> Step:
    """Closes in order and ends the script."""
    return _ending("close", Conversation.close)


def cut() -> Step:
    """Closes TCP in order but leaves out TLS's goodbye; ends the script."""
    return _ending("cut", Conversation.cut)


def abort() -> Step:
    """Resets the connection (RST); ends the script."""
    return _ending("abort", Conversation.reset)


# Groups: the parts of a session that most scripts have.


def ehlo(*capabilities: str, name: str = "mx.example.test") -> Item:
    """Takes EHLO and answers with *capabilities*."""
    return (expect(r"EHLO \S+"), send(*multiline(250, name, *capabilities)))


def starttls(
    context: ssl.SSLContext, *, reply: str = "220 2.0.0 go ahead", injected: bytes = b"", may_fail: bool = False
) -> Item:
    """Takes STARTTLS, answers, and shakes hands; *injected* goes in clear, in one segment with the reply (F16)."""
    return (expect("STARTTLS"), send_bytes(_joined([reply]) + injected), tls(context, may_fail=may_fail))


def mail(*, recipients: int = 1, data: str = "354 go on", verdict: Sequence[str] = ("250 2.0.0 queued as 1",)) -> Item:
    """Takes one message to *recipients* and answers its final dot with the lines of *verdict*."""
    return (
        (expect(r"MAIL FROM:<.*>.*"), send("250 2.1.0 ok")),
        [(expect(r"RCPT TO:<.+>.*"), send("250 2.1.5 ok"))] * recipients,
        (expect("DATA"), send(data), expect_message(), send(*verdict)),
    )


def farewell() -> Item:
    """Takes QUIT."""
    return (expect("QUIT"), send("221 2.0.0 bye"))


def multiline(code: int, *texts: str) -> list[str]:
    """Returns the lines of one reply (RFC 5321 section 4.2.1)."""
    return [f"{code}-{text}" for text in texts[:-1]] + [f"{code} {texts[-1]}"]


def _joined(lines: Iterable[str]) -> bytes:
    return b"".join(line.encode("utf-8", "surrogateescape") + _CRLF for line in lines)


def _ending(label: str, end: Callable[[Conversation], None]) -> Step:
    async def run(conversation: Conversation) -> bool:
        end(conversation)
        return False

    return Step(label, run)
