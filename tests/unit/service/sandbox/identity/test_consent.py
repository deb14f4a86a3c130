"""From the authorization request to the callback: what each behaviour takes, refuses, and says."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.request import ShownError
from tests.unit.service.sandbox.identity.client import ACCOUNT, OAuthClient, callback

EVERY = pytest.mark.parametrize("behaviour", list(Behaviour))


@EVERY
def test_given_consent_when_the_callback_comes_then_it_has_a_code_the_state_and_iss_where_it_is_sent(
    behaviour: Behaviour,
) -> None:
    client = OAuthClient(behaviour)

    fields = callback(client.provider.consent(client.url(), account=ACCOUNT))

    assert fields["state"] == "s" * 43
    assert len(fields["code"]) > 40
    assert fields.get("iss") == (None if behaviour is Behaviour.MICROSOFT else client.endpoints.issuer)
    assert ("scope" in fields) is (behaviour is Behaviour.GOOGLE)


def test_given_googles_code_when_sent_then_its_slash_is_encoded_once() -> None:
    """F32."""
    client = OAuthClient(Behaviour.GOOGLE)

    url = client.provider.consent(client.url(), account=ACCOUNT)

    assert "code=4%2F0A" in urlsplit(url).query
    assert callback(url)["code"].startswith("4/0A")


@EVERY
def test_given_a_person_who_cancels_when_the_callback_comes_then_it_says_access_denied(behaviour: Behaviour) -> None:
    """F31."""
    client = OAuthClient(behaviour)

    fields = callback(client.provider.cancel(client.url()))

    assert fields["error"] == "access_denied"
    assert fields["state"] == "s" * 43
    assert "code" not in fields
    described = fields.get("error_description", "")
    expected = {Behaviour.GOOGLE: "", Behaviour.MICROSOFT: "AADSTS65004: ", Behaviour.STRICT: "The user did not"}
    assert described.startswith(expected[behaviour])
    assert bool(described) is (behaviour is not Behaviour.GOOGLE)


@EVERY
@pytest.mark.parametrize(("account", "error"), [("denied", "access_denied"), ("consent+1", "consent_required")])
def test_given_a_magic_account_when_consenting_then_the_callback_has_its_error(
    behaviour: Behaviour, account: str, error: str
) -> None:
    client = OAuthClient(behaviour)

    fields = callback(client.provider.consent(client.url(), account=f"{account}@any.example"))

    assert fields["error"] == error


@EVERY
@pytest.mark.parametrize(
    ("account", "changes", "code"),
    [
        ("admin@any.example", {}, "90094|admin_policy_enforced"),
        (ACCOUNT, {"redirect_uri": "https://evil.example/oauth/callback"}, "50011|mismatch|invalid_request"),
        (ACCOUNT, {"client_id": "another"}, "700016|invalid_client"),
        (ACCOUNT, {"access_token_seconds": "0"}, "invalid_request"),
    ],
)
def test_given_what_only_the_person_may_know_when_consenting_then_there_is_no_callback(
    behaviour: Behaviour, account: str, changes: dict[str, str], code: str
) -> None:
    client = OAuthClient(behaviour)

    with pytest.raises(ShownError) as shown:
        client.provider.consent(client.url(**changes), account=account)

    assert any(part in shown.value.code for part in code.split("|"))


@pytest.mark.parametrize("behaviour", [Behaviour.MICROSOFT, Behaviour.STRICT])
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "fly"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"response_mode": "fragment"}, "invalid_request"),
    ],
)
def test_given_a_faulty_request_when_it_names_a_good_redirect_url_then_the_client_is_told(
    behaviour: Behaviour, changes: dict[str, str | None], error: str
) -> None:
    client = OAuthClient(behaviour)

    fields = callback(client.provider.consent(client.url(**changes), account=ACCOUNT))

    assert fields["error"] == error


def test_given_a_faulty_request_when_google_gets_it_then_the_person_is_told() -> None:
    client = OAuthClient(Behaviour.GOOGLE)

    with pytest.raises(ShownError, match="not known"):
        client.provider.consent(client.url(scope="fly"), account=ACCOUNT)


def test_given_no_challenge_when_the_strict_provider_is_asked_then_it_refuses_and_the_others_do_not() -> None:
    without: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
    strict, google = OAuthClient(Behaviour.STRICT), OAuthClient(Behaviour.GOOGLE)

    refused = callback(strict.provider.consent(strict.url(**without), account=ACCOUNT))

    assert refused["error"] == "invalid_request"
    assert "code" in callback(google.provider.consent(google.url(**without), account=ACCOUNT))


def test_given_everything_unticked_when_allowed_then_google_takes_it_as_a_refusal() -> None:
    client = OAuthClient(Behaviour.GOOGLE)
    url = client.url(scope="https://mail.google.com/")

    fields = callback(client.provider.consent(url, account=ACCOUNT, ticked=frozenset()))

    assert fields["error"] == "access_denied"


def test_given_consents_when_counted_then_sound_requests_codes_and_refusals_are_told_apart() -> None:
    client = OAuthClient(Behaviour.STRICT)

    client.consent()
    client.provider.cancel(client.url())
    client.provider.consent(client.url(scope="fly"), account=ACCOUNT)

    counters = client.provider.counters(Behaviour.STRICT)
    assert (counters.authorizations, counters.consents, counters.denials) == (2, 1, 1)
