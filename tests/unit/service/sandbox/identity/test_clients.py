"""Which redirect URLs are registered, and who is the client."""

from __future__ import annotations

import base64
from urllib.parse import quote_plus

import pytest

from service.sandbox.identity.behaviour import TRAITS, Behaviour
from service.sandbox.identity.clients import Clients

ID, SECRET = TRAITS[Behaviour.STRICT].client_id, TRAITS[Behaviour.STRICT].client_secret


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()


@pytest.mark.parametrize(
    ("url", "registered"),
    [
        ("http://127.0.0.1:1/oauth/callback", True),
        ("http://[::1]:65000/oauth/callback", True),
        ("http://localhost/oauth/callback", True),
        ("https://mail.example.org/oauth/callback", True),
        ("https://app.example/cb?x=1", True),
        ("https://app.example/cb", False),
        ("https://app.example/cb?x=1&y=2", False),
        ("http://127.0.0.1:1/oauth/callback?x=1", False),
        ("http://127.0.0.1:1/oauth/callback#x", False),
        ("http://127.0.0.1:1/oauth/callback/", False),
        ("http://127.0.0.1:1/OAuth/callback", False),
        ("http://user@127.0.0.1:1/oauth/callback", False),
        ("http://127.0.0.1.evil.example/oauth/callback", False),
        ("http://127.0.0.1:1@evil.example/oauth/callback", False),
        ("https://evil.example/oauth/callback", False),
        ("javascript:alert(1)", False),
        ("http://[/oauth/callback", False),
        ("", False),
    ],
)
def test_given_a_redirect_url_when_checked_then_only_exact_loopback_and_own_ones_are_registered(
    url: str, registered: bool
) -> None:
    clients = Clients()
    clients.register_redirect("https://app.example/cb?x=1")

    assert clients.is_registered(url, own_host="mail.example.org") is registered


@pytest.mark.parametrize(
    ("form", "authorization", "known"),
    [
        ({"client_id": ID, "client_secret": SECRET}, "", True),
        ({}, basic(ID, SECRET), True),
        ({"client_id": ID}, basic(ID, SECRET), True),
        ({"client_id": ID, "client_secret": SECRET}, basic(ID, SECRET), False),
        ({"client_id": ID, "client_secret": SECRET + "x"}, "", False),
        ({"client_id": ID}, "", False),
        ({}, basic(ID, "other"), False),
        ({}, "Basic " + base64.b64encode(f"{ID}:{SECRET}".encode()).decode(), False),  # not form-encoded
        ({}, "Basic !!!", False),
        ({}, f"Bearer {SECRET}", False),
        ({"client_id": TRAITS[Behaviour.GOOGLE].client_id, "client_secret": SECRET}, "", False),
    ],
)
def test_given_credentials_when_authenticating_then_post_and_basic_are_taken_one_at_a_time(
    form: dict[str, str], authorization: str, known: bool
) -> None:
    assert Clients().authenticate(Behaviour.STRICT, form, authorization) is known


def test_given_another_secret_when_it_is_changed_then_the_old_one_is_worthless() -> None:
    clients = Clients()

    clients.change_secret(Behaviour.STRICT, "new")

    assert clients.authenticate(Behaviour.STRICT, {"client_id": ID, "client_secret": "new"}, "")
    assert not clients.authenticate(Behaviour.STRICT, {"client_id": ID, "client_secret": SECRET}, "")
