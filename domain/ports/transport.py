"""What sends mail: one attempt, an answer for each recipient."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from domain.earlier import Earlier
from domain.failures.failure import Failure
from domain.failures.trace import Trace
from domain.message import Envelope
from domain.secret import Secret
from domain.settings.model import MailSettings
from domain.verdict import Report, Verdict

__all__ = [
    "BeforeContent",
    "Earlier",
    "Lanes",
    "MailTransport",
    "Patience",
    "Report",
    "SignIn",
    "TokenSource",
    "Verdict",
    "belongs_to",
]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an attempt may take."""

    until_content: timedelta = timedelta(seconds=120)
    """From the start to the end of DATA's reply, all addresses and commands together."""
    each_reply: timedelta = timedelta(seconds=60)
    """For the greeting and for each reply."""
    content: timedelta = timedelta(minutes=10)
    """For writing the content, in all."""
    final_reply: timedelta = timedelta(minutes=10)
    """For the answer to the final dot; giving up earlier makes duplicates (RFC 5321 section 4.5.3.2.6)."""
    overall: timedelta | None = None
    """For all together: the others are bounds within it, and what one leaves is the next one's. None: no such bound."""

    @property
    def total(self) -> timedelta:
        """The longest that an attempt can take; a lease outlives it or is renewed."""
        parts = self.until_content + self.content + self.final_reply
        return parts if self.overall is None else min(parts, self.overall)


BeforeContent = Callable[[], Awaitable[None]]
"""
Awaited once at most, and always to its end before the first byte of content leaves: the point of no return. It may run
while the server is still being asked, so that it costs no round trip; a definite refusal may then come out of an
attempt that has passed it. Whatever it raises ends the attempt with nothing sent, and is raised to the caller.

Over HTTP it is the call that sends: what is put into a draft before that is not content yet.
"""


class TokenSource(Protocol):
    """Gives the access token for one account at one resource."""

    async def token(self, *, rejected: Secret | None) -> Secret:
        """
        Returns a token that is good by all that is known.

        *rejected* is the one that the server has just refused: it causes one refresh, unless another process has
        replaced it meanwhile. May be cancelled at any time, which ends no refresh that is under way.

        Raises AuthorizationRequired when there is no consent or it is dead, ProviderRefused when the provider gave no
        token, Unavailable when mailport itself cannot tell, or another MailportError.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignIn:
    """What came of signing in and nothing else."""

    trace: Trace
    failure: Failure | None = None
    """None: the server let the account in."""


class MailTransport(Protocol):
    """Offers a message to a server."""

    async def submit(
        self,
        settings: MailSettings,
        envelope: Envelope,
        content: bytes,
        *,
        before_content: BeforeContent,
        patience: Patience,
        tokens: TokenSource | None = None,
        lane: str = "",
        earlier: Earlier = Earlier.NOTHING,
    ) -> Report:
        """
        Offers the message once; never retries.

        Without *lane* a connection of its own is opened, secured and signed in. With one, a connection may be used on
        which an earlier message with the same *lane* and equal settings went, and be kept for the next; then *tokens*
        is asked for a new connection only. A lane names everything of which the settings do not tell and for which no
        connection may be shared: tenant, configuration, consent. A kept connection that has ended meanwhile is
        replaced and is no failure. In a lane only so many messages are offered at once; others wait for their turn,
        which counts in the *patience* as part of `overall` alone.

        *earlier*: what attempts with the same content may have left. Where the server lets it look (Graph), a copy that
        is found is reported as accepted, without sending and without *before_content*; parts that are found are used
        or removed. Elsewhere (SMTP) it changes nothing.

        *content* is the flattened message with CRLF line ends, not dot-stuffed. Each refusal, lost connection,
        timeout or unspeakable peer is a result in the report, never an exception: before the point of no return it is
        a definite failure (nothing was accepted), after it and without a complete reply its kind is IN_DOUBT. What
        happens after the server's final 2xx (a failing QUIT, a reset) changes nothing. Credentials leave only on a
        connection secured as the settings say.

        Raises Resting, before anything was requested and before *before_content*, when the server may not be asked for
        a while (`domain.ports.turns`). Else only what *before_content* raises, Unavailable before that, and
        CancelledError.
        """
        ...

    async def sign_in(self, settings: MailSettings, *, patience: Patience, tokens: TokenSource | None = None) -> SignIn:
        """
        Connects, secures and signs in as for a message, and offers none.

        Raises only Unavailable and CancelledError.
        """
        ...


def belongs_to(lane: str, name: str) -> bool:
    """Tells whether *name* stands for *lane*, as `Lanes.forget` takes it."""
    return not name or lane == name or lane.startswith(f"{name}\0")


class Lanes(Protocol):
    """Connections that are kept for the next message."""

    def forget(self, lane: str) -> None:
        """
        Sees to it that no message to come goes over a connection that stands in *lane* now, nor in one below it.

        A name stands for itself and for all that begin with it and NUL, which sets apart the parts of names; the empty
        one stands for all lanes.

        For settings, a credential or a consent that changed or ended: idle connections are closed at once, those in use
        when their message is through. Does nothing for a lane without connections.
        """
        ...
