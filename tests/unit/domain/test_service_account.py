"""The shapes of service accounts' keys."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from domain.secret import Secret
from domain.service_account import NotAKey, ServiceAccountKey, read_service_account_key
from tests.unit.domain.keys import ACCOUNT, KEY_ID, json_key, pem, public_pem


@pytest.mark.parametrize("before", ["", "\n ", "\ufeff"])
def test_given_googles_file_when_read_then_account_key_and_its_name_are_known(before: str) -> None:
    assert read_service_account_key(before + json_key()) == ServiceAccountKey(
        private_key=Secret(pem()), client_email=ACCOUNT, key_id=KEY_ID
    )


@pytest.mark.parametrize("is_pkcs1", [False, True])
@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_given_a_private_key_alone_when_read_then_it_is_all_there_is(is_pkcs1: bool, end: str) -> None:
    text = pem(is_pkcs1=is_pkcs1)

    key = read_service_account_key(text.strip() + end)

    assert key == ServiceAccountKey(private_key=Secret(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("GOCSPX-a-client-secret", "neither Google's JSON key nor one RSA private key"),
        (json_key()[:-30], "damaged or cut off"),
        ("{" * 50_000, "damaged or cut off"),
        (json_key(client_email=None), "no client_email"),
        (json_key(client_email=7), "no client_email"),
        (json_key(private_key=None), "no private_key"),
        (json_key(type="authorized_user"), "OAuth client or a user"),
        ('{"installed": {"client_id": "c"}}', "OAuth client or a user"),
        (pem(passphrase=b"open sesame"), "passphrase"),
        (pem(is_pkcs1=True, passphrase=b"open sesame"), "passphrase"),
        (public_pem(), "public key or a certificate"),
        (pem() + pem(), "neither"),
        (pem().replace("\n", "\\n"), "neither"),
        (pem()[:800], "neither"),
        (pem(ec.generate_private_key(ec.SECP256R1()), is_pkcs1=True), "neither"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "damaged"),
        ("-----BEGIN PRIVATE KEY-----\nAAA\n-----END PRIVATE KEY-----", "damaged"),
        (json_key(private_key="-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"), "damaged"),
    ],
)  # fmt: skip
def test_given_something_else_when_read_then_the_refusal_says_what_it_is_and_repeats_nothing(
    text: str, words: str
) -> None:
    with pytest.raises(NotAKey) as refused:
        read_service_account_key(text)

    assert words in refused.value.message
    assert refused.value.remedy.endswith(".")
    assert "GOCSPX" not in str(refused.value)
    assert refused.value.__cause__ is None


@given(st.text(st.sampled_from('{}":,-BEGINPRVATKY \n+/=a1'), max_size=200) | st.text(max_size=200))
def test_given_any_text_when_read_then_nothing_else_is_raised(text: str) -> None:
    with pytest.raises(NotAKey):
        read_service_account_key(text)
