"""The initial responses of the two mechanisms for tokens."""

from __future__ import annotations

import pytest

from service.sandbox.bearer_sign_in import BearerCredentials, MalformedCredentials, read_oauthbearer, read_xoauth2


def test_given_xoauth2_as_google_documents_it_when_read_then_user_and_token_are_found() -> None:
    read = read_xoauth2(b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4q=\x01\x01")

    assert read == BearerCredentials("someuser@example.com", "ya29.vF9dft4q=")


def test_given_oauthbearer_as_rfc_7628_documents_it_when_read_then_user_and_token_are_found() -> None:
    read = read_oauthbearer(b"n,a=us=2Cer@example.com,\x01host=h\x01port=587\x01auth=Bearer vF9dft4q=\x01\x01")

    assert read == BearerCredentials("us,er@example.com", "vF9dft4q=")


@pytest.mark.parametrize(
    "response",
    [b"", b"user=a\x01auth=Bearer t\x01", b"auth=Bearer t\x01\x01", b"user=a\x01auth=Basic t\x01\x01", b"\xff\x01\x01",
     b"user=a\x01auth=Bearer \x01\x01"],
)  # fmt: skip
def test_given_something_else_when_read_as_xoauth2_then_it_is_malformed(response: bytes) -> None:
    with pytest.raises(MalformedCredentials):
        read_xoauth2(response)


@pytest.mark.parametrize(
    "response",
    [b"", b"n,,\x01auth=Bearer t\x01\x01", b"n,a=u,\x01auth=Bearer t\x01", b"y,a=u,\x01auth=Bearer t\x01\x01",
     b"n,a=u,\x01\x01"],
)  # fmt: skip
def test_given_something_else_when_read_as_oauthbearer_then_it_is_malformed(response: bytes) -> None:
    with pytest.raises(MalformedCredentials):
        read_oauthbearer(response)
