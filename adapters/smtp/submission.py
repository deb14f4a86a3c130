"""One message handed over on an open session: MAIL, RCPT, DATA, and the point of no return between them and the dot."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from adapters.smtp.connection import Connection
from adapters.smtp.dialogue import Dialogue
from adapters.smtp.encoding import AboveSize, NeedsSmtpUtf8, Plan, on_the_wire, plan
from adapters.smtp.mark import Mark
from adapters.smtp.replies import Reply
from adapters.smtp.tracing import Step, Stopped, TraceLog
from adapters.smtp.verdicts import in_doubt
from domain.address import EmailAddress
from domain.failures.evidence import Evidence, Symptom
from domain.failures.explain import LONGEST_REPLY, cut, explain
from domain.failures.failure import Stage
from domain.message import Envelope
from domain.ports.transport import Verdict

_THREAD_OCTETS: Final = 1024 * 1024
"""From this size on, a message is prepared in a thread, since recoding takes time in proportion."""
_LISTED_REFUSALS: Final = 10
_LEFTOVERS: Final = timedelta(seconds=5)
"""For replies that no longer count: the report waits for them, the session ends without them."""


class Submission:
    """
    Offers one message once.

    Where the server takes commands in groups (RFC 2920), RSET if it is due, MAIL, each RCPT and DATA leave in one piece
    and the answers are read in order; elsewhere each waits for its answer. Content waits for the 354 and for the mark
    in any case.

    After `run`, and also when it raised Stopped, `refused` holds who was refused alone, and `reply` the server's last
    word on the message when it was taken. `may_say_goodbye` tells whether the session is in a state in which a QUIT is
    a QUIT and not a line of content, `has_spoken` whether anything was said.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        dialogue: Dialogue,
        trace: TraceLog,
        envelope: Envelope,
        content: bytes,
        mark: Mark,
        marks_early: bool = True,
    ) -> None:
        """*marks_early*: where commands go in a group, the mark is begun with it instead of at the 354."""
        self.refused: dict[EmailAddress, Verdict] = {}
        self.reply = ""
        self.may_say_goodbye = True
        self.has_spoken = False
        self._connection = connection
        self._dialogue = dialogue
        self._trace = trace
        self._envelope = envelope
        self._content = content
        self._mark = mark
        self._marks_early = marks_early
        self._due = 0
        """How many replies to the group are still to come."""

    async def run(self) -> None:
        """
        Goes through the steps; nothing is sent when every recipient is refused.

        Raises Stopped with what ended it for the message as a whole, and whatever the mark raises.
        """
        try:
            await self._converse()
        except Stopped as stopped:
            self._connection.refusals += self.has_spoken
            if self._due and stopped.is_answer:
                await self._hear_out()
            raise
        if self._due:
            await self._hear_out()

    async def _converse(self) -> None:
        with self._trace.step(Stage.MAIL_FROM) as step:
            planned = await self._plan()
            if not planned.recipients:
                step.detail = "not sent, since no recipient is left"
                step.succeeded = False
                return
            mail = b" ".join((f"MAIL FROM:<{self._envelope.sender}>".encode(), *planned.parameters))
            asked = [f"RCPT TO:<{recipient}>".encode() for recipient in planned.recipients]
            step.reply = self._words(await self._begin(mail, asked))
            step.detail = b" ".join(planned.parameters).decode()
        with self._trace.step(Stage.RCPT_TO) as step:
            accepted = await self._ask_for_recipients(step, planned, asked)
        if accepted:
            with self._trace.step(Stage.DATA) as step:
                await self._hand_over(step, planned.content)
            self._connection.needs_reset = False

    async def _plan(self) -> Plan:
        witness, capabilities = self._dialogue.witness, self._connection.capabilities
        try:
            if len(self._content) < _THREAD_OCTETS:
                planned = plan(self._envelope, self._content, capabilities)
            else:
                planned = await asyncio.to_thread(plan, self._envelope, self._content, capabilities)
        except NeedsSmtpUtf8 as needs:
            raise Stopped(witness.saw(Stage.MAIL_FROM, Symptom.SMTPUTF8_NOT_OFFERED, needs.what)) from None
        except AboveSize as above:
            raise Stopped(witness.saw(Stage.MAIL_FROM, Symptom.ABOVE_SIZE, str(above))) from None
        for recipient in planned.needing_smtputf8:
            self._refuse(recipient, witness.saw(Stage.RCPT_TO, Symptom.SMTPUTF8_NOT_OFFERED, str(recipient)))
        for recipient in planned.surplus:
            limit = f"it takes {len(planned.recipients)}"
            self._refuse(recipient, witness.saw(Stage.RCPT_TO, Symptom.ABOVE_RECIPIENT_LIMIT, limit))
        return planned

    async def _begin(self, mail: bytes, asked: list[bytes]) -> Reply:
        """Returns the 2yz to MAIL; where the server takes groups, all up to DATA is on its way then."""
        connection, stage = self._connection, Stage.MAIL_FROM
        self.has_spoken = True
        connection.messages += 1
        reset = [b"RSET"] if connection.needs_reset else []
        if connection.capabilities.offers("pipelining"):
            group = [*reset, mail, *asked, b"DATA"]
            with self._dialogue.minding(stage):
                self._dialogue.wire.say(*group)
            self._due = len(group)
            if self._marks_early:
                self._mark.begin()
        for command in reset:
            reply = await self._answer(stage, command)
            if reply.code != 421 and not reply.is_positive:
                raise Stopped(self._dialogue.witness.saw(stage, Symptom.LOST, "it refused to forget the last message"))
            connection.needs_reset = False
        reply = await self._answer(stage, mail)
        if not reply.is_positive:
            raise Stopped(self._dialogue.witness.answered(stage, reply))
        connection.needs_reset = True
        return reply

    async def _answer(self, stage: Stage, command: bytes) -> Reply:
        """Returns the reply to *command*, which is said now unless it was in the group."""
        if not self._due:
            return await self._dialogue.ask(stage, command)
        reply = await self._dialogue.answer(stage)
        self._due -= 1
        return reply

    async def _ask_for_recipients(self, step: Step, planned: Plan, asked: list[bytes]) -> int:
        accepted = 0
        for recipient, command in zip(planned.recipients, asked, strict=True):
            reply = await self._answer(Stage.RCPT_TO, command)
            if reply.code == 421 or not (reply.is_positive or reply.is_negative):
                raise Stopped(self._dialogue.witness.answered(Stage.RCPT_TO, reply))
            step.reply = self._words(reply)
            if reply.is_positive:
                accepted += 1
            else:
                self._connection.refusals += 1
                self._refuse(recipient, self._dialogue.witness.answered(Stage.RCPT_TO, reply), step.reply)
        step.succeeded = accepted > 0
        step.detail = self._summary(accepted, last=step.reply)
        return accepted

    async def _hand_over(self, step: Step, content: bytes) -> None:
        witness = self._dialogue.witness
        reply = await self._answer(Stage.DATA, b"DATA")
        if reply.code != 354:
            raise Stopped(witness.answered(Stage.DATA, reply))
        self.may_say_goodbye = False
        with self._dialogue.minding(Stage.DATA):
            self._dialogue.wire.expect_silence()
        await self._mark.passed()
        reply = await self._write(content)
        self.may_say_goodbye = True
        self.reply = step.reply = self._words(reply)
        step.detail = f"{len(content):,} bytes"

    async def _write(self, content: bytes) -> Reply:
        """Returns the 2yz to the final dot; any other complete reply is a definite no, and all else leaves doubt."""
        wire, timer = self._dialogue.wire, self._dialogue.timer
        try:
            with self._dialogue.minding(Stage.DATA):
                try:
                    async with asyncio.timeout(timer.seconds_past_content(timer.patience.content)):
                        is_written = await wire.write_content(on_the_wire(content))
                except (TimeoutError, OSError):
                    is_written = False
                final_seconds = timer.seconds_past_content(timer.patience.final_reply)
                async with asyncio.timeout(final_seconds if is_written else 0):
                    reply = await wire.listen()
        except Stopped as stopped:
            raise Stopped(in_doubt(stopped.evidence)) from stopped
        if reply.is_negative:
            self.may_say_goodbye = is_written
            raise Stopped(self._dialogue.witness.answered(Stage.DATA, reply))
        if not reply.is_positive or not is_written:
            raise Stopped(in_doubt(self._dialogue.witness.saw(Stage.DATA, Symptom.GARBAGE, self._words(reply))))
        return reply

    async def _hear_out(self) -> None:
        """
        Reads the replies that the refused rest of the group still gets, so that the next command has its own.

        A server may say 354 though it took no recipient: then nothing but the dot goes out (RFC 2920 section 3.1), and
        whatever it says to that, nobody was accepted. One that took a recipient of a sender that it refused gets not
        even that. What goes wrong here ends the session and changes no verdict.
        """
        self.may_say_goodbye = False
        try:
            replies = [await self._leftover() for _ in range(self._due)]
            last = replies.pop()
            if any(not reply.is_negative for reply in replies):
                return
            if last.code == 354:
                with self._dialogue.minding(Stage.DATA):
                    self._dialogue.wire.say(b".")
                last = await self._leftover()
                self.may_say_goodbye = last.is_positive
        except Stopped:
            return
        self.may_say_goodbye |= last.is_negative and last.code != 421

    async def _leftover(self) -> Reply:
        return await self._dialogue.answer(Stage.DATA, _LEFTOVERS)

    def _refuse(self, recipient: EmailAddress, evidence: Evidence, reply: str = "") -> None:
        self.refused[recipient] = Verdict(recipient=recipient, failure=explain(evidence), reply=reply)

    def _words(self, reply: Reply) -> str:
        return cut(str(self._dialogue.witness.hear(reply)), LONGEST_REPLY)

    def _summary(self, accepted: int, *, last: str) -> str:
        """Says who was refused and why; the reply that the step shows (*last*) is not said twice of one alone."""
        is_said = len(self.refused) == 1
        refusals = [
            str(each) if is_said and said.reply == last else f"{each}: {_why(said)}"
            for each, said in self.refused.items()
        ]
        listed, more = refusals[:_LISTED_REFUSALS], len(refusals) - _LISTED_REFUSALS
        count = f"{accepted} of {len(self._envelope.recipients)} accepted"
        if not refusals:
            return count
        return f"{count}; refused: {'; '.join(listed)}" + (f"; and {more} more" if more > 0 else "")


def _why(verdict: Verdict) -> str:
    return verdict.reply or (verdict.failure.reason if verdict.failure else "")
