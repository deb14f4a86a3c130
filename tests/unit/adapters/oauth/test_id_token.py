from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.oauth.id_token import Identity, read_id_token


def an_id_token(**claims: object) -> str:
    payload = json.dumps({"aud": "mailport", "email": "robot@example.com", "nonce": "N1", **claims}).encode()
    return ".".join(["e30", urlsafe_b64encode(payload).decode().rstrip("="), "signature"])


def identity(token: object) -> Identity:
    return read_id_token(token, client_id="mailport")


@pytest.mark.parametrize("audience", ["mailport", ["mailport"], ["other", "mailport"]])
def test_given_a_token_for_us_when_read_then_account_and_nonce_are_known(audience: object) -> None:
    assert identity(an_id_token(aud=audience)) == Identity(account="robot@example.com", nonce="N1")


@pytest.mark.parametrize("audience", ["other", ["other"], [], None, 7, "mailport2"])
def test_given_a_token_for_somebody_else_when_read_then_it_says_nothing(audience: object) -> None:
    assert identity(an_id_token(aud=audience)) == Identity()


@pytest.mark.parametrize(
    ("claims", "account"),
    [
        ({"preferred_username": "other@example.com"}, "robot@example.com"),
        ({"email": "", "preferred_username": "p@example.com"}, "p@example.com"),
        ({"email": None, "preferred_username": "p@example.com"}, "p@example.com"),
        ({"email_verified": False, "preferred_username": "p@example.com"}, "p@example.com"),
        ({"email_verified": "false"}, ""),
        ({"email_verified": True}, "robot@example.com"),
        ({"email": "", "preferred_username": "nickname"}, ""),
        ({"email": "a@b.example\r\nX: y"}, ""),
        ({"email": "a@" + "b" * 2000}, ""),
        ({"email": ["a@b.example"]}, ""),
    ],
)
def test_given_claims_when_read_then_the_account_is_an_address_or_unknown(
    claims: dict[str, object], account: str
) -> None:
    assert identity(an_id_token(**claims)).account == account


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("robot@corp.example.com", ("robot@corp.example.com",)),
        ("Robot@Example.com", ()),
        ("nickname", ()),
        ("CORP\\robot@example.com", ()),
        (None, ()),
    ],
)
def test_given_f34_a_user_name_beside_the_address_when_read_then_it_is_another_name(
    name: str | None, others: tuple[str, ...]
) -> None:
    assert identity(an_id_token(preferred_username=name)).other_names == others


@pytest.mark.parametrize("token", [None, "", 7, "a.b", "a.b.c.d", "a.!!!.c", "e30.W10.c", "e30.bm8.c", ["a"]])
def test_given_no_proper_token_when_read_then_it_says_nothing(token: object) -> None:
    assert identity(token) == Identity()


@given(st.text())
def test_given_any_text_when_read_then_nothing_is_raised(text: str) -> None:
    assert identity(f"e30.{text}.s") == Identity()
