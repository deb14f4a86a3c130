"""Address lists as strangers write them."""

from __future__ import annotations

import pytest

from domain.reading import Defect, ReadAddress
from domain.reading.addresses import read_addresses

RIGHT: list[tuple[str, list[tuple[str, str]]]] = [
    ("jane@example.com", [("jane@example.com", "")]),
    ("Jane Doe <jane@example.com>", [("jane@example.com", "Jane Doe")]),
    ('"Doe, Jane" <jane@example.com>, b@x.org', [("jane@example.com", "Doe, Jane"), ("b@x.org", "")]),
    (r'"A \"B\" C" <a@example.com>', [("a@example.com", 'A "B" C')]),
    ("=?utf-8?Q?J=C3=B6rg?= <j@example.com>", [("j@example.com", "Jörg")]),
    ("=?utf-8?Q?J=C3?= =?utf-8?Q?=B6rg?= X <j@example.com>", [("j@example.com", "Jörg X")]),
    ("Jörg <jörg@exämple.com>", [("jörg@exämple.com", "Jörg")]),
    ("jane@example.com (Jane (J.) Doe)", [("jane@example.com", "Jane (J.) Doe")]),
    ('Friends: a@x.org, "B. C" <b@x.org>;, c@x.org', [("a@x.org", ""), ("b@x.org", "B. C"), ("c@x.org", "")]),
    ("undisclosed-recipients:;", []),
    ("", []),
    (" , ,a@x.org, ", [("a@x.org", "")]),
    ("<@relay.org,@other.org:jane@example.com>", [("jane@example.com", "")]),
    ('"a b"@example.com', [('"a b"@example.com', "")]),
    ("jane@[192.0.2.1]", [("jane@[192.0.2.1]", "")]),
    ("jane @ example . com", [("jane@example.com", "")]),
]
WRONG: list[tuple[str, list[tuple[str, str]]]] = [
    ("Doe, Jane <jane@example.com>", [("jane@example.com", "Doe, Jane")]),
    ("a@x.org; b@x.org", [("a@x.org", ""), ("b@x.org", "")]),
    ("<a@x.org><b@x.org>", [("a@x.org", ""), ("b@x.org", "")]),
    ("Jane jane@example.com", [("jane@example.com", "Jane")]),
    ("Jane <jane@example.com", [("jane@example.com", "Jane")]),
    ('"Jane <jane@example.com>', [("jane@example.com", "Jane")]),
    ('"=?utf-8?Q?J=C3=B6rg?=" <j@example.com>', [("j@example.com", "Jörg")]),
    ("MAILER-DAEMON", [("MAILER-DAEMON", "")]),
    ("x <>", [("", "x")]),
    ("a@x.org b@x.org", [("a@x.org", "b@x.org")]),
    ("Friends: a@x.org", [("a@x.org", "")]),
    ("=?utf-8?q?jane=40example.com?=", [("jane@example.com", "")]),
    ("Jane\x00 <jane@example.com>", [("jane@example.com", "Jane")]),
    ("(open <jane@example.com>", [("jane@example.com", "(open")]),
]  # fmt: skip


@pytest.mark.parametrize(("written", "expected"), RIGHT)
def test_given_a_list_that_keeps_the_rules_when_read_then_nothing_is_flagged(
    written: str, expected: list[tuple[str, str]]
) -> None:
    found: set[Defect] = set()

    read = read_addresses(written.encode(), found)

    assert list(read) == [ReadAddress(*pair) for pair in expected]
    assert found == set()


@pytest.mark.parametrize(("written", "expected"), WRONG)
def test_given_a_broken_list_when_read_then_everybody_is_there_and_it_is_flagged(
    written: str, expected: list[tuple[str, str]]
) -> None:
    found: set[Defect] = set()

    read = read_addresses(written.encode(), found)

    assert list(read) == [ReadAddress(*pair) for pair in expected]
    assert found == {Defect.HEADER}


def test_given_more_than_a_hundred_addresses_when_read_then_a_hundred_are_given() -> None:
    found: set[Defect] = set()

    read = read_addresses(b", ".join(b"a%d@x.org" % number for number in range(101)), found)

    assert [address.address for address in read] == [f"a{number}@x.org" for number in range(100)]
    assert found == {Defect.TRUNCATED}


def test_given_exactly_a_hundred_addresses_when_read_then_nothing_is_flagged() -> None:
    found: set[Defect] = set()

    read = read_addresses(b", ".join(b"a%d@x.org" % number for number in range(100)), found)

    assert len(read) == 100
    assert found == set()
