from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp import sasl
from domain.secret import Secret


def exchanges(*offered: str, username: str = "robot@example.com", password: str = "s3cr3t!") -> list[sasl.Exchange]:
    return sasl.exchanges(offered, username=username, password=Secret(password))


def test_given_both_mechanisms_when_chosen_then_plain_comes_first() -> None:
    assert [way.mechanism for way in exchanges("LOGIN", "XOAUTH2", "PLAIN")] == ["PLAIN", "LOGIN"]


@pytest.mark.parametrize("offered", [(), ("XOAUTH2", "GSSAPI"), ("OAUTHBEARER",), ("CRAM-MD5",)])
def test_given_nothing_for_passwords_when_chosen_then_there_is_no_way(offered: tuple[str, ...]) -> None:
    """F22 (c), (d)."""
    assert exchanges(*offered) == []


def test_given_login_when_spoken_then_name_and_password_answer_its_two_questions() -> None:
    """F22 (a)."""
    way = exchanges("LOGIN")[0]

    assert way.command == (b"AUTH", b"LOGIN")
    assert way.answers == (b"cm9ib3RAZXhhbXBsZS5jb20=", b"czNjcjN0IQ==")


def test_given_letters_beyond_ascii_when_spoken_then_they_go_as_utf8() -> None:
    way = exchanges("PLAIN", username="jörg", password="pässwörd")[0]

    assert b64decode(way.command[2]) == "\0jörg\0pässwörd".encode()


@given(st.text("abc", min_size=300, max_size=420))
def test_given_any_length_when_plain_is_spoken_then_no_command_line_is_too_long(password: str) -> None:
    way = exchanges("PLAIN", username="u", password=password)[0]

    assert len(b" ".join(way.command)) + 2 <= 512
    blob = way.answers[0] if way.answers else way.command[2]
    assert b64decode(blob) == f"\0u\0{password}".encode()


def test_given_an_exchange_when_printed_then_it_holds_no_secret() -> None:
    assert "czNj" not in repr(exchanges("PLAIN", "LOGIN"))


@pytest.mark.parametrize(
    ("code", "another"),
    [(501, True), (502, True), (504, True), (534, True), (535, True), (454, False), (421, False), (530, False)],
)
def test_given_a_refusal_when_deciding_then_some_codes_are_worth_another_mechanism(code: int, another: bool) -> None:
    """F22 (b)."""
    assert sasl.may_try_next(code) is another


def token_exchanges(*offered: str, token: str = "T", username: str = "robot@example.com") -> list[sasl.Exchange]:
    return sasl.token_exchanges(offered, username=username, token=Secret(token), host="smtp.example.com", port=587)


@pytest.mark.parametrize(
    ("offered", "ways"),
    [
        (("LOGIN", "PLAIN", "XOAUTH2"), ["XOAUTH2"]),
        (("XOAUTH2", "OAUTHBEARER"), ["OAUTHBEARER", "XOAUTH2"]),
        (("OAUTHBEARER",), ["OAUTHBEARER"]),
        (("PLAIN", "LOGIN"), []),
        ((), []),
    ],
)
def test_given_what_is_listed_when_chosen_then_a_token_goes_in_its_own_mechanisms_alone(
    offered: tuple[str, ...], ways: list[str]
) -> None:
    """F22 (e)."""
    assert [way.mechanism for way in token_exchanges(*offered)] == ways


@pytest.mark.parametrize(("length", "fits"), [(335, True), (336, False), (4000, False)])
def test_given_tokens_of_any_length_when_spoken_then_only_a_short_one_goes_with_the_command(
    length: int, fits: bool
) -> None:
    """F23."""
    way = token_exchanges("XOAUTH2", token="a" * length)[0]

    assert len(way.command) == (3 if fits else 2)
    blob = way.command[2] if fits else way.answers[0]
    assert b64decode(blob, validate=True) == f"user=robot@example.com\x01auth=Bearer {'a' * length}\x01\x01".encode()
    assert len(b" ".join(way.command)) + 2 <= 512


def test_given_oauthbearer_when_spoken_then_commas_and_equals_signs_of_the_name_are_escaped() -> None:
    way = token_exchanges("OAUTHBEARER", username="a=b,c@example.com")[0]

    words = b"n,a=a=3Db=2Cc@example.com,\x01host=smtp.example.com\x01port=587\x01auth=Bearer T\x01\x01"
    assert b64decode(way.command[2]) == words
    assert way.last_word == b"AQ=="


def test_given_a_token_exchange_when_printed_then_it_holds_no_secret() -> None:
    assert "VC1TRUNS" not in repr(token_exchanges("XOAUTH2", token="T-SECRET"))


@pytest.mark.parametrize(
    ("challenge", "words"),
    [
        (
            "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==",
            "status 400, scope https://mail.google.com/",
        ),
        ("eyJzdGF0dXMiOjQwMX0=", "status 401"),
        ("", ""),
        ("no base64", ""),
        ("bm8ganNvbg==", ""),
        ("WzFd", ""),
        ("e30=", ""),
        ("A" * 100_000, ""),
    ],
)
def test_given_an_error_challenge_when_read_then_status_and_scope_are_told(challenge: str, words: str) -> None:
    """F23."""
    assert sasl.read_challenge(challenge) == words


@given(st.text())
def test_given_any_challenge_when_read_then_nothing_is_raised(challenge: str) -> None:
    assert isinstance(sasl.read_challenge(challenge), str)
