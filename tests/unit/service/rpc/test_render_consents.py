"""What Authorize, CompleteAuth and RevokeAuth answer, and how a configuration shows its grant and consent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.consent import CONSENT_LIFETIME, ConsentRecord, ConsentState
from domain.grant import Grant, GrantRevocation, GrantState
from domain.secret import Secret
from mailport.v1 import configuration_pb2 as pb
from service.rpc.render import (
    render_authorization,
    render_completed,
    render_configuration,
    render_revocation,
    render_revoked,
)
from service.rpc.render.values import timestamp
from service.usecases.authorize import Authorization
from service.usecases.complete_auth import Completed
from service.usecases.revoke_auth import Revoked
from service.usecases.views import ConfigurationView, view_configuration
from tests.consent_builders import a_basis, a_grant, a_token_failure, an_access_token
from tests.unit.service.rpc.builders import (
    NOW,
    a_configuration,
    a_configuration_view,
    a_failure,
    a_revision,
    a_warning,
    an_oauth,
    settings,
)

HOUR = timedelta(hours=1)
REFRESH_TOKEN, ACCESS_TOKEN = "CANARY-refresh-token", "CANARY-access-token"
USERNAME = "alerts@example.com"


def granted(**changes: Any) -> Grant:
    """A grant of the active settings, with tokens that must be found nowhere."""
    token = an_access_token(now=NOW, token=Secret(ACCESS_TOKEN))
    values: dict[str, Any] = {
        "tenant": "default",
        "basis": a_basis(username=USERNAME),
        "account": USERNAME,
        "refresh_token": Secret(REFRESH_TOKEN),
        "access_tokens": (token,),
        **changes,
    }
    return a_grant(now=NOW, **values)


def viewed(*grants: Grant, later: timedelta = timedelta(0), consent: ConsentRecord | None = None) -> ConfigurationView:
    active = a_revision(1, settings=settings(authentication=an_oauth(), mailbox=None), validate_time=NOW)
    configuration = a_configuration(active=active, draft=None)
    return view_configuration(configuration, now=NOW + later, grants=grants, consent=consent)


def a_record(**changes: Any) -> ConsentRecord:
    values: dict[str, Any] = {
        "state": ConsentState.PENDING,
        "create_time": NOW,
        "expire_time": NOW + CONSENT_LIFETIME,
        "redirect_url": "https://mail.example.com/oauth/callback",
        **changes,
    }
    return ConsentRecord(**values)


def test_given_a_session_when_rendered_then_its_address_state_and_time_are_there() -> None:
    authorization = Authorization(
        authorization_url="https://id.example.com/authorize?state=S1",
        state="S1",
        expire_time=NOW + CONSENT_LIFETIME,
        redirect_url="https://mail.example.com/oauth/callback",
        warnings=(a_warning(),),
    )

    rendered = render_authorization(authorization)

    assert (rendered.authorization_url, rendered.state) == ("https://id.example.com/authorize?state=S1", "S1")
    assert rendered.expire_time == timestamp(NOW + CONSENT_LIFETIME)
    assert rendered.redirect_url == "https://mail.example.com/oauth/callback"
    assert [warning.field for warning in rendered.warnings] == ["settings.smtp.minimum_tls_version"]


def test_given_a_consent_when_rendered_then_scopes_account_and_expiry_are_there_and_no_token() -> None:
    grant = granted(granted_scopes=("mail", "offline_access"))

    rendered = render_completed(Completed(view=viewed(grant), grant=grant, warnings=(a_warning(),)))

    assert rendered.authorized
    assert list(rendered.granted_scopes) == ["mail", "offline_access"]
    assert rendered.account == USERNAME
    assert rendered.access_token_expire_time == timestamp(NOW + HOUR)
    assert len(rendered.warnings) == 1
    assert rendered.configuration.grant.account == USERNAME
    assert "CANARY" not in str(rendered)


@pytest.mark.parametrize("revocation", GrantRevocation)
def test_given_a_grant_that_was_given_up_when_rendered_then_the_answer_says_what_became_of_it(
    revocation: GrantRevocation,
) -> None:
    rendered = render_revoked(Revoked(viewed(), revocation))

    assert pb.GrantRevocation.Name(rendered.grant_revocation) == f"GRANT_REVOCATION_{revocation}"
    assert rendered.grant_revocation == render_revocation(revocation)
    assert not rendered.configuration.HasField("grant")


@pytest.mark.parametrize(
    ("changes", "later", "state"),
    [
        ({}, timedelta(0), "FRESH"),
        ({}, timedelta(minutes=56), "STALE"),
        ({}, HOUR, "EXPIRED"),
        ({"state": GrantState.REFRESH_IN_DOUBT}, timedelta(0), "FRESH"),
        (
            {"state": GrantState.REAUTHORIZATION_REQUIRED, "failure": a_token_failure()},
            HOUR,
            "REAUTHORIZATION_REQUIRED",
        ),
    ],
)
def test_given_a_grant_when_its_configuration_is_rendered_then_it_shows_its_state_and_no_token(
    changes: dict[str, Any], later: timedelta, state: str
) -> None:
    rendered = render_configuration(viewed(granted(refresh_time=NOW, **changes), later=later))

    assert pb.GrantState.Name(rendered.grant.state) == f"GRANT_STATE_{state}"
    assert (rendered.grant.authorize_time, rendered.grant.refresh_time) == (timestamp(NOW), timestamp(NOW))
    assert "CANARY" not in str(rendered)


def test_given_a_grant_that_never_was_refreshed_when_rendered_then_there_is_no_such_time() -> None:
    assert not render_configuration(viewed(granted())).grant.HasField("refresh_time")


@pytest.mark.parametrize(
    ("record", "later", "state", "reason"),
    [
        (a_record(), timedelta(0), "PENDING", ""),
        (a_record(), CONSENT_LIFETIME, "EXPIRED", "STATE_EXPIRED"),
        (a_record(state=ConsentState.AUTHORIZED), CONSENT_LIFETIME, "AUTHORIZED", ""),
        (a_record(state=ConsentState.REFUSED, failure=a_failure()), timedelta(0), "REFUSED", "AUTH_REJECTED"),
    ],
)
def test_given_a_consent_session_when_its_configuration_is_rendered_then_it_shows_how_it_stands_and_why(
    record: ConsentRecord, later: timedelta, state: str, reason: str
) -> None:
    consent = render_configuration(viewed(later=later, consent=record)).consent

    assert pb.ConsentState.Name(consent.state) == f"CONSENT_STATE_{state}"
    assert consent.redirect_url == "https://mail.example.com/oauth/callback"
    assert consent.expire_time == timestamp(NOW + CONSENT_LIFETIME)
    assert consent.failure.reason == reason
    assert consent.HasField("failure") is bool(reason)


@pytest.mark.parametrize(
    ("grants", "state", "reason"),
    [
        ((), pb.HEALTH_STATE_REAUTHORIZATION_REQUIRED, "NEEDS_AUTHORIZATION"),
        (
            (granted(state=GrantState.REAUTHORIZATION_REQUIRED, failure=a_token_failure()),),
            pb.HEALTH_STATE_REAUTHORIZATION_REQUIRED,
            "REAUTH_REQUIRED",
        ),
        ((granted(failing_since=NOW, failure=a_token_failure(), failure_count=1),), pb.HEALTH_STATE_AT_RISK, ""),
        ((granted(),), pb.HEALTH_STATE_HEALTHY, ""),
    ],
    ids=["nobody consented", "dead", "failing", "well"],
)
def test_given_a_grant_when_the_health_is_rendered_then_it_says_whether_a_person_is_needed(
    grants: tuple[Grant, ...], state: pb.HealthState.ValueType, reason: str
) -> None:
    health = render_configuration(viewed(*grants)).health

    assert (health.state, health.failure.reason) == (state, reason)


def test_given_a_configuration_without_consent_when_rendered_then_neither_grant_nor_session_is_shown() -> None:
    rendered = render_configuration(a_configuration_view())

    assert not rendered.HasField("grant")
    assert not rendered.HasField("consent")
