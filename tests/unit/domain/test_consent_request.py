"""Starting a consent: the session that is kept and the address that the browser opens."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.configuration import Configuration, new_configuration, with_draft
from domain.consent import CONSENT_LIFETIME, ConsentRecord, ConsentState, standing
from domain.consent_request import ConsentStart, begin_consent, code_challenge
from domain.errors import InputInvalid, NotReady, SecretUnreadable
from domain.grant import basis_of
from domain.reasons import Reason
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import MailSettings, OAuthAuthentication
from tests.builders import NOW, a_configuration, a_draft, an_oauth_authentication, some_settings
from tests.consent_builders import CHALLENGE, VERIFIER, a_consent_session, some_chances
from tests.unit.domain.settings.samples import exchange, gmail, google, graph, microsoft, parse

PUBLIC = "https://mail.example.com/oauth/callback"


def begin(configuration: Configuration, **changes: Any) -> ConsentStart:
    wishes: dict[str, Any] = {"redirect_url": "", "public_redirect_url": PUBLIC, "login_hint": "", "save": False}
    return begin_consent(configuration, chances=some_chances(), now=NOW, **(wishes | changes))


def begin_with(settings: MailSettings, **changes: Any) -> ConsentStart:
    return begin(a_draft(settings=settings), **changes)


def custom(**changes: Any) -> MailSettings:
    return some_settings(authentication=an_oauth_authentication(**changes))


def query(start: ConsentStart) -> dict[str, str]:
    parsed = parse_qs(urlsplit(start.authorization_url).query, strict_parsing=True, keep_blank_values=True)
    assert all(len(values) == 1 for values in parsed.values())
    return {name: values[0] for name, values in parsed.items()}


def refusals(settings: MailSettings, **changes: Any) -> set[tuple[str, Reason]]:
    with pytest.raises(InputInvalid) as refused:
        begin_with(settings, **changes)
    return {(violation.field, violation.reason) for violation in refused.value.violations}


def test_given_the_verifier_of_rfc_7636_when_hashed_then_the_challenge_is_that_of_appendix_b() -> None:
    assert code_challenge(Secret(VERIFIER)) == CHALLENGE


def test_given_google_when_begun_then_offline_access_and_consent_are_asked_for() -> None:
    start = begin_with(parse(gmail()).settings)

    assert start.authorization_url.startswith("https://accounts.google.com/o/oauth2/v2/auth?response_type=code&")
    assert query(start) == {
        "response_type": "code",
        "client_id": "client-1",
        "redirect_uri": PUBLIC,
        "scope": "https://mail.google.com/ openid email",
        "state": some_chances().state,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "nonce": "nonce-1",
        "access_type": "offline",
        "prompt": "consent",
        "login_hint": "alerts@example.com",
    }


def test_given_f34_google_scopes_that_identify_nobody_when_begun_then_identity_is_asked_for_too() -> None:
    settings = parse(gmail(authentication=google(scopes=("https://mail.google.com/",)))).settings

    start = begin_with(settings)

    assert start.session.scopes == ("https://mail.google.com/", "openid", "email")
    assert start.session.basis.scopes == {"https://mail.google.com/"}
    assert start.session.nonce == "nonce-1"


def test_given_microsoft_when_begun_then_the_tenant_is_in_the_path_and_the_answer_in_the_query() -> None:
    start = begin_with(parse(exchange(authentication=microsoft(directory_tenant="contoso.example"))).settings)

    sent = query(start)
    assert urlsplit(start.authorization_url).path == "/contoso.example/oauth2/v2.0/authorize"
    assert sent["response_mode"] == "query"
    assert sent["scope"] == "https://outlook.office.com/SMTP.Send offline_access openid profile email"
    assert "prompt" not in sent
    assert "access_type" not in sent


def test_given_graph_in_a_national_cloud_when_begun_then_its_own_login_host_is_asked() -> None:
    settings = parse(graph(authentication=microsoft(
        authorization_endpoint="https://login.microsoftonline.us/organizations/oauth2/v2.0/authorize",
        token_endpoint="https://login.microsoftonline.us/organizations/oauth2/v2.0/token",
    ))).settings  # fmt: skip

    start = begin_with(settings)

    assert urlsplit(start.authorization_url).hostname == "login.microsoftonline.us"
    assert "https://graph.microsoft.us/Mail.Send" in query(start)["scope"]


def test_given_another_provider_when_begun_then_plain_rfc_6749_with_pkce() -> None:
    start = begin_with(custom())

    assert start.session.nonce == ""
    assert query(start) == {
        "response_type": "code",
        "client_id": "client-1",
        "redirect_uri": PUBLIC,
        "scope": "mail",
        "state": some_chances().state,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }


def test_given_openid_at_another_provider_when_begun_then_nonce_hint_and_consent_for_offline_access() -> None:
    sent = query(begin_with(custom(scopes=("openid", "mail", "offline_access"))))

    assert (sent["nonce"], sent["login_hint"], sent["prompt"]) == ("nonce-1", "robot@example.com", "consent")


def test_given_an_endpoint_with_a_query_when_begun_then_it_is_kept_and_nothing_stands_there_twice() -> None:
    endpoint = "https://id.example.com/authorize?audience=a%20b&empty=&state=forged&response_type=token"

    sent = query(begin_with(custom(authorization_endpoint=endpoint)))

    assert (sent["audience"], sent["empty"]) == ("a b", "")
    assert (sent["state"], sent["response_type"]) == (some_chances().state, "code")


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x10FFFF, exclude_categories=["C", "Z"]), min_size=1))
def test_given_any_client_and_account_when_begun_then_they_arrive_as_they_are(text: str) -> None:
    start = begin_with(custom(client_id=text, username=text, scopes=("openid", "mail")))

    sent = query(start)
    assert (sent["client_id"], sent["login_hint"]) == (text, text)
    assert start.authorization_url.isascii()


def test_given_a_hint_when_begun_then_it_takes_the_place_of_the_user_name() -> None:
    sent = query(begin_with(custom(), login_hint="anna@example.com"))

    assert sent["login_hint"] == "anna@example.com"


def test_given_a_draft_beside_the_active_revision_when_begun_then_for_the_draft_with_everything_frozen() -> None:
    settings = custom(username="new@example.com")
    configuration = with_draft(a_configuration(settings=custom()), settings, (), at=NOW)

    session = begin(configuration, save=True).session

    assert isinstance(settings.authentication, OAuthAuthentication)
    assert (session.revision, session.save) == (2, True)
    assert session.basis == basis_of(settings.authentication)
    assert session.verifier == Secret(VERIFIER)
    assert session.state_digest == some_chances().state_digest
    assert session.expire_time == NOW + CONSENT_LIFETIME
    assert some_chances().state not in repr(session)


def test_given_an_active_revision_alone_when_begun_then_for_it() -> None:
    assert begin(a_configuration(settings=custom())).session.revision == 1


@pytest.mark.parametrize(
    ("requested", "in_settings", "expected"),
    [
        ("https://a.example.com/cb?x=1", "https://b.example.com/cb", "https://a.example.com/cb?x=1"),
        ("", "https://b.example.com/cb/", "https://b.example.com/cb/"),
        ("", "", PUBLIC),
        ("http://127.0.0.1:54321/cb", "", "http://127.0.0.1:54321/cb"),
    ],
)
def test_given_redirect_urls_when_begun_then_the_requests_then_the_settings_then_the_public_one(
    requested: str, in_settings: str, expected: str
) -> None:
    start = begin_with(custom(redirect_url=in_settings), redirect_url=requested)

    assert start.session.redirect_url == expected
    assert query(start)["redirect_uri"] == expected


@pytest.mark.parametrize("wrong", ["http://mail.example.com/cb", "mail.example.com", "https://a.example/#f"])
def test_given_a_redirect_url_that_cannot_be_when_begun_then_refused(wrong: str) -> None:
    assert refusals(custom(), redirect_url=wrong) == {("redirect_url", Reason.REDIRECT_URL_INVALID)}


def test_given_google_when_the_public_url_is_a_bare_address_then_refused() -> None:
    settings = parse(gmail()).settings

    assert refusals(settings, public_redirect_url="https://192.0.2.1/oauth/callback") == {
        ("redirect_url", Reason.REDIRECT_URL_INVALID)
    }


def test_given_nothing_at_all_when_begun_then_everything_missing_is_named_at_once() -> None:
    empty = custom(
        client_id="",
        client_secret=Secret(""),
        authorization_endpoint="",
        token_endpoint="",
        scopes=(),
        username="",
    )

    assert refusals(empty, public_redirect_url="", login_hint="a\nb") == {
        ("settings.oauth.client_id", Reason.FIELD_REQUIRED),
        ("settings.oauth.client_secret", Reason.FIELD_REQUIRED),
        ("settings.oauth.authorization_endpoint", Reason.FIELD_REQUIRED),
        ("settings.oauth.token_endpoint", Reason.FIELD_REQUIRED),
        ("settings.oauth.scopes", Reason.FIELD_REQUIRED),
        ("settings.oauth.username", Reason.FIELD_REQUIRED),
        ("redirect_url", Reason.FIELD_REQUIRED),
        ("login_hint", Reason.CONTROL_CHARACTER),
    }


@pytest.mark.parametrize("configuration", [a_configuration(), new_configuration("acme", "alerts", at=NOW)])
def test_given_settings_without_oauth_when_begun_then_not_configured(configuration: Configuration) -> None:
    with pytest.raises(NotReady) as refused:
        begin(configuration)

    assert refused.value.reason is Reason.NOT_CONFIGURED


def test_given_f42_a_client_secret_that_does_not_open_when_begun_then_said_before_anybody_consents() -> None:
    with pytest.raises(SecretUnreadable):
        begin_with(custom(client_secret=UnreadableSecret()))


def test_given_a_session_when_its_ten_minutes_are_over_then_expired_and_not_before() -> None:
    session = a_consent_session()

    session.check_alive(now=session.expire_time - CONSENT_LIFETIME / 1000)
    with pytest.raises(NotReady) as refused:
        session.check_alive(now=session.expire_time)

    assert refused.value.reason is Reason.STATE_EXPIRED


@pytest.mark.parametrize("state", ConsentState)
def test_given_a_record_when_time_passes_then_only_a_pending_one_expires(state: ConsentState) -> None:
    record = ConsentRecord(state=state, create_time=NOW, expire_time=NOW + CONSENT_LIFETIME, redirect_url=PUBLIC)

    client = an_oauth_authentication()

    before, after = (standing(record, client=client, now=now) for now in (NOW, record.expire_time))

    assert before == record
    if state is ConsentState.PENDING:
        assert after.state is ConsentState.EXPIRED
        assert after.failure is not None
        assert after.failure.reason is Reason.STATE_EXPIRED
        assert PUBLIC in after.failure.remedy
        assert client.client_id in after.failure.remedy
    else:
        assert after == record


def test_given_settings_without_oauth_by_now_when_a_session_expires_then_what_is_known_is_told() -> None:
    record = ConsentRecord(
        state=ConsentState.PENDING, create_time=NOW, expire_time=NOW + CONSENT_LIFETIME, redirect_url=PUBLIC
    )

    after = standing(record, client=None, now=record.expire_time)

    assert after.failure is not None
    assert after.failure.reason is Reason.STATE_EXPIRED
    assert after.failure.remedy.startswith("Call Authorize again")
