"""Refusals that a provider shows on a page of its own, from which no browser comes back (RFC 6749 section 4.1.2.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Final

from domain.failures.evidence import Evidence, Surface
from domain.failures.explain import explain
from domain.failures.failure import Failure, Stage
from domain.failures.reading import read_answer
from domain.providers.preset import OAuthProvider


class _About(StrEnum):
    """Which value of the session the provider does not know."""

    REDIRECT_URL = "REDIRECT_URL"
    CLIENT = "CLIENT"
    NEITHER = "NEITHER"


@dataclass(frozen=True, slots=True)
class PageRefusal:
    """What a person may see instead of the consent."""

    shown: str
    """Words to look for on the page, e.g. ``redirect_uri_mismatch``."""
    failure: Failure
    """What they mean, with this session's values where the provider does not know one; nobody has said it yet."""


@dataclass(frozen=True, slots=True)
class _Page:
    shown: str
    about: _About
    answer: str = ""
    """What the catalogue knows it by, where that is more than the words shown."""
    error: str = ""
    """OAuth's word for it, where each provider's page says it in words of its own."""


_PAGES: Final = {
    OAuthProvider.GOOGLE: (
        _Page("redirect_uri_mismatch", _About.REDIRECT_URL),
        _Page("invalid_client", _About.CLIENT, "Error 401: invalid_client"),
        _Page("Google verification process", _About.NEITHER, "has not completed the Google verification process"),
        _Page("org_internal", _About.NEITHER),
        _Page("admin_policy_enforced", _About.NEITHER),
    ),
    OAuthProvider.MICROSOFT: (
        _Page("AADSTS50011", _About.REDIRECT_URL),
        _Page("AADSTS700016", _About.CLIENT),
        _Page("AADSTS50194", _About.NEITHER),
        _Page("AADSTS650053", _About.NEITHER),
        _Page("AADSTS90094", _About.NEITHER, "AADSTS90094 Need admin approval"),
    ),
    OAuthProvider.CUSTOM: (
        _Page("redirect_uri", _About.REDIRECT_URL, error="invalid_redirect_uri"),
        _Page("client_id", _About.CLIENT, error="invalid_client"),
    ),
}
"""The most usual first. Provider pages and public transcripts, as of 2026-11; for others what RFC 6749 leaves them."""


def page_refusals(issuer: OAuthProvider, *, redirect_url: str, client_id: str) -> tuple[PageRefusal, ...]:
    """Returns what *issuer* may show a user instead of sending the browser back to *redirect_url*."""
    told = {
        _About.REDIRECT_URL: f" This session's is {redirect_url}.",
        _About.CLIENT: f" The settings have {client_id}.",
        _About.NEITHER: "",
    }
    return tuple(
        PageRefusal(page.shown, replace(failure, remedy=f"{failure.remedy}{told[page.about]}"))
        for page, failure in _explained(issuer)
    )


@cache
def _explained(issuer: OAuthProvider) -> tuple[tuple[_Page, Failure], ...]:
    return tuple(
        (
            page,
            replace(explain(_seen(page)), provider_reply=""),
        )
        for page in _PAGES[issuer]
    )


def _seen(page: _Page) -> Evidence:
    if page.error:
        return Evidence(surface=Surface.OAUTH_AUTHORIZE, stage=Stage.CONSENT, error=page.error)
    return read_answer(page.answer or page.shown, surface=Surface.OAUTH_AUTHORIZE, stage=Stage.CONSENT)
