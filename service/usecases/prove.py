"""The step that ValidateAndSave and SendTest share: one real mail, and the server's final verdict on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.address import EmailAddress
from domain.configuration import needs_consent
from domain.errors import AuthorizationRequired, DeadlineTooShort, ProviderRefused, SecretUnreadable
from domain.failures.trace import Trace
from domain.message import Envelope, OutgoingMessage
from domain.mime.compose import compose, make_message_id
from domain.ports.environment import Clock, Entropy
from domain.ports.transport import MailTransport, Patience
from domain.settings.model import MailSettings, unreadable_secrets

LEAST_TIME: Final = timedelta(milliseconds=100)
_MARGIN: Final = timedelta(milliseconds=500)
_SHARE_FROM_CONTENT: Final = 0.3


@dataclass(frozen=True, slots=True)
class Proof:
    """A mail that the server took."""

    message_id: str
    trace: Trace
    reply: str
    """The server's final reply, scrubbed."""


class Prove:
    """Sends one mail with given settings, here and now, and stores nothing."""

    def __init__(self, *, transport: MailTransport, clock: Clock, entropy: Entropy) -> None:
        self._transport = transport
        self._clock = clock
        self._entropy = entropy

    async def __call__(
        self,
        settings: MailSettings,
        recipient: EmailAddress,
        letter: Callable[[], OutgoingMessage],
        *,
        time_left: timedelta,
    ) -> Proof:
        """
        Sends *letter* to *recipient* and returns the server's acceptance.

        Raises ProviderRefused with the failure and the trace when any step fails, AuthorizationRequired when the
        settings need a consent, SecretUnreadable when a stored secret does not open, DeadlineTooShort when *time_left*
        is too little to try.
        """
        check_usable(settings)
        patience = interactive_patience(time_left)
        message_id = make_message_id(str(self._entropy.uuid()), settings.from_address)
        content = compose(letter(), message_id=message_id, date=self._clock.now())
        report = await self._transport.submit(
            settings,
            Envelope(sender=settings.from_address, recipients=(recipient,)),
            content,
            before_content=_nothing,
            patience=patience,
        )
        if report.first_failure is not None:
            raise ProviderRefused(report.first_failure, trace=report.trace)
        return Proof(message_id=message_id, trace=report.trace, reply=report.verdicts[0].reply)


def check_usable(settings: MailSettings) -> None:
    """Raises AuthorizationRequired or SecretUnreadable when *settings* cannot be used as they are stored."""
    if needs_consent(settings):
        raise AuthorizationRequired(
            "These settings sign in with OAuth, and nobody has consented yet.",
            remedy="Call Authorize and let the owner of the account consent in a browser.",
        )
    if unreadable := unreadable_secrets(settings):
        raise SecretUnreadable(
            f"The stored secret {unreadable[0]} cannot be opened with the keys that mailport has.",
            remedy="Enter the secret again with Configure, or bring back the key that it was sealed with.",
            metadata={"field": unreadable[0]},
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
