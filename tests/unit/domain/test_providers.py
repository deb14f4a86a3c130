"""Presets: found by host, complete, and free of contradictions."""

from __future__ import annotations

import re

import pytest

from domain.connection import ConnectionSecurity
from domain.host import Host, parse_host
from domain.providers import PROVIDERS, ProviderPreset, oauth_provider_of, preset_for_host
from domain.providers.microsoft import CHINA, DOD, GCC_HIGH, WORLDWIDE, MicrosoftCloud, cloud_of
from domain.providers.preset import CommunicationType, OAuthProvider
from domain.settings.urls import Url, parse_endpoint


@pytest.mark.parametrize(
    ("host", "provider_id"),
    [
        ("smtp.gmail.com", "google"),
        ("smtp-relay.gmail.com", "google"),
        ("imap.gmail.com", "google"),
        ("smtp.office365.com", "microsoft"),
        ("outlook.office365.com", "microsoft"),
        ("smtp-mail.outlook.com", "microsoft-personal"),
        ("smtp.office365.us", "microsoft-gcc-high"),
        ("outlook-dod.office365.us", "microsoft-dod"),
        ("partner.outlook.cn", "microsoft-china"),
        ("smtp.mail.yahoo.com", "yahoo"),
        ("smtp.aol.com", "aol"),
        ("smtp.zoho.com.au", "zoho"),
        ("smtp.zohocloud.ca", "zoho"),
        ("smtppro.zoho.eu", "zoho-organisation"),
        ("smtp.fastmail.com", "fastmail"),
        ("smtp.mail.me.com", "icloud"),
        ("mail.gmx.net", "gmx-net"),
        ("smtp.yandex.ru", "yandex"),
        ("email-smtp.eu-west-1.amazonaws.com", "amazon-ses"),
        ("smtp.sendgrid.net", "sendgrid"),
        ("smtp.eu.mailgun.org", "mailgun"),
        ("smtp-broadcasts.postmarkapp.com", "postmark"),
        ("smtp-relay.brevo.com", "brevo"),
        ("in-v3.mailjet.com", "mailjet"),
    ],
)
def test_given_a_providers_server_when_looked_up_then_its_preset_is_found(host: str, provider_id: str) -> None:
    preset = preset_for_host(Host(host))

    assert preset is not None
    assert preset.provider_id == provider_id


@pytest.mark.parametrize(
    "host",
    ["smtp.example.com", "smtp.gmail.com.example.com", "smtp.zoho.xx", "email-smtp.a.b.amazonaws.com", "127.0.0.1"],
)
def test_given_another_server_when_looked_up_then_there_is_no_preset(host: str) -> None:
    assert preset_for_host(Host(host)) is None


def test_given_all_presets_when_counted_then_each_id_is_used_once() -> None:
    ids = [preset.provider_id for preset in PROVIDERS]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9-]+", each) for each in ids)


@pytest.mark.parametrize("preset", PROVIDERS, ids=lambda preset: preset.provider_id)
def test_given_a_preset_when_read_then_its_servers_are_hosts_and_its_ports_fit_their_security(
    preset: ProviderPreset,
) -> None:
    endpoints = (
        preset.smtp_endpoints if preset.imap_endpoint is None else (*preset.smtp_endpoints, preset.imap_endpoint)
    )

    assert preset.sign_in_hint
    for endpoint in endpoints:
        assert isinstance(parse_host(endpoint.host.replace("{region}", "region"), field="h"), Host)
        implicit = endpoint.security is ConnectionSecurity.IMPLICIT_TLS
        assert implicit is (endpoint.port in (465, 2465, 993))
        assert endpoint.security is not ConnectionSecurity.NONE


@pytest.mark.parametrize("preset", PROVIDERS, ids=lambda preset: preset.provider_id)
def test_given_a_preset_with_oauth_when_read_then_its_endpoints_are_https_and_it_has_a_scope_to_send(
    preset: ProviderPreset,
) -> None:
    oauth = preset.oauth
    urls = (oauth.authorization_endpoint, oauth.token_endpoint) if oauth else ()

    for url in urls:
        parsed = parse_endpoint(url.replace("{directory_tenant}", "common"), field="e")
        assert isinstance(parsed, Url)
        assert parsed.scheme == "https"
    assert oauth is None or oauth.smtp_scopes
    assert (CommunicationType.GRAPH in preset.communication_types) is bool(preset.graph_base_url)
    assert bool(preset.graph_base_url) is bool(oauth and oauth.graph_scopes)


@pytest.mark.parametrize(
    ("host", "cloud"),
    [
        ("smtp.office365.com", WORLDWIDE),
        ("login.microsoftonline.com", WORLDWIDE),
        ("graph.microsoft.com", WORLDWIDE),
        ("graph.microsoft.us", GCC_HIGH),
        ("login.microsoftonline.us", GCC_HIGH),
        ("dod-graph.microsoft.us", DOD),
        ("outlook-dod.office365.us", DOD),
        ("login.chinacloudapi.cn", CHINA),
        ("microsoftgraph.chinacloudapi.cn", CHINA),
    ],
)
def test_given_a_microsoft_host_when_looked_up_then_its_cloud_is_known(host: str, cloud: MicrosoftCloud) -> None:
    assert cloud_of(host) is cloud


def test_given_a_foreign_host_when_looked_up_then_it_is_in_no_cloud() -> None:
    assert cloud_of("smtp.gmail.com") is None


@pytest.mark.parametrize(
    ("host", "owner"),
    [
        ("accounts.google.com", OAuthProvider.GOOGLE),
        ("oauth2.googleapis.com", OAuthProvider.GOOGLE),
        ("smtp.gmail.com", OAuthProvider.GOOGLE),
        ("login.microsoftonline.us", OAuthProvider.MICROSOFT),
        ("smtp.sendgrid.net", OAuthProvider.CUSTOM),
        ("id.example.com", None),
        ("notgoogle.com", None),
    ],
)
def test_given_a_host_when_asked_whose_tokens_then_the_owner_is_told(host: str, owner: OAuthProvider | None) -> None:
    assert oauth_provider_of(Host(host)) is owner


def test_given_one_scope_for_two_uses_when_asked_for_both_then_it_stands_once() -> None:
    google = PROVIDERS[0].oauth

    assert google is not None
    assert google.scopes(communication=CommunicationType.SMTP, mailbox=True) == (
        "https://mail.google.com/",
        "openid",
        "email",
    )
