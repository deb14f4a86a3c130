"""What a code was exchanged for: enough to send with, or refused by name (F30, F34)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.consent import ConsentSession
from domain.consent_answer import judge_answer
from domain.consent_request import begin_consent
from domain.errors import ProviderRefused
from domain.failures.failure import Stage
from domain.grant import Grant, GrantState, issuer_of
from domain.reasons import Reason
from domain.resource import GRAPH, OUTLOOK, SINGLE, Resource
from domain.secret import Secret
from domain.settings.model import MailSettings, OAuthAuthentication
from domain.settings.written import WrittenGraph
from tests.builders import NOW, a_draft, an_oauth_authentication, some_settings
from tests.consent_builders import a_token_answer, some_chances
from tests.unit.domain.settings.samples import exchange, gmail, google, graph, microsoft, parse

SMTP = "https://outlook.office.com/SMTP.Send"
IMAP = "https://outlook.office.com/IMAP.AccessAsUser.All"
SEND = "https://graph.microsoft.com/Mail.Send"
MAIL = "https://mail.google.com/"
CUSTOM = some_settings(authentication=an_oauth_authentication(username="alerts@example.com"))
GOOGLE = parse(gmail()).settings


def session_for(settings: MailSettings) -> ConsentSession:
    return begin_consent(
        a_draft(settings=settings),
        redirect_url="",
        public_redirect_url="https://mail.example.com/oauth/callback",
        login_hint="",
        save=False,
        chances=some_chances(),
        now=NOW,
    ).session


def judge(settings: MailSettings, *, resource: Resource = SINGLE, **changes: Any) -> Grant:
    assert isinstance(settings.authentication, OAuthAuthentication)
    session = session_for(settings)
    answer = a_token_answer(**{"account": "alerts@example.com", "nonce": session.nonce} | changes)
    issuer = issuer_of(settings.authentication)
    return judge_answer(session, settings, answer, issuer=issuer, resource=resource, grant_id="g1", asked_time=NOW)


def refusal(settings: MailSettings, *, resource: Resource = SINGLE, **changes: Any) -> ProviderRefused:
    with pytest.raises(ProviderRefused) as refused:
        judge(settings, resource=resource, **changes)
    assert refused.value.failure.stage is Stage.CONSENT
    assert refused.value.failure.remedy
    return refused.value


def microsoft_with(*scopes: str) -> MailSettings:
    return parse(exchange(authentication=microsoft(scopes=(*scopes, "offline_access")))).settings


def test_given_a_good_answer_when_judged_then_the_grant_holds_all_of_it() -> None:
    grant = judge(GOOGLE, scopes=(MAIL, "openid"), refresh_token_expires_in=timedelta(days=7))

    token = grant.access_token(SINGLE)
    assert token is not None
    assert (token.token, token.expire_time, token.generation) == (Secret("AT2"), NOW + timedelta(hours=1), 1)
    assert (grant.refresh_token, grant.account, grant.generation) == (Secret("RT2"), "alerts@example.com", 1)
    assert grant.granted_scopes == (MAIL, "openid")
    assert grant.refresh_token_expire_time == NOW + timedelta(days=7)
    assert (grant.state, grant.authorize_time, grant.refresh_time) == (GrantState.AUTHORIZED, NOW, None)
    assert grant.basis == session_for(GOOGLE).basis


def test_given_f34_an_account_of_two_names_when_judged_then_either_may_be_the_user_name() -> None:
    sending = microsoft_with(SMTP)

    grant = judge(
        sending, resource=OUTLOOK, account="alerts@corp.example.com", other_names=("Alerts@example.com",), scopes=None
    )

    assert grant.account == "Alerts@example.com"
    refused = refusal(sending, resource=OUTLOOK, account="boss@example.com", other_names=("chief@example.com",))
    assert (refused.reason, refused.metadata["account"]) == (Reason.ACCOUNT_MISMATCH, "boss@example.com")


@pytest.mark.parametrize("token", [None, Secret("")])
@pytest.mark.parametrize("settings", [GOOGLE, CUSTOM, microsoft_with(SMTP)])
def test_given_no_refresh_token_when_judged_then_refused_by_name(token: Secret | None, settings: MailSettings) -> None:
    resource = OUTLOOK if settings not in (GOOGLE, CUSTOM) else SINGLE

    assert refusal(settings, resource=resource, refresh_token=token).reason is Reason.REFRESH_TOKEN_MISSING


def test_given_no_refresh_token_and_no_offline_access_when_judged_then_the_fix_asks_for_it() -> None:
    custom = refusal(CUSTOM, refresh_token=None)
    google = refusal(GOOGLE, refresh_token=None)
    asked = refusal(microsoft_with(SMTP), resource=OUTLOOK, refresh_token=None)

    (fix,) = custom.failure.fixes
    assert fix.field == "settings.oauth.scopes"
    assert fix.value.split()[-1] == "offline_access"
    assert (google.failure.fixes, asked.failure.fixes) == ((), ())


@pytest.mark.parametrize(
    "granted",
    [
        (SMTP,),
        (SMTP, "offline_access"),
        ("openid", SMTP),
        None,
        ("https://outlook.office.com/smtp.send",),
        ("https://outlook.office365.com/SMTP.Send",),
        (IMAP, "https://outlook.office.com/SMTP.Send", "https://outlook.office.com/User.Read"),
    ],
)
def test_given_f30_granted_scopes_that_only_look_different_when_judged_then_accepted(
    granted: tuple[str, ...] | None,
) -> None:
    assert judge(microsoft_with(SMTP), resource=OUTLOOK, scopes=granted).state is GrantState.AUTHORIZED


@pytest.mark.parametrize(
    ("settings", "resource", "granted", "missing"),
    [
        (microsoft_with(SMTP), OUTLOOK, (IMAP,), SMTP),
        (microsoft_with(SMTP), OUTLOOK, (), SMTP),
        (microsoft_with(SMTP), OUTLOOK, ("SMTP.Send",), SMTP),
        (microsoft_with(SMTP), OUTLOOK, ("https://graph.microsoft.com/SMTP.Send",), SMTP),
        (microsoft_with(SMTP, IMAP), OUTLOOK, ("openid",), f"{SMTP} {IMAP}"),
        (parse(graph()).settings, GRAPH, ("User.Read", "openid"), SEND),
        (GOOGLE, SINGLE, ("openid", "https://www.googleapis.com/auth/userinfo.email"), MAIL),
        (GOOGLE, SINGLE, ("https://mail.google.com",), MAIL),
        (CUSTOM, SINGLE, ("Mail",), "mail"),
    ],
)
def test_given_f30_too_little_scope_when_judged_then_what_is_missing_is_named(
    settings: MailSettings, resource: Resource, granted: tuple[str, ...], missing: str
) -> None:
    refused = refusal(settings, resource=resource, scopes=granted)

    assert refused.reason is Reason.MISSING_SCOPE
    assert refused.metadata == {"missing_scopes": missing}
    assert missing in refused.message


@pytest.mark.parametrize(
    ("settings", "resource", "granted"),
    [
        (parse(graph()).settings, GRAPH, ("Mail.Send",)),
        (parse(graph()).settings, GRAPH, ("mail.send", "profile", "email")),
        (microsoft_with("https://outlook.office.com/.default"), OUTLOOK, (SMTP,)),
        (microsoft_with(SMTP, "https://outlook.office.com/POP.AccessAsUser.All"), OUTLOOK, (SMTP,)),
        (parse(gmail(authentication=google(scopes=(MAIL, "https://www.googleapis.com/auth/calendar")))).settings,
         SINGLE, (MAIL, "openid")),
    ],
)  # fmt: skip
def test_given_what_mail_needs_when_judged_then_the_rest_hinders_nobody(
    settings: MailSettings, resource: Resource, granted: tuple[str, ...]
) -> None:
    assert judge(settings, resource=resource, scopes=granted).state is GrantState.AUTHORIZED


def test_given_scopes_of_two_resources_when_judged_for_one_then_the_other_is_not_missed() -> None:
    settings = parse(exchange(authentication=microsoft(scopes=(SMTP, SEND, "offline_access")))).settings

    grant = judge(settings, resource=OUTLOOK, scopes=(SMTP,))

    assert grant.granted_scopes == (SMTP,)
    assert [token.resource for token in grant.access_tokens] == [OUTLOOK]


@pytest.mark.parametrize(
    ("settings", "account"),
    [
        (CUSTOM, ""),
        (CUSTOM, "Alerts@Example.com"),
        (CUSTOM, "alerts@EXAMPLE.com"),
        (GOOGLE, "ALERTS@example.com"),
        (parse(gmail(authentication=google(username="al.erts@googlemail.com"))).settings, "alerts@gmail.com"),
    ],
)
def test_given_f34_the_account_of_the_settings_when_judged_then_accepted(settings: MailSettings, account: str) -> None:
    assert judge(settings, account=account).account == account


@pytest.mark.parametrize("account", ["boss@example.com", "alerts@example.com.evil", "a.lerts@example.com", "alerts"])
@pytest.mark.parametrize("settings", [CUSTOM, GOOGLE])
def test_given_f34_another_account_when_judged_then_both_are_named(settings: MailSettings, account: str) -> None:
    refused = refusal(settings, account=account)

    assert refused.reason is Reason.ACCOUNT_MISMATCH
    assert refused.metadata == {"account": account, "username": "alerts@example.com"}
    assert account in refused.message
    assert "alerts@example.com" in refused.message


@pytest.mark.parametrize(
    ("username", "mailbox", "account", "is_accepted"),
    [
        ("alerts@example.com", "team@example.com", "alerts@example.com", True),
        ("alerts@example.com", "team@example.com", "team@example.com", True),
        ("team@example.com", "team@example.com", "boss@example.com", True),
        ("alerts@example.com", "team@example.com", "boss@example.com", False),
        ("alerts@example.com", "", "boss@example.com", False),
    ],
)
def test_given_f34_a_shared_mailbox_when_judged_then_only_a_stranger_to_it_is_refused(
    username: str, mailbox: str, account: str, is_accepted: bool
) -> None:
    written = graph(transport=WrittenGraph(mailbox=mailbox), authentication=microsoft(username=username))
    settings = parse(written).settings

    if is_accepted:
        assert judge(settings, resource=GRAPH, account=account).account == account
    else:
        assert refusal(settings, resource=GRAPH, account=account).reason is Reason.ACCOUNT_MISMATCH


@pytest.mark.parametrize(
    ("nonce", "account", "is_accepted"),
    [
        ("nonce-1", "alerts@example.com", True),
        ("", "", True),
        ("nonce-2", "alerts@example.com", False),
        ("", "alerts@example.com", False),
        ("nonce-2", "", False),
    ],
)
def test_given_a_nonce_when_an_id_token_comes_then_it_brings_it_back(
    nonce: str, account: str, is_accepted: bool
) -> None:
    if is_accepted:
        assert judge(GOOGLE, nonce=nonce, account=account).account == account
    else:
        assert refusal(GOOGLE, nonce=nonce, account=account).reason is Reason.STATE_INVALID


def test_given_no_nonce_asked_for_when_one_comes_then_it_does_not_matter() -> None:
    assert judge(CUSTOM, nonce="whatever").generation == 1


def test_given_anything_refused_when_printed_then_no_token_is_in_it() -> None:
    refused = refusal(GOOGLE, account="boss@example.com", access_token=Secret("c4nary"), refresh_token=Secret("c4nary"))

    assert "c4nary" not in f"{refused} {refused.failure!r} {refused.metadata}"
