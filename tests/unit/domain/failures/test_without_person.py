"""Refusals of token endpoints to apps and service accounts: nobody can consent again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.failures.catalogue.without_person import WITHOUT_PERSON
from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.explain import explain
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

T, TH, M = FailureKind.TRANSIENT, FailureKind.THROTTLED, FailureKind.MISCONFIGURED
EVIDENCE = Evidence(
    surface=Surface.OAUTH_TOKEN, stage=Stage.TOKEN, code=400, host="id.example.com", port=443, without_person=True
)


@pytest.mark.parametrize(
    ("error", "subcode", "text", "kind", "words"),
    [
        ("invalid_client", "AADSTS7000215", "Invalid client secret provided.", M, "enter its Value"),
        ("invalid_client", "AADSTS7000222", "The provided client secret keys are expired.", M, "new client secret"),
        ("unauthorized_client", "AADSTS700016", "Application not found in the directory.", M, "directory_tenant"),
        ("unauthorized_client", "AADSTS7000229", "Missing service principal in the tenant.", M, "grant consent for"),
        ("invalid_request", "AADSTS90002", "Tenant not found.", M, "directory_tenant"),
        ("invalid_scope", "AADSTS1002012", "The provided value for scope is not valid.", M, "/.default"),
        ("invalid_resource", "AADSTS500011", "The resource principal was not found.", M, "Exchange Online"),
        ("access_denied", "AADSTS53003", "Blocked by Conditional Access.", M, "exempt the app"),
        ("temporarily_unavailable", "AADSTS90033", "A transient error has occurred.", T, "tried again"),
        ("invalid_grant", "AADSTS50196", "The client detected a loop.", TH, "after a pause"),
        ("unauthorized_client", "", "Client is unauthorized to retrieve access tokens using this method, or client not "
         "authorized for any of the scopes requested.", M, "Domain-wide delegation"),
        ("access_denied", "", "Requested client not authorized.", M, "Domain-wide delegation"),
        ("invalid_grant", "", "Invalid JWT Signature.", M, "new key"),
        ("invalid_grant", "", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
         "timeframe. Check your iat and exp values in the JWT claim.", M, "clock"),
        ("invalid_grant", "", "Invalid grant: account not found", M, "client ID"),
        ("invalid_grant", "", "Invalid email or User ID", M, "user name"),
        ("invalid_scope", "", "Invalid OAuth scope or ID token audience provided.", M, "scope"),
        ("disabled_client", "", "The OAuth client was disabled.", M, "Enable"),
        ("invalid_grant", "", "Something else.", M, "user name"),
        ("invalid_client", "", "", M, "current ID"),
        ("unsupported_grant_type", "", "", M, "grant type"),
        ("invalid_request", "", "", M, "token endpoint"),
        ("server_error", "", "", T, "tried again"),
        ("a_word_of_its_own", "", "", M, "documentation"),
    ],
)  # fmt: skip
def test_given_a_refusal_when_explained_then_the_remedy_is_one_that_helps_without_a_person(
    error: str, subcode: str, text: str, kind: FailureKind, words: str
) -> None:
    failure = explain(replace(EVIDENCE, error=error, subcode=subcode, text=text))

    assert failure.kind is kind
    assert words in failure.remedy


@pytest.mark.parametrize(
    ("evidence", "kind", "reason"),
    [
        (replace(EVIDENCE, code=503, error="invalid_grant"), T, Reason.AUTH_UNAVAILABLE),
        (replace(EVIDENCE, code=429), TH, Reason.THROTTLED),
        (replace(EVIDENCE, code=401), M, Reason.CLIENT_CONFIG),
        (replace(EVIDENCE, code=302), T, Reason.PROTOCOL_ERROR),
        (replace(EVIDENCE, code=404), T, Reason.PROTOCOL_ERROR),
        (replace(EVIDENCE, code=0, symptom=Symptom.SILENT), T, Reason.SERVER_SILENT),
        (replace(EVIDENCE, code=0, symptom=Symptom.NAME_UNKNOWN), M, Reason.DNS_NAME_UNKNOWN),
        (replace(EVIDENCE, code=0, symptom=Symptom.KEY_UNUSABLE), M, Reason.CLIENT_CONFIG),
    ],
)
def test_given_no_word_when_explained_then_status_or_symptom_tells(
    evidence: Evidence, kind: FailureKind, reason: Reason
) -> None:
    failure = explain(evidence)

    assert (failure.kind, failure.reason) == (kind, reason)


def test_given_all_entries_when_read_then_none_asks_for_a_consent_that_nobody_can_give() -> None:
    asking = [
        entry
        for entry in WITHOUT_PERSON
        if entry.kind is FailureKind.REAUTHORIZE
        or any(word in entry.remedy for word in ("Authorize", "consent again", "The consent", "refresh token"))
    ]

    assert asking == []


def test_given_the_same_words_with_a_person_when_explained_then_the_consent_is_still_asked_for() -> None:
    failure = explain(replace(EVIDENCE, error="invalid_grant", without_person=False))

    assert failure.kind is FailureKind.REAUTHORIZE
