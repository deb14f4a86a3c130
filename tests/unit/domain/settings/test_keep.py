"""Secrets left unset: kept under an unchanged account, asked for again otherwise, with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reasons import Reason
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import BasicAuthentication, MailSettings, OAuthAuthentication
from domain.settings.written import WrittenSettings
from tests.unit.domain.settings.samples import (
    basic,
    exchange,
    gmail,
    google,
    mailbox,
    microsoft,
    parse,
    refusals,
    smtp,
    violations,
    written,
)


def stored_basic() -> MailSettings:
    return parse(written(mailbox=mailbox())).settings


def stored_gmail() -> MailSettings:
    return parse(gmail()).settings


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"from_address": "sales@example.com", "from_name": "Sales"},
        {"transport": smtp(port=465, security="IMPLICIT_TLS")},
        {"transport": smtp(host="SMTP.example.com")},
    ],
)
@pytest.mark.parametrize("unset", [None, Secret("")])
def test_given_an_unchanged_account_when_the_password_is_unset_then_it_is_kept(
    change: dict[str, Any], unset: Secret | None
) -> None:
    settings = written(**{"authentication": basic(password=unset), **change})

    kept = parse(settings, stored=stored_basic()).settings.authentication

    assert kept == BasicAuthentication("alerts@example.com", Secret("correct horse"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transport": smtp(host="evil.example.net")}, "the host changed"),
        ({"authentication": basic(password=None, username="Alerts@example.com")}, "the user name changed"),
        (
            {
                "transport": smtp(host="evil.example.net"),
                "authentication": basic(password=None, username="other@example.com"),
            },
            "the host and the user name changed",
        ),
    ],
)
def test_given_a_changed_account_when_the_password_is_unset_then_it_says_why_it_was_not_kept(
    change: dict[str, Any], words: str
) -> None:
    settings = written(**{"authentication": basic(password=None), **change})

    (violation,) = violations(settings, stored=stored_basic())

    assert (violation.field, violation.reason) == ("settings.basic.password", Reason.FIELD_REQUIRED)
    assert words in violation.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"client_id": "client-2"}, "the client ID changed"),
        ({"token_endpoint": "https://evil.example.net/token"}, "the token endpoint changed"),
    ],
)
def test_given_a_changed_client_when_its_secret_is_unset_then_it_says_why_it_was_not_kept(
    change: dict[str, Any], words: str
) -> None:
    settings = gmail(authentication=google(client_secret=None, **change))

    (violation,) = violations(settings, stored=stored_gmail())

    assert (violation.field, violation.reason) == ("settings.oauth.client_secret", Reason.FIELD_REQUIRED)
    assert words in violation.message


def test_given_an_unchanged_client_when_host_and_user_change_then_its_secret_is_kept() -> None:
    settings = gmail(
        transport=smtp(host="smtp-relay.gmail.com"),
        authentication=google(client_secret=None, username="other@example.com"),
    )

    authentication = parse(settings, stored=stored_gmail()).settings.authentication

    assert isinstance(authentication, OAuthAuthentication)
    assert authentication.client_secret == Secret("client secret")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "evil.example.net"}, "the host changed"),
        ({"email": "other@example.com"}, "the e-mail address changed"),
    ],
)
def test_given_a_changed_mailbox_when_its_password_is_unset_then_it_says_why_it_was_not_kept(
    change: dict[str, Any], words: str
) -> None:
    settings = written(mailbox=mailbox(password=None, **change))

    (violation,) = violations(settings, stored=stored_basic())

    assert (violation.field, violation.reason) == ("settings.mailbox.password", Reason.FIELD_REQUIRED)
    assert words in violation.message


def test_given_another_kind_of_authentication_when_its_secret_is_unset_then_nothing_is_carried_over() -> None:
    to_oauth = refusals(exchange(authentication=microsoft(client_secret=None)), stored=stored_basic())
    to_basic = refusals(
        written(transport=smtp(host="smtp.gmail.com"), authentication=basic(password=None)), stored=stored_gmail()
    )

    assert to_oauth == {("settings.oauth.client_secret", Reason.FIELD_REQUIRED)}
    assert to_basic == {("settings.basic.password", Reason.FIELD_REQUIRED)}


def test_given_a_stored_password_that_does_not_open_when_unset_then_it_is_asked_for_again() -> None:
    stored = replace(
        stored_basic(), authentication=BasicAuthentication("alerts@example.com", UnreadableSecret()), mailbox=None
    )

    (violation,) = violations(written(authentication=basic(password=None)), stored=stored)

    assert violation.field == "settings.basic.password"
    assert "cannot be opened" in violation.message


def test_given_a_wrong_host_when_the_password_is_unset_then_only_the_host_is_named() -> None:
    settings = written(transport=smtp(host="smtp://x"), authentication=basic(password=None))

    assert refusals(settings, stored=stored_basic()) == {("settings.smtp.host", Reason.HOST_INVALID)}
    assert len(refusals(settings)) == 2


@given(
    host=st.sampled_from(["smtp.example.com", "evil.example.net"]),
    username=st.sampled_from(["alerts@example.com", "other@example.com"]),
    box_host=st.sampled_from(["imap.example.com", "evil.example.net"]),
    email=st.sampled_from(["alerts@example.com", "other@example.com"]),
    port=st.sampled_from([25, 465, 587]),
)
def test_given_any_change_when_secrets_are_unset_then_they_stay_only_under_their_own_account(
    host: str, username: str, box_host: str, email: str, port: int
) -> None:
    settings: WrittenSettings = written(
        transport=smtp(host=host, port=port),
        authentication=basic(username=username, password=None),
        mailbox=mailbox(host=box_host, email=email, password=None),
    )

    asked_for = {field for field, _ in refusals(settings, stored=stored_basic())}

    same_account = (host, username) == ("smtp.example.com", "alerts@example.com")
    same_box = (box_host, email) == ("imap.example.com", "alerts@example.com")
    assert ("settings.basic.password" in asked_for) is not same_account
    assert ("settings.mailbox.password" in asked_for) is not same_box
