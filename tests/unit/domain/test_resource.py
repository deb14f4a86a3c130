"""Which token opens what: Microsoft's one resource a token, and scopes compared (F30)."""

from __future__ import annotations

import pytest

from domain.providers.preset import OAuthProvider
from domain.resource import (
    GRAPH,
    OUTLOOK,
    SINGLE,
    Resource,
    missing_scopes,
    refresh_scopes,
    resource_of,
    scopes_for,
    sending_resource,
)
from tests.builders import a_graph_transport, some_settings

MICROSOFT = OAuthProvider.MICROSOFT
SCOPES = (
    "https://outlook.office.com/SMTP.Send",
    "https://graph.microsoft.com/Mail.Send",
    "offline_access",
    "openid",
    "https://outlook.office365.com/IMAP.AccessAsUser.All",
)


@pytest.mark.parametrize(
    ("scope", "resource"),
    [
        ("https://outlook.office.com/SMTP.Send", OUTLOOK),
        ("https://OUTLOOK.office365.com/IMAP.AccessAsUser.All", OUTLOOK),
        ("https://outlook.office365.us/SMTP.Send", OUTLOOK),
        ("https://outlook-dod.office365.us/SMTP.Send", OUTLOOK),
        ("https://partner.outlook.cn/SMTP.Send", OUTLOOK),
        ("https://graph.microsoft.com/Mail.Send", GRAPH),
        ("https://graph.microsoft.us/.default", GRAPH),
        ("https://dod-graph.microsoft.us/Mail.Send", GRAPH),
        ("https://microsoftgraph.chinacloudapi.cn/Mail.Send", GRAPH),
        ("https://graph.microsoft.com//Mail.Send", GRAPH),
        ("Mail.Send", GRAPH),
        ("api://Client-1/Read", Resource("api://client-1")),
        ("offline_access", None),
        ("OpenID", None),
    ],
)
def test_given_microsofts_scopes_when_sorted_then_by_what_they_open(scope: str, resource: Resource | None) -> None:
    assert resource_of(scope, issuer=MICROSOFT) == resource


@pytest.mark.parametrize("issuer", [OAuthProvider.GOOGLE, OAuthProvider.CUSTOM])
def test_given_other_providers_when_sorted_then_there_is_one_resource(issuer: OAuthProvider) -> None:
    assert [resource_of(scope, issuer=issuer) for scope in ("https://mail.google.com/", "mail")] == [SINGLE, SINGLE]
    assert resource_of("openid", issuer=issuer) is None
    assert refresh_scopes(SINGLE, ("mail", "openid"), issuer=issuer) == ()
    assert scopes_for(SINGLE, ("mail", "openid"), issuer=issuer) == ("mail", "openid")


def test_given_scopes_of_two_resources_when_one_is_asked_for_then_its_own_and_the_reserved_ones() -> None:
    assert scopes_for(GRAPH, SCOPES, issuer=MICROSOFT) == (SCOPES[1], "offline_access", "openid")
    assert refresh_scopes(OUTLOOK, SCOPES, issuer=MICROSOFT) == (SCOPES[0], "offline_access", "openid", SCOPES[4])


def test_given_settings_when_asked_which_token_they_send_with_then_that_of_their_transport() -> None:
    over_graph = some_settings(transport=a_graph_transport())
    over_smtp = some_settings()

    assert sending_resource(over_graph, issuer=MICROSOFT) == GRAPH
    assert sending_resource(over_smtp, issuer=MICROSOFT) == OUTLOOK
    assert sending_resource(over_smtp, issuer=OAuthProvider.CUSTOM) == SINGLE


@pytest.mark.parametrize(
    ("asked", "granted", "missing"),
    [
        (("a", "b"), ("b", "a", "c"), ()),
        (("a", "b"), ("A", "b"), ("a",)),
        (("b", "a", "openid", "offline_access"), (), ("b", "a")),
        ((), (), ()),
    ],
)
def test_given_f30_scopes_elsewhere_when_compared_then_as_sets_with_case(
    asked: tuple[str, ...], granted: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    assert missing_scopes(asked, granted, resource=SINGLE, issuer=OAuthProvider.CUSTOM) == missing


@pytest.mark.parametrize(
    ("asked", "granted", "missing"),
    [
        ("https://graph.microsoft.com/Mail.Send", "mail.SEND", False),
        ("Mail.Send", "https://graph.microsoft.com/Mail.Send", False),
        ("https://graph.microsoft.com/Mail.Send", "Mail.Send.Shared", True),
        ("https://graph.microsoft.com/.default", "Mail.Send", False),
        ("https://graph.microsoft.com/.default", "https://outlook.office.com/SMTP.Send", True),
        ("https://graph.microsoft.com/.default", "openid", True),
    ],
)
def test_given_f30_microsofts_scopes_when_compared_then_by_resource_and_permission(
    asked: str, granted: str, missing: bool
) -> None:
    expected = (asked,) if missing else ()

    assert missing_scopes((asked, "https://outlook.office.com/SMTP.Send"), (granted,), resource=GRAPH,
                          issuer=MICROSOFT) == expected  # fmt: skip
