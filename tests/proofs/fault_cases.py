"""The table of the sink faults (T3): each fault at each step, and what mailport owes the mail then (rule 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum, auto
from functools import partial
from itertools import product
from typing import Any, Final

from domain.failures.failure import FailureKind, Stage
from tests.peers.script import Item, abort, close, cut, ehlo, expect, hang, send, send_bytes, wait
from tests.proofs.fault_scripts import (
    GO_ON,
    GREETING,
    QUEUED,
    RECIPIENT_OK,
    SENDER_OK,
    SIGNED_IN,
    Answer,
    Mode,
    Sink,
    first_record,
    healthy,
    line,
    opening,
    opening_up_to,
    said,
    stare,
    transaction,
)
from tests.proofs.sizes import IS_FULL

ONE: Final = ("anna@example.com",)
THREE: Final = ("anna@example.com", "bert@example.com", "cara@example.com")
PENDING, SENT, REJECTED, IN_DOUBT = "PENDING", "SENT", "REJECTED", "IN_DOUBT"
PAUSES: Final = {
    FailureKind.TRANSIENT: (timedelta(seconds=96), timedelta(seconds=144)),
    FailureKind.MISCONFIGURED: (timedelta(minutes=12), timedelta(minutes=18)),
    FailureKind.IN_DOUBT: (timedelta(minutes=10), timedelta(minutes=15)),
}
"""Between the first attempt and the next: `domain.retry`, spread by a fifth, and P3's ten minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What stands after the first attempt."""

    state: str
    recipients: tuple[str, ...]
    kind: FailureKind | None = None
    stage: Stage | None = None
    copies: int = 0
    """Of the mail at the sink, for each recipient that it was not refused for."""

    @property
    def doubts(self) -> int:
        return int(self.state == IN_DOUBT)

    @property
    def pause(self) -> tuple[timedelta, timedelta] | None:
        """Between what and what the next attempt comes; None where none comes by itself."""
        return PAUSES[self.kind] if self.kind and self.state in ("RETRYING", IN_DOUBT) else None


def all_sent(count: int = 1) -> Expected:
    return Expected(state=SENT, recipients=(SENT,) * count, copies=1)


def retry(stage: Stage, count: int = 1, kind: FailureKind = FailureKind.TRANSIENT) -> Expected:
    return Expected(state="RETRYING", recipients=(PENDING,) * count, kind=kind, stage=stage)


def refused(stage: Stage, count: int = 1, kind: FailureKind = FailureKind.PERMANENT) -> Expected:
    return Expected(state="FAILED", recipients=(REJECTED,) * count, kind=kind, stage=stage)


def doubt(copies: int, count: int = 1) -> Expected:
    return Expected(
        state=IN_DOUBT,
        recipients=(IN_DOUBT,) * count,
        kind=FailureKind.IN_DOUBT,
        stage=Stage.DATA,
        copies=copies,
    )


class Reach(StrEnum):
    """How the attempt meets the server."""

    CONNECTS = auto()
    REFUSED = auto()
    """Nothing listens."""
    UNANSWERED = auto()
    """The connection is never made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault at one step."""

    name: str
    script: Callable[[Sink], list[Item]]
    """Of the connection that the fault happens on."""
    expected: Expected
    recipients: tuple[str, ...] = ONE
    reach: Reach = Reach.CONNECTS
    is_kept: bool = False
    """Whether a mail goes well on the same connection before."""
    ends_while_idle: bool = False
    """Whether the fault happens between the two mails."""
    is_silent: bool = False
    """Whether mailport has to wait in vain for this: its patience is short then."""
    is_large: bool = False
    """Whether the content is more than buffers between the two hold."""
    is_late: bool = False
    """Whether the fault comes behind the 354, when content is on its way."""

    @property
    def lets_content_leave(self) -> bool:
        return self.is_late or self.expected.copies > 0


class Meaning(StrEnum):
    """What a fault amounts to."""

    YES = auto()
    NOT_NOW = auto()
    NEVER = auto()
    CLOSING = auto()
    """Not now, and the session is over."""
    BROKEN = auto()
    """No answer."""
    LOST = auto()
    """No answer, and the session is over."""


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    meaning: Meaning
    answer: Callable[[str], Answer]
    """Makes what is said out of what should be."""
    is_silent: bool = False


def _fixed(*texts: str, end: Item | None = None, every: timedelta | None = None) -> Callable[[str], Answer]:
    data = b"".join(map(line, texts))
    is_refusal = texts[0][0] in "45" and end is None
    return lambda _: Answer(data, every, end, is_refusal)


def _raw(data: bytes, end: Item, every: timedelta | None = None) -> Callable[[str], Answer]:
    return lambda _: Answer(data, every, end)


QUICK, SLOW = timedelta(milliseconds=1), timedelta(milliseconds=100)
REFUSALS: Final = [
    Fault("4xx", Meaning.NOT_NOW, _fixed("451 4.3.0 not now")),
    Fault("4xx in lines", Meaning.NOT_NOW, _fixed("451-4.3.0 not", "451-4.3.0 just", "451 4.3.0 now")),
    Fault("4xx in drips", Meaning.NOT_NOW, _fixed("451 4.3.0 not now", every=QUICK)),
    Fault("5xx", Meaning.NEVER, _fixed("554 5.0.0 no")),
    Fault("5xx in lines", Meaning.NEVER, _fixed("554-5.0.0 no", "554-5.0.0 and", "554 5.0.0 no")),
]
ENDS: Final = [
    Fault("421 and close", Meaning.CLOSING, _fixed("421 4.3.2 closing", end=close())),
    Fault("421 and wait", Meaning.CLOSING, _fixed("421 4.3.2 closing", end=hang())),
    Fault("drop", Meaning.LOST, _raw(b"", close())),
    Fault("cut", Meaning.LOST, _raw(b"", cut())),
    Fault("reset", Meaning.LOST, _raw(b"", abort())),
    Fault("half a line, then drop", Meaning.LOST, _raw(b"25", close())),
    Fault("half a reply, then drop", Meaning.LOST, _raw(b"250-half\r\n", close())),
]
BREAKS: Final = [
    Fault("silence", Meaning.BROKEN, _raw(b"", hang()), is_silent=True),
    Fault("half a line, then silence", Meaning.BROKEN, _raw(b"25", hang()), is_silent=True),
    Fault("drips without end", Meaning.BROKEN, _raw(b"250-" + b"." * 60, hang(), SLOW), is_silent=True),
    Fault("garbage", Meaning.BROKEN, _raw(b"\x00\xff what?\r\n", hang())),
    Fault("codes that differ", Meaning.BROKEN, _raw(b"250-yes\r\n550 no\r\n", hang())),
    Fault("a line without end", Meaning.BROKEN, _raw(b"250 " + b"x" * 100_000, hang())),
]
YESES: Final = [
    Fault("yes in lines", Meaning.YES, lambda good: Answer(line(f"{good[:3]}-well") + line(good))),
    Fault("yes in drips", Meaning.YES, lambda good: Answer(line(good), QUICK)),
]
NOT_NOW: Final = Answer(line("451 4.3.0 not now"), is_refusal=True)
NEVER: Final = Answer(line("550 5.1.1 no"), is_refusal=True)
TOO_MANY: Final = Fault("two answers", Meaning.BROKEN, lambda good: Answer(line(good) + line("250 2.0.0 and one more")))
TOO_FEW: Final = Fault("an answer left out", Meaning.BROKEN, lambda _: Answer(b""))
EVERY: Final = [*REFUSALS, *ENDS, *BREAKS, *YESES]


def _cases() -> Iterator[Case]:
    yield from _reaching()
    yield from _opening()
    yield from _securing()
    for mode in Mode:
        yield from _envelope(mode)
        yield from _content(mode)
        yield from _dot(mode)
    for mode in (Mode.SINGLY, Mode.JOINED):
        yield from _kept(mode)
    yield from _idle()
    yield from _goodbye()


def _reaching() -> Iterator[Case]:
    expected = retry(Stage.CONNECT)
    yield Case(name="CONNECT: refused", script=healthy, expected=expected, reach=Reach.REFUSED)
    yield Case(name="CONNECT: silence", script=healthy, expected=expected, reach=Reach.UNANSWERED, is_silent=True)


def _before_mail(fault: Fault, stage: Stage) -> Expected:
    if fault.meaning is Meaning.YES:
        return all_sent()
    return retry(stage, kind=FailureKind.MISCONFIGURED if fault.meaning is Meaning.NEVER else FailureKind.TRANSIENT)


def _opening() -> Iterator[Case]:
    steps = {
        "greeting": (GREETING, Stage.EHLO),
        "EHLO": ("250-mx.example.test\r\n250 STARTTLS", Stage.EHLO),
        "STARTTLS": ("220 2.0.0 go ahead", Stage.TLS),
        "AUTH": (SIGNED_IN, Stage.AUTH),
    }
    for (step, (good, stage)), fault in product(steps.items(), [*EVERY, TOO_MANY]):
        yield Case(
            name=f"{step}: {fault.name}",
            script=partial(opening_up_to, step, fault.answer(good)),
            expected=_of_surplus(step) if fault is TOO_MANY else _before_mail(fault, stage),
            is_silent=fault.is_silent,
        )


def _always(script: list[Item]) -> Callable[[Sink], list[Item]]:
    return lambda _: script


def _of_surplus(step: str) -> Expected:
    """One answer too many is noticed where the next one is due; in clear behind a 220 it is an attack (P22)."""
    if step == "STARTTLS":
        return retry(Stage.TLS, kind=FailureKind.MISCONFIGURED)
    return retry({"greeting": Stage.EHLO, "EHLO": Stage.TLS, "AUTH": Stage.MAIL_FROM}[step])


def _securing() -> Iterator[Case]:
    """The server has said 220 to STARTTLS and has the client's first record."""
    wrong = FailureKind.MISCONFIGURED
    faults: dict[str, tuple[Item, FailureKind, bool]] = {
        "drop": (close(), FailureKind.TRANSIENT, False),
        "reset": (abort(), FailureKind.TRANSIENT, False),
        "silence": (hang(), FailureKind.TRANSIENT, True),
        "half a record, then drop": ((send_bytes(b"\x16\x03\x03\x00"), close()), FailureKind.TRANSIENT, False),
        "half a record, then silence": ((send_bytes(b"\x16\x03\x03\x00"), hang()), FailureKind.TRANSIENT, True),
        "words in clear": ((send("454 4.7.0 TLS not available"), hang()), wrong, False),
        "an alert": ((send_bytes(b"\x15\x03\x03\x00\x02\x02\x28"), close()), wrong, False),
    }
    for name, (end, kind, is_silent) in faults.items():
        script = [send(GREETING), ehlo("STARTTLS"), expect("STARTTLS"), send("220 go"), first_record(), end]
        yield Case(
            name=f"handshake: {name}",
            script=_always(script),
            expected=retry(Stage.TLS, kind=kind),
            is_silent=is_silent,
        )


def _mail(
    mode: Mode, recipients: tuple[str, ...] = ONE, *, is_kept: bool = False, **answers: Any
) -> Callable[[Sink], list[Item]]:
    """A session with a mail that is answered by *answers*; *is_kept*: another one goes well before."""

    def script(sink: Sink) -> list[Item]:
        before = _a_mail_before(sink, mode) if is_kept else []
        return [*opening(sink, mode), *before, *transaction(sink, mode, recipients, **answers)]

    return script


def _a_mail_before(sink: Sink, mode: Mode) -> list[Item]:
    """One mail that goes well, and the session goes on by the script."""
    return transaction(sink, mode, ONE)[:-1]


def _between_mails(*then: Item) -> Callable[[Sink], list[Item]]:
    """A session that ends while nothing is said on it."""
    return lambda sink: [*opening(sink), *_a_mail_before(sink, Mode.SINGLY), wait(sink.may_end), *then]


def _behind_quit(answer: Answer) -> Callable[[Sink], list[Item]]:
    """A session in which *answer* is said to the QUIT that follows two mails."""

    def script(sink: Sink) -> list[Item]:
        mails = [*_a_mail_before(sink, Mode.SINGLY), *_a_mail_before(sink, Mode.SINGLY)]
        return [*opening(sink), *mails, expect("QUIT"), said(answer)]

    return script


def _envelope(mode: Mode) -> Iterator[Case]:
    surplus = [TOO_MANY, TOO_FEW] if mode is Mode.JOINED else [TOO_MANY]
    for fault in [*EVERY, *surplus]:
        to_mail, to_rcpt, to_data = (fault.answer(good) for good in (SENDER_OK, RECIPIENT_OK, GO_ON))
        yield Case(
            name=f"MAIL, {mode}: {fault.name}",
            script=_mail(mode, mail=to_mail),
            expected=_of_message(fault, _where_noticed(fault, mode) or Stage.MAIL_FROM),
            is_silent=fault.is_silent,
        )
        yield Case(
            name=f"one RCPT, {mode}: {fault.name}",
            script=_mail(mode, rcpt=[to_rcpt]),
            expected=_of_message(fault, Stage.DATA if fault is TOO_MANY else Stage.RCPT_TO),
            is_silent=fault.is_silent,
        )
        yield Case(
            name=f"some RCPT, {mode}: {fault.name}",
            script=_mail(mode, THREE, rcpt=[None, to_rcpt]),
            recipients=THREE,
            expected=_of_some(fault, mode),
            is_silent=fault.is_silent,
        )
        yield Case(
            name=f"DATA, {mode}: {fault.name}",
            script=_mail(mode, data=to_data),
            expected=_of_message(fault, Stage.DATA),
            is_silent=fault.is_silent or fault is TOO_FEW,
        )
    for fault in REFUSALS:
        yield Case(
            name=f"all RCPT, {mode}: {fault.name}",
            script=_mail(mode, THREE, rcpt=[fault.answer(RECIPIENT_OK)] * 3),
            recipients=THREE,
            expected=_of_message(fault, Stage.RCPT_TO, count=3),
        )
    for name, answers, recipients in [
        ("one now, one never", [None, NOT_NOW, NEVER], (SENT, PENDING, REJECTED)),
        ("two now, one never", [NOT_NOW, NEVER, NOT_NOW], (PENDING, REJECTED, PENDING)),
    ]:
        yield Case(
            name=f"RCPT, {mode}: {name}",
            script=_mail(mode, THREE, rcpt=answers),
            recipients=THREE,
            expected=replace(retry(Stage.RCPT_TO), recipients=recipients, copies=int(SENT in recipients)),
        )


def _of_message(fault: Fault, stage: Stage, count: int = 1) -> Expected:
    if fault.meaning is Meaning.YES:
        return all_sent(count)
    return (refused if fault.meaning is Meaning.NEVER else retry)(stage, count)


def _where_noticed(fault: Fault, mode: Mode) -> Stage | None:
    """
    Tells where an answer too many or too few to MAIL or an early RCPT shows.

    Before the next command where each waits for its answer; in a group where a 354 is due, or comes too early.
    """
    if fault is TOO_MANY:
        return Stage.DATA if mode.is_pipelined else Stage.RCPT_TO
    return Stage.RCPT_TO if fault is TOO_FEW else None


def _of_some(fault: Fault, mode: Mode) -> Expected:
    """The second of three recipients meets the fault."""
    if (stage := _where_noticed(fault, mode)) is not None:
        return retry(stage, 3)
    if fault.meaning is Meaning.YES:
        return all_sent(3)
    if fault.meaning is Meaning.NEVER:
        return Expected(
            state="PARTIALLY_SENT",
            recipients=(SENT, REJECTED, SENT),
            kind=FailureKind.PERMANENT,
            stage=Stage.RCPT_TO,
            copies=1,
        )
    if fault.meaning is Meaning.NOT_NOW:
        return replace(retry(Stage.RCPT_TO), recipients=(SENT, PENDING, SENT), copies=1)
    return retry(Stage.RCPT_TO, 3)


def _content(mode: Mode) -> Iterator[Case]:
    """In the middle of the content: the sink never has the whole of it."""
    faults: list[tuple[str, Item, Expected, bool]] = [
        ("4xx", (send("452 4.3.1 full"), hang()), retry(Stage.DATA), False),
        ("5xx", (send("552 5.3.4 too big"), hang()), refused(Stage.DATA), False),
        ("421", (send("421 4.3.2 closing"), hang()), retry(Stage.DATA), False),
        ("drop", close(), doubt(0), False),
        ("reset", abort(), doubt(0), False),
        ("silence", hang(), doubt(0), True),
        ("garbage", (send_bytes(b"\x00\xff what?\r\n"), hang()), doubt(0), False),
        ("half a line, then drop", (send_bytes(b"25"), close()), doubt(0), False),
        ("early yes", (send(QUEUED), hang()), doubt(0), False),
    ]
    if mode is not Mode.JOINED:
        faults.append(("reads no more", stare(), doubt(0), True))
    for name, content, expected, is_silent in faults:
        for is_large in [False, True] if mode is Mode.SINGLY else [False]:
            if name in ("early yes", "reads no more") and not is_large:
                continue  # all is written before anybody could notice
            yield Case(
                name=f"{'large ' if is_large else ''}content, {mode}: {name}",
                script=_mail(mode, content=content),
                expected=expected,
                is_silent=is_silent,
                is_large=is_large,
                is_late=True,
            )


def _dot(mode: Mode) -> Iterator[Case]:
    for fault in [*EVERY, TOO_MANY]:
        yield Case(
            name=f"dot, {mode}: {fault.name}",
            script=_mail(mode, dot=fault.answer(QUEUED), may_deliver=_may_deliver(fault)),
            expected=_of_dot(fault),
            is_silent=fault.is_silent,
            is_late=True,
        )
    yield Case(
        name=f"dot, {mode}: drop, one recipient refused before",
        script=_mail(mode, THREE, rcpt=[None, NEVER], dot=Answer(b"", end=close())),
        recipients=THREE,
        expected=replace(doubt(1), recipients=(IN_DOUBT, REJECTED, IN_DOUBT)),
    )
    yield Case(
        name=f"dot, {mode}: drop, one recipient refused for now before",
        script=_mail(mode, THREE, rcpt=[None, NOT_NOW], dot=Answer(b"", end=close())),
        recipients=THREE,
        expected=replace(doubt(1), recipients=(IN_DOUBT, PENDING, IN_DOUBT)),
    )
    yield Case(
        name=f"dot, {mode}: 5xx, one recipient refused for now before",
        script=_mail(mode, THREE, rcpt=[None, NOT_NOW], dot=Answer(line("554 5.6.0 no")), may_deliver=False),
        recipients=THREE,
        expected=replace(retry(Stage.RCPT_TO), recipients=(REJECTED, PENDING, REJECTED)),
        is_late=True,
    )


def _may_deliver(fault: Fault) -> bool:
    return fault.meaning not in (Meaning.NOT_NOW, Meaning.NEVER, Meaning.CLOSING)


def _of_dot(fault: Fault) -> Expected:
    match fault.meaning:
        case Meaning.NOT_NOW | Meaning.CLOSING:
            return retry(Stage.DATA)
        case Meaning.NEVER:
            return refused(Stage.DATA)
        case Meaning.YES:
            return all_sent()
        case _:
            return all_sent() if fault is TOO_MANY else doubt(1)


def _kept(mode: Mode) -> Iterator[Case]:
    """The second mail on a connection; a session that is found to be over at MAIL costs a new one and nothing else."""
    for fault in [*REFUSALS, *ENDS, *BREAKS]:
        is_over = fault.meaning in (Meaning.CLOSING, Meaning.LOST)
        at_mail = all_sent() if is_over else _of_message(fault, Stage.MAIL_FROM)
        steps: list[tuple[str, dict[str, Any], Expected]] = [
            ("MAIL", {"mail": fault.answer(SENDER_OK)}, at_mail),
            ("one RCPT", {"rcpt": [fault.answer(RECIPIENT_OK)]}, _of_message(fault, Stage.RCPT_TO)),
            ("DATA", {"data": fault.answer(GO_ON)}, _of_message(fault, Stage.DATA)),
            ("dot", {"dot": fault.answer(QUEUED), "may_deliver": _may_deliver(fault)}, _of_dot(fault)),
        ]
        for step, answers, expected in steps:
            yield Case(
                name=f"kept, {step}, {mode}: {fault.name}",
                script=_mail(mode, is_kept=True, **answers),
                expected=expected,
                is_kept=True,
                is_silent=fault.is_silent,
                is_late=step == "dot",
            )


def _idle() -> Iterator[Case]:
    """F18: what happens to a connection between two mails is no failure of the second."""
    ends: dict[str, list[Item]] = {
        "421 and close": [send("421 4.4.2 idle too long"), close()],
        "421 and wait": [send("421 4.4.2 idle too long"), hang()],
        "drop": [close()],
        "cut": [cut()],
        "reset": [abort()],
        "garbage": [send_bytes(b"\x00\xff what?\r\n"), hang()],
        "an answer nobody asked for": [send("250 2.0.0 and one more"), hang()],
        "half a line": [send_bytes(b"42"), hang()],
    }
    for name, end in ends.items():
        yield Case(
            name=f"idle: {name}",
            script=_between_mails(*end),
            expected=all_sent(),
            is_kept=True,
            ends_while_idle=True,
        )
    for (name, data, last), mode in product(
        [
            ("421 in the segment of the last answer", line(QUEUED) + line("421 4.7.0 enough for now"), close()),
            ("close right behind the last answer", line(QUEUED), close()),
            ("cut right behind the last answer", line(QUEUED), cut()),
        ],
        (Mode.SINGLY, Mode.JOINED),
    ):
        yield Case(
            name=f"after N mails, {mode}: {name}",
            script=_mail(mode, is_kept=True, dot=Answer(data, end=last)),
            expected=all_sent(),
            is_kept=True,
        )


def _goodbye() -> Iterator[Case]:
    """mailport says QUIT after the second mail; whatever comes of that, both were sent."""
    for fault in [*REFUSALS, *ENDS, *BREAKS]:
        yield Case(
            name=f"QUIT: {fault.name}",
            script=_behind_quit(fault.answer("221 2.0.0 bye")),
            expected=all_sent(),
            is_kept=True,
        )


def _is_in_quick_form(case: Case) -> bool:
    """Leaves out answers in single segments, and the ways of saying the same but where they matter most."""
    if Mode.SPLIT in case.name:
        return False
    is_variant = any(case.name.endswith(f": {variant}") for variant in _VARIANTS)
    return not is_variant or case.name.startswith(("greeting", f"dot, {Mode.SINGLY}"))


_VARIANTS: Final = (
    "4xx in lines",
    "4xx in drips",
    "5xx in lines",
    "421 and wait",
    "cut",
    "reset",
    "half a line, then drop",
    "half a reply, then drop",
    "half a line, then silence",
    "codes that differ",
    "a line without end",
    "yes in drips",
)
EVERY_CASE: Final = tuple(_cases())
CASES: Final = EVERY_CASE if IS_FULL else tuple(filter(_is_in_quick_form, EVERY_CASE))
