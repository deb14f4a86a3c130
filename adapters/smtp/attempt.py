"""One attempt from the name look-up to the server's last word, and the report of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from adapters.smtp.bearer import Bearer
from adapters.smtp.connection import Connection
from adapters.smtp.dialling import Dead, Dialled, Overtaken, Unreachable, dial
from adapters.smtp.dialogue import Dialogue, Timer, Witness
from adapters.smtp.mark import Mark
from adapters.smtp.probing import Prober, wrap
from adapters.smtp.scrub import Scrubber
from adapters.smtp.session import Session, shaking_hands
from adapters.smtp.submission import Submission
from adapters.smtp.tls import TlsContexts, describe
from adapters.smtp.tracing import Stopped, TraceLog
from adapters.smtp.verdicts import in_words, settle, unreachable_fault
from adapters.smtp.wire import Wire
from domain.connection import ConnectionSecurity, TlsVersion
from domain.failures.evidence import Evidence, Symptom
from domain.failures.explain import LONGEST_REPLY, cut, explain
from domain.failures.failure import Failure, Stage
from domain.failures.trace import TraceStep
from domain.message import Envelope
from domain.ports.environment import Clock
from domain.ports.network import EgressDenied, NameUnavailable, NameUnknown, PeerAddress, Resolver
from domain.ports.probe import Offer
from domain.ports.transport import BeforeContent, Patience, Report, SignIn, TokenSource
from domain.settings.model import BasicAuthentication, OAuthAuthentication, SmtpTransport

_LOOKUP: Final = timedelta(seconds=20)
_CONNECT: Final = timedelta(seconds=30)
_OTHER_ADDRESS_HELPS: Final = frozenset({Symptom.LOST, Symptom.SILENT})
_CERTIFICATE: Final = frozenset({Symptom.CERT_UNTRUSTED, Symptom.CERT_EXPIRED, Symptom.CERT_NAME_MISMATCH})
_NO_SERVICE: Final = frozenset({521, 554})
"""This host takes no mail, whatever another one of the name does (RFC 5321 section 3.1, RFC 7504)."""


class Attempt:
    """
    Offers one message once to one server.

    `wire` is the connection in use, or the last one, None before there is any; whoever runs the attempt ends it, or
    keeps `connection`, which is there when another message may follow on it. `may_say_goodbye` tells whether a QUIT may
    be sent. `smtp` are the settings that it goes by.
    """

    def __init__(
        self,
        *,
        smtp: SmtpTransport,
        authentication: BasicAuthentication | OAuthAuthentication | None,
        resolver: Resolver,
        contexts: TlsContexts,
        clock: Clock,
        host_name: str,
        patience: Patience,
        tokens: TokenSource | None = None,
        marks_early: bool = True,
    ) -> None:
        self.wire: Wire | None = None
        self.connection: Connection | None = None
        self.may_say_goodbye = False
        self.smtp = smtp
        self._authentication = authentication
        self._tokens = tokens
        self._resolver = resolver
        self._contexts = contexts
        self._host_name = host_name
        basic = authentication if isinstance(authentication, BasicAuthentication) else None
        self._witness = Witness(smtp=smtp, scrubber=Scrubber(basic), clock=clock)
        self._trace = TraceLog(clock)
        self._clock = clock
        self._begin_time = clock.monotonic()
        self._marks_early = marks_early
        self._timer = Timer(patience)
        self._peer = ""
        self._prober = Prober(smtp=smtp, contexts=contexts, timer=self._timer, host_name=host_name)

    @property
    def latest_begin(self) -> float | None:
        """When it is over even if it has not begun, by the loop's clock; None: it may wait for ever."""
        return self._timer.overall_end

    def crowded_out(self, envelope: Envelope) -> Report:
        """Returns the report of an attempt that did not begin before its `latest_begin`."""
        detail = "as many connections as may be were busy with other mail all the time"
        evidence = self._witness.saw(Stage.CONNECT, Symptom.TOO_SLOW, detail)
        took = self._clock.monotonic() - self._begin_time
        self._trace.add(TraceStep(Stage.CONNECT, succeeded=False, duration=took, detail=detail))
        verdicts = settle(envelope.recipients, refused={}, failure=explain(evidence), reply="")
        return Report(verdicts=verdicts, trace=self._trace.trace(), failure=explain(evidence))

    async def run(
        self, envelope: Envelope, content: bytes, *, before_content: BeforeContent, kept: Connection | None = None
    ) -> Report:
        """
        Returns the report; raises what *before_content* raises, and CancelledError.

        A *kept* connection that turns out to be over when MAIL is said is no failure: one of the attempt's own follows.
        """
        self._timer.start()
        connection: Connection | None = None
        submission: Submission | None = None
        failure: Failure | None = None
        may_go_on = False
        async with Mark(before_content) as mark:
            try:
                connection = self._use_again(kept) if kept is not None else await self._fresh()
                submission = self._submission(connection, envelope, content, mark)
                try:
                    await submission.run()
                except Stopped as stopped:
                    if kept is None or mark.has_failed or not _had_ended_before(stopped.evidence):
                        raise
                    submission = None
                    self._hang_up()
                    connection = await self._fresh()
                    submission = self._submission(connection, envelope, content, mark)
                    await submission.run()
                may_go_on = self.may_say_goodbye = submission.may_say_goodbye
            except Stopped as stopped:
                failure = stopped.failure
                if submission is None:
                    self.may_say_goodbye = stopped.is_answer
                else:
                    may_go_on = not submission.has_spoken
                    self.may_say_goodbye = may_go_on or (stopped.is_answer and submission.may_say_goodbye)
        self.connection = connection if may_go_on else None
        verdicts = settle(
            envelope.recipients,
            refused=submission.refused if submission else {},
            failure=failure,
            reply=_last_words(failure) if failure else submission.reply if submission else "",
        )
        return Report(verdicts=verdicts, trace=self._trace.trace(), failure=failure)

    def _use_again(self, kept: Connection) -> Connection:
        self.wire, self._witness = kept.wire, kept.witness
        self._trace.add(
            TraceStep(
                Stage.CONNECT,
                succeeded=True,
                duration=self._clock.monotonic() - self._begin_time,
                detail=kept.story,
                peer=kept.peer,
                tls=kept.tls,
            )
        )
        return kept

    async def _fresh(self) -> Connection:
        session = await self._open(await self._usable_authentication())
        return Connection(
            wire=session.dialogue.wire,
            witness=self._witness,
            capabilities=session.capabilities,
            peer=self._peer,
            mechanism=session.mechanism,
        )

    def _submission(self, connection: Connection, envelope: Envelope, content: bytes, mark: Mark) -> Submission:
        return Submission(
            connection=connection,
            dialogue=Dialogue(wire=connection.wire, witness=self._witness, timer=self._timer),
            trace=self._trace,
            envelope=envelope,
            content=content,
            mark=mark,
            marks_early=self._marks_early,
        )

    async def sign_in(self) -> SignIn:
        """Comes as far as a session that is signed in; raises CancelledError alone."""
        try:
            await self._open(await self._usable_authentication())
        except Stopped as stopped:
            self.may_say_goodbye = stopped.is_answer
            return SignIn(trace=self._trace.trace(), failure=stopped.failure)
        self.may_say_goodbye = True
        return SignIn(trace=self._trace.trace())

    async def look(self) -> Offer | None:
        """Comes as far as a session in which somebody could sign in, and tells what it offers; see the port."""
        try:
            session = await self._open(None)
        except Stopped as stopped:
            self.may_say_goodbye = stopped.is_answer
            return Offer(is_trusted=False) if stopped.evidence.symptom in _CERTIFICATE else None
        self.may_say_goodbye = True
        return Offer(mechanisms=session.capabilities.mechanisms)

    async def _usable_authentication(self) -> BasicAuthentication | Bearer | None:
        """Returns what to sign in with; without it nothing is dialled."""
        authentication = self._authentication
        if isinstance(authentication, OAuthAuthentication):
            return await self._bearer(authentication)
        if authentication is not None and not authentication.password:
            with self._trace.step(Stage.AUTH):
                raise Stopped(self._witness.saw(Stage.AUTH, Symptom.NO_SECRET))
        return authentication

    async def _bearer(self, authentication: OAuthAuthentication) -> Bearer:
        if self._tokens is None:
            with self._trace.step(Stage.AUTH):
                raise Stopped(self._witness.saw(Stage.AUTH, Symptom.NO_CONSENT))
        bearer = Bearer(
            username=authentication.username,
            without_person=not authentication.grant_type.needs_person,
            tokens=self._tokens,
            witness=self._witness,
            trace=self._trace,
            timer=self._timer,
        )
        await bearer.fetch()
        return bearer

    async def _open(self, authentication: BasicAuthentication | Bearer | None) -> Session:
        """Returns a session that is signed in, on the first address that serves one."""
        context = await self._context()
        rest = found = await self._look_up()
        cut_short: list[PeerAddress] = []
        former: Stopped | None = None
        has_come_back = False
        while True:
            self._timer.leaves_time = bool(cut_short)
            try:
                dialled = await self._connect(rest)
            except Stopped as unreachable:
                if cut_short and self._timer.seconds_left:
                    rest, cut_short = cut_short, []
                    continue
                raise former or unreachable from None  # who was reached tells more of the server than who was not
            peer = dialled.peer
            rest = _without(rest, dialled)
            self._timer.leaves_time = bool(rest)
            try:
                session = await self._begin(dialled, context)
                await session.open(authentication, context=context, speaks_tls=partial(self._prober.speaks_tls, peer))
                return session
            except Stopped as stopped:
                former = await self._informed(stopped, peer)
                if not self._timer.seconds_left:
                    raise former from None
                if _has_hung_up(stopped.evidence, authentication) and not has_come_back:
                    # The server refused the first token and did not wait for the second.
                    has_come_back, rest = True, [peer, *(address for address in found if address != peer)]
                # Nothing was said about this mail yet; another address may be in better health (RFC 5321 section 5.1).
                elif not (rest and _may_fare_better_elsewhere(stopped.evidence)):
                    raise former from None
                elif stopped.evidence.symptom is Symptom.SILENT:
                    cut_short.append(peer)
                self._hang_up()

    def _hang_up(self) -> None:
        if self.wire is not None:
            self.wire.abort()
            self.wire = None

    async def _informed(self, stopped: Stopped, peer: PeerAddress) -> Stopped:
        """
        Returns *stopped* with what can be found out besides.

        Where a certificate was refused, whose it is; where the lowest TLS version was not met, whether a lower one that
        is safe would be.
        """
        evidence = stopped.evidence
        if evidence.symptom in _CERTIFICATE:
            return await self._with_certificate(stopped, peer)
        if evidence.symptom is not Symptom.TLS_VERSION or self.smtp.minimum_tls_version is not TlsVersion.TLS_1_3:
            return stopped
        if not await self._prober.speaks_tls_1_2(peer):
            return stopped
        return Stopped(replace(evidence, symptom=Symptom.TLS_1_2_AT_MOST))

    async def _with_certificate(self, stopped: Stopped, peer: PeerAddress) -> Stopped:
        found = await self._prober.refused_certificate(peer, self._witness.clean)
        if found is None:
            return stopped
        session = found.session
        names = f"made for {', '.join(found.names)}" if found.names else "made for no host name"
        ends = f"good until {session.certificate_expire_time:%Y-%m-%d}" if session.certificate_expire_time else ""
        issuer = f"issued by {session.certificate_issuer}" if session.certificate_issuer else ""
        told = "; ".join(part for part in (names, issuer, ends) if part)
        self._trace.amend(tls=session, detail=told)
        evidence = stopped.evidence
        return Stopped(replace(evidence, detail=f"{evidence.detail}; {told}" if evidence.detail else told))

    async def _context(self) -> ssl.SSLContext | None:
        if self.smtp.security is ConnectionSecurity.NONE:
            return None
        try:
            return await self._contexts.get(self.smtp.minimum_tls_version, self.smtp.ca_certificates)
        except (ssl.SSLError, ValueError) as error:
            with self._trace.step(Stage.TLS):
                detail = "ca_certificates holds no certificate that can be read"
                raise Stopped(self._witness.saw(Stage.TLS, Symptom.CERT_UNTRUSTED, detail)) from error

    async def _look_up(self) -> Sequence[PeerAddress]:
        with self._trace.step(Stage.DNS) as step:
            try:
                async with self._timer.limit(min(_LOOKUP, self._timer.patience.each_reply)):
                    addresses = await self._resolver.resolve(self.smtp.host.name, self.smtp.port)
            except NameUnknown as unknown:
                raise Stopped(self._witness.saw(Stage.DNS, Symptom.NAME_UNKNOWN, unknown.detail)) from unknown
            except NameUnavailable as away:
                raise Stopped(self._witness.saw(Stage.DNS, Symptom.NAME_UNAVAILABLE, away.detail)) from away
            except EgressDenied as denied:
                raise Stopped(self._witness.saw(Stage.DNS, Symptom.EGRESS_DENIED, denied.detail)) from denied
            except TimeoutError as late:
                detail = "the name service did not answer in time"
                raise Stopped(self._witness.saw(Stage.DNS, Symptom.NAME_UNAVAILABLE, detail)) from late
            step.detail = ", ".join(address.ip for address in addresses)
            return addresses

    async def _connect(self, addresses: Sequence[PeerAddress]) -> Dialled:
        seconds = self._timer.seconds(min(_CONNECT, self._timer.patience.each_reply))
        try:
            dialled = await dial(addresses, seconds=seconds)
        except Unreachable as unreachable:
            symptom, detail = unreachable_fault(unreachable.errors)
            self._note(unreachable.dead)
            if not unreachable.dead:
                self._trace.add(TraceStep(Stage.CONNECT, succeeded=False, duration=timedelta(0), detail=detail))
            raise Stopped(self._witness.saw(Stage.CONNECT, symptom, detail)) from unreachable
        self._note(dialled.dead)
        self._peer = peer = str(dialled.peer)
        self._trace.add(TraceStep(Stage.CONNECT, succeeded=True, duration=dialled.duration, peer=peer))
        return dialled

    def _note(self, dead: Iterable[Dead]) -> None:
        for each in dead:
            peer, detail = str(each.peer), in_words(each.error)
            self._trace.add(TraceStep(Stage.CONNECT, succeeded=False, duration=each.duration, detail=detail, peer=peer))

    async def _begin(self, dialled: Dialled, context: ssl.SSLContext | None) -> Session:
        loop = asyncio.get_running_loop()
        self.wire = wire = Wire(loop)
        dialogue = Dialogue(wire=wire, witness=self._witness, timer=self._timer)
        if self.smtp.security is not ConnectionSecurity.IMPLICIT_TLS or context is None:
            await loop.create_connection(lambda: wire, sock=dialled.socket)
        else:
            with self._trace.step(Stage.TLS) as step:
                name, seconds = self.smtp.host.name, self._timer.seconds()
                with dialogue.minding(Stage.TLS):
                    async with self._timer.limit():
                        handshake = wrap(wire, dialled, context, server_name=name, seconds=seconds)
                        await shaking_hands(dialogue, handshake, from_first_byte=True)
                step.detail = "implicit TLS"
                step.tls = describe(wire.tls, self._witness.clean) if wire.tls else None
        return Session(dialogue=dialogue, trace=self._trace, smtp=self.smtp, host_name=self._host_name)


def _last_words(failure: Failure) -> str:
    return cut(f"{failure.provider_code} {failure.provider_reply}".strip(), LONGEST_REPLY)


def _has_hung_up(evidence: Evidence, authentication: BasicAuthentication | Bearer | None) -> bool:
    renewed = isinstance(authentication, Bearer) and authentication.is_renewed
    return renewed and evidence.stage is Stage.AUTH and (evidence.symptom is Symptom.LOST or evidence.code == 421)


def _had_ended_before(evidence: Evidence) -> bool:
    """Tells whether a kept connection was over before this message: nothing but a farewell answered its first words."""
    return evidence.stage is Stage.MAIL_FROM and (evidence.symptom is Symptom.LOST or evidence.code == 421)


def _may_fare_better_elsewhere(evidence: Evidence) -> bool:
    if evidence.stage not in (Stage.TLS, Stage.EHLO):
        return False
    if evidence.symptom is not None:
        return evidence.symptom in _OTHER_ADDRESS_HELPS
    return 400 <= evidence.code <= 499 or (evidence.stage is Stage.EHLO and evidence.code in _NO_SERVICE)


def _without(addresses: Sequence[PeerAddress], dialled: Dialled) -> list[PeerAddress]:
    """Returns who may still be tried: not who was reached, nor who failed; who was merely slower, yes."""
    done = {dialled.peer, *(each.peer for each in dialled.dead if not isinstance(each.error, Overtaken))}
    return [address for address in addresses if address not in done]
