"""Laws of the whole parse: nothing but ConfigInvalid is raised, results are stable, violations help."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ConfigInvalid
from domain.reasons import Reason
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import BasicAuthentication, MailSettings, OAuthAuthentication
from domain.settings.parse import SettingsRules, parse_settings
from domain.settings.written import (
    WrittenBasic,
    WrittenGraph,
    WrittenMailbox,
    WrittenOAuth,
    WrittenSettings,
    WrittenSmtp,
)
from tests.unit.domain.settings.samples import (
    RULES,
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
    written,
)

MAIL = "https://mail.google.com/"
LOGIN = "https://login.microsoftonline.com/common/oauth2/v2.0"
PARTS: dict[str, type[Any]] = {
    "smtp": WrittenSmtp,
    "graph": WrittenGraph,
    "basic": WrittenBasic,
    "oauth": WrittenOAuth,
    "mailbox": WrittenMailbox,
}
PATHS = (
    {f"settings.{field.name}" for field in fields(WrittenSettings)}
    | {f"settings.{part}" for part in PARTS}
    | {f"settings.{part}.{field.name}" for part, kind in PARTS.items() for field in fields(kind)}
)

TEXT = st.text(max_size=30)
ADDRESSES = st.sampled_from(["", "a@example.com", "B@bücher.example", "a@b@c", "<a@example.com>", "a@x.test\n"]) | TEXT
HOSTS = (
    st.sampled_from(
        [
            "",
            "smtp.example.com",
            "smtp.gmail.com",
            "smtp.office365.com",
            "smtp.office365.us",
            "partner.outlook.cn",
            "outlook.office365.com",
            "imap.gmail.com",
            "127.0.0.1",
            "[::1]",
            "127.1",
            "https://x",
            "bücher.example",
        ]
    )
    | TEXT
)
PORTS = st.sampled_from([0, 25, 143, 465, 587, 993]) | st.integers()
SECURITIES = st.sampled_from(["", "NONE", "STARTTLS", "IMPLICIT_TLS"]) | TEXT
SECRETS = st.none() | st.builds(Secret, TEXT) | st.builds(UnreadableSecret)
KNOWN_ENDPOINTS = [
    "",
    "https://id.example.com/token",
    "http://127.0.0.1:9000/token",
    "https://oauth2.googleapis.com/token",
    f"{LOGIN}/token",
    "https://login.microsoftonline.com/Contoso.example/oauth2/v2.0/authorize",
    "https://login.microsoftonline.com/a_b/oauth2/v2.0/token",
    "https://login.live.com/oauth20_token.srf",
    "https://login.microsoftonline.us/common/oauth2/v2.0/token",
]
KNOWN_SCOPES = [
    MAIL,
    "openid",
    "offline_access",
    "SMTP.Send",
    "https://outlook.office.com/SMTP.Send",
    "https://outlook.office.com/IMAP.AccessAsUser.All",
    "https://graph.microsoft.com/Mail.Send",
    "Mail.Send.Shared",
    "mail",
]
URLS = (
    st.sampled_from([*KNOWN_ENDPOINTS, "https://graph.microsoft.com/", "https://graph.microsoft.us", "https://[::1/x"])
    | TEXT
    | st.from_regex(r"https?://[!-~]{0,20}", fullmatch=True)
)
SCOPE_LISTS = st.lists(st.sampled_from(KNOWN_SCOPES) | TEXT, max_size=5).map(tuple)
SMTPS = st.builds(
    WrittenSmtp,
    host=HOSTS,
    port=PORTS,
    security=SECURITIES,
    minimum_tls_version=st.sampled_from(["", "TLS_1_0", "TLS_1_3"]) | TEXT,
    ca_certificates=st.just("") | TEXT,
    ehlo_name=st.sampled_from(["", "mail.example.com", "[192.0.2.1]", "box"]) | TEXT,
)
GRAPHS = st.builds(
    WrittenGraph, base_url=URLS, mailbox=ADDRESSES, save_to_sent_items=st.sampled_from([None, True, False])
)
BASICS = st.builds(WrittenBasic, username=ADDRESSES, password=SECRETS)
OAUTHS = st.builds(
    WrittenOAuth,
    provider=st.sampled_from(["GOOGLE", "MICROSOFT", "CUSTOM", ""]) | TEXT,
    client_id=st.just("client-1") | TEXT,
    client_secret=SECRETS,
    client_secret_expire_time=st.none() | st.datetimes() | st.datetimes(timezones=st.timezones()),
    authorization_endpoint=URLS,
    token_endpoint=URLS,
    revocation_endpoint=URLS,
    scopes=SCOPE_LISTS,
    username=ADDRESSES,
    redirect_url=URLS,
    directory_tenant=st.sampled_from(["", "common", "contoso.example"]) | TEXT,
)
MAILBOXES = st.builds(
    WrittenMailbox,
    email=ADDRESSES,
    host=HOSTS,
    port=PORTS,
    security=SECURITIES,
    password=SECRETS,
    use_oauth=st.booleans(),
)
WRITTEN = st.builds(
    WrittenSettings,
    from_address=ADDRESSES,
    from_name=TEXT,
    allowed_from=st.lists(ADDRESSES, max_size=3).map(tuple),
    data_center=st.sampled_from(["", "eu-1", "us-1"]) | TEXT,
    data_center_policy=st.sampled_from(["", "PREFERRED", "STRICT"]) | TEXT,
    transport=st.none() | SMTPS | GRAPHS,
    authentication=st.none() | BASICS | OAUTHS,
    mailbox=st.none() | MAILBOXES,
)
# What is likely to keep the rules, so that the laws about valid settings are put to the test as well.
LIKELY = st.builds(
    WrittenSettings,
    from_address=st.sampled_from(["alerts@example.com", "sales@bücher.example"]),
    transport=st.sampled_from(
        [
            smtp(),
            smtp(host="smtp.gmail.com"),
            smtp(host="smtp.office365.com"),
            smtp(host="outlook-dod.office365.us"),
            smtp(host="127.0.0.1", port=2525, security="NONE"),
            WrittenGraph(),
            WrittenGraph(base_url="https://graph.microsoft.us/"),
            WrittenGraph(mailbox="sales@example.com", save_to_sent_items=False),
        ]
    ),
    authentication=st.none()
    | st.builds(
        WrittenOAuth,
        provider=st.sampled_from(["GOOGLE", "MICROSOFT", "CUSTOM"]),
        client_id=st.just("client-1"),
        client_secret=st.builds(Secret, st.just("s")),
        client_secret_expire_time=st.none() | st.datetimes(timezones=st.timezones()),
        authorization_endpoint=st.just("") | st.sampled_from(KNOWN_ENDPOINTS),
        token_endpoint=st.just("") | st.sampled_from(KNOWN_ENDPOINTS),
        revocation_endpoint=st.just(""),
        scopes=st.just(()) | st.lists(st.sampled_from(KNOWN_SCOPES), max_size=5).map(tuple),
        username=st.just("alerts@example.com"),
        redirect_url=st.just("http://localhost:8080/cb"),
        directory_tenant=st.sampled_from(["", "Common", "contoso.example"]),
    ),
    mailbox=st.none()
    | st.sampled_from(
        [
            mailbox(),
            mailbox(host="outlook.office365.com", password=None, use_oauth=True),
            mailbox(host="imap.gmail.com", password=None, use_oauth=True),
        ]
    ),
)
NOWS = st.datetimes(timezones=st.just(UTC))
VALID: list[MailSettings] = [
    parse(each).settings
    for each in (
        written(mailbox=mailbox()),
        gmail(mailbox=mailbox(host="imap.gmail.com", password=None, use_oauth=True)),
        exchange(from_name="Alerts", allowed_from=("a@example.com", "b@bücher.example")),
        exchange(authentication=microsoft(directory_tenant="Contoso.example")),
        exchange(authentication=microsoft(scopes=("https://outlook.office.com/SMTP.Send",))),
        exchange(
            authentication=custom(
                authorization_endpoint=f"{LOGIN}/authorize",
                token_endpoint=f"{LOGIN}/token",
                scopes=("https://outlook.office.com/SMTP.Send",),
            )
        ),
        graph(),
        graph(transport=WrittenGraph(mailbox="sales@example.com", save_to_sent_items=False)),
        written(transport=smtp(host="[::1]", ehlo_name="MAIL.example.com"), authentication=None),
        written(authentication=custom(), data_center="eu-1", data_center_policy="STRICT"),
        gmail(authentication=google(client_secret_expire_time=datetime(2028, 1, 1, tzinfo=UTC))),
    )
]


@settings(max_examples=400, deadline=None)
@given(written=WRITTEN | LIKELY, stored=st.none() | st.sampled_from(VALID), now=NOWS)
def test_given_anything_when_parsing_then_nothing_but_config_invalid_is_raised_and_each_violation_helps(
    written: WrittenSettings, stored: MailSettings | None, now: datetime
) -> None:
    try:
        parsed = parse_settings(written, stored=stored, rules=RULES, now=now)
    except ConfigInvalid as refused:
        findings = [(each.field, each.message, each.remedy) for each in refused.violations]
    else:
        findings = [(each.field, each.message, each.remedy) for each in parsed.warnings]

    for field, message, remedy in findings:
        assert re.sub(r"\[\d+\]$", "", field) in PATHS
        assert message
        assert remedy
        assert (message + remedy).isprintable()
        assert len(message) + len(remedy) < 1000


def test_given_graph_without_a_root_at_an_unknown_provider_when_parsed_then_microsofts_rules_hold() -> None:
    oauth = WrittenOAuth(
        provider="CUSTOM",
        client_id="client-1",
        client_secret=Secret("s"),
        authorization_endpoint="https://id.example.com/authorize",
        token_endpoint="https://id.example.com/token",
        scopes=("https://graph.microsoft.com/Mail.Send",),
        username="alerts@example.com",
        redirect_url="http://localhost:8080/cb",
    )
    written = WrittenSettings(from_address="alerts@example.com", transport=WrittenGraph(), authentication=oauth)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    rooted = replace(written, transport=WrittenGraph(base_url="https://graph.microsoft.com"))

    without, with_root = (parse_settings(each, stored=None, rules=RULES, now=now) for each in (written, rooted))

    assert without.settings == with_root.settings


@settings(max_examples=400, deadline=None)
@given(written=LIKELY, now=NOWS)
def test_given_settings_that_keep_the_rules_when_read_back_and_parsed_again_then_they_are_the_same(
    written: WrittenSettings, now: datetime
) -> None:
    try:
        once = parse_settings(written, stored=None, rules=RULES, now=now).settings
    except ConfigInvalid:
        return

    again = parse_settings(as_read_back(once), stored=once, rules=RULES, now=now).settings

    assert again == once


@pytest.mark.parametrize("valid", VALID)
def test_given_valid_settings_when_read_back_and_parsed_again_then_they_are_the_same(valid: MailSettings) -> None:
    assert parse(as_read_back(valid), stored=valid).settings == valid


@pytest.mark.parametrize("valid", VALID)
def test_given_valid_settings_when_parsed_without_the_stored_ones_then_only_secrets_are_asked_for(
    valid: MailSettings,
) -> None:
    asked_for = refusals(as_read_back(valid))

    expected = set()
    if isinstance(valid.authentication, BasicAuthentication):
        expected.add(("settings.basic.password", Reason.FIELD_REQUIRED))
    if isinstance(valid.authentication, OAuthAuthentication):
        expected.add(("settings.oauth.client_secret", Reason.FIELD_REQUIRED))
    if valid.mailbox is not None and not valid.mailbox.use_oauth:
        expected.add(("settings.mailbox.password", Reason.FIELD_REQUIRED))
    assert asked_for == expected


# Marked, since chance also makes words of ours.
@given(password=st.text(min_size=8, max_size=40).map(lambda text: f"\u2603{text}"))
def test_given_a_secret_when_settings_are_refused_or_warned_of_then_it_is_in_no_message(password: str) -> None:
    refused = written(transport=smtp(host=""), authentication=WrittenBasic("alerts", Secret(password)))

    with pytest.raises(ConfigInvalid) as raised:
        parse_settings(refused, stored=None, rules=SettingsRules(), now=datetime(2026, 11, 25, tzinfo=UTC))

    assert all(password not in each.message + each.remedy for each in raised.value.violations)
    assert password not in repr(refused)


def test_given_empty_settings_when_parsing_then_what_is_mandatory_is_named() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        parse(WrittenSettings())

    assert {violation.field for violation in raised.value.violations} == {"settings.from_address", "settings.transport"}
