"""What the scripted server of the sink faults says: sessions that go well up to one step, and what it does there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from tests.peers.conversation import Conversation, ScriptFailed
from tests.peers.script import Item, Step, ehlo, expect, expect_message, send, send_bytes, send_slowly, starttls, tls

GREETING: Final = "220 mx.example.test ESMTP"
SIGNED_IN: Final = "235 2.7.0 welcome"
SENDER_OK: Final = "250 2.1.0 ok"
RECIPIENT_OK: Final = "250 2.1.5 ok"
GO_ON: Final = "354 go on"
QUEUED: Final = "250 2.0.0 queued as 1"
OUT_OF_SEQUENCE: Final = "503 5.5.1 not now"


class Mode(StrEnum):
    """How commands come and answers go."""

    SINGLY = "singly"
    """Without PIPELINING."""
    SPLIT = "split"
    """Commands in one group, each answer in a segment of its own."""
    JOINED = "joined"
    """Commands in one group, all answers in one segment."""

    @property
    def is_pipelined(self) -> bool:
        return self is not Mode.SINGLY


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to one command."""

    data: bytes
    every: timedelta | None = None
    """Byte by byte, one so often."""
    end: Item | None = None
    """What ends the script right behind it."""
    is_refusal: bool = False


@dataclass
class Sink:
    """Where mails arrive; `taken` holds the recipients of each that it may deliver."""

    context: ssl.SSLContext
    taken: list[tuple[str, ...]] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a connection that is idle may end."""

    def copies(self, recipient: str) -> int:
        """Returns how often *recipient* may get the mail."""
        return sum(recipient in recipients for recipients in self.taken)


def line(text: str) -> bytes:
    return text.encode() + b"\r\n"


def said(answer: Answer) -> Item:
    """Says it as it wants to be said."""
    if answer.every is not None:
        words = send_slowly(answer.data.decode().removesuffix("\r\n"), every=answer.every)
    else:
        words = send_bytes(answer.data)
    return (words,) if answer.end is None else (words, answer.end)


def opening(sink: Sink, mode: Mode = Mode.SINGLY) -> list[Item]:
    """A session from the greeting to signed in."""
    return [send(GREETING), ehlo("STARTTLS"), starttls(sink.context), *_inside_tls(mode), send(SIGNED_IN)]


def _inside_tls(mode: Mode) -> list[Item]:
    return [ehlo("AUTH PLAIN", *(["PIPELINING"] if mode.is_pipelined else [])), expect(r"AUTH PLAIN \S+")]


def opening_up_to(step: str, answer: Answer, sink: Sink) -> list[Item]:
    """A session whose *step* is answered by *answer*; goes on well unless that ends it."""
    steps: dict[str, list[Item]] = {
        "greeting": [],
        "EHLO": [expect(r"EHLO \S+")],
        "STARTTLS": [expect("STARTTLS")],
        "AUTH": [],
    }
    good: dict[str, list[Item]] = {
        "greeting": [send(GREETING)],
        "EHLO": [ehlo("STARTTLS")],
        "STARTTLS": [starttls(sink.context)],
        "AUTH": [*_inside_tls(Mode.SINGLY), send(SIGNED_IN)],
    }
    names = list(steps)
    before: list[Item] = [good[name] for name in names[: names.index(step)]]
    if step == "AUTH":
        before += _inside_tls(Mode.SINGLY)
    rest: list[Item] = [good[name] for name in names[names.index(step) + 1 :]]
    if step == "STARTTLS":
        rest = [tls(sink.context, may_fail=True), *rest]
    here: list[Item] = [*before, *steps[step], said(answer)]
    return here if answer.end is not None else [*here, *rest, serve(sink)]


def transaction(
    sink: Sink,
    mode: Mode,
    recipients: Sequence[str],
    *,
    mail: Answer | None = None,
    rcpt: Sequence[Answer | None] = (),
    data: Answer | None = None,
    content: Item | None = None,
    dot: Answer | None = None,
    may_deliver: bool = True,
) -> list[Item]:
    """
    One mail, answered well wherever nothing else is given.

    *content* happens when the first line of the content has come. *may_deliver*: whether a server that said *dot* keeps
    the mail. What follows is served well, unless something ended the script.
    """
    refusals = [*rcpt, *[None] * (len(recipients) - len(rcpt))]
    accepted = tuple(
        each for each, refusal in zip(recipients, refusals, strict=True) if not (refusal and refusal.is_refusal)
    )
    is_over = bool(mail and mail.is_refusal)
    commands = [expect(r"MAIL FROM:<.+>.*")]
    answers = [mail or Answer(line(SENDER_OK))]
    if mode.is_pipelined or not is_over:
        commands += [expect(rf"RCPT TO:<{each}>.*") for each in recipients]
        answers += [_refused() if is_over else refusal or Answer(line(RECIPIENT_OK)) for refusal in refusals]
    is_over |= not accepted
    if mode.is_pipelined or not is_over:
        commands.append(expect("DATA"))
        answers.append(_refused() if is_over else data or Answer(line(GO_ON)))
    script: list[Item] = [*_answered(commands, answers, mode)]
    if any(answer.end is not None for answer in answers):
        return script
    if is_over or (data is not None and data.is_refusal):
        return [*script, serve(sink)]
    if content is not None:
        return [*script, expect("[^:]+: .*"), content]
    script.append(expect_message())
    if may_deliver:
        script.append(_taking(sink, accepted))
    last = dot or Answer(line(QUEUED))
    return [*script, said(last)] if last.end is not None else [*script, said(last), serve(sink)]


def _refused() -> Answer:
    return Answer(line(OUT_OF_SEQUENCE), is_refusal=True)


def _answered(commands: Sequence[Item], answers: Sequence[Answer], mode: Mode) -> list[Item]:
    if mode is not Mode.JOINED:
        items: list[Item] = []
        for command, answer in zip(commands, answers, strict=True):
            items += [command, said(answer)]
            if answer.end is not None:
                break
        return items
    together, last = b"", Answer(b"")
    for answer in answers:
        if answer.every is None:
            together += answer.data
        if answer.end is not None or answer.every is not None:
            last = answer if answer.every is not None else Answer(b"", end=answer.end)
            break
    rest = (
        b"".join(each.data for each in answers[answers.index(last) + 1 :]) if last.end is None and last.every else b""
    )
    return [*commands, send_bytes(together), said(last), send_bytes(rest)]


def _taking(sink: Sink, recipients: tuple[str, ...]) -> Step:
    async def run(conversation: Conversation) -> bool:
        sink.taken.append(recipients)
        return True

    return Step("take the mail", run)


def serve(sink: Sink) -> Step:
    """Takes every mail that comes, answered command by command, until the client goes."""

    async def run(conversation: Conversation) -> bool:
        recipients: list[str] = []
        while True:
            try:
                command = (await conversation.read_through(b"\r\n")).decode().strip()
            except ScriptFailed:
                return False  # gone
            verb = command[:4].upper()
            if verb == "RCPT":
                recipients.append(command.partition("<")[2].partition(">")[0])
            if verb == "DATA" and recipients:
                conversation.write(line(GO_ON))
                conversation.push_back(b"\r\n")
                conversation.messages.append(await conversation.read_through(b"\r\n.\r\n"))
                sink.taken.append(tuple(recipients))
                recipients = []
                conversation.write(line(QUEUED))
            elif verb == "QUIT":
                conversation.write(line("221 2.0.0 bye"))
                return True
            elif verb in ("MAIL", "RCPT", "RSET"):
                conversation.write(line("250 2.0.0 ok"))
            else:
                conversation.write(line(OUT_OF_SEQUENCE))

    return Step("serve", run)


def healthy(sink: Sink) -> list[Item]:
    """A session in which all is well."""
    return [*opening(sink), serve(sink)]


def first_record() -> Step:
    """Waits until the client begins a handshake."""

    async def run(conversation: Conversation) -> bool:
        await conversation.read_through(b"\x16\x03")
        return True

    return Step("wait for a handshake", run)


def stare() -> Step:
    """Says nothing and reads nothing, so that much content cannot even be written."""

    async def run(conversation: Conversation) -> bool:
        await asyncio.Event().wait()
        return False

    return Step("stare", run)
