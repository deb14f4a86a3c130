"""The OAuth kinds that take no person: what is filled in, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.reasons import Reason
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import GrantType, MailSettings, OAuthAuthentication
from domain.settings.written import WrittenOAuth, WrittenSettings
from tests.unit.domain.keys import ACCOUNT, json_key, pem
from tests.unit.domain.settings.samples import (
    as_read_back,
    custom,
    exchange,
    gmail,
    google,
    graph,
    mailbox,
    microsoft,
    parse,
    refusals,
    smtp,
    violations,
    warnings,
    written,
)

DIRECTORY = "72f988bf-86f1-41af-91ab-2d7cd011db47"
OUTLOOK = "https://outlook.office365.com/.default"
GRAPH = "https://graph.microsoft.com/.default"
USELESS = Reason.FIELD_NOT_APPLICABLE
MAIL = "https://mail.google.com/"
O = "settings.oauth"  # noqa: E741


def app(**changes: Any) -> WrittenOAuth:
    return microsoft(**{"grant_type": "CLIENT_CREDENTIALS", "directory_tenant": DIRECTORY, **changes})


def account(**changes: Any) -> WrittenOAuth:
    return google(**{"grant_type": "JWT_BEARER", "client_id": "", "client_secret": Secret(json_key()), **changes})


def oauth_of(settings: WrittenSettings, *, stored: MailSettings | None = None) -> OAuthAuthentication:
    authentication = parse(settings, stored=stored).settings.authentication
    assert isinstance(authentication, OAuthAuthentication)
    return authentication


def test_given_no_grant_type_when_parsed_then_a_person_consents() -> None:
    assert oauth_of(gmail()).grant_type is GrantType.AUTHORIZATION_CODE


def test_given_a_word_that_is_none_when_parsed_then_the_choices_are_named() -> None:
    (violation,) = violations(gmail(authentication=google(grant_type="PASSWORD")))

    assert (violation.field, violation.reason) == (f"{O}.grant_type", Reason.VALUE_MALFORMED)
    assert "CLIENT_CREDENTIALS" in violation.remedy


def test_given_an_app_at_microsoft_when_parsed_then_its_directorys_endpoint_and_default_scope_are_filled_in() -> None:
    settings = exchange(authentication=app())

    authentication = oauth_of(settings)

    assert authentication == OAuthAuthentication(
        provider=authentication.provider,
        client_id="client-1",
        client_secret=Secret("client secret"),
        authorization_endpoint="",
        token_endpoint=f"https://login.microsoftonline.com/{DIRECTORY}/oauth2/v2.0/token",
        scopes=(OUTLOOK,),
        username="alerts@example.com",
        directory_tenant=DIRECTORY,
        grant_type=GrantType.CLIENT_CREDENTIALS,
    )
    assert warnings(settings) == set()


@pytest.mark.parametrize(
    ("settings", "scopes"),
    [
        (graph(authentication=app()), (GRAPH,)),
        (
            graph(
                authentication=app(),
                mailbox=mailbox(host="outlook.office365.com", password=None, use_oauth=True),
            ),
            (GRAPH, OUTLOOK),
        ),
        (
            exchange(
                authentication=app(),
                mailbox=mailbox(host="outlook.office365.com", password=None, use_oauth=True),
            ),
            (OUTLOOK,),
        ),
        (written(transport=smtp(host="smtp.office365.us"), authentication=app()),
         ("https://outlook.office365.us/.default",)),
        (exchange(authentication=app(scopes=("https://Outlook.office.com/.default",))),
         ("https://Outlook.office.com/.default",)),
        (gmail(authentication=account()), (MAIL,)),
    ],
)  # fmt: skip
def test_given_a_transport_when_parsed_then_the_scopes_are_its_resources(
    settings: WrittenSettings, scopes: tuple[str, ...]
) -> None:
    assert oauth_of(settings).scopes == scopes


def test_given_googles_key_file_when_parsed_then_the_account_is_the_client() -> None:
    authentication = oauth_of(gmail(authentication=account()))

    assert authentication.client_id == ACCOUNT
    assert authentication.client_secret == Secret(json_key())
    assert authentication.token_endpoint == "https://oauth2.googleapis.com/token"
    assert (authentication.authorization_endpoint, authentication.revocation_endpoint) == ("", "")
    assert authentication.grant_type is GrantType.JWT_BEARER


@pytest.mark.parametrize("is_pkcs1", [False, True])
def test_given_a_private_key_alone_when_parsed_then_the_client_id_is_needed(is_pkcs1: bool) -> None:
    key = Secret(pem(is_pkcs1=is_pkcs1))

    named = oauth_of(gmail(authentication=account(client_secret=key, client_id=ACCOUNT)))
    refused = refusals(gmail(authentication=account(client_secret=key)))

    assert named.client_id == ACCOUNT
    assert refused == {(f"{O}.client_id", Reason.FIELD_REQUIRED)}


def test_given_a_key_that_is_none_when_parsed_then_it_is_refused_and_not_repeated() -> None:
    (violation,) = violations(
        gmail(authentication=account(client_id=ACCOUNT, client_secret=Secret("GOCSPX-of-a-web-client")))
    )

    assert (violation.field, violation.reason) == (f"{O}.client_secret", Reason.VALUE_MALFORMED)
    assert "GOCSPX" not in f"{violation}"


def test_given_a_key_without_end_when_parsed_then_it_is_too_long() -> None:
    endless = Secret(json_key(project_id="p" * 20_000))

    assert refusals(gmail(authentication=account(client_id=ACCOUNT, client_secret=endless))) == {
        (f"{O}.client_secret", Reason.VALUE_TOO_LONG)
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (exchange(authentication=app(authorization_endpoint="https://login.microsoftonline.com/common/oauth2/v2.0/authorize")),
         {(f"{O}.authorization_endpoint", USELESS)}),
        (exchange(authentication=app(redirect_url="https://mail.example.com/oauth/callback",
                                     revocation_endpoint="https://id.example.com/revoke")),
         {(f"{O}.redirect_url", USELESS), (f"{O}.revocation_endpoint", USELESS)}),
        (exchange(authentication=app(scopes=(OUTLOOK, "offline_access"))), {(f"{O}.scopes", USELESS)}),
        (gmail(authentication=account(scopes=(MAIL, "offline_access"))), {(f"{O}.scopes", USELESS)}),
        (exchange(authentication=app(scopes=("https://outlook.office.com/SMTP.Send",))),
         {(f"{O}.scopes", Reason.SCOPE_INVALID)}),
        (exchange(authentication=app(scopes=("openid", OUTLOOK))), {(f"{O}.scopes", Reason.SCOPE_INVALID)}),
        (exchange(authentication=app(scopes=(".default",))), {(f"{O}.scopes", Reason.SCOPE_INVALID)}),
        (exchange(authentication=app(scopes=(GRAPH,))), {(f"{O}.scopes", Reason.SCOPE_NEEDED)}),
        (graph(authentication=app(scopes=(OUTLOOK,))), {(f"{O}.scopes", Reason.SCOPE_NEEDED)}),
        (gmail(authentication=account(scopes=("https://www.googleapis.com/auth/gmail.send",))),
         {(f"{O}.scopes", Reason.SCOPE_NEEDED)}),
        (exchange(authentication=app(directory_tenant="")), {(f"{O}.directory_tenant", Reason.FIELD_REQUIRED)}),
        *((exchange(authentication=app(directory_tenant=each)), {(f"{O}.directory_tenant", Reason.FIELD_CONFLICT)})
          for each in ("common", "organizations", "Consumers")),
        (exchange(authentication=app(directory_tenant="", token_endpoint="https://login.microsoftonline.com/common/oauth2/v2.0/token")),
         {(f"{O}.token_endpoint", Reason.FIELD_CONFLICT)}),
        (exchange(authentication=app(username="")), {(f"{O}.username", Reason.FIELD_REQUIRED)}),
        (gmail(authentication=account(username="")), {(f"{O}.username", Reason.FIELD_REQUIRED)}),
        (gmail(authentication=account(client_secret=None, client_id=ACCOUNT)),
         {(f"{O}.client_secret", Reason.FIELD_REQUIRED)}),
        (gmail(authentication=account(client_id="somebody@project-1.iam.gserviceaccount.com")),
         {(f"{O}.client_id", Reason.FIELD_CONFLICT)}),
        (gmail(authentication=google(grant_type="CLIENT_CREDENTIALS")), {(f"{O}.grant_type", Reason.FIELD_CONFLICT)}),
        (exchange(authentication=microsoft(grant_type="JWT_BEARER", client_secret=Secret(pem()))),
         {(f"{O}.grant_type", Reason.FIELD_CONFLICT)}),
        (written(authentication=custom(grant_type="CLIENT_CREDENTIALS", authorization_endpoint="", token_endpoint="")),
         {(f"{O}.token_endpoint", Reason.FIELD_REQUIRED)}),
        (written(authentication=custom(grant_type="CLIENT_CREDENTIALS", authorization_endpoint="", scopes=())),
         {(f"{O}.scopes", Reason.FIELD_REQUIRED)}),
        (exchange(authentication=custom(grant_type="CLIENT_CREDENTIALS", authorization_endpoint="", scopes=(OUTLOOK,),
                                        token_endpoint="https://login.microsoftonline.com/common/oauth2/v2.0/token")),
         {(f"{O}.token_endpoint", Reason.FIELD_CONFLICT)}),
    ],
)  # fmt: skip
def test_given_what_cannot_be_without_a_person_when_parsed_then_it_alone_is_refused(
    settings: WrittenSettings, expected: set[tuple[str, Reason]]
) -> None:
    found = violations(settings)

    assert {(violation.field, violation.reason) for violation in found} == expected
    assert all(violation.message.endswith(".") and violation.remedy.endswith(".") for violation in found)


def test_given_several_faults_when_parsed_then_all_are_named_at_once() -> None:
    wrong = app(directory_tenant="common", redirect_url="https://m.example.com/", scopes=("openid",), username="")

    assert refusals(exchange(authentication=wrong)) == {
        (f"{O}.directory_tenant", Reason.FIELD_CONFLICT),
        (f"{O}.redirect_url", USELESS),
        (f"{O}.scopes", Reason.SCOPE_INVALID),
        (f"{O}.username", Reason.FIELD_REQUIRED),
    }


@pytest.mark.parametrize(
    "authentication",
    [
        custom(grant_type="CLIENT_CREDENTIALS", authorization_endpoint=""),
        custom(grant_type="JWT_BEARER", authorization_endpoint="", client_id="", client_secret=Secret(json_key())),
        custom(grant_type="JWT_BEARER", authorization_endpoint="", client_secret=Secret(pem())),
        app(directory_tenant="Contoso.example"),
        app(directory_tenant="", token_endpoint=f"https://login.microsoftonline.com/{DIRECTORY}/oauth2/v2.0/token"),
        app(directory_tenant="", token_endpoint="http://localhost:8080/token"),
    ],
)  # fmt: skip
def test_given_a_kind_without_a_person_when_parsed_again_as_read_back_then_nothing_changes_and_the_secret_is_kept(
    authentication: WrittenOAuth,
) -> None:
    host = "smtp.office365.com" if authentication.provider == "MICROSOFT" else "smtp.example.com"
    settings = parse(written(transport=smtp(host=host), authentication=authentication)).settings

    assert parse(as_read_back(settings), stored=settings).settings == settings


def test_given_a_stored_key_when_neither_key_nor_client_is_written_then_both_are_kept() -> None:
    stored = parse(gmail(authentication=account())).settings

    kept = oauth_of(gmail(authentication=account(client_secret=None)), stored=stored)

    assert (kept.client_id, kept.client_secret) == (ACCOUNT, Secret(json_key()))


@pytest.mark.parametrize(
    "changes",
    [
        {"grant_type": "AUTHORIZATION_CODE", "client_id": ACCOUNT, "client_secret": None},
        {"client_id": "somebody@project-1.iam.gserviceaccount.com", "client_secret": None},
        {"token_endpoint": "http://localhost:8080/token", "client_secret": None},
    ],
)
def test_given_a_stored_key_when_kind_client_or_endpoint_change_then_it_is_not_kept(changes: dict[str, Any]) -> None:
    stored = parse(gmail(authentication=account())).settings

    refused = refusals(gmail(authentication=account(**changes)), stored=stored)

    assert refused == {(f"{O}.client_secret", Reason.FIELD_REQUIRED)}


def test_given_a_stored_key_that_does_not_open_when_parsed_then_it_is_asked_for_again() -> None:
    stored = parse(gmail(authentication=account())).settings
    assert isinstance(stored.authentication, OAuthAuthentication)
    closed = replace(stored, authentication=replace(stored.authentication, client_secret=UnreadableSecret()))

    (violation,) = violations(gmail(authentication=account(client_id=ACCOUNT, client_secret=None)), stored=closed)

    assert (violation.field, violation.reason) == (f"{O}.client_secret", Reason.FIELD_REQUIRED)
    assert violation.remedy == "Enter the service account's key."
