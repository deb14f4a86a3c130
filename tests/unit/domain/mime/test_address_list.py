"""Address lists of other programs: one reading or none."""

from __future__ import annotations

from contextlib import suppress
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from domain.mime.address_list import AddressListMalformed, addresses_in


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@example.com", ["a@example.com"]),
        ("a@example.com, B <b@example.com>", ["a@example.com", "b@example.com"]),
        ('"Doe, Jane; \\"x\\" <x@y>" <j@example.com>', ["j@example.com"]),
        ("undisclosed-recipients:;", []),
        ("Team: a@example.com, B <b@example.com>;, c@example.com", ["a@example.com", "b@example.com", "c@example.com"]),
        ("a@example.com (Jane (the \\) one)), b@example.com", ["a@example.com", "b@example.com"]),
        ("=?utf-8?q?J=2C?= <j@example.com>", ["j@example.com"]),
        ('"a b"@example.com', ['"a b"@example.com']),
        ("x@[192.0.2.1]", ["x@[192.0.2.1]"]),
        ("J. Doe <j@example.com>", ["j@example.com"]),
        ("", []),
        ("a@example.com,, b@example.com,", ["a@example.com", "b@example.com"]),
    ],
)
def test_given_a_list_when_read_then_these_are_its_addresses(value: str, expected: list[str]) -> None:
    assert addresses_in(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "a@example.com <b@example.com>", "<a@example.com", "a@example.com>", "<@r,@s:a@example.com>", "x (",
        "A: B: a@x;;",
        "A: a@example.com", "a@example.com:;",
        "<a@example.com> b", '"open', "a ; b", "(" * 5000, "<a@example.com><b@example.com>", ")",
        "a@example.com)b@example.com", "back\\slash@example.com",
    ],
)  # fmt: skip
def test_given_a_list_of_two_readings_when_read_then_it_is_refused(value: str) -> None:
    with pytest.raises(AddressListMalformed):
        addresses_in(value)


@hypothesis(deadline=None)
@given(st.lists(st.sampled_from(["a@x.org", "J D", '"q, q"', "<b@y.org>", ",", ":", ";", "(c)", " ", "<", ">"])))
def test_given_any_pieces_when_a_list_is_read_then_the_judge_finds_no_other_address(pieces: list[str]) -> None:
    value = " ".join(pieces)

    with suppress(AddressListMalformed):
        found = [address for address in addresses_in(value) if address in {"a@x.org", "b@y.org"}]
        judged = [address for _, address in getaddresses([value]) if "@" in address]
        if len(found) == len(addresses_in(value)):
            assert found == judged


@given(st.text(max_size=200))
def test_given_any_text_when_a_list_is_read_then_nothing_else_is_raised(value: str) -> None:
    with suppress(AddressListMalformed):
        assert all(addresses_in(value))
