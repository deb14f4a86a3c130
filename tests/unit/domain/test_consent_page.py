"""What a provider may show instead of sending the browser back, and what it means."""

from __future__ import annotations

import pytest

from domain.consent_page import page_refusals
from domain.failures.failure import FailureKind, Stage
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from tests.unit.domain.failures.rows import Row, catalogue_rows

REDIRECT_URL = "https://mail.example.com/oauth/callback"
CLIENT_ID = "0123-abc.apps.example.com"
PAGES = [row for row in catalogue_rows() if row.surface == "oauth-authorize" and not row.answer.startswith("error=")]


@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.name)
def test_given_a_page_of_the_catalogue_when_a_consent_begins_then_it_is_foretold_with_the_same_meaning(
    row: Row,
) -> None:
    pages = page_refusals(OAuthProvider[row.provider.upper()], redirect_url=REDIRECT_URL, client_id=CLIENT_ID)

    (page,) = [page for page in pages if page.shown in row.answer]

    assert (page.failure.reason, page.failure.kind) == (row.reason, row.kind)
    assert page.failure.cause == row.explained().failure.cause


@pytest.mark.parametrize("issuer", OAuthProvider)
def test_given_any_provider_when_a_consent_begins_then_what_it_may_not_know_is_told_to_the_letter(
    issuer: OAuthProvider,
) -> None:
    """RFC 6749 section 4.1.2.1: for these two no server may send the browser back."""
    pages = page_refusals(issuer, redirect_url=REDIRECT_URL, client_id=CLIENT_ID)

    remedies = [page.failure.remedy for page in pages]

    assert sum(REDIRECT_URL in remedy for remedy in remedies) == 1
    assert sum(CLIENT_ID in remedy for remedy in remedies) == 1
    assert len({page.shown for page in pages}) == len(pages)
    assert all(page.failure.stage is Stage.CONSENT for page in pages)
    assert all(page.failure.kind is FailureKind.MISCONFIGURED for page in pages)
    assert all(page.failure.provider_reply == "" for page in pages)


def test_given_a_provider_of_ones_own_when_a_consent_begins_then_nothing_is_said_of_google_or_microsoft() -> None:
    pages = page_refusals(OAuthProvider.CUSTOM, redirect_url=REDIRECT_URL, client_id=CLIENT_ID)

    told = " ".join(f"{page.failure.cause} {page.failure.remedy}" for page in pages)

    assert "Google" not in told
    assert "AADSTS" not in told
    assert "consent stays" not in told, "there is none yet"
    assert all(page.failure.reason is Reason.CLIENT_CONFIG for page in pages)
