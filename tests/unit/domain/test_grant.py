"""Rule 6: when a consent serves changed settings, and when it has to be asked for again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.address import EmailAddress, Host
from domain.grant import basis_of, covers
from domain.secret import Secret
from domain.settings.model import MailSettings, OAuthAuthentication, SmtpTransport
from tests.unit.domain.settings.samples import custom, exchange, parse, written

OUTLOOK = "https://outlook.office.com/SMTP.Send"


def a_consented() -> tuple[MailSettings, OAuthAuthentication]:
    settings = parse(exchange()).settings
    assert isinstance(settings.authentication, OAuthAuthentication)
    return settings, settings.authentication


def test_given_a_consent_when_from_address_host_secret_and_redirect_change_then_it_still_covers() -> None:
    settings, oauth = a_consented()
    assert isinstance(settings.transport, SmtpTransport)

    changed = replace(
        settings,
        from_address=EmailAddress("sales", "example.com"),
        transport=replace(settings.transport, host=Host("smtp-legacy.office365.com"), port=25),
        authentication=replace(oauth, client_secret=Secret("rotated"), redirect_url="https://mail.example.com/cb"),
    )

    assert covers(basis_of(oauth), changed)


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "client-2"},
        {"token_endpoint": "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"},
        {"authorization_endpoint": "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/authorize"},
        {"username": "other@example.com"},
        {"scopes": (OUTLOOK, "https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access")},
    ],
)
def test_given_a_consent_when_what_it_rests_on_changes_then_it_no_longer_covers(change: dict[str, object]) -> None:
    settings, oauth = a_consented()

    changed = replace(settings, authentication=replace(oauth, **change))  # type: ignore[arg-type]

    assert not covers(basis_of(oauth), changed)


@pytest.mark.parametrize(
    "scopes",
    [
        (OUTLOOK,),
        ("offline_access", OUTLOOK),
        (OUTLOOK.lower(), "openid", "profile", "email"),
        (OUTLOOK.upper(), "OFFLINE_ACCESS"),
    ],
)
def test_given_a_microsoft_consent_when_the_same_scopes_look_different_then_it_covers_f30(
    scopes: tuple[str, ...],
) -> None:
    settings, oauth = a_consented()

    changed = replace(settings, authentication=replace(oauth, scopes=scopes))

    assert covers(basis_of(oauth), changed)


def test_given_a_consent_to_more_when_fewer_scopes_are_needed_then_it_covers() -> None:
    settings, oauth = a_consented()
    basis = replace(basis_of(oauth), scopes=frozenset({OUTLOOK, "https://graph.microsoft.com/Mail.Send"}))

    assert covers(basis, settings)


def test_given_another_provider_when_scopes_differ_in_case_then_they_differ() -> None:
    settings = parse(written(authentication=custom(scopes=("Mail",)))).settings
    assert isinstance(settings.authentication, OAuthAuthentication)
    basis = replace(basis_of(settings.authentication), scopes=frozenset({"mail"}))

    assert not covers(basis, settings)


def test_given_microsofts_endpoints_as_custom_when_scopes_differ_in_case_then_they_are_the_same_f30() -> None:
    login = "https://login.microsoftonline.com/common/oauth2/v2.0"
    oauth = custom(authorization_endpoint=f"{login}/authorize", token_endpoint=f"{login}/token", scopes=(OUTLOOK,))
    settings = parse(exchange(authentication=oauth)).settings
    assert isinstance(settings.authentication, OAuthAuthentication)
    basis = replace(basis_of(settings.authentication), scopes=frozenset({OUTLOOK.lower()}))

    assert covers(basis, settings)


def test_given_a_username_in_other_case_when_compared_then_it_covers() -> None:
    settings, oauth = a_consented()

    changed = replace(settings, authentication=replace(oauth, username="Alerts@Example.com"))

    assert covers(basis_of(oauth), changed)


def test_given_settings_without_oauth_when_asked_then_no_consent_covers_them() -> None:
    _, oauth = a_consented()

    assert not covers(basis_of(oauth), parse(written()).settings)
