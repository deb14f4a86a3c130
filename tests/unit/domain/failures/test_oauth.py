"""Token and authorization endpoints explained: the catalogue's samples, and laws."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.catalogue.oauth import OAUTH
from domain.failures.catalogue.without_person import KEY_UNUSABLE
from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.explain import explain
from domain.failures.failure import Failure, FailureKind, Stage
from domain.failures.oauth_error import read_oauth_error
from domain.failures.wording import alike
from domain.reasons import Reason

R, M, T, TH = FailureKind.REAUTHORIZE, FailureKind.MISCONFIGURED, FailureKind.TRANSIENT, FailureKind.THROTTLED
REAUTH, CLIENT, POLICY = Reason.REAUTH_REQUIRED, Reason.CLIENT_CONFIG, Reason.SIGN_IN_BLOCKED


def token_failure(answer: str, *, status: int = 400) -> Failure:
    told = read_oauth_error(json.loads(answer))
    return explain(
        Evidence(
            surface=Surface.OAUTH_TOKEN,
            stage=Stage.TOKEN,
            code=status,
            error=told.error,
            subcode=told.subcode,
            text=told.description,
            host="id.example.com",
            port=443,
        )
    )


def consent_failure(error: str, text: str = "") -> Failure:
    told = read_oauth_error({"error": error, "error_description": text})
    return explain(
        Evidence(
            surface=Surface.OAUTH_AUTHORIZE,
            stage=Stage.CONSENT,
            error=told.error,
            subcode=told.subcode,
            text=told.description,
        )
    )


def microsoft(error: str, number: int, text: str, **more: object) -> str:
    description = f"AADSTS{number}: {text} Trace ID: 0000 Correlation ID: 0000 Timestamp: 2026-08-20 07:12:43Z"
    return json.dumps({"error": error, "error_description": description, "error_codes": [number], **more})


TOKEN_ANSWERS: list[tuple[str, int, FailureKind, Reason, str]] = [
    ('{"error":"invalid_grant","error_description":"Token has been expired or revoked."}', 400, R, REAUTH, "Testing"),
    ('{"error":"invalid_grant","error_description":"Bad Request"}', 400, R, REAUTH, "no longer takes"),
    (
        '{"error":"invalid_grant","error_description":"reauth related error (invalid_rapt)",'
        '"error_subtype":"invalid_rapt"}',
        400, R, REAUTH, "length of sessions",
    ),
    ('{"error":"invalid_grant","error_description":"Malformed auth code."}', 400, R, REAUTH, "damaged"),
    ('{"error":"invalid_client","error_description":"Unauthorized"}', 401, M, CLIENT, "secret"),
    ('{"error":"redirect_uri_mismatch","error_description":"Bad Request"}', 400, M, CLIENT, "redirect URL"),
    (microsoft("invalid_grant", 700082, "The refresh token has expired due to inactivity."), 400, R, REAUTH, "90 days"),
    (
        microsoft("invalid_grant", 50173, "The provided grant has expired, being revoked", suberror="bad_token"),
        400, R, REAUTH, "password was reset",
    ),
    (
        microsoft("invalid_grant", 50076, "you must use multi-factor authentication", suberror="basic_action"),
        400, R, REAUTH, "second factor",
    ),
    (
        microsoft("invalid_grant", 65001, "The user or administrator has not consented", suberror="consent_required"),
        400, R, REAUTH, "Consent",
    ),
    (microsoft("invalid_grant", 53003, "Access has been blocked by Conditional Access"), 400, M, POLICY, "Conditional"),
    (microsoft("invalid_grant", 54005, "code was already redeemed"), 400, R, REAUTH, "used twice"),
    (microsoft("invalid_client", 7000215, "Invalid client secret provided."), 401, M, CLIENT, "copied"),
    (microsoft("invalid_client", 7000222, "The provided client secret keys are expired."), 401, M, CLIENT, "expired"),
    (microsoft("invalid_request", 28000, "contains more than one resource"), 400, M, CLIENT, "two resources"),
    (microsoft("invalid_grant", 70000, "'refresh_token' is not valid"), 400, R, REAUTH, "minutes later"),
    (microsoft("unauthorized_client", 700016, "Application was not found"), 400, M, CLIENT, "client ID"),
    (microsoft("invalid_grant", 50196, "The server terminated an operation"), 400, TH, Reason.THROTTLED, "often"),
    (microsoft("server_error", 90033, "A transient error has occurred."), 400, T, Reason.AUTH_UNAVAILABLE, "just now"),
    (microsoft("invalid_grant", 999999, "something new"), 400, R, REAUTH, "no longer takes"),
    (microsoft("invalid_grant", 50173, "revoked"), 503, T, Reason.AUTH_UNAVAILABLE, "out of order"),
    (
        '{"error":"invalid_grant","error_description":"The provided authorization grant is invalid, expired, revoked, '
        'does not match the redirection URI used in the authorization request, or was issued to another client."}',
        400, R, REAUTH, "no longer takes",
    ),
    ('{"error":"unauthorized_client"}', 400, M, CLIENT, "flow"),
    ('{"error":"invalid_scope"}', 400, M, Reason.SCOPE_INVALID, "scope"),
    ('{"error":"temporarily_unavailable"}', 400, T, Reason.AUTH_UNAVAILABLE, "temporary"),
    ('{"error":"interaction_required"}', 400, R, REAUTH, "sign in again"),
    ('{"error":"brand_new"}', 400, M, CLIENT, "word of its own"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "status", "kind", "reason", "cause"), TOKEN_ANSWERS)
def test_given_a_token_endpoints_answer_when_explained_then_kind_and_cause_are_exact(
    answer: str, status: int, kind: FailureKind, reason: Reason, cause: str
) -> None:
    """F29, and the refusals that providers are known for."""
    failure = token_failure(answer, status=status)

    assert (failure.kind, failure.reason, failure.stage) == (kind, reason, Stage.TOKEN)
    assert cause in failure.cause
    assert failure.remedy
    assert failure.provider_code.startswith(str(status))


CALLBACKS: list[tuple[str, str, FailureKind, Reason]] = [
    ("access_denied", "", R, Reason.AUTHORIZATION_DENIED),
    ("access_denied", "AADSTS65004: User declined to consent", R, Reason.AUTHORIZATION_DENIED),
    ("unauthorized_client", "AADSTS700016: Application with identifier", M, CLIENT),
    ("invalid_request", "AADSTS50194: Application is not configured as multi-tenant", M, CLIENT),
    ("invalid_client", "AADSTS650053: The application asked for scope", M, CLIENT),
    ("", "AADSTS50011: The redirect URI specified in the request does not match", M, CLIENT),
    ("", "AADSTS90094: An administrator has set a policy that prevents you", M, POLICY),
    ("", "Error 400: redirect_uri_mismatch You can't sign in to this app", M, CLIENT),
    ("", "Error 403: access_denied x has not completed the Google verification process.", M, CLIENT),
    ("", "Error 400: admin_policy_enforced Access to your account data is restricted", M, POLICY),
    ("", "Error 403: org_internal This client is restricted to users", M, CLIENT),
    ("", "Error 401: invalid_client The OAuth client was not found.", M, CLIENT),
    ("invalid_scope", "", M, Reason.SCOPE_INVALID),
    ("server_error", "", T, Reason.AUTH_UNAVAILABLE),
    ("temporarily_unavailable", "", T, Reason.AUTH_UNAVAILABLE),
    ("login_required", "", R, Reason.AUTHORIZATION_DENIED),
    ("brand_new", "", M, CLIENT),
    ("", "", R, Reason.AUTHORIZATION_DENIED),
]


@pytest.mark.parametrize(("error", "text", "kind", "reason"), CALLBACKS)
def test_given_a_callback_without_a_code_when_explained_then_kind_and_reason_are_exact(
    error: str, text: str, kind: FailureKind, reason: Reason
) -> None:
    """F31."""
    failure = consent_failure(error, text)

    assert (failure.kind, failure.reason, failure.stage) == (kind, reason, Stage.CONSENT)


@given(
    st.sampled_from([Surface.OAUTH_TOKEN, Surface.OAUTH_AUTHORIZE]),
    st.integers(min_value=0, max_value=599),
    st.text(max_size=100),
    st.text(max_size=30),
    st.text(max_size=300),
    st.one_of(st.none(), st.sampled_from(Symptom)),
)
def test_given_anything_when_explained_then_an_oauth_entry_does_it_and_nothing_is_final(
    surface: Surface, code: int, error: str, subcode: str, text: str, symptom: Symptom | None
) -> None:
    met = Evidence(
        surface=surface, stage=Stage.TOKEN, code=code, error=error, subcode=subcode, text=text, symptom=symptom
    )

    failure = explain(met)

    assert next(entry for entry in (KEY_UNUSABLE, *OAUTH) if entry.fits(met, alike(text))).reason is failure.reason
    assert failure.kind not in (FailureKind.PERMANENT, FailureKind.IN_DOUBT)
    assert "SMTP" not in failure.remedy or "SMTP.Send" in failure.remedy


def test_given_the_oauth_entries_when_read_then_none_of_them_fits_a_mail_server() -> None:
    assert all(entry.surfaces <= {Surface.OAUTH_TOKEN, Surface.OAUTH_AUTHORIZE} for entry in OAUTH)
    assert all(entry.surfaces for entry in OAUTH)


@given(st.integers(min_value=500, max_value=599), st.sampled_from(["invalid_grant", "invalid_client", ""]))
def test_given_a_server_fault_when_explained_then_it_says_nothing_about_grant_or_client(code: int, error: str) -> None:
    """F29."""
    met = Evidence(surface=Surface.OAUTH_TOKEN, stage=Stage.TOKEN, code=code, error=error)

    assert explain(met).kind is FailureKind.TRANSIENT


def test_given_all_three_codes_when_explained_then_each_is_in_the_providers_code() -> None:
    failure = token_failure(microsoft("invalid_grant", 50173, "x"))

    assert failure.provider_code == "400 invalid_grant AADSTS50173"
