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
