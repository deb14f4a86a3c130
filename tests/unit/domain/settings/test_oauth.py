"""OAuth: mandatory fields, presets, endpoints, redirect URL, secret's end, scopes by provider."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from domain.reasons import Reason
from domain.settings.model import OAuthAuthentication
from domain.settings.written import WrittenOAuth, WrittenSettings
from tests.unit.domain.settings.samples import (
    NOW,
    custom,
    exchange,
    gmail,
    google,
    mailbox,
    microsoft,
    parse,
    refusals,
    smtp,
    violations,
    warnings,
    written,
)

SCOPES = "settings.oauth.scopes"
MAIL = "https://mail.google.com/"
OUTLOOK_SMTP = "https://outlook.office.com/SMTP.Send"
OUTLOOK_IMAP = "https://outlook.office.com/IMAP.AccessAsUser.All"


def oauth_of(settings: WrittenSettings) -> OAuthAuthentication:
    authentication = parse(settings).settings.authentication
    assert isinstance(authentication, OAuthAuthentication)
    return authentication


def test_given_google_when_parsing_then_the_preset_fills_what_is_empty() -> None:
    oauth = oauth_of(gmail())

    assert oauth.authorization_endpoint == "https://accounts.google.com/o/oauth2/v2/auth"
    assert oauth.token_endpoint == "https://oauth2.googleapis.com/token"
    assert oauth.revocation_endpoint == "https://oauth2.googleapis.com/revoke"
    assert oauth.scopes == (MAIL, "openid", "email")
    assert oauth.directory_tenant == ""


def test_given_microsoft_when_parsing_then_the_preset_fills_what_is_empty() -> None:
    parsed = parse(exchange(mailbox=mailbox(host="outlook.office365.com", password=None, use_oauth=True)))

    oauth = parsed.settings.authentication
    assert isinstance(oauth, OAuthAuthentication)
    assert oauth.authorization_endpoint == "https://login.microsoftonline.com/common/oauth2/v2.0/authorize"
    assert oauth.token_endpoint == "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    assert oauth.revocation_endpoint == ""
    assert oauth.scopes == (OUTLOOK_SMTP, OUTLOOK_IMAP, "offline_access", "openid", "profile", "email")
    assert oauth.directory_tenant == "common"
    assert parsed.warnings == ()


@pytest.mark.parametrize(
    ("host", "login", "scope"),
    [
        ("smtp.office365.us", "https://login.microsoftonline.us/", "https://outlook.office365.us/SMTP.Send"),
        ("outlook-dod.office365.us", "https://login.microsoftonline.us/", "https://outlook.office365.us/SMTP.Send"),
        ("partner.outlook.cn", "https://login.partner.microsoftonline.cn/", "https://partner.outlook.cn/SMTP.Send"),
        ("smtp-mail.outlook.com", "https://login.microsoftonline.com/", OUTLOOK_SMTP),
    ],
)
def test_given_a_server_of_a_microsoft_cloud_when_parsing_then_endpoints_and_scopes_are_that_clouds(
    host: str, login: str, scope: str
) -> None:
    oauth = oauth_of(exchange(transport=smtp(host=host)))

    assert oauth.token_endpoint.startswith(login)
    assert oauth.scopes[0] == scope


@pytest.mark.parametrize(
    ("written_tenant", "tenant"),
    [
        ("", "common"),
        ("organizations", "organizations"),
        ("Consumers", "consumers"),
        ("contoso.example", "contoso.example"),
        ("72F988BF-86F1-41AF-91AB-2D7CD011DB47", "72f988bf-86f1-41af-91ab-2d7cd011db47"),
    ],
)
def test_given_a_directory_when_parsing_then_the_endpoints_name_it(written_tenant: str, tenant: str) -> None:
    oauth = oauth_of(exchange(authentication=microsoft(directory_tenant=written_tenant)))

    assert oauth.directory_tenant == tenant
    assert f"/{tenant}/" in oauth.token_endpoint
    assert f"/{tenant}/" in oauth.authorization_endpoint


def test_given_one_endpoint_with_a_directory_when_parsing_then_the_other_names_the_same() -> None:
    token = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"

    oauth = oauth_of(exchange(authentication=microsoft(token_endpoint=token)))

    assert oauth.directory_tenant == "contoso.example"
    assert oauth.authorization_endpoint == token.replace("/token", "/authorize")


def test_given_a_simulators_endpoints_when_parsing_then_no_token_of_its_is_revoked_at_google() -> None:
    oauth = oauth_of(
        gmail(
            transport=smtp(host="127.0.0.1"),
            authentication=google(
                authorization_endpoint="http://127.0.0.1:9000/authorize", token_endpoint="http://127.0.0.1:9000/token"
            ),
        )
    )

    assert oauth.revocation_endpoint == ""


@pytest.mark.parametrize(
    ("authentication", "field", "reason"),
    [
        (google(provider=""), "settings.oauth.provider", Reason.FIELD_REQUIRED),
        (google(provider="Google"), "settings.oauth.provider", Reason.VALUE_MALFORMED),
        (google(client_id=""), "settings.oauth.client_id", Reason.FIELD_REQUIRED),
        (google(client_id="a\n"), "settings.oauth.client_id", Reason.CONTROL_CHARACTER),
        (google(client_secret=None), "settings.oauth.client_secret", Reason.FIELD_REQUIRED),
        (google(username=""), "settings.oauth.username", Reason.FIELD_REQUIRED),
        (google(username="alerts"), "settings.oauth.username", Reason.ADDRESS_INVALID),
        (google(directory_tenant="common"), "settings.oauth.directory_tenant", Reason.FIELD_NOT_APPLICABLE),
        (
            google(token_endpoint="http://oauth2.googleapis.com/token"),
            "settings.oauth.token_endpoint",
            Reason.HTTPS_REQUIRED,
        ),
        (google(redirect_url="http://mail.example.com/"), "settings.oauth.redirect_url", Reason.REDIRECT_URL_INVALID),
        (google(redirect_url="https://192.0.2.1/cb"), "settings.oauth.redirect_url", Reason.REDIRECT_URL_INVALID),
        (
            google(client_secret_expire_time=NOW.replace(tzinfo=None)),
            "settings.oauth.client_secret_expire_time",
            Reason.VALUE_MALFORMED,
        ),
    ],
)
def test_given_one_wrong_value_when_parsing_then_it_alone_is_named(
    authentication: WrittenOAuth, field: str, reason: Reason
) -> None:
    assert refusals(gmail(authentication=authentication)) == {(field, reason)}


def test_given_an_empty_custom_provider_when_parsing_then_everything_mandatory_is_named_at_once() -> None:
    found = refusals(written(authentication=WrittenOAuth(provider="CUSTOM")))

    assert found == {
        (f"settings.oauth.{name}", Reason.FIELD_REQUIRED)
        for name in ("authorization_endpoint", "token_endpoint", "client_id", "client_secret", "scopes", "username")
    }


def test_given_a_complete_custom_provider_when_parsing_then_it_is_kept_as_written() -> None:
    oauth = oauth_of(written(authentication=custom(username="alerts", scopes=("b", "a", "b"))))

    assert oauth.username == "alerts"
    assert oauth.scopes == ("b", "a")
    assert oauth.revocation_endpoint == ""


@pytest.mark.parametrize("scope", ["", "a b", 'a"b', "a\\b", "ä", "a\n", "x" * 513])
def test_given_a_malformed_scope_when_parsing_then_its_index_is_named(scope: str) -> None:
    found = refusals(gmail(authentication=google(scopes=(MAIL, scope))))

    assert found == {(f"{SCOPES}[1]", Reason.SCOPE_INVALID)}


def test_given_too_many_scopes_when_parsing_then_it_is_refused() -> None:
    found = refusals(gmail(authentication=google(scopes=tuple(f"s{number}" for number in range(101)))))

    assert found == {(SCOPES, Reason.VALUE_OUT_OF_RANGE)}


@pytest.mark.parametrize(
    ("scopes", "words"),
    [
        (("https://mail.google.com",), "slash at its end"),
        (("https://www.googleapis.com/auth/gmail.send",), "gmail.send opens Google's REST API alone"),
        (("https://www.googleapis.com/auth/gmail.modify",), "gmail.modify opens"),
        (("openid",), "one scope alone"),
    ],
)
def test_given_google_without_its_mail_scope_when_parsing_then_the_remedy_names_it(
    scopes: tuple[str, ...], words: str
) -> None:
    (violation,) = violations(gmail(authentication=google(scopes=scopes)))

    assert (violation.field, violation.reason) == (SCOPES, Reason.SCOPE_NEEDED)
    assert words in violation.message
    assert MAIL in violation.remedy


@pytest.mark.parametrize(
    ("scopes", "words"),
    [
        (("SMTP.Send",), "without a host means Graph's permission"),
        (("https://graph.microsoft.com/SMTP.Send",), "is Graph's permission"),
        (("https://outlook.office365.us/SMTP.Send",), "not a scope of the cloud"),
        (("https://graph.microsoft.com/Mail.Send",), "none is among these"),
        (("offline_access",), "none is among these"),
    ],
)
def test_given_microsoft_without_an_outlook_scope_when_parsing_then_the_remedy_names_it(
    scopes: tuple[str, ...], words: str
) -> None:
    (violation,) = violations(exchange(authentication=microsoft(scopes=scopes)))

    assert (violation.field, violation.reason) == (SCOPES, Reason.SCOPE_NEEDED)
    assert words in violation.message
    assert OUTLOOK_SMTP in violation.remedy


@pytest.mark.parametrize(
    "scope",
    [
        OUTLOOK_SMTP,
        OUTLOOK_SMTP.lower(),
        "https://outlook.office365.com/SMTP.Send",
        "https://outlook.office365.com/.default",
    ],
)
def test_given_microsoft_with_an_outlook_scope_when_parsing_then_it_is_taken(scope: str) -> None:
    assert oauth_of(exchange(authentication=microsoft(scopes=(scope, "offline_access")))).scopes[0] == scope


def test_given_scopes_of_several_resources_when_parsing_then_they_may_stand_together() -> None:
    scopes = (OUTLOOK_SMTP, OUTLOOK_IMAP, "https://graph.microsoft.com/Mail.Send", "offline_access")

    assert oauth_of(exchange(authentication=microsoft(scopes=scopes))).scopes == scopes


def test_given_microsoft_without_offline_access_when_parsing_then_it_is_added_with_a_warning() -> None:
    settings = exchange(authentication=microsoft(scopes=(OUTLOOK_SMTP, OUTLOOK_SMTP.upper())))

    assert oauth_of(settings).scopes == (OUTLOOK_SMTP, "offline_access")
    assert warnings(settings) == {(SCOPES, Reason.OFFLINE_ACCESS_ADDED)}


def test_given_a_mailbox_with_oauth_when_the_imap_scope_is_missing_then_it_is_named() -> None:
    box = mailbox(host="outlook.office365.com", password=None, use_oauth=True)

    (violation,) = violations(exchange(authentication=microsoft(scopes=(OUTLOOK_SMTP,)), mailbox=box))

    assert (violation.field, violation.reason) == (SCOPES, Reason.SCOPE_NEEDED)
    assert OUTLOOK_IMAP in violation.remedy


@pytest.mark.parametrize(
    ("host", "reason"),
    [("smtp.gmail.com", Reason.SCOPE_NEEDED), ("smtp.office365.com", Reason.SCOPE_NEEDED), ("smtp.example.com", None)],
)
def test_given_a_custom_provider_when_the_server_is_a_known_one_then_its_scope_rule_holds(
    host: str, reason: Reason | None
) -> None:
    found = refusals(written(transport=smtp(host=host), authentication=custom()))

    assert found == ({(SCOPES, reason)} if reason else set())


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (gmail(transport=smtp(host="smtp.office365.com")), "settings.oauth.provider"),
        (exchange(transport=smtp(host="smtp.gmail.com")), "settings.oauth.provider"),
        (gmail(transport=smtp(host="smtp.sendgrid.net")), "settings.oauth.provider"),
        (
            gmail(authentication=google(token_endpoint="https://login.microsoftonline.com/common/oauth2/v2.0/token")),
            "settings.oauth.token_endpoint",
        ),
        (
            exchange(authentication=microsoft(authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth")),
            "settings.oauth.authorization_endpoint",
        ),
        (
            exchange(
                authentication=microsoft(token_endpoint="https://login.microsoftonline.us/common/oauth2/v2.0/token")
            ),
            "settings.oauth.token_endpoint",
        ),
        (
            exchange(mailbox=mailbox(host="outlook.office365.us", password=None, use_oauth=True)),
            "settings.mailbox.use_oauth",
        ),
        (
            gmail(mailbox=mailbox(host="outlook.office365.com", password=None, use_oauth=True)),
            "settings.mailbox.use_oauth",
        ),
        (
            exchange(
                authentication=microsoft(
                    directory_tenant="contoso.example",
                    token_endpoint="https://login.microsoftonline.com/common/oauth2/v2.0/token",
                )
            ),
            "settings.oauth.directory_tenant",
        ),
    ],
)
def test_given_parts_of_different_providers_when_parsing_then_the_conflict_is_named(
    settings: WrittenSettings, field: str
) -> None:
    assert (field, Reason.FIELD_CONFLICT) in refusals(settings)


@pytest.mark.parametrize("tenant", ["my company", "contoso", "../common", "72f988bf"])
def test_given_no_directory_when_parsing_then_it_is_refused(tenant: str) -> None:
    found = refusals(exchange(authentication=microsoft(directory_tenant=tenant)))

    assert ("settings.oauth.directory_tenant", Reason.VALUE_MALFORMED) in found


def test_given_microsofts_old_endpoint_when_parsing_then_it_is_refused() -> None:
    old = "https://login.microsoftonline.com/common/oauth2/token"

    assert refusals(exchange(authentication=microsoft(token_endpoint=old))) == {
        ("settings.oauth.token_endpoint", Reason.URL_INVALID)
    }


@pytest.mark.parametrize(
    ("expires", "warned"),
    [
        (NOW - timedelta(days=1), True),
        (NOW, True),
        (NOW + timedelta(days=30), True),
        (NOW + timedelta(days=31), False),
    ],
)
def test_given_the_end_of_the_client_secret_when_it_is_near_then_it_is_a_warning(
    expires: datetime, warned: bool
) -> None:
    found = warnings(gmail(authentication=google(client_secret_expire_time=expires)))

    assert (("settings.oauth.client_secret_expire_time", Reason.CLIENT_SECRET_EXPIRING) in found) is warned


def test_given_an_end_in_another_zone_when_parsing_then_it_is_utc() -> None:
    eastern = datetime(2027, 6, 1, 20, tzinfo=timezone(timedelta(hours=-4)))

    found = oauth_of(gmail(authentication=google(client_secret_expire_time=eastern))).client_secret_expire_time

    assert found == datetime(2027, 6, 2, tzinfo=UTC)
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize("change", [{"username": "alerts\x01auth=Bearer x"}, {"client_id": "x" * 513}])
def test_given_a_value_that_breaks_the_protocol_when_parsing_then_it_is_refused(change: dict[str, Any]) -> None:
    assert len(refusals(gmail(authentication=google(**change)))) == 1
