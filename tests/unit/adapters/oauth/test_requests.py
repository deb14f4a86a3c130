from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from urllib.parse import parse_qsl, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.oauth.requests import FormRequest, exchange_request, refresh_request, revoke_request
from domain.secret import Secret
from domain.settings.model import OAuthAuthentication, OAuthProvider
from tests.integration.oauth.asking import CLIENT_SECRET, CODE, REDIRECT_URL, SCOPES, VERIFIER, a_client

CUSTOM = a_client("https://id.example.com/token", revocation_endpoint="https://id.example.com/revoke")
GOOGLE = replace(CUSTOM, provider=OAuthProvider.GOOGLE, revocation_endpoint="https://oauth2.googleapis.com/revoke")
MICROSOFT = replace(CUSTOM, provider=OAuthProvider.MICROSOFT)
HIDDEN_MICROSOFT = replace(CUSTOM, token_endpoint="https://login.microsoftonline.com/t/oauth2/v2.0/token")


def form(request: FormRequest) -> dict[str, str]:
    pairs = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def exchange(client: OAuthAuthentication = CUSTOM, *, code: str = CODE.reveal()) -> FormRequest:
    return exchange_request(client, code=Secret(code), verifier=VERIFIER, redirect_url=REDIRECT_URL, scopes=SCOPES)


def test_given_a_code_when_exchanged_then_the_form_holds_all_that_the_standard_wants() -> None:
    assert form(exchange()) == {
        "grant_type": "authorization_code",
        "code": CODE.reveal(),
        "code_verifier": VERIFIER.reveal(),
        "redirect_uri": REDIRECT_URL,
        "client_id": "mailport",
        "client_secret": CLIENT_SECRET,
    }


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=300))
def test_given_any_code_when_exchanged_then_it_is_encoded_exactly_once(code: str) -> None:
    """F32."""
    assert form(exchange(code=code))["code"] == code


@pytest.mark.parametrize("code", ["4/0AbC+dE!x*.y~_-", "4%2F0AbC", "x" * 2500])
def test_given_a_code_that_looks_encoded_when_exchanged_then_it_is_left_alone(code: str) -> None:
    """F32."""
    assert form(exchange(code=code))["code"] == code


@given(st.text(min_size=1, max_size=100).filter(lambda text: text.isprintable()))
def test_given_any_client_secret_when_sent_then_it_is_encoded_exactly_once(secret: str) -> None:
    assert form(exchange(replace(CUSTOM, client_secret=Secret(secret))))["client_secret"] == secret


@pytest.mark.parametrize("client", [MICROSOFT, HIDDEN_MICROSOFT])
def test_given_microsoft_when_exchanged_then_the_scopes_name_the_one_resource(client: OAuthAuthentication) -> None:
    assert form(exchange(client))["scope"] == " ".join(SCOPES)


@pytest.mark.parametrize(("scopes", "sent"), [((), None), (("a", "b"), "a b")])
def test_given_a_refresh_token_when_refreshed_then_scopes_are_named_where_wanted(
    scopes: tuple[str, ...], sent: str | None
) -> None:
    asked = form(refresh_request(CUSTOM, refresh_token=Secret("RT/1+"), scopes=scopes))

    assert (asked["grant_type"], asked["refresh_token"], asked.get("scope")) == ("refresh_token", "RT/1+", sent)


def test_given_a_token_when_revoked_then_the_client_proves_itself() -> None:
    """RFC 7009 section 2.1."""
    request = revoke_request(CUSTOM, token=Secret("RT1"))

    assert request.endpoint == CUSTOM.revocation_endpoint
    assert form(request) == {
        "token": "RT1",
        "token_type_hint": "refresh_token",
        "client_id": "mailport",
        "client_secret": CLIENT_SECRET,
    }


def test_given_google_when_revoked_then_the_token_goes_alone() -> None:
    assert form(revoke_request(GOOGLE, token=Secret("1//RT"))) == {"token": "1//RT"}


def test_given_a_request_when_printed_then_it_holds_no_secret() -> None:
    """F41."""
    assert "SECRET" not in repr(exchange())


@given(
    st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable()),
    st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable()),
)
def test_given_any_id_and_secret_when_proven_by_header_then_each_is_a_form_before_the_two_are_joined(
    client_id: str, secret: str
) -> None:
    """RFC 6749 section 2.3.1; the form then holds neither."""
    request = exchange(replace(CUSTOM, client_id=client_id, client_secret=Secret(secret))).in_header

    assert request is not None
    scheme, _, credentials = request.authorization.partition(" ")
    told = b64decode(credentials).decode("ascii").split(":")
    assert (scheme, [unquote_plus(part) for part in told]) == ("Basic", [client_id, secret])
    assert not {"client_id", "client_secret"} & form(request).keys()
    assert {secret, credentials} <= set(request.secrets)


def test_given_a_custom_server_when_asked_then_the_body_goes_first_and_the_rest_is_the_same() -> None:
    for request in (exchange(), refresh_request(CUSTOM, refresh_token=Secret("RT"), scopes=())):
        assert request.in_header is not None
        assert request.authorization == ""
        proof = {"client_id": "mailport", "client_secret": CLIENT_SECRET}
        assert form(request) == {**form(request.in_header), **proof}
        assert request.endpoint == request.in_header.endpoint
    assert revoke_request(CUSTOM, token=Secret("RT1")).in_header is not None


@pytest.mark.parametrize("client", [MICROSOFT, HIDDEN_MICROSOFT, GOOGLE, replace(CUSTOM, client_secret=Secret(""))])
def test_given_a_server_that_wants_the_body_or_no_secret_when_asked_then_there_is_no_other_way(
    client: OAuthAuthentication,
) -> None:
    assert exchange(client).in_header is None
