"""The errors of mailport: what went wrong, and what the caller does next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from domain.reasons import Reason

if TYPE_CHECKING:
    from domain.failures.failure import Failure
    from domain.failures.trace import Trace

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with what a caller wrote: where, what, and how to put it right."""

    field: str
    """Path of the field as the API names it, e.g. ``settings.smtp.port`` or ``message.to[2].address``."""
    reason: Reason
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 - the API's word; the built-in is never meant in this package
    """Something that works today and may bite later; never blocks."""

    field: str
    reason: Reason
    message: str
    remedy: str = ""


class MailportError(Exception):
    """
    A refused call. Subclasses are families: each tells what the caller does next.

    `reason` is stable and for programs, `message` and `remedy` are for people, `metadata` holds names that help to find
    the record (ids, never secrets).
    """

    default_reason: ClassVar[Reason] = Reason.INTERNAL

    def __init__(
        self, message: str, *, reason: Reason | None = None, remedy: str = "", metadata: Mapping[str, str] = _NONE
    ) -> None:
        super().__init__(message)
        self.reason = reason or self.default_reason
        self.message = message
        self.remedy = remedy
        self.metadata = dict(metadata)


class InputInvalid(MailportError):
    """Fix the input: every violation at once."""

    default_reason = Reason.INVALID_INPUT

    def __init__(self, violations: Sequence[Violation]) -> None:
        if not violations:
            raise ValueError("an InputInvalid names at least one violation")
        first, rest = violations[0], len(violations) - 1
        also = f" (and {rest} more)" if rest else ""
        super().__init__(
            f"{first.field}: {first.message}{also}",
            reason=first.reason if not rest else self.default_reason,
            remedy=first.remedy,
        )
        self.violations = tuple(violations)


class ConfigInvalid(InputInvalid):
    """The settings break a rule; nothing was stored."""

    default_reason = Reason.INVALID_SETTINGS


class NotFound(MailportError):
    """No such record for this tenant; a foreign tenant's record looks exactly the same."""

    default_reason = Reason.NOT_FOUND


class AlreadyExists(MailportError):
    """The name is taken by something else, e.g. an idempotency key by other content."""

    default_reason = Reason.IDEMPOTENCY_KEY_REUSED


class ConcurrentChange(MailportError):
    """Somebody else changed the record: read it again, then decide."""

    default_reason = Reason.ETAG_MISMATCH


class NotReady(MailportError):
    """The record's state does not allow this; a person has to act first."""

    default_reason = Reason.NOT_CONFIGURED


class AuthorizationRequired(NotReady):
    """The owner has to consent (again)."""

    default_reason = Reason.NEEDS_AUTHORIZATION


class SecretUnreadable(NotReady):
    """A stored secret does not open: its key is gone or the row was altered. Enter the secret again."""

    default_reason = Reason.SECRET_UNREADABLE


class ProviderRefused(MailportError):
    """A mail server or identity provider said no, and why; see `failure`. Its kind tells what to do next."""

    def __init__(self, failure: Failure, *, trace: Trace | None = None, metadata: Mapping[str, str] = _NONE) -> None:
        super().__init__(failure.cause, reason=failure.reason, remedy=failure.remedy, metadata=metadata)
        self.failure = failure
        self.trace = trace


class Unavailable(MailportError):
    """Retry later: something mailport itself needs, such as its database, is away."""

    default_reason = Reason.DATABASE_UNAVAILABLE

    def __init__(
        self,
        message: str,
        *,
        reason: Reason | None = None,
        remedy: str = "Try again shortly; nothing was stored.",
        retry_after: timedelta = timedelta(seconds=1),
    ) -> None:
        super().__init__(message, reason=reason, remedy=remedy)
        self.retry_after = retry_after


class Overloaded(Unavailable):
    """A bound was reached; retry after the delay."""

    default_reason = Reason.OVERLOADED


class TooLarge(MailportError):
    """Above a documented size limit; smaller input is needed."""

    default_reason = Reason.MESSAGE_TOO_LARGE


class DeadlineTooShort(MailportError):
    """The call's deadline leaves no time to do it."""

    default_reason = Reason.DEADLINE_TOO_SHORT


class Unauthenticated(MailportError):
    """The caller of mailport did not prove who it is."""

    default_reason = Reason.CALLER_UNAUTHENTICATED


class PermissionDenied(MailportError):
    """The caller is known and lacks the role."""

    default_reason = Reason.ROLE_MISSING


class Unimplemented(MailportError):
    """This version does not do that yet."""

    default_reason = Reason.NOT_IMPLEMENTED


class LeaseLost(Exception):
    """
    The worker no longer holds the delivery; it must stop without sending or writing anything (never leaves the
    worker).
    """
