"""Graph: needs OAuth and a send scope, knows its clouds, and is not for Google."""

from __future__ import annotations

from typing import Any

import pytest

from domain.reasons import Reason
from domain.settings.model import GraphTransport, OAuthAuthentication
from domain.settings.written import WrittenGraph, WrittenOAuth, WrittenSettings
from tests.unit.domain.settings.samples import (
    basic,
    custom,
    google,
    graph,
    mailbox,
    microsoft,
    parse,
    refusals,
    violations,
    warnings,
)

SCOPES = "settings.oauth.scopes"


def transport_of(settings: WrittenSettings) -> GraphTransport:
    transport = parse(settings).settings.transport
    assert isinstance(transport, GraphTransport)
    return transport


def test_given_graph_when_parsing_then_the_preset_fills_what_is_empty() -> None:
    parsed = parse(graph())

    oauth = parsed.settings.authentication
    assert parsed.settings.transport == GraphTransport(base_url="https://graph.microsoft.com")
    assert isinstance(oauth, OAuthAuthentication)
    assert oauth.scopes == ("https://graph.microsoft.com/Mail.Send", "offline_access", "openid", "profile", "email")
    assert parsed.warnings == ()


@pytest.mark.parametrize(("written", "saved"), [(None, True), (True, True), (False, False)])
def test_given_sent_items_when_parsing_then_unset_means_to_save(written: bool | None, saved: bool) -> None:
    assert transport_of(graph(transport=WrittenGraph(save_to_sent_items=written))).save_to_sent_items is saved


@pytest.mark.parametrize(
    ("base_url", "login", "scope"),
    [
        ("https://graph.microsoft.us", "login.microsoftonline.us", "https://graph.microsoft.us/Mail.Send"),
        ("https://dod-graph.microsoft.us", "login.microsoftonline.us", "https://dod-graph.microsoft.us/Mail.Send"),
        (
            "https://microsoftgraph.chinacloudapi.cn/",
            "login.partner.microsoftonline.cn",
            "https://microsoftgraph.chinacloudapi.cn/Mail.Send",
        ),
    ],
)
def test_given_a_national_cloud_when_parsing_then_endpoints_and_scopes_are_that_clouds(
    base_url: str, login: str, scope: str
) -> None:
    settings = parse(graph(transport=WrittenGraph(base_url=base_url))).settings

    assert settings.transport == GraphTransport(base_url=base_url.rstrip("/"))
    assert isinstance(settings.authentication, OAuthAuthentication)
    assert login in settings.authentication.token_endpoint
    assert settings.authentication.scopes[0] == scope


def test_given_endpoints_of_a_national_cloud_when_parsing_then_the_base_url_is_that_clouds() -> None:
    login = "https://login.chinacloudapi.cn/common/oauth2/v2.0"

    transport = transport_of(
        graph(authentication=microsoft(authorization_endpoint=f"{login}/authorize", token_endpoint=f"{login}/token"))
    )

    assert transport.base_url == "https://microsoftgraph.chinacloudapi.cn"


@pytest.mark.parametrize(
    ("base_url", "reason"),
    [
        ("http://graph.microsoft.com", Reason.HTTPS_REQUIRED),
        ("https://graph.microsoft.com/v1.0", Reason.URL_INVALID),
        ("https://graph.microsoft.com/beta/", Reason.URL_INVALID),
        ("https://graph.microsoft.com:8443", Reason.URL_INVALID),
        ("https://graph.microsoft.com?x=1", Reason.URL_INVALID),
        ("https://graph.example.com", Reason.URL_INVALID),
        ("https://graph.microsoft.com.example.com", Reason.URL_INVALID),
        ("graph.microsoft.com", Reason.URL_INVALID),
        ("http://127.0.0.1:8025/v1.0", Reason.URL_INVALID),
    ],
)
def test_given_no_root_of_a_cloud_when_parsing_then_it_is_refused(base_url: str, reason: Reason) -> None:
    assert refusals(graph(transport=WrittenGraph(base_url=base_url))) == {("settings.graph.base_url", reason)}


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8025/graph", "http://[::1]:8025", "http://relay.internal:8025"])
def test_given_a_simulator_when_parsing_then_its_root_is_taken(base_url: str) -> None:
    assert transport_of(graph(transport=WrittenGraph(base_url=base_url))).base_url == base_url


def test_given_a_custom_provider_when_parsing_then_any_https_root_is_taken() -> None:
    settings = graph(
        transport=WrittenGraph(base_url="https://graph.example.com"), authentication=custom(scopes=("Mail.Send",))
    )

    assert transport_of(settings).base_url == "https://graph.example.com"


@pytest.mark.parametrize(("authentication", "field"), [(None, "settings.oauth"), (basic(), "settings.basic")])
def test_given_graph_without_oauth_when_parsing_then_it_is_refused(authentication: Any, field: str) -> None:
    assert refusals(graph(authentication=authentication)) == {(field, Reason.GRAPH_NEEDS_OAUTH)}


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        (graph(authentication=google()), {"settings.oauth.provider"}),
        (
            graph(authentication=custom(token_endpoint="https://oauth2.googleapis.com/token", scopes=("Mail.Send",))),
            {"settings.oauth.token_endpoint"},
        ),
        (
            graph(authentication=microsoft(authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth")),
            {"settings.oauth.authorization_endpoint"},
        ),
        (
            graph(authentication=microsoft(scopes=("offline_access", "https://mail.google.com/"))),
            {"settings.oauth.scopes[1]"},
        ),
        (
            graph(authentication=custom(scopes=("https://www.googleapis.com/auth/gmail.send",))),
            {"settings.oauth.scopes[0]"},
        ),
    ],
)
def test_given_graph_with_google_when_parsing_then_it_is_refused_by_whatever_tells_it(
    settings: WrittenSettings, fields: set[str]
) -> None:
    found = violations(settings)

    assert {(violation.field, violation.reason) for violation in found} == {
        (field, Reason.GRAPH_NOT_FOR_GOOGLE) for field in fields
    }
    assert all("smtp.gmail.com" in violation.remedy for violation in found)


def test_given_graph_at_googles_base_url_when_parsing_then_it_is_refused() -> None:
    found = refusals(graph(transport=WrittenGraph(base_url="https://gmail.googleapis.com")))

    assert ("settings.graph.base_url", Reason.GRAPH_NOT_FOR_GOOGLE) in found


@pytest.mark.parametrize(
    "scope",
    [
        "Mail.Send",
        "mail.send",
        "https://graph.microsoft.com/Mail.Send",
        "https://graph.microsoft.com/Mail.Send.Shared",
        "https://graph.microsoft.com/.default",
    ],
)
def test_given_a_graph_send_scope_when_parsing_then_it_is_taken(scope: str) -> None:
    assert warnings(graph(authentication=microsoft(scopes=(scope, "offline_access")))) == set()


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("https://graph.microsoft.com/Mail.ReadWrite", "none is among these"),
        ("https://outlook.office.com/SMTP.Send", "none is among these"),
        ("https://outlook.office.com/Mail.Send", "is not a Graph scope of the cloud"),
        ("https://graph.microsoft.us/Mail.Send", "is not a Graph scope of the cloud"),
        (".default", "none is among these"),
    ],
)
def test_given_no_graph_send_scope_when_parsing_then_the_remedy_names_it(scope: str, words: str) -> None:
    (violation,) = violations(graph(authentication=microsoft(scopes=(scope,))))

    assert (violation.field, violation.reason) == (SCOPES, Reason.SCOPE_NEEDED)
    assert words in violation.message
    assert "https://graph.microsoft.com/Mail.Send" in violation.remedy


def test_given_a_shared_mailbox_when_parsing_then_the_shared_scope_is_asked_for() -> None:
    settings = parse(graph(transport=WrittenGraph(mailbox="sales@example.com"))).settings

    assert isinstance(settings.authentication, OAuthAuthentication)
    assert settings.authentication.scopes[0] == "https://graph.microsoft.com/Mail.Send.Shared"


def test_given_a_shared_mailbox_when_only_the_own_scope_is_written_then_it_is_refused() -> None:
    (violation,) = violations(
        graph(transport=WrittenGraph(mailbox="sales@example.com"), authentication=microsoft(scopes=("Mail.Send",)))
    )

    assert violation.reason is Reason.SCOPE_NEEDED
    assert "another mailbox" in violation.message
    assert violation.remedy.endswith("Mail.Send.Shared.")


def test_given_the_own_mailbox_when_the_own_scope_is_written_then_it_is_taken() -> None:
    settings = graph(
        transport=WrittenGraph(mailbox="Alerts@example.com"), authentication=microsoft(scopes=("Mail.Send",))
    )

    assert refusals(settings) == set()


def test_given_a_wrong_shared_mailbox_when_parsing_then_it_is_named() -> None:
    assert ("settings.graph.mailbox", Reason.ADDRESS_INVALID) in refusals(
        graph(transport=WrittenGraph(mailbox="sales"))
    )


def test_given_graph_and_a_mailbox_with_oauth_when_parsing_then_one_consent_serves_both() -> None:
    box = mailbox(host="outlook.office365.com", password=None, use_oauth=True)

    oauth = parse(graph(mailbox=box)).settings.authentication

    assert isinstance(oauth, OAuthAuthentication)
    assert oauth.scopes[:2] == (
        "https://graph.microsoft.com/Mail.Send",
        "https://outlook.office.com/IMAP.AccessAsUser.All",
    )


def test_given_an_empty_oauth_when_parsing_then_everything_mandatory_is_named_at_once() -> None:
    assert {field for field, _ in refusals(graph(authentication=WrittenOAuth(provider="MICROSOFT")))} == {
        "settings.oauth.client_id",
        "settings.oauth.client_secret",
        "settings.oauth.username",
    }
