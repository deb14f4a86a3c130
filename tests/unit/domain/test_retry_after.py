"""Retry-After, in both of its forms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retry_after import read_retry_after

NOW = datetime(2026, 10, 21, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "pause"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta(0)),
        ("99999999999999999999", timedelta(days=7)),
        ("Wed, 21 Oct 2026 07:28:00 GMT", timedelta(minutes=28)),
        ("Wed, 21 Oct 2026 07:28:00 -0000", timedelta(minutes=28)),
        ("Wed, 21 Oct 2099 07:28:00 GMT", timedelta(days=7)),
        ("Wed, 21 Oct 2020 07:28:00 GMT", None),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("²", None),
    ],
)
def test_given_a_wish_to_wait_when_read_then_it_is_an_instant_not_too_far(
    written: str, pause: timedelta | None
) -> None:
    assert read_retry_after({"retry-after": written}, now=NOW) == (None if pause is None else NOW + pause)


@given(st.text())
def test_given_any_text_when_read_as_a_wish_then_nothing_is_raised(written: str) -> None:
    wanted = read_retry_after({"retry-after": written}, now=NOW)

    assert wanted is None or NOW <= wanted <= NOW + timedelta(days=7)
