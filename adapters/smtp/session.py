"""A session from the first byte to signed in: greeting, EHLO, STARTTLS, AUTH, each step on its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from aiosmtplib import SMTPResponseException

from adapters.smtp import sasl
from adapters.smtp.bearer import Bearer
from adapters.smtp.dialogue import Dialogue
from adapters.smtp.ehlo import Capabilities, client_name
from adapters.smtp.replies import Reply
from adapters.smtp.tls import describe
from adapters.smtp.tracing import Step, Stopped, TraceLog
from adapters.smtp.verdicts import tls_fault
from adapters.smtp.wire import EarlyPlaintext
from domain.connection import ConnectionSecurity
from domain.failures.evidence import Symptom
from domain.failures.explain import cut
from domain.failures.failure import Failure, FailureKind, Stage
from domain.reasons import Reason
from domain.settings.model import BasicAuthentication, SmtpTransport

_LONGEST_GREETING: Final = 200
"""Characters that a trace keeps of it, beside the reply to EHLO."""
QUIET: Final = timedelta(seconds=5)
"""Silence after which a server is suspected to wait for a TLS handshake."""

SpeaksTls = Callable[[], Awaitable[bool]]
"""Tells, over a connection of its own, whether the server answers a TLS handshake."""


class Session:
    """
    A connection on which mail can be sent once `open` has returned; what the server can do is in `capabilities`.

    Each step raises Stopped with what it met.
    """

    def __init__(self, *, dialogue: Dialogue, trace: TraceLog, smtp: SmtpTransport, host_name: str) -> None:
        self.dialogue = dialogue
        self.trace = trace
        self.capabilities = Capabilities()
        self.mechanism = ""
        """What it was signed in with; empty before that, and where nobody had to."""
        self._smtp = smtp
        self._host_name = host_name
        self._challenge = ""

    async def open(
        self,
        authentication: BasicAuthentication | Bearer | None,
        *,
        context: ssl.SSLContext | None,
        speaks_tls: SpeaksTls,
    ) -> None:
        """Goes through all steps up to the sign-in; *context* secures a STARTTLS session and must be there for one."""
        starttls = self._smtp.security is ConnectionSecurity.STARTTLS
        with self.trace.step(Stage.EHLO) as step:
            await self._greet(step, speaks_tls)
            await self._ehlo(step, or_helo=not starttls and authentication is None)
        if starttls and context is not None:
            await self._secure(context)
            with self.trace.step(Stage.EHLO) as step:
                await self._ehlo(step, or_helo=False)
        self.dialogue.timer.leaves_time = False  # this address serves; what the sign-in meets would be met on any
        if isinstance(authentication, Bearer):
            await self._sign_in_with_token(authentication)
        elif authentication is not None:
            with self.trace.step(Stage.AUTH) as step:
                await self._sign_in(step, authentication)

    async def _greet(self, step: Step, speaks_tls: SpeaksTls) -> None:
        with self.dialogue.minding(Stage.EHLO):
            async with self.dialogue.timer.limit():
                reply = await self._greeting(speaks_tls)
        if not reply.is_positive:
            raise Stopped(self.dialogue.witness.answered(Stage.EHLO, reply))
        step.detail = cut(str(self.dialogue.witness.hear(reply)), _LONGEST_GREETING)

    async def _greeting(self, speaks_tls: SpeaksTls) -> Reply:
        """
        Returns the greeting.

        A server that waits for a handshake says nothing for ever. It is told from a slow one by offering it one, on
        another connection, while the greeting is still awaited on this one.
        """
        listening = asyncio.create_task(self.dialogue.wire.listen())
        try:
            quiet = min(QUIET.total_seconds(), self.dialogue.timer.seconds() / 2)
            done, _ = await asyncio.wait({listening}, timeout=quiet)
            if not done and self.dialogue.wire.tls is None and await speaks_tls() and not listening.done():
                detail = "it is silent in plain text and answers a TLS handshake"
                raise Stopped(self.dialogue.witness.saw(Stage.EHLO, Symptom.TLS_INSTEAD_OF_PLAINTEXT, detail))
            return await listening
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _ehlo(self, step: Step, *, or_helo: bool) -> None:
        name = client_name(
            configured=self._smtp.ehlo_name,
            host_name=self._host_name,
            local_address=self.dialogue.wire.local_address,
        ).encode()
        said = f"greeted as {name.decode()}"
        reply = await self.dialogue.ask(Stage.EHLO, b"EHLO", name)
        if or_helo and 500 <= reply.code <= 599:
            # A server from before 1995; without extensions there is neither TLS nor a sign-in to be had (RFC 5321 3.2).
            step.detail = _joined(step.detail, f"{said}, with HELO since EHLO was refused")
            await self.dialogue.must(Stage.EHLO, b"HELO", name, detail=said)
            return
        if not reply.is_positive:
            raise Stopped(self.dialogue.witness.answered(Stage.EHLO, reply, detail=said))
        step.detail = _joined(step.detail, said)
        step.reply = str(self.dialogue.witness.hear(reply))
        self.capabilities = Capabilities.of(reply)

    async def _secure(self, context: ssl.SSLContext) -> None:
        witness = self.dialogue.witness
        with self.trace.step(Stage.TLS) as step:
            if not self.capabilities.offers("starttls"):
                offered = ", ".join(sorted(self.capabilities.extensions)).upper() or "nothing"
                raise Stopped(witness.saw(Stage.TLS, Symptom.STARTTLS_NOT_OFFERED, f"it offers {offered}"))
            self.capabilities = Capabilities()  # whatever was learnt in clear is forgotten (RFC 3207 section 4.2)
            try:
                with self.dialogue.minding(Stage.TLS):
                    async with self.dialogue.timer.limit():
                        await shaking_hands(self.dialogue, self.dialogue.wire.secure(context, self._smtp.host.name))
            except SMTPResponseException as refused:
                reply = Reply(refused.code, tuple(refused.message.split("\n")))
                raise Stopped(witness.answered(Stage.TLS, reply)) from None
            step.detail = "STARTTLS"
            session = self.dialogue.wire.tls
            step.tls = describe(session, witness.clean) if session else None

    async def _sign_in(self, step: Step, authentication: BasicAuthentication) -> None:
        self._be_secure()
        offered = self.capabilities.mechanisms
        ways = sasl.exchanges(offered, username=authentication.username, password=authentication.password)
        refusals = await self._try(step, ways, sasl.may_try_next)
        if refusals:
            telling = next((reply for reply in refusals if reply.code == 535), refusals[-1])
            raise Stopped(self.dialogue.witness.answered(Stage.AUTH, telling, detail=self._offer()))

    async def _sign_in_with_token(self, bearer: Bearer) -> None:
        """Shows the token, and once more a renewed one when it is the token that was refused (F23)."""
        try:
            with self.trace.step(Stage.AUTH) as step:
                await self._show_token(step, bearer)
        except Stopped as refused:
            if not _is_token_refused(refused.failure, bearer) or not await bearer.renew():
                raise
            with self.trace.step(Stage.AUTH) as step:
                await self._show_token(step, bearer)

    async def _show_token(self, step: Step, bearer: Bearer) -> None:
        self._be_secure()
        host, port = self.dialogue.witness.server
        ways = sasl.token_exchanges(
            self.capabilities.mechanisms, username=bearer.username, token=bearer.token, host=host, port=port
        )
        refusals = await self._try(step, ways, sasl.is_unknown_mechanism)
        if refusals:
            detail = self._challenge or self._offer()
            raise Stopped(
                self.dialogue.witness.answered(
                    Stage.AUTH,
                    refusals[-1],
                    detail=detail,
                    with_token=True,
                    without_person=bearer.without_person,
                )
            )

    def _be_secure(self) -> None:
        if self.dialogue.wire.tls is None and self._smtp.security is not ConnectionSecurity.NONE:
            raise RuntimeError("credentials were about to leave on a connection that is not encrypted")

    def _offer(self) -> str:
        offered = self.capabilities.mechanisms
        return f"it offers {' '.join(offered)}" if offered else "it offers no AUTH at all"

    async def _try(self, step: Step, ways: list[sasl.Exchange], may_try_next: Callable[[int], bool]) -> list[Reply]:
        """Returns the refusals, none when a way was taken; raises Stopped when there is no way to try."""
        witness = self.dialogue.witness
        if not ways:
            raise Stopped(witness.saw(Stage.AUTH, Symptom.NO_AUTH_MECHANISM, self._offer()))
        refusals: list[Reply] = []
        for way in ways:
            reply = await self._exchange(way)
            step.detail = ", then ".join([*([step.detail] if step.detail else []), way.mechanism])
            if reply.is_positive:
                step.reply = str(witness.hear(reply))
                self.mechanism = way.mechanism
                return []
            refusals.append(reply)
            if not may_try_next(reply.code):
                break
        return refusals

    async def _exchange(self, way: sasl.Exchange) -> Reply:
        self._challenge = ""
        reply = await self.dialogue.ask(Stage.AUTH, *way.command)
        for answer in way.answers:
            if reply.code != 334:
                return reply
            reply = await self.dialogue.ask(Stage.AUTH, answer)
        if reply.code != 334:
            return reply
        if way.last_word != sasl.CANCEL:
            self._challenge = sasl.read_challenge("".join(reply.lines))
        ended = await self.dialogue.ask(Stage.AUTH, way.last_word)  # it asks for more than the mechanism has
        if ended.is_negative:
            return ended
        raise Stopped(self.dialogue.witness.answered(Stage.AUTH, Reply(334, ("",))))


async def shaking_hands(dialogue: Dialogue, handshake: Awaitable[None], *, from_first_byte: bool = False) -> None:
    """Awaits *handshake* and turns what TLS says into Stopped."""
    try:
        await handshake
    except EarlyPlaintext as early:
        raise Stopped(dialogue.witness.saw(Stage.TLS, Symptom.EARLY_PLAINTEXT)) from early
    except ssl.SSLError as error:
        symptom, detail = tls_fault(error, from_first_byte=from_first_byte)
        raise Stopped(dialogue.witness.saw(Stage.TLS, symptom, detail)) from error


def _joined(*details: str) -> str:
    return "; ".join(detail for detail in details if detail)


def _is_token_refused(failure: Failure, bearer: Bearer) -> bool:
    """Tells whether another token may be taken: where no person is asked, no failure calls for a new consent."""
    if bearer.without_person:
        return failure.reason is Reason.AUTH_REJECTED
    return failure.kind is FailureKind.REAUTHORIZE
