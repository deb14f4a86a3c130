"""A configuration: its draft and active revision, and what each state allows."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.errors import ConcurrentChange, InputInvalid, NotReady, Violation, Warning
from domain.reasons import Reason
from domain.settings.model import MailSettings, OAuthAuthentication

_EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
CONFIRMATION_LIFETIME: Final = timedelta(minutes=30)
CONFIRMATION_TRIES: Final = 5
CONFIRMATION_DIGITS: Final = 8
_CODE: Final = re.compile(rf"[0-9]{{{CONFIRMATION_DIGITS}}}")


class RevisionState(StrEnum):
    """What a revision waits for."""

    NEEDS_AUTHORIZATION = "NEEDS_AUTHORIZATION"
    """No grant covers its settings: call Authorize."""
    READY_TO_VALIDATE = "READY_TO_VALIDATE"
    AWAITING_CONFIRMATION = "AWAITING_CONFIRMATION"
    """The validation mail went out; its code brings the revision into use."""
    ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A code that was mailed to the user and is to come back."""

    code_digest: bytes
    """Keyed hash of the code; the code itself is stored nowhere."""
    expire_time: datetime
    tries_left: int = CONFIRMATION_TRIES


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of the settings."""

    number: int
    """Counts from 1 within the configuration; never reused."""
    settings: MailSettings
    create_time: datetime
    warnings: tuple[Warning, ...] = ()
    validate_time: datetime | None = None
    """When a real mail proved it; None while it is a draft."""
    confirmation: Confirmation | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """
    One named mail setup of a tenant.

    At most one draft (being set up) and at most one active revision (what Send uses). `version` rises with each stored
    change and is what an etag stands for.
    """

    tenant: str
    configuration_id: str
    version: int
    create_time: datetime
    update_time: datetime
    last_revision: int = 0
    draft: Revision | None = None
    active: Revision | None = None

    @property
    def etag(self) -> str:
        """Returns the version as callers see it: opaque, compared for equality alone."""
        return f'"{self.version}"'

    @property
    def in_use_or_to_be(self) -> tuple[MailSettings, ...]:
        """Returns the settings of the active revision and of the draft, as far as there are any."""
        return tuple(each.settings for each in (self.active, self.draft) if each is not None)

    @property
    def newest(self) -> Revision | None:
        """Returns the draft if there is one, else the active revision."""
        return self.draft or self.active

    def require_active(self) -> Revision:
        """Returns the active revision. Raises NotReady NOT_CONFIGURED when nothing was proven yet."""
        if self.active is None:
            raise NotReady(
                f"Configuration {self.configuration_id} has no active settings yet.",
                reason=Reason.NOT_CONFIGURED,
                remedy=self._way_to_active(),
                metadata={"configuration_id": self.configuration_id},
            )
        return self.active

    def _way_to_active(self) -> str:
        if self.draft is None:
            return "Call Configure, then ValidateAndSave, before sending."
        if self.draft.confirmation is not None:
            return "Call ConfirmValidation with the code that was mailed, or ValidateAndSave for a new one."
        if needs_consent(self.draft.settings):
            # Whether the draft has its consent already is not known here; ValidateAndSave says so.
            return "Call Authorize, let the owner of the account consent, then ValidateAndSave."
        return "Call ValidateAndSave."

    def require_draft(self) -> Revision:
        """Returns the draft. Raises NotReady NO_DRAFT when there is none."""
        if self.draft is None:
            raise NotReady(
                f"Configuration {self.configuration_id} has no draft to prove.",
                reason=Reason.NO_DRAFT,
                remedy="Call Configure with the new settings first.",
                metadata={"configuration_id": self.configuration_id},
            )
        return self.draft

    def check_etag(self, etag: str) -> None:
        """Raises ConcurrentChange when *etag* is given and is not the present one."""
        if etag and etag != self.etag:
            raise ConcurrentChange(
                f"Configuration {self.configuration_id} has changed since it was read.",
                remedy="Read it again with GetConfiguration and repeat the change with its etag.",
                metadata={"configuration_id": self.configuration_id},
            )


def new_configuration(tenant: str, configuration_id: str, *, at: datetime) -> Configuration:
    """
    Returns an empty configuration, not stored yet.

    Its version starts at the instant in microseconds, so that one made anew under a deleted one's id never has a
    version that the former had: an etag, or a proof under way, of the former does not fit it.
    """
    return Configuration(
        tenant=tenant,
        configuration_id=configuration_id,
        version=(at - _EPOCH) // timedelta(microseconds=1),
        create_time=at,
        update_time=at,
    )


def with_draft(
    configuration: Configuration, settings: MailSettings, warnings: tuple[Warning, ...], *, at: datetime
) -> Configuration:
    """Puts *settings* in the draft's place; what is active stays as it is. A pending confirmation lapses."""
    number = configuration.last_revision + 1
    draft = Revision(number=number, settings=settings, warnings=warnings, create_time=at)
    return _changed(configuration, at, draft=draft, last_revision=number)


def awaiting_confirmation(configuration: Configuration, code_digest: bytes, *, at: datetime) -> Configuration:
    """Records that the validation mail with the code went out; the draft waits for it."""
    draft = configuration.require_draft()
    confirmation = Confirmation(code_digest=code_digest, expire_time=at + CONFIRMATION_LIFETIME)
    return _changed(configuration, at, draft=replace(draft, confirmation=confirmation))


def confirmed(configuration: Configuration, *, matches: bool, at: datetime) -> Configuration:
    """
    Returns the configuration after a code came back: activated when it *matches*, one try poorer otherwise.

    Compare `pending_confirmation` of the result: still there means that the code was wrong.
    """
    pending = pending_confirmation(configuration, at=at)
    if matches:
        return activated(configuration, at=at)
    draft = configuration.require_draft()
    fewer = replace(pending, tries_left=pending.tries_left - 1)
    return _changed(configuration, at, draft=replace(draft, confirmation=fewer))


def pending_confirmation(configuration: Configuration, *, at: datetime) -> Confirmation:
    """
    Returns the confirmation that the draft waits for.

    Raises NotReady NO_CONFIRMATION_PENDING when there is none, CONFIRMATION_EXPIRED when its time or tries are used up.
    """
    draft = configuration.draft
    if draft is None or draft.confirmation is None:
        raise NotReady(
            f"Configuration {configuration.configuration_id} waits for no confirmation.",
            reason=Reason.NO_CONFIRMATION_PENDING,
            remedy="Call ValidateAndSave with require_confirmation first.",
        )
    if at >= draft.confirmation.expire_time or draft.confirmation.tries_left <= 0:
        raise NotReady(
            "The confirmation code is no longer valid: its time or its tries are used up.",
            reason=Reason.CONFIRMATION_EXPIRED,
            remedy="Call ValidateAndSave again; a new code is mailed.",
        )
    return draft.confirmation


def activated(configuration: Configuration, *, at: datetime, is_proven: bool = True) -> Configuration:
    """
    Makes the draft the active revision; there is no draft afterwards.

    *is_proven*: a real mail went out with it; False when the user's consent alone was to bring it into use.
    """
    taken = replace(configuration.require_draft(), confirmation=None, validate_time=at if is_proven else None)
    return _changed(configuration, at, draft=None, active=taken)


def revision_state(configuration: Configuration, revision: Revision, *, has_grant: bool) -> RevisionState:
    """
    Tells what *revision* waits for.

    *has_grant*: a grant covers the revision's settings (`domain.grant.covers`, rule 6); without meaning when the
    settings need no consent.
    """
    if needs_consent(revision.settings) and not has_grant:
        return RevisionState.NEEDS_AUTHORIZATION
    if configuration.active is not None and revision.number == configuration.active.number:
        return RevisionState.ACTIVE
    if revision.confirmation is not None:
        return RevisionState.AWAITING_CONFIRMATION
    return RevisionState.READY_TO_VALIDATE


def needs_consent(settings: MailSettings) -> bool:
    """Tells whether sending with *settings* takes a person's consent."""
    authentication = settings.authentication
    return isinstance(authentication, OAuthAuthentication) and authentication.grant_type.needs_person


def parse_code(text: str) -> str | Violation:
    """Returns the code that somebody typed, without the blanks; a Violation for what was never mailed to anybody."""
    code = "".join(text.split())
    if _CODE.fullmatch(code):
        return code
    return Violation(
        field="code",
        reason=Reason.VALUE_MALFORMED if code else Reason.FIELD_REQUIRED,
        message=f"A confirmation code has {CONFIRMATION_DIGITS} digits." if code else "The code is missing.",
        remedy="Copy the code from the newest validation mail.",
    )


def wrong_code(confirmation: Confirmation) -> InputInvalid:
    """Returns the error for a code that is not the mailed one."""
    left = confirmation.tries_left
    return InputInvalid(
        [
            Violation(
                field="code",
                reason=Reason.CONFIRMATION_CODE_WRONG,
                message=f"This is not the code that was mailed; {left} more {'try' if left == 1 else 'tries'}.",
                remedy="Copy the code from the newest validation mail."
                if left
                else "Call ValidateAndSave again; a new code is mailed.",
            )
        ]
    )


def _changed(configuration: Configuration, at: datetime, **changes: object) -> Configuration:
    return replace(configuration, version=configuration.version + 1, update_time=at, **changes)  # type: ignore[arg-type]
