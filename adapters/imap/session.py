"""A connection to a mailbox: opened, secured and signed in step by step, then used by one piece of work at a time."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from adapters.imap.conversation import Conversation, Preauthenticated, Refused
from adapters.imap.failures import WHAT_SERVERS_CAUSE, Outcome, Stopped, Witness
from adapters.imap.reaching import NotReached, Reach, Reached
from adapters.imap.sasl import (
    learn_password,
    learn_token,
    password_exchanges,
    read_challenge,
    token_exchanges,
)
from adapters.imap.threads import Threads
from adapters.imap.tracing import Step, TraceLog
from adapters.imap.wire import Bounds, EarlyPlaintext, Wire
from domain.connection import ConnectionSecurity
from domain.errors import MailportError, Unavailable
from domain.failures.evidence import Surface, Symptom
from domain.failures.explain import cut
from domain.failures.failure import FailureKind, Stage
from domain.failures.scrub import Scrubber
from domain.no_token import failure_without_token
from domain.ports.environment import Clock
from domain.ports.mailbox import MailboxAccount, Patience
from domain.ports.network import EgressDenied, NameUnavailable, ResolutionFailed, Resolver
from domain.reasons import Reason
from domain.secret import Secret

T = TypeVar("T")

_LONGEST_GREETING: Final = 200
_QUIET: Final = 5.0
"""Seconds of silence after which a server is suspected to wait for a TLS handshake."""
_WITHOUT_END: Final = timedelta(minutes=10)
"""For a piece of work where `Patience.overall` sets no end."""
_CAUGHT: Final = (*WHAT_SERVERS_CAUSE, EarlyPlaintext)


@dataclass(frozen=True, slots=True)
class Around:
    """What sessions are made with."""

    reach: Reach
    resolver: Resolver
    clock: Clock
    threads: Threads
    bounds: Bounds


class Timer:
    """The time that is left of a *patience*, from now on."""

    def __init__(self, patience: Patience, clock: Clock) -> None:
        self.patience = patience
        self._clock = clock
        self._begin = clock.monotonic()

    @property
    def left(self) -> timedelta:
        """For all together; raises TimeoutError when nothing is left."""
        return self._left_of(self.patience.overall or _WITHOUT_END)

    @property
    def left_to_sign_in(self) -> timedelta:
        """For the way up to the sign-in; raises TimeoutError when nothing is left."""
        return min(self._left_of(self.patience.until_content), self.left)

    def _left_of(self, span: timedelta) -> timedelta:
        left = self._begin + span - self._clock.monotonic()
        if left <= timedelta(0):
            raise TimeoutError
        return left


class Session:
    """A connection on which a mailbox is open. Whoever uses it ends it with `discard` unless it is kept."""

    def __init__(self, *, around: Around, account: MailboxAccount, witness: Witness, wire: Wire) -> None:
        self.account = account
        self.witness = witness
        self.wire = wire
        self.is_utf8 = False
        """Whether UTF8=ACCEPT is in force (RFC 6855)."""
        self.begin_time = around.clock.monotonic()
        self.generation: int | None = None
        self.is_broken = False
        self._around = around
        self._owner, _, _ = account.lane.partition("\0")
        """Whoever the lane's name begins with: a tenant."""
        self._conversation: Conversation | None = None
        self._guard = threading.Lock()
        self._is_busy = False
        self._is_discarded = False

    @property
    def conversation(self) -> Conversation:
        """What commands are given on; there is one once the server has greeted."""
        if self._conversation is None:
            raise RuntimeError("nobody has greeted yet")
        return self._conversation

    def greet(self, *, seconds: float) -> None:
        """Hears the greeting; blocks."""
        self._conversation = Conversation(self.wire, seconds=seconds)

    async def run(self, work: Callable[[], T], *, within: timedelta) -> T:
        """Runs *work*, which blocks, in a thread; raises Stopped with what it met at the server."""
        is_begun = False

        def job() -> T:
            nonlocal is_begun
            is_begun = True
            try:
                return work()
            finally:
                self._is_free()

        self._is_busy = True
        try:
            return await self._around.threads.run(job, within=within, cut=self.cut, owner=self._owner)
        except (Outcome, MailportError):
            raise
        except _CAUGHT as error:
            if not isinstance(error, Refused) or error.status == "BYE":
                self.is_broken = True
            raise self.witness.met(error) from error
        except BaseException:
            self.is_broken = True
            raise
        finally:
            if not is_begun:
                self._is_free()

    def discard(self) -> None:
        """Ends the connection at once; what still runs on it fails."""
        self.is_broken = True
        self.wire.cut()
        with self._guard:
            self._is_discarded = True
            is_idle = not self._is_busy
        if is_idle:
            self.wire.close()

    def cut(self) -> None:
        """Has whoever uses it fail, now or next; ended by whoever that is."""
        self.is_broken = True
        self.wire.cut()

    def _is_free(self) -> None:
        with self._guard:
            self._is_busy = False
            is_last = self._is_discarded
        if is_last:
            self.wire.close()


class Opening:
    """The way to a session, each step in the trace; raises Stopped with what it met, and leaves nothing open then."""

    def __init__(self, around: Around, account: MailboxAccount, timer: Timer, trace: TraceLog) -> None:
        self._around = around
        self._account = account
        self._settings = account.settings
        self._timer = timer
        self._trace = trace
        self._scrubber = Scrubber()
        self._username = str(self._settings.email)
        if self._settings.password is not None:
            learn_password(self._scrubber, username=self._username, password=self._settings.password)
        self.witness = Witness(
            settings=self._settings,
            clean=self._scrubber.clean,
            now=around.clock.now,
            with_token=account.tokens is not None,
            without_person=account.without_person,
        )
        self._token: Secret | None = None

    async def run(self) -> Session:
        """Returns the session, signed in."""
        if self._account.tokens is not None:
            await self._fetch_token(rejected=None, detail="an access token is there")
        elif not self._settings.password:
            with self._trace.step(Stage.AUTH):
                raise self.witness.saw(Symptom.NO_SECRET)
        try:
            reached, context = await self._reach()
            wire = Wire(reached.socket, bounds=self._around.bounds)
            session = Session(around=self._around, account=self._account, witness=self.witness, wire=wire)
        except TimeoutError:
            raise self.witness.saw(Symptom.TOO_SLOW) from None
        try:
            await self._open(session, context)
        except TimeoutError:
            session.discard()
            raise self.witness.saw(Symptom.TOO_SLOW) from None
        except BaseException:
            session.discard()
            raise
        return session

    async def _fetch_token(self, *, rejected: Secret | None, detail: str) -> Secret:
        tokens = self._account.tokens
        assert tokens is not None
        with self._trace.step(Stage.TOKEN) as step:
            try:
                async with asyncio.timeout(self._timer.left_to_sign_in.total_seconds()):
                    token = await tokens.token(rejected=rejected)
            except MailportError as error:
                raise self._no_token(error) from error
            except TimeoutError:
                late = Unavailable("No access token came within the time there was.", reason=Reason.AUTH_UNAVAILABLE)
                raise self._no_token(late) from None
            if not token:
                raise self.witness.saw(Symptom.NO_CONSENT)
            learn_token(
                self._scrubber,
                username=self._username,
                token=token,
                host=self._settings.host.name,
                port=self._settings.port,
            )
            self._token = token
            step.detail = detail
        return token

    def _no_token(self, error: MailportError) -> Stopped:
        return self.witness.without_token(failure_without_token(error, now=self._around.clock.now()))

    async def _reach(self) -> tuple[Reached, ssl.SSLContext | None]:
        settings, witness = self._settings, self.witness
        with self._trace.step(Stage.DNS) as step:
            try:
                async with asyncio.timeout(self._timer.left_to_sign_in.total_seconds()):
                    addresses = await self._around.resolver.resolve(settings.host.name, settings.port)
            except TimeoutError:
                raise witness.saw(Symptom.NAME_UNAVAILABLE, "no answer in time", surface=Surface.DNS) from None
            except ResolutionFailed as failed:
                raise witness.saw(_symptom(failed), failed.detail, surface=Surface.DNS) from failed
            step.detail = ", ".join(address.ip for address in addresses)
        context = None
        if settings.security is not ConnectionSecurity.NONE:
            try:
                context = await self._around.reach.context(settings.minimum_tls_version, settings.ca_certificates)
            except ssl.SSLError as error:
                with self._trace.step(Stage.TLS):
                    raise witness.saw(Symptom.CERT_UNTRUSTED, error.reason or "", surface=Surface.TLS) from error
        with self._trace.step(Stage.CONNECT) as step:
            reached = await self._around.reach.connect(addresses, seconds=self._timer.left_to_sign_in.total_seconds())
            if isinstance(reached, NotReached):
                raise witness.saw(reached.symptom, reached.detail, surface=Surface.CONNECT)
            step.peer = str(reached.peer)
        return reached, context

    async def _open(self, session: Session, context: ssl.SSLContext | None) -> None:
        security = self._settings.security
        if security is ConnectionSecurity.IMPLICIT_TLS and context is not None:
            with self._trace.step(Stage.TLS) as step:
                await self._shake_hands(session, step, lambda: self._begin_tls(session, context), implicit=True)
        with self._trace.step(Stage.EHLO) as step:
            await self._greet(session, step)
        if security is ConnectionSecurity.STARTTLS and context is not None:
            with self._trace.step(Stage.TLS) as step:
                await self._start_tls(session, step, context)
        try:
            with self._trace.step(Stage.AUTH) as step:
                await self._sign_in(session, step)
        except Stopped as refused:
            if not self._is_token_refused(refused):
                raise
            former = self._token
            renewed = await self._fetch_token(
                rejected=former, detail="renewed, since the server refused the access token"
            )
            if renewed == former or session.is_broken:
                raise refused from None
            with self._trace.step(Stage.AUTH) as step:
                await self._sign_in(session, step)
        session.is_utf8 = await self._run(session, lambda: _enable_utf8(session.conversation))

    async def _run(self, session: Session, work: Callable[[], T]) -> T:
        return await session.run(work, within=self._timer.left_to_sign_in)

    @property
    def _each_reply(self) -> float:
        return self._timer.patience.each_reply.total_seconds()

    def _begin_tls(self, session: Session, context: ssl.SSLContext) -> None:
        session.wire.begin(seconds=self._each_reply)
        session.wire.secure(context, self._settings.host.name)

    async def _shake_hands(
        self, session: Session, step: Step, handshake: Callable[[], None], *, implicit: bool
    ) -> None:
        fault: tuple[Symptom, str] | None = None

        def shake() -> None:
            nonlocal fault
            try:
                handshake()
            except ssl.SSLEOFError:
                raise
            except ssl.SSLError as error:
                fault = self._around.reach.fault(error, from_first_byte=implicit)

        await self._run(session, shake)
        if fault is not None:
            raise self.witness.saw(*fault, surface=Surface.TLS)
        if session.wire.tls is not None:
            step.tls = self._around.reach.describe(session.wire.tls, self.witness.clean)

    async def _greet(self, session: Session, step: Step) -> None:
        greeting = asyncio.create_task(self._run(session, lambda: session.greet(seconds=self._each_reply)))
        try:
            done, _ = await asyncio.wait({greeting}, timeout=min(_QUIET, self._each_reply / 2))
            if not done and not session.wire.is_secure and await self._speaks_tls() and not greeting.done():
                greeting.cancel()
                detail = "it is silent in plain text and answers a TLS handshake"
                raise self.witness.saw(Symptom.TLS_INSTEAD_OF_PLAINTEXT, detail, surface=Surface.TLS)
            await greeting
        except Preauthenticated:
            detail = "it greets with PREAUTH, as if somebody were signed in already"
            if self._settings.security is ConnectionSecurity.STARTTLS:
                raise self.witness.saw(Symptom.STARTTLS_NOT_OFFERED, detail) from None
            raise self.witness.saw(Symptom.GARBAGE, detail) from None
        finally:
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)
        words = session.conversation.welcome
        step.reply = cut(self.witness.clean(bytes(words or b"").decode("utf-8", "replace")), _LONGEST_GREETING)

    async def _speaks_tls(self) -> bool:
        """Tells whether the server answers a TLS handshake, on a connection of its own; nothing else is sent there."""
        settings, around = self._settings, self._around
        try:
            addresses = await around.resolver.resolve(settings.host.name, settings.port)
            context = await around.reach.context(settings.minimum_tls_version, settings.ca_certificates)
            reached = await around.reach.connect(addresses, seconds=_QUIET)
        except (ResolutionFailed, ssl.SSLError):
            return False
        if isinstance(reached, NotReached):
            return False
        wire = Wire(reached.socket, bounds=around.bounds)
        probe = Session(around=around, account=self._account, witness=self.witness, wire=wire)
        is_tls = True

        def shake() -> None:
            nonlocal is_tls
            wire.begin(seconds=_QUIET)
            try:
                wire.secure(context, settings.host.name)
            except ssl.SSLError as error:
                symptom, _ = around.reach.fault(error, from_first_byte=True)
                is_tls = symptom not in (Symptom.PLAINTEXT_INSTEAD_OF_TLS, Symptom.TLS_HANDSHAKE)

        try:
            await probe.run(shake, within=timedelta(seconds=_QUIET))
        except Stopped:
            return False
        finally:
            probe.discard()
        return is_tls

    async def _start_tls(self, session: Session, step: Step, context: ssl.SSLContext) -> None:
        features = await self._run(session, session.conversation.learn_features)
        if "STARTTLS" not in features:
            offered = cut(self.witness.clean(" ".join(sorted(features))), _LONGEST_GREETING) or "nothing"
            raise self.witness.saw(Symptom.STARTTLS_NOT_OFFERED, f"it offers {offered}")
        step.detail = "STARTTLS"
        name = self._settings.host.name
        await self._shake_hands(
            session, step, lambda: session.conversation.starttls_with(context, name), implicit=False
        )

    async def _sign_in(self, session: Session, step: Step) -> None:
        if not session.wire.is_secure and self._settings.security is not ConnectionSecurity.NONE:
            raise RuntimeError("credentials were about to leave on a connection that is not encrypted")
        refused, tried = await self._run(session, lambda: self._try_to_sign_in(session.conversation))
        step.detail = ", then ".join(tried)
        if not tried:
            words = sorted(word for word in session.conversation.features if word.startswith(("AUTH=", "LOGIN")))
            detail = f"it offers {cut(' '.join(words), _LONGEST_GREETING)}" if words else "it offers none"
            raise self.witness.saw(Symptom.NO_AUTH_MECHANISM, detail)
        if refused is not None:
            if refused.status == "BYE":
                session.is_broken = True
            detail = read_challenge(session.conversation.challenges) if self._token is not None else ""
            raise self.witness.heard(refused, detail=detail, signing_in=True)

    def _try_to_sign_in(self, conversation: Conversation) -> tuple[Refused | None, list[str]]:
        """Returns the last refusal, None when a way was taken, and the ways that were tried; blocks."""
        host, port = self._settings.host.name, self._settings.port
        features, password = conversation.features, self._settings.password
        if self._token is not None:
            ways = token_exchanges(features, username=self._username, token=self._token, host=host, port=port)
        else:
            assert password is not None
            ways = password_exchanges(features, username=self._username, password=password)
        refused, tried = None, []
        for way in ways:
            tried.append(way.mechanism)
            conversation.challenges.clear()
            try:
                conversation.authenticate_by(way.mechanism, way.responses)
            except Refused as refusal:
                refused = refusal
                if not _may_try_next(refusal):
                    return refused, tried
            else:
                return None, tried
        if self._token is None and password is not None and "LOGINDISABLED" not in features:
            user, secret = self._username.encode(), password.reveal().encode()
            if not any(character in user + secret for character in b"\r\n\0"):
                tried.append("LOGIN command")
                try:
                    conversation.log_in(user, secret)
                except Refused as refusal:
                    return refusal, tried
                return None, tried
        return refused, tried

    def _is_token_refused(self, refused: Stopped) -> bool:
        if self._token is None or refused.evidence.symptom is not None or refused.evidence.subcode == "BYE":
            return False
        return refused.failure.kind is FailureKind.REAUTHORIZE or refused.failure.reason is Reason.AUTH_REJECTED


def _may_try_next(refusal: Refused) -> bool:
    """Tells whether the mechanism was refused and not the account, so that the next one may do."""
    return refusal.status == "BAD" or refusal.code == "CANNOT"


def _enable_utf8(conversation: Conversation) -> bool:
    features = conversation.features
    if "ENABLE" not in features or not {"UTF8=ACCEPT", "UTF8=ONLY"} & features:
        return False
    try:
        conversation.execute("ENABLE", b"UTF8=ACCEPT")
    except Refused as refused:
        if refused.status == "BYE":
            raise
        return False
    return any(b"UTF8=ACCEPT" in bytes(answer).upper() for answer in conversation.answers("ENABLED"))


def _symptom(failed: ResolutionFailed) -> Symptom:
    if isinstance(failed, EgressDenied):
        return Symptom.EGRESS_DENIED
    return Symptom.NAME_UNAVAILABLE if isinstance(failed, NameUnavailable) else Symptom.NAME_UNKNOWN
