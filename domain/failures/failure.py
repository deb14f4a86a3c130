"""A refused or failed step, explained."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.reasons import Reason


class FailureKind(StrEnum):
    """What a failure means for the next step; behaviour follows the kind, never the text."""

    PERMANENT = "PERMANENT"
    """Final: trying the same again gives the same answer."""
    TRANSIENT = "TRANSIENT"
    """Heals by waiting."""
    THROTTLED = "THROTTLED"
    """Heals by waiting, for the whole account."""
    REAUTHORIZE = "REAUTHORIZE"
    """Waits for a new consent."""
    MISCONFIGURED = "MISCONFIGURED"
    """Waits for a person to change settings, here or at the provider."""
    IN_DOUBT = "IN_DOUBT"
    """Nobody can know whether the message was taken."""


HEALS_BY_WAITING: Final = frozenset({FailureKind.TRANSIENT, FailureKind.THROTTLED})


class Stage(StrEnum):
    """The step that failed."""

    DNS = "DNS"
    CONNECT = "CONNECT"
    TLS = "TLS"
    EHLO = "EHLO"
    """The greeting, EHLO and STARTTLS negotiation."""
    AUTH = "AUTH"
    MAIL_FROM = "MAIL_FROM"
    RCPT_TO = "RCPT_TO"
    DATA = "DATA"
    API = "API"
    TOKEN = "TOKEN"
    CONSENT = "CONSENT"
    MAILBOX = "MAILBOX"


_ABOUT_THE_MESSAGE: Final = frozenset({Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA})


@dataclass(frozen=True, slots=True)
class Fix:
    """A change of the settings that cures the failure as it is: set `field` to `value`."""

    field: str
    """Path as the API names it, e.g. ``settings.smtp.security``."""
    value: str
    also: tuple[Fix, ...] = ()
    """Further changes that belong to it; they have none of their own. Without them it cures nothing."""

    @property
    def changes(self) -> tuple[Fix, ...]:
        """Returns itself and what belongs to it."""
        return (self, *self.also)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a peer answered, why, and what an admin should do; safe to show and to store."""

    reason: Reason
    kind: FailureKind
    stage: Stage
    cause: str
    remedy: str
    provider_code: str = ""
    """The peer's code, e.g. ``535 5.7.8``; empty when it gave none."""
    provider_reply: str = ""
    """The peer's text, scrubbed of secrets and bounded to 1,024 characters."""
    retry_time: datetime | None = None
    """When the peer asked to be tried again, or None when it did not say."""
    fixes: tuple[Fix, ...] = ()
    """Each cures it alone; the most promising first."""

    @property
    def is_final(self) -> bool:
        """
        Tells whether repeating the attempt is pointless.

        So it is for PERMANENT, and where a server's 5yz about this message (RFC 5321 section 4.2.1) is MISCONFIGURED:
        the answer stands, whatever a person may change later. MISCONFIGURED before that (name, connection, TLS,
        sign-in), and where mailport itself lacks something, keeps the message waiting for that person.
        """
        if self.kind is FailureKind.MISCONFIGURED:
            return self.stage in _ABOUT_THE_MESSAGE and self.provider_code.startswith("5")
        return self.kind is FailureKind.PERMANENT
