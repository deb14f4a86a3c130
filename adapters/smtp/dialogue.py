"""Commands and replies with limits of time, each mishap turned into evidence."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from math import inf
from types import TracebackType
from typing import Final

from adapters.smtp.replies import MalformedReply, Reply, ReplyTooLarge
from adapters.smtp.scrub import Scrubber
from adapters.smtp.tracing import Stopped
from adapters.smtp.verdicts import Heard, hear
from adapters.smtp.wire import Wire
from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.failure import Failure, Stage
from domain.ports.environment import Clock
from domain.ports.transport import Patience
from domain.providers import preset_for_host
from domain.secret import Secret
from domain.settings.model import SmtpTransport

_LONGEST_WITH_OTHERS_LEFT: Final = 10.0
_SURFACES = {Stage.DNS: Surface.DNS, Stage.CONNECT: Surface.CONNECT, Stage.TLS: Surface.TLS}


class Witness:
    """Makes evidence of what one attempt meets: knows the server, the time, and what must not be repeated."""

    def __init__(self, *, smtp: SmtpTransport, scrubber: Scrubber, clock: Clock) -> None:
        self._smtp = smtp
        self._scrubber = scrubber
        self._clock = clock

    @property
    def server(self) -> tuple[str, int]:
        """Host and port as configured."""
        return self._smtp.host.name, self._smtp.port

    def now(self) -> datetime:
        """Returns the instant."""
        return self._clock.now()

    def never_repeat(self, token: Secret, *responses: bytes) -> None:
        """Takes *token*, and the *responses* that hold it, out of all that is heard from now on."""
        self._scrubber.learn_token(token, *responses)

    def clean(self, text: str) -> str:
        """Takes what must not be repeated out of a peer's *text*."""
        return self._scrubber.clean(text)

    def hear(self, reply: Reply) -> Heard:
        """Takes a reply apart, scrubbed."""
        return hear(reply, self._scrubber.clean)

    def answered(
        self,
        stage: Stage,
        reply: Reply,
        *,
        detail: str = "",
        with_token: bool = False,
        without_person: bool = False,
    ) -> Evidence:
        """Returns evidence of a reply that was not hoped for; one that no step can be answered with is garbage."""
        heard = self.hear(reply)
        return Evidence(
            surface=Surface.SMTP,
            stage=stage,
            symptom=None if reply.is_negative else Symptom.GARBAGE,
            code=heard.code,
            enhanced_code=heard.enhanced_code,
            text=heard.text,
            detail=self._scrubber.clean(detail) if reply.is_negative else f"unexpected reply {heard.code}",
            with_token=with_token,
            without_person=without_person,
            host=self._smtp.host.name,
            port=self._smtp.port,
            provider=self._provider(),
            security=self._smtp.security,
            met_time=self._clock.now(),
        )

    def saw(self, stage: Stage, symptom: Symptom, detail: str = "") -> Evidence:
        """Returns evidence of something that was no reply."""
        return Evidence(
            surface=_SURFACES.get(stage, Surface.SMTP),
            stage=stage,
            symptom=symptom,
            detail=self._scrubber.clean(detail),
            host=self._smtp.host.name,
            port=self._smtp.port,
            provider=self._provider(),
            security=self._smtp.security,
            met_time=self._clock.now(),
        )

    def _provider(self) -> str:
        preset = preset_for_host(self._smtp.host)  # some 100 µs, which a message that is taken need not wait for
        return preset.provider_id if preset else ""

    def without_token(self, failure: Failure) -> Evidence:
        """Returns evidence of *failure*, which somebody else met when asked for a token."""
        return Evidence(
            surface=Surface.OAUTH_TOKEN,
            stage=Stage.TOKEN,
            detail=self._scrubber.clean(failure.cause),
            met_time=self._clock.now(),
        )


class Timer:
    """
    The time that an attempt may take: for each reply, and for all up to the content together.

    While `leaves_time` is set, other addresses of the server are still to be tried: then no step takes more than a
    third of what is left, and never more than ten seconds, so that a dead address does not use up the time of the next.
    """

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.leaves_time = False
        now = asyncio.get_running_loop().time()
        self._overall_end = inf if patience.overall is None else now + patience.overall.total_seconds()
        self._end = 0.0
        self.start()

    def start(self) -> None:
        """Begins the time up to the content again; the time for all together goes on."""
        until_content = self.patience.until_content.total_seconds()
        self._end = min(asyncio.get_running_loop().time() + until_content, self._overall_end)

    @property
    def overall_end(self) -> float | None:
        """When the time for all together is over, by the loop's clock; None: it has no end."""
        return None if self._overall_end == inf else self._overall_end

    @property
    def seconds_left(self) -> float:
        """What is left of the time up to the content."""
        return max(0.0, self._end - asyncio.get_running_loop().time())

    def seconds(self, span: timedelta | None = None) -> float:
        """Returns what a step may take: *span*, else a reply's time, and never more than is left or left for it."""
        seconds = min((span or self.patience.each_reply).total_seconds(), self.seconds_left)
        return min(seconds, self.seconds_left / 3, _LONGEST_WITH_OTHERS_LEFT) if self.leaves_time else seconds

    def seconds_past_content(self, span: timedelta) -> float:
        """Returns what a step from the content on may take: *span*, and never more than is left overall."""
        return min(span.total_seconds(), max(0.0, self._overall_end - asyncio.get_running_loop().time()))

    def limit(self, span: timedelta | None = None) -> asyncio.Timeout:
        """Raises TimeoutError when what is within takes longer than `seconds`."""
        return asyncio.timeout(self.seconds(span))


class Dialogue:
    """What a session's steps have in common: a wire, a witness, a timer."""

    def __init__(self, *, wire: Wire, witness: Witness, timer: Timer) -> None:
        self.wire = wire
        self.witness = witness
        self.timer = timer

    async def ask(self, stage: Stage, *words: bytes) -> Reply:
        """Sends a command and returns its reply, whatever it says; raises Stopped when there is none in time."""
        with self.minding(stage):
            async with self.timer.limit():
                return await self.wire.ask(*words)

    async def answer(self, stage: Stage, span: timedelta | None = None) -> Reply:
        """Returns the next reply to what was said before, within *span*; raises Stopped when there is none in time."""
        with self.minding(stage):
            if (reply := self.wire.heard()) is not None:
                return reply  # the usual case in a group of commands: no timer is needed for what is there
            async with self.timer.limit(span):
                return await self.wire.listen()

    async def must(self, stage: Stage, *words: bytes, detail: str = "") -> Reply:
        """Sends a command that has to be answered with a 2yz; raises Stopped with the reply otherwise."""
        reply = await self.ask(stage, *words)
        if not reply.is_positive:
            raise Stopped(self.witness.answered(stage, reply, detail=detail))
        return reply

    def minding(self, stage: Stage) -> Minding:
        """Turns a lost connection, silence and unreadable replies within into Stopped."""
        return Minding(self, stage)

    def stopped(self, stage: Stage, error: BaseException) -> Stopped | None:
        """Returns what *error* ends the attempt with, None for one that is not the connection's."""
        saw = self.witness.saw
        match error:
            case TimeoutError():
                slow = self.timer.seconds_left <= 0
                detail = "the time for the whole attempt was used up" if slow else "no complete reply in time"
                return Stopped(saw(stage, Symptom.TOO_SLOW if slow else Symptom.SILENT, detail))
            case MalformedReply():
                symptom = Symptom.TLS_INSTEAD_OF_PLAINTEXT if self._is_foreign_tls(error) else Symptom.GARBAGE
                seen = error.seen.decode("ascii", errors="replace")
                detail = f'it began "{seen}"' if error.seen and symptom is Symptom.GARBAGE else ""
                return Stopped(saw(stage, symptom, detail))
            case ReplyTooLarge():
                return Stopped(saw(stage, Symptom.REPLY_TOO_LARGE))
            case OSError():
                return Stopped(saw(stage, Symptom.LOST))
        return None

    def _is_foreign_tls(self, malformed: MalformedReply) -> bool:
        return malformed.is_tls and self.wire.tls is None


class Minding:
    """``with`` turns what a connection can meet into Stopped; a class, since each reply passes one."""

    __slots__ = ("_dialogue", "_stage")

    def __init__(self, dialogue: Dialogue, stage: Stage) -> None:
        self._dialogue = dialogue
        self._stage = stage

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if error is not None and (stopped := self._dialogue.stopped(self._stage, error)) is not None:
            raise stopped from (None if isinstance(error, TimeoutError) else error)
