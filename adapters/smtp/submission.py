"""One message handed over on an open session: MAIL, RCPT, DATA, and the point of no return between them and the dot."""

from __future__ import annotations

import asyncio
from typing import Final

from adapters.smtp.dialogue import Dialogue
from adapters.smtp.encoding import AboveSize, NeedsSmtpUtf8, Plan, on_the_wire, plan
from adapters.smtp.replies import Reply
from adapters.smtp.session import Session
from adapters.smtp.tracing import Step, Stopped
from adapters.smtp.verdicts import in_doubt
from domain.address import EmailAddress
from domain.failures.evidence import Evidence, Symptom
from domain.failures.explain import LONGEST_REPLY, cut, explain
from domain.failures.failure import Stage
from domain.message import Envelope
from domain.ports.transport import BeforeContent, Verdict

_THREAD_OCTETS: Final = 1024 * 1024
"""From this size on, a message is prepared in a thread, since recoding takes time in proportion."""
_LISTED_REFUSALS: Final = 10


class Submission:
    """
    Offers one message once.

    After `run`, and also when it raised Stopped, `refused` holds who was refused alone, and `reply` the server's last
    word on the message when it was taken. `may_say_goodbye` tells whether the session is in a state in which a QUIT is
    a QUIT and not a line of content.
    """

    def __init__(self, *, session: Session, envelope: Envelope, content: bytes, before_content: BeforeContent) -> None:
        self.refused: dict[EmailAddress, Verdict] = {}
        self.reply = ""
        self.may_say_goodbye = True
        self._session = session
        self._dialogue: Dialogue = session.dialogue
        self._envelope = envelope
        self._content = content
        self._before_content = before_content

    async def run(self) -> None:
        """
        Goes through the steps; nothing is sent when every recipient is refused.

        Raises Stopped with what ended it for the message as a whole, and whatever *before_content* raises.
        """
        with self._session.trace.step(Stage.MAIL_FROM) as step:
            planned = await self._plan()
            if not planned.recipients:
                step.detail = "not sent, since no recipient is left"
                step.succeeded = False
                return
            sender = f"FROM:<{self._envelope.sender}>".encode()
            reply = await self._dialogue.must(Stage.MAIL_FROM, b"MAIL", sender, *planned.parameters)
            step.detail = b" ".join(planned.parameters).decode()
            step.reply = self._words(reply)
        with self._session.trace.step(Stage.RCPT_TO) as step:
            accepted = await self._ask_for_recipients(step, planned)
        if accepted:
            with self._session.trace.step(Stage.DATA) as step:
                await self._hand_over(step, planned.content)

    async def _plan(self) -> Plan:
        witness, capabilities = self._dialogue.witness, self._session.capabilities
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

    async def _ask_for_recipients(self, step: Step, planned: Plan) -> int:
        accepted = 0
        for recipient in planned.recipients:
            reply = await self._dialogue.ask(Stage.RCPT_TO, b"RCPT", f"TO:<{recipient}>".encode())
            if reply.code == 421 or not (reply.is_positive or reply.is_negative):
                raise Stopped(self._dialogue.witness.answered(Stage.RCPT_TO, reply))
            if reply.is_positive:
                accepted += 1
            else:
                self._refuse(recipient, self._dialogue.witness.answered(Stage.RCPT_TO, reply), self._words(reply))
            step.reply = self._words(reply)
        step.succeeded = accepted > 0
        step.detail = self._summary(accepted)
        return accepted

    async def _hand_over(self, step: Step, content: bytes) -> None:
        witness = self._dialogue.witness
        reply = await self._dialogue.ask(Stage.DATA, b"DATA")
        if reply.code != 354:
            raise Stopped(witness.answered(Stage.DATA, reply))
        self.may_say_goodbye = False
        async with self._dialogue.minding(Stage.DATA):
            self._dialogue.wire.expect_silence()
        await self._before_content()
        reply = await self._write(content)
        self.may_say_goodbye = True
        self.reply = step.reply = self._words(reply)
        step.detail = f"{len(content):,} bytes"

    async def _write(self, content: bytes) -> Reply:
        """Returns the 2yz to the final dot; any other complete reply is a definite no, and all else leaves doubt."""
        wire, timer = self._dialogue.wire, self._dialogue.timer
        try:
            async with self._dialogue.minding(Stage.DATA):
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

    def _refuse(self, recipient: EmailAddress, evidence: Evidence, reply: str = "") -> None:
        self.refused[recipient] = Verdict(recipient=recipient, failure=explain(evidence), reply=reply)

    def _words(self, reply: Reply) -> str:
        return cut(str(self._dialogue.witness.hear(reply)), LONGEST_REPLY)

    def _summary(self, accepted: int) -> str:
        refusals = [f"{recipient}: {_why(verdict)}" for recipient, verdict in self.refused.items()]
        listed, more = refusals[:_LISTED_REFUSALS], len(refusals) - _LISTED_REFUSALS
        count = f"{accepted} of {len(self._envelope.recipients)} accepted"
        if not refusals:
            return count
        return f"{count}; refused: {'; '.join(listed)}" + (f"; and {more} more" if more > 0 else "")


def _why(verdict: Verdict) -> str:
    return verdict.reply or (verdict.failure.reason if verdict.failure else "")
