from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.oauth.answers import LONGEST_LIFETIME, NotAnAnswer, read_fields, read_seconds, read_tokens
from domain.secret import Secret
from domain.token import TokenAnswer


def tokens(**fields: object) -> TokenAnswer:
    return read_tokens({"access_token": "AT2", "token_type": "Bearer", **fields}, client_id="mailport")


@pytest.mark.parametrize(
    ("written", "lifetime"),
    [
        (3600, timedelta(hours=1)),
        ("3600", timedelta(hours=1)),
        (" 3600 ", timedelta(hours=1)),
        (3600.0, timedelta(hours=1)),
        ("3600.0", timedelta(hours=1)),
        (0, timedelta(0)),
        (-1, timedelta(seconds=-1)),
        ("-1", timedelta(seconds=-1)),
        (None, None),
        ("", None),
        ("abc", None),
        ("nan", None),
        (float("nan"), None),
        (True, None),
        ([3600], None),
        (10**400, LONGEST_LIFETIME),
        (float("inf"), LONGEST_LIFETIME),
        (315_360_000_000, LONGEST_LIFETIME),
    ],
)
def test_given_a_lifetime_as_providers_write_it_when_read_then_it_is_a_span_or_unknown(
    written: object, lifetime: timedelta | None
) -> None:
    """F28."""
    assert tokens(expires_in=written, expires_at="soon").expires_in == lifetime


def test_given_no_lifetime_when_read_then_it_is_unknown() -> None:
    """F28."""
    assert tokens().expires_in is None


@pytest.mark.parametrize(("seconds", "lifetime"), [(3600, timedelta(hours=1)), (0, timedelta(0))])
def test_given_milliseconds_beside_seconds_when_read_then_the_seconds_count(seconds: int, lifetime: timedelta) -> None:
    assert tokens(expires_in=3_600_000, expires_in_sec=seconds).expires_in == lifetime


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_given_anything_when_read_as_seconds_then_it_is_bounded_or_unknown(value: object) -> None:
    span = read_seconds(value)

    assert span is None or abs(span) <= LONGEST_LIFETIME


@pytest.mark.parametrize("written", [None, "", 0, [], {}])
def test_given_no_usable_refresh_token_when_read_then_there_is_none(written: object) -> None:
    """F27."""
    assert tokens(refresh_token=written).refresh_token is None
    assert tokens().refresh_token is None


@pytest.mark.parametrize(
    ("written", "scopes"),
    [
        ("a b", ("a", "b")),
        ("  a   b a ", ("a", "b")),
        (["a", "b"], ("a", "b")),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_given_scopes_when_read_then_missing_ones_are_unsaid(written: object, scopes: tuple[str, ...] | None) -> None:
    """F30."""
    assert tokens(scope=written).scopes == scopes


@pytest.mark.parametrize("written", ["Bearer", "bearer", "BEARER", None, ""])
def test_given_a_token_type_when_read_then_case_does_not_matter(written: object) -> None:
    assert tokens(token_type=written).access_token == Secret("AT2")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 7},
        {"access_token": "a\r\nb"},
        {"access_token": "tokén"},
        {"access_token": "AT", "token_type": "mac"},
        {"access_token": "AT", "token_type": 7},
        {"access_token": "AT", "refresh_token": "\ud800x"},
        {"access_token": "AT", "refresh_token": "RT\r\n"},
        {"access_token": "AT", "refresh_token": "R\x00T"},
        {"access_token": "AT", "refresh_token": "tokén"},
    ],
)
def test_given_no_token_that_could_be_sent_when_read_then_it_is_no_answer(fields: dict[str, object]) -> None:
    with pytest.raises(NotAnAnswer):
        read_tokens(fields, client_id="mailport")


@pytest.mark.parametrize(
    ("fields", "lifetime"),
    [
        ({"refresh_token_expires_in": "604799"}, timedelta(seconds=604799)),
        ({"refresh_token_expires_in": 0, "refresh_expires_in": 1800}, timedelta(0)),
        ({"refresh_token_expires_in": 60, "refresh_expires_in": 1800}, timedelta(minutes=1)),
        ({"refresh_expires_in": 1800}, timedelta(minutes=30)),
        ({"refresh_token_expires_in": None, "refresh_expires_in": "1800"}, timedelta(minutes=30)),
        ({"refresh_expires_in": 0}, None),
        ({"refresh_expires_in": "0"}, None),
        ({"refresh_expires_in": "soon"}, None),
        ({}, None),
    ],
)
def test_given_a_limited_refresh_token_when_read_then_its_end_is_told_under_either_name(
    fields: dict[str, object], lifetime: timedelta | None
) -> None:
    """Keycloak says refresh_expires_in, and 0 for a token without an end."""
    assert tokens(**fields).refresh_token_expires_in == lifetime


@pytest.mark.parametrize("name", ["refresh_token_expires_in", "refresh_expires_in"])
def test_given_a_refresh_token_of_years_when_read_then_it_is_cut_at_ten_and_an_access_token_at_one(name: str) -> None:
    two_years = timedelta(days=730)

    told = tokens(expires_in=two_years.total_seconds(), **{name: two_years.total_seconds()})

    assert (told.expires_in, told.refresh_token_expires_in) == (LONGEST_LIFETIME, two_years)
    assert tokens(**{name: 10**400}).refresh_token_expires_in == timedelta(days=3650)


def test_given_a_form_when_read_then_it_is_as_good_as_json() -> None:
    fields = read_fields(b"access_token=AT%2B2&expires_in=3600&scope=a+b&token_type=bearer&refresh_token=")

    granted = read_tokens(fields, client_id="mailport")

    assert granted.access_token == Secret("AT+2")
    assert (granted.expires_in, granted.scopes, granted.refresh_token) == (timedelta(hours=1), ("a", "b"), None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"<html><body>503</body></html>",
        b'{"access_token":"AT-SECRET","refresh_tok',
        b"[1]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b"access_token=a" + b"&x=y" * 100,
        b'{"expires_in":' + b"9" * 5000 + b"}",
    ],
)
def test_given_a_body_that_is_none_when_read_then_nothing_of_it_is_repeated(body: bytes) -> None:
    with pytest.raises(NotAnAnswer) as raised:
        read_fields(body)

    assert "SECRET" not in str(raised.value)


def test_given_a_byte_order_mark_when_read_then_it_does_not_matter() -> None:
    assert read_fields(b"\xef\xbb\xbf" + json.dumps({"a": 1}).encode()) == {"a": 1}


@given(st.binary(max_size=300))
def test_given_any_octets_when_read_then_there_are_fields_or_it_is_no_answer(body: bytes) -> None:
    try:
        fields = read_fields(body)
    except NotAnAnswer:
        return
    assert all(isinstance(name, str) for name in fields)
