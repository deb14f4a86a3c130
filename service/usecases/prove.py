"""The step that ValidateAndSave and SendTest share: one real mail, the server's verdict, and the mailbox."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, TypeVar

from domain.address import EmailAddress
from domain.errors import DeadlineTooShort, ProviderRefused, SecretUnreadable, Unavailable
from domain.failures.failure import Stage
from domain.failures.trace import Trace, TraceStep, untried
from domain.message import Envelope, OutgoingMessage
from domain.mime.compose import compose, make_message_id
from domain.ports.environment import Clock, Entropy
from domain.ports.mailbox import MailboxReader, account_in
from domain.ports.transport import MailTransport, Patience
from domain.reasons import Reason
from domain.settings.model import MailSettings, unreadable_secrets
from domain.turns import Resting, not_its_turn
from service.usecases.find_fixes import FindFixes
from service.usecases.token_sources import ProvableTokens

_T = TypeVar("_T")

LEAST_TIME: Final = timedelta(milliseconds=100)
_MARGIN: Final = timedelta(milliseconds=500)
_SHARE_FROM_CONTENT: Final = 0.3
_SHARE_FOR_TOKENS: Final = 0.6


@dataclass(frozen=True, slots=True)
class Proof:
    """A mail that the server took, and a mailbox that opened if there is one."""

    message_id: str
    trace: Trace
    """All steps in order, those of the mailbox last."""
    reply: str
    """The server's final reply, scrubbed."""
    mailbox_steps: int = 0
    """How many of the steps are the mailbox's."""

    @property
    def sending_trace(self) -> Trace:
        """Returns the steps that the mail went through."""
        return _without_last(self.trace, self.mailbox_steps)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The account was let in, by the server that mail goes to and by the mailbox if there is one."""

    trace: Trace
    """All steps in order, those of the mailbox last."""
    mailbox_steps: int = 0
    """How many of the steps are the mailbox's."""

    @property
    def sending_trace(self) -> Trace:
        """Returns the steps up to the sign-in of the server that mail goes to."""
        return _without_last(self.trace, self.mailbox_steps)


class Prove:
    """Sends one mail with given settings, opens their mailbox, here and now, and stores nothing."""

    def __init__(
        self,
        *,
        transport: MailTransport,
        mailbox: MailboxReader,
        find_fixes: FindFixes,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._transport = transport
        self._mailbox = mailbox
        self._find_fixes = find_fixes
        self._clock = clock
        self._entropy = entropy

    async def __call__(
        self,
        settings: MailSettings,
        recipient: EmailAddress,
        letter: Callable[[], OutgoingMessage],
        *,
        tokens: ProvableTokens | None,
        reading: ProvableTokens | None = None,
        time_left: timedelta,
        is_to_be_saved: bool = False,
        configuration_id: str = "",
    ) -> Proof:
        """
        Sends *letter* to *recipient*, opens INBOX if there is a mailbox, and returns the server's acceptance.

        *tokens*: what settings with OAuth sign in with; *reading*: what their mailbox does. *is_to_be_saved*: prove
        that more tokens will come, too, so that a wrong client secret does not show when the present token has ended.
        *configuration_id*: told with what is refused.
        Raises ProviderRefused with the failure, what cures it and the trace when any step fails, AuthorizationRequired
        when the settings need a consent, SecretUnreadable when a stored secret does not open, DeadlineTooShort when
        *time_left* is too little to try.
        """
        deadline = self._clock.monotonic() + time_left
        step = self._proven(settings, recipient, letter, tokens, reading, deadline, is_to_be_saved=is_to_be_saved)
        return await self._with_fixes(step, settings, deadline, configuration_id)

    async def sign_in(
        self,
        settings: MailSettings,
        *,
        tokens: ProvableTokens | None,
        reading: ProvableTokens | None = None,
        time_left: timedelta,
        configuration_id: str = "",
    ) -> SignedIn:
        """Comes as far as a session that is signed in, sends nothing, opens the mailbox. Raises as a call does."""
        deadline = self._clock.monotonic() + time_left
        step = self._signed_in(settings, tokens, reading, deadline)
        return await self._with_fixes(step, settings, deadline, configuration_id)

    async def _with_fixes(
        self, step: Coroutine[Any, Any, _T], settings: MailSettings, deadline: timedelta, configuration_id: str
    ) -> _T:
        """Awaits *step*; what is refused in it gets what cures it, and whose it is."""
        try:
            return await step
        except ProviderRefused as refused:
            left = deadline - self._clock.monotonic()
            failure = await self._find_fixes(settings, refused.failure, time_left=left)
            named = {"configuration_id": configuration_id} if configuration_id else {}
            raise ProviderRefused(failure, trace=refused.trace, metadata={**named, **refused.metadata}) from refused

    async def _signed_in(
        self, settings: MailSettings, tokens: ProvableTokens | None, reading: ProvableTokens | None, deadline: timedelta
    ) -> SignedIn:
        check_usable(settings)
        patience = interactive_patience(deadline - self._clock.monotonic())
        if tokens is not None:
            await tokens.check()
        told = await self._transport.sign_in(settings, patience=patience, tokens=tokens)
        if told.failure is not None:
            raise ProviderRefused(told.failure, trace=told.trace)
        trace = await self._open_mailbox(settings, reading, told.trace, deadline)
        return SignedIn(trace=trace, mailbox_steps=len(trace.steps) - len(told.trace.steps))

    async def _open_mailbox(
        self, settings: MailSettings, tokens: ProvableTokens | None, before: Trace, deadline: timedelta
    ) -> Trace:
        """Signs in to the mailbox if there is one and opens INBOX; returns *before* with these steps behind."""
        account = account_in(settings, tokens=tokens)
        if account is None:
            return before
        told = await self._mailbox.sign_in(account, patience=interactive_patience(deadline - self._clock.monotonic()))
        trace = replace(before, steps=(*before.steps, *told.trace.steps))
        if told.failure is not None:
            raise ProviderRefused(told.failure, trace=trace)
        return trace

    async def _proven(
        self,
        settings: MailSettings,
        recipient: EmailAddress,
        letter: Callable[[], OutgoingMessage],
        tokens: ProvableTokens | None,
        reading: ProvableTokens | None,
        deadline: timedelta,
        *,
        is_to_be_saved: bool,
    ) -> Proof:
        check_usable(settings)
        time_left = deadline - self._clock.monotonic()
        interactive_patience(time_left)
        if tokens is not None:
            await self._check(tokens)
        before = await self._prove_tokens(tokens, time_left) if tokens is not None and is_to_be_saved else None
        patience = interactive_patience(deadline - self._clock.monotonic())
        message_id = make_message_id(str(self._entropy.uuid()), settings.from_address)
        content = compose(letter(), message_id=message_id, date=self._clock.now())
        start_time = self._clock.now()
        try:
            report = await self._transport.submit(
                settings,
                Envelope(sender=settings.from_address, recipients=(recipient,)),
                content,
                before_content=_nothing,
                patience=patience,
                tokens=tokens,
            )
        except Resting as resting:
            failure = not_its_turn(resting, now=self._clock.now())
            took = self._clock.now() - start_time
            raise ProviderRefused(failure, trace=untried(failure, start_time=start_time, duration=took)) from resting
        trace = replace(before, steps=(*before.steps, *report.trace.steps)) if before is not None else report.trace
        if report.first_failure is not None:
            raise ProviderRefused(report.first_failure, trace=trace)
        whole = await self._open_mailbox(settings, reading, trace, deadline)
        return Proof(
            message_id=message_id,
            trace=whole,
            reply=report.verdicts[0].reply,
            mailbox_steps=len(whole.steps) - len(trace.steps),
        )

    async def _check(self, tokens: ProvableTokens) -> None:
        start_time, begun = self._clock.now(), self._clock.monotonic()
        try:
            await tokens.check()
        except ProviderRefused as refused:
            took = self._clock.monotonic() - begun
            trace = untried(refused.failure, start_time=start_time, duration=took)
            raise ProviderRefused(refused.failure, trace=trace) from refused

    async def _prove_tokens(self, tokens: ProvableTokens, time_left: timedelta) -> Trace:
        start_time, begun = self._clock.now(), self._clock.monotonic()
        try:
            await _in_time(tokens.prove(), time_left)
        except ProviderRefused as refused:
            took = self._clock.monotonic() - begun
            trace = untried(refused.failure, start_time=start_time, duration=took)
            raise ProviderRefused(refused.failure, trace=trace) from refused
        step = TraceStep(
            stage=Stage.TOKEN,
            succeeded=True,
            duration=self._clock.monotonic() - begun,
            detail="the token endpoint gave a new access token",
        )
        return Trace(start_time=start_time, steps=(step,))


def _without_last(trace: Trace, count: int) -> Trace:
    return replace(trace, steps=trace.steps[: len(trace.steps) - count])


async def _in_time(step: Awaitable[None], time_left: timedelta) -> None:
    """Awaits *step*, which may be broken off at any time."""
    try:
        async with asyncio.timeout((time_left * _SHARE_FOR_TOKENS).total_seconds()):
            await step
    except TimeoutError:
        raise Unavailable(
            "The provider's token endpoint gave no answer within the time that the call leaves.",
            reason=Reason.AUTH_UNAVAILABLE,
            remedy="Try again with a deadline of 30 seconds or more.",
        ) from None


def check_usable(settings: MailSettings) -> None:
    """Raises SecretUnreadable when *settings* cannot be used as they are stored."""
    if fields := unreadable_secrets(settings):
        raise unreadable(fields[0])


def unreadable(field: str) -> SecretUnreadable:
    """Returns the error for the stored secret in *field*, which does not open."""
    return SecretUnreadable(
        f"The stored secret {field} cannot be opened with the keys that mailport has.",
        remedy="Enter the secret again with Configure, or bring back the key that it was sealed with.",
        metadata={"field": field},
    )


def interactive_patience(time_left: timedelta) -> Patience:
    """
    Fits an attempt into what is left of a call's deadline, so that the caller gets an explained answer in time.

    What the steps up to the content leave is the content's and the final answer's, who have 30 % in any case.

    Raises DeadlineTooShort when less than 100 ms are left.
    """
    if time_left < LEAST_TIME:
        raise DeadlineTooShort(
            "The call's deadline is too near to try anything.",
            remedy="Give the call a deadline of at least some seconds; 30 are usual.",
        )
    usable = time_left - _MARGIN if time_left > 4 * _MARGIN else time_left * 0.75
    until_content = usable * (1 - _SHARE_FROM_CONTENT)
    return Patience(
        until_content=until_content,
        each_reply=min(timedelta(seconds=15), until_content),
        content=usable,
        final_reply=usable,
        overall=usable,
    )


async def _nothing() -> None:
    """A proof records nothing before its content leaves."""
