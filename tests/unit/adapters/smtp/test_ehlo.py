from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.ehlo import Capabilities, client_name
from adapters.smtp.replies import Reply


@pytest.mark.parametrize(
    ("configured", "host_name", "local_address", "name"),
    [
        ("out.example.com", "mail.example.com", "192.0.2.10", "out.example.com"),
        ("", "mail.example.com", "192.0.2.10", "mail.example.com"),
        ("", "15b0717dc4c2", "192.0.2.10", "[192.0.2.10]"),
        ("", "a_b.example", "192.0.2.10", "[192.0.2.10]"),
        ("", "localhost", "192.0.2.10", "[192.0.2.10]"),
        ("", "localhost.localdomain", "192.0.2.10", "[192.0.2.10]"),
        ("", "", "192.0.2.10", "[192.0.2.10]"),
        ("", "-a.example", "192.0.2.10", "[192.0.2.10]"),
        ("", "a..example", "192.0.2.10", "[192.0.2.10]"),
        ("", "192.0.2.10", "192.0.2.10", "[192.0.2.10]"),
        ("", "box", "2001:db8::1", "[IPv6:2001:db8::1]"),
        ("", "box", "fe80::1%eth0", "[IPv6:fe80::1]"),
        ("", "box", "::ffff:192.0.2.10", "[192.0.2.10]"),
        ("", "box", "", "[127.0.0.1]"),
    ],
)
def test_given_a_name_or_none_when_greeting_then_it_is_never_bare(
    configured: str, host_name: str, local_address: str, name: str
) -> None:
    """F12."""
    assert client_name(configured=configured, host_name=host_name, local_address=local_address) == name


@given(st.text(max_size=40))
def test_given_any_host_name_when_greeting_then_the_argument_has_no_blank_or_control(host_name: str) -> None:
    name = client_name(configured="", host_name=host_name, local_address="192.0.2.10")

    assert name.isascii()
    assert name.isprintable()
    assert " " not in name
    assert "." in name


def test_given_an_ehlo_reply_when_read_then_keywords_have_no_case_and_lists_are_joined() -> None:
    lines = ("mx hello", "Size 35882577", "auth plain LOGIN", "AUTH=LOGIN xoauth2", "8BITMIME", "234 odd", "")

    found = Capabilities.of(Reply(250, lines))

    assert found.mechanisms == ("PLAIN", "LOGIN", "XOAUTH2")
    assert found.offers("8bitmime")
    assert not found.offers("mx")
    assert found.maximum_size == 35882577


@pytest.mark.parametrize("number", ["", "0", "many", "-5", "²", "9" * 30])
def test_given_no_sound_size_when_read_then_there_is_no_limit(number: str) -> None:
    assert Capabilities({"size": number}).maximum_size is None


@pytest.mark.parametrize(
    ("text", "most"),
    [("MAILMAX=5 RCPTMAX=20", 20), ("rcptmax=7", 7), ("RCPTMAX=0", None), ("RCPTMAX=x", None), ("", None)],
)
def test_given_limits_when_read_then_recipients_are_bounded(text: str, most: int | None) -> None:
    assert Capabilities({"limits": text}).maximum_recipients == most


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8))
def test_given_any_reply_when_read_then_nothing_is_raised(lines: list[str]) -> None:
    found = Capabilities.of(Reply(250, tuple(lines)))

    assert all(mechanism == mechanism.upper() for mechanism in found.mechanisms)
