"""OAuth endpoints and redirect URLs: https, loopback, and what providers demand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Violation
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.settings.urls import Url, parse_endpoint, parse_redirect_url


@pytest.mark.parametrize(
    "text",
    [
        "https://id.example.com/token",
        "https://id.example.com:8443/token?tenant=a%20b",
        "HTTPS://id.example.com",
        "http://127.0.0.1:9000/token",
        "http://[::1]:9000/token",
        "http://localhost/token",
        "https://192.0.2.1/token",
    ],
)
def test_given_an_endpoint_when_parsing_then_it_is_kept_as_written(text: str) -> None:
    parsed = parse_endpoint(text, field="settings.oauth.token_endpoint")

    assert isinstance(parsed, Url)
    assert parsed.text == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://id.example.com/token", Reason.HTTPS_REQUIRED),
        ("http://localhost.example.com/token", Reason.HTTPS_REQUIRED),
        ("http://127.0.0.1.example.com/token", Reason.HTTPS_REQUIRED),
        ("http://192.0.2.1/token", Reason.HTTPS_REQUIRED),
        ("http://[::ffff:127.0.0.1]/token", Reason.URL_INVALID),
        ("http://127.1/token", Reason.URL_INVALID),
        ("https://id.example.com/token#x", Reason.URL_INVALID),
        ("https://id.example.com/token#", Reason.URL_INVALID),
        ("https://user:hunter2@id.example.com/token", Reason.URL_INVALID),
        ("https://id.example.com@evil.example.net/", Reason.URL_INVALID),
        ("https://id.example.com\\@evil.example.net/", Reason.URL_INVALID),
        ("id.example.com/token", Reason.URL_INVALID),
        ("ftp://u:hunter2@id.example.com/token", Reason.URL_INVALID),
        ("javascript://id.example.com/%0aalert(1)", Reason.URL_INVALID),
        ("https:///token", Reason.URL_INVALID),
        ("https://id.example.com:0/token", Reason.URL_INVALID),
        ("https://id.example.com:99999/token", Reason.URL_INVALID),
        ("https://id.example.com:x/token", Reason.URL_INVALID),
        ("https://[::1/token", Reason.URL_INVALID),
        ("https://[::1]x/token", Reason.URL_INVALID),
        ("https://id_x.example.com/token", Reason.URL_INVALID),
        ("https://id.example.com/to ken", Reason.URL_INVALID),
        ("https://id.example.com/tökén", Reason.URL_INVALID),
        ("https://id.example.com/%zz", Reason.URL_INVALID),
        ("https://id.example.com/\r\nHost: x", Reason.CONTROL_CHARACTER),
        ("https://id.example.com/" + "a" * 2048, Reason.VALUE_TOO_LONG),
    ],
)
def test_given_no_proper_endpoint_when_parsing_then_it_is_refused(text: str, reason: Reason) -> None:
    parsed = parse_endpoint(text, field="settings.oauth.token_endpoint")

    assert isinstance(parsed, Violation)
    assert parsed.reason is reason
    assert parsed.remedy
    assert "hunter2" not in parsed.message


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("https://mail.example.com/oauth/callback", None),
        ("http://localhost:8080/oauth/callback", None),
        ("http://127.0.0.1/cb", OAuthProvider.GOOGLE),
        ("https://mail.example.com/cb", OAuthProvider.GOOGLE),
        ("http://[::1]:8080/cb", OAuthProvider.CUSTOM),
        ("http://[::1]:8080/cb", OAuthProvider.GOOGLE),
        ("https://192.0.2.1/cb", OAuthProvider.CUSTOM),
        ("https://intranet/cb", OAuthProvider.MICROSOFT),
    ],
)
def test_given_a_redirect_url_when_parsing_then_it_is_kept_as_written(
    text: str, provider: OAuthProvider | None
) -> None:
    assert parse_redirect_url(text, field="redirect_url", provider=provider) == text


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("http://mail.example.com/cb", None),
        ("https://mail.example.com/cb#x", None),
        ("https://u@mail.example.com/cb", None),
        ("https://*.example.com/cb", None),
        ("com.example.app:/cb", None),
        ("urn:ietf:wg:oauth:2.0:oob", OAuthProvider.GOOGLE),
        ("https://192.0.2.1/cb", OAuthProvider.GOOGLE),
        ("https://intranet/cb", OAuthProvider.GOOGLE),
        ("http://[::1]:8080/cb", OAuthProvider.MICROSOFT),
        ("https://mail.example.com/cb\n", None),
    ],
)
def test_given_no_proper_redirect_url_when_parsing_then_it_is_refused_with_one_reason(
    text: str, provider: OAuthProvider | None
) -> None:
    parsed = parse_redirect_url(text, field="redirect_url", provider=provider)

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.REDIRECT_URL_INVALID
    assert parsed.remedy


@given(st.text(max_size=80) | st.from_regex(r"https?://[!-~]{0,60}", fullmatch=True))
def test_given_any_text_when_parsing_a_redirect_url_then_it_is_itself_or_refused(text: str) -> None:
    parsed = parse_redirect_url(text, field="redirect_url")

    assert parsed == text or isinstance(parsed, Violation)
