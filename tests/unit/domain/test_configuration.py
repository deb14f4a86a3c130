"""Draft and active revision, etag, confirmation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.address import EmailAddress
from domain.configuration import (
    CONFIRMATION_LIFETIME,
    CONFIRMATION_TRIES,
    Configuration,
    RevisionState,
    activated,
    awaiting_confirmation,
    confirmed,
    new_configuration,
    pending_confirmation,
    revision_state,
    with_draft,
)
from domain.errors import ConcurrentChange, NotReady
from domain.host import Host
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import (
    ConnectionSecurity,
    MailSettings,
    OAuthAuthentication,
    OAuthProvider,
    SmtpTransport,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def settings(host: str = "smtp.example.com", *, oauth: bool = False) -> MailSettings:
    consent = OAuthAuthentication(
        provider=OAuthProvider.CUSTOM,
        client_id="id",
        client_secret=Secret("secret"),
        authorization_endpoint="https://id.example.com/auth",
        token_endpoint="https://id.example.com/token",
        scopes=("mail",),
        username="robot@example.com",
    )
    return MailSettings(
        from_address=EmailAddress("robot", "example.com"),
        transport=SmtpTransport(host=Host(host), port=587, security=ConnectionSecurity.STARTTLS),
        authentication=consent if oauth else None,
    )


def drafted() -> Configuration:
    return with_draft(new_configuration("default", "alerts", at=NOW), settings(), (), at=NOW)


def test_given_an_active_revision_when_a_draft_is_written_then_the_active_one_stays_as_it_was() -> None:
    active = activated(drafted(), at=NOW)

    changed = with_draft(active, settings("other.example.com"), (), at=NOW)

    assert changed.active is active.active
    assert changed.draft is not None
    assert changed.draft.number == 2
    assert changed.newest is changed.draft


def test_given_any_change_when_made_then_the_etag_changes() -> None:
    first = drafted()

    second = with_draft(first, settings("other.example.com"), (), at=NOW)

    assert second.etag != first.etag
    second.check_etag(second.etag)
    second.check_etag("")
    with pytest.raises(ConcurrentChange) as refused:
        second.check_etag(first.etag)
    assert refused.value.reason is Reason.ETAG_MISMATCH


def test_given_a_proven_draft_when_activated_then_replaces_the_active_one_and_keeps_its_number() -> None:
    changed = with_draft(activated(drafted(), at=NOW), settings("other.example.com"), (), at=NOW)

    after = activated(changed, at=NOW + timedelta(minutes=1))

    assert after.draft is None
    assert after.active is not None
    assert after.active.number == 2
    assert after.active.validate_time == NOW + timedelta(minutes=1)


def test_given_nothing_active_when_sending_or_proving_then_says_what_to_do() -> None:
    empty = new_configuration("default", "alerts", at=NOW)

    with pytest.raises(NotReady) as sending:
        empty.require_active()
    with pytest.raises(NotReady) as proving:
        empty.require_draft()

    assert sending.value.reason is Reason.NOT_CONFIGURED
    assert proving.value.reason is Reason.NO_DRAFT
    assert sending.value.remedy
    assert proving.value.remedy


@pytest.mark.parametrize(
    ("draft", "remedy"),
    [
        (None, "Call Configure, then ValidateAndSave, before sending."),
        (settings(), "Call ValidateAndSave."),
        (settings(oauth=True), "Call Authorize, let the owner of the account consent, then ValidateAndSave."),
    ],
)
def test_given_a_draft_alone_when_sending_then_the_remedy_is_the_step_that_it_waits_for(
    draft: MailSettings | None, remedy: str
) -> None:
    configuration = new_configuration("default", "alerts", at=NOW)
    if draft is not None:
        configuration = with_draft(configuration, draft, (), at=NOW)

    with pytest.raises(NotReady) as refused:
        configuration.require_active()

    assert refused.value.remedy == remedy


def test_given_a_draft_whose_code_was_mailed_when_sending_then_the_remedy_is_to_confirm() -> None:
    with pytest.raises(NotReady) as refused:
        awaiting_confirmation(drafted(), b"digest", at=NOW).require_active()

    assert "ConfirmValidation" in refused.value.remedy


def test_given_a_new_draft_when_a_confirmation_was_pending_then_it_lapses() -> None:
    waiting = awaiting_confirmation(drafted(), b"digest", at=NOW)

    changed = with_draft(waiting, settings("other.example.com"), (), at=NOW)

    with pytest.raises(NotReady) as refused:
        pending_confirmation(changed, at=NOW)
    assert refused.value.reason is Reason.NO_CONFIRMATION_PENDING


def test_given_the_right_code_when_confirmed_then_is_active() -> None:
    waiting = awaiting_confirmation(drafted(), b"digest", at=NOW)

    after = confirmed(waiting, matches=True, at=NOW)

    assert after.active is not None
    assert after.active.confirmation is None
    assert after.draft is None


def test_given_wrong_codes_when_the_tries_are_used_up_then_even_the_right_one_is_refused() -> None:
    configuration = awaiting_confirmation(drafted(), b"digest", at=NOW)
    for _ in range(CONFIRMATION_TRIES):
        configuration = confirmed(configuration, matches=False, at=NOW)

    with pytest.raises(NotReady) as refused:
        confirmed(configuration, matches=True, at=NOW)

    assert refused.value.reason is Reason.CONFIRMATION_EXPIRED
    assert configuration.active is None


def test_given_the_time_is_up_when_confirmed_then_is_refused() -> None:
    waiting = awaiting_confirmation(drafted(), b"digest", at=NOW)

    with pytest.raises(NotReady) as refused:
        confirmed(waiting, matches=True, at=NOW + CONFIRMATION_LIFETIME)

    assert refused.value.reason is Reason.CONFIRMATION_EXPIRED


@pytest.mark.parametrize(
    ("oauth", "has_grant", "state"),
    [
        (False, False, RevisionState.READY_TO_VALIDATE),
        (True, False, RevisionState.NEEDS_AUTHORIZATION),
        (True, True, RevisionState.READY_TO_VALIDATE),
    ],
)
def test_given_a_draft_when_asked_what_it_waits_for_then_consent_comes_first(
    oauth: bool, has_grant: bool, state: RevisionState
) -> None:
    configuration = with_draft(new_configuration("default", "alerts", at=NOW), settings(oauth=oauth), (), at=NOW)
    assert configuration.draft is not None

    assert revision_state(configuration, configuration.draft, has_grant=has_grant) is state


def test_given_each_step_when_asked_then_the_state_follows() -> None:
    waiting = awaiting_confirmation(drafted(), b"digest", at=NOW)
    active = confirmed(waiting, matches=True, at=NOW)
    assert waiting.draft is not None
    assert active.active is not None

    assert revision_state(waiting, waiting.draft, has_grant=False) is RevisionState.AWAITING_CONFIRMATION
    assert revision_state(active, active.active, has_grant=False) is RevisionState.ACTIVE


def test_given_a_configuration_made_anew_under_a_deleted_ones_id_when_compared_then_no_former_etag_fits() -> None:
    """A proof that began before the deletion must not put the new draft into use."""
    former = drafted()
    for _ in range(5):
        former = with_draft(former, settings(), (), at=NOW)

    anew = with_draft(new_configuration("default", "alerts", at=NOW + timedelta(seconds=1)), settings(), (), at=NOW)

    assert anew.version > former.version
    with pytest.raises(ConcurrentChange):
        anew.check_etag(former.etag)
