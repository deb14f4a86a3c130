"""Who is named in the header that Graph gets: the envelope's recipients, and nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address import EmailAddress
from domain.graph.addressing import addressed
from domain.message import Envelope, NamedAddress

ANN, BOB, EVE = (EmailAddress(name, "example.com") for name in ("ann", "bob", "eve"))
ROBOT = EmailAddress("robot", "example.com")


def a_header(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("From: robot@example.com", *lines, "Message-ID: <1@x>", "")).encode()


def to(*recipients: EmailAddress) -> Envelope:
    return Envelope(sender=ROBOT, recipients=recipients)


def test_given_recipients_in_the_header_when_addressed_then_it_stays_octet_by_octet() -> None:
    header = a_header('To: "Ann, dear" <ann@example.com>,', " Bob <BOB@example.com>", "Cc: eve@example.com")

    named = addressed(header + b"body", to(ANN, BOB, EVE))

    assert named.header == header
    assert [mailbox.name for mailbox in named.to] == ["Ann, dear", "Bob"]
    assert (named.cc, named.bcc, named.message_id) == ((NamedAddress(EVE),), (), "<1@x>")


def test_given_a_hidden_recipient_when_addressed_then_a_bcc_line_names_it() -> None:
    named = addressed(a_header("To: ann@example.com"), to(ANN, BOB))

    assert named.header.endswith(b"\r\nBcc: bob@example.com\r\n\r\n")
    assert named.bcc == (NamedAddress(BOB),)


def test_given_somebody_beside_the_envelope_when_addressed_then_graph_will_not_send_there() -> None:
    named = addressed(
        a_header("To: =?utf-8?q?J=C3=B6rg?= <ann@example.com>, bob@example.com", "Cc: bob@example.com"), to(ANN)
    )

    assert b"bob@" not in named.header
    assert b"\r\nCc:" not in named.header
    assert named.to == (NamedAddress(ANN, "Jörg"),)


def test_given_a_list_address_alone_when_addressed_then_the_recipient_is_hidden_and_the_list_left_out() -> None:
    named = addressed(a_header("To: list@lists.example"), to(BOB))

    assert b"list@" not in named.header
    assert named.bcc == (NamedAddress(BOB),)


def test_given_undisclosed_recipients_when_addressed_then_the_group_stays() -> None:
    named = addressed(a_header("To: undisclosed-recipients:;"), to(BOB))

    assert b"To: undisclosed-recipients:;\r\n" in named.header
    assert named.bcc == (NamedAddress(BOB),)


@pytest.mark.parametrize("value", ["ann@example.com <bob@example.com", "<<ann@example.com>>", "a b c", ""])
def test_given_a_line_that_two_programs_read_differently_when_addressed_then_no_one_but_recipients_is_in_it(
    value: str,
) -> None:
    named = addressed(a_header(f"To: {value}"), to(ANN))

    assert b"bob@" not in named.header
    everybody = (*named.to, *named.cc, *named.bcc)
    assert [mailbox.address for mailbox in everybody] == [ANN]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=60))
def test_given_any_line_when_addressed_then_exactly_the_envelope_is_named(value: str) -> None:
    named = addressed(a_header(f"To: {value}", f"Cc: {value}, eve@example.com"), to(ANN, EVE))

    everybody = [mailbox.address for mailbox in (*named.to, *named.cc, *named.bcc)]
    assert sorted(map(str, everybody)) == ["ann@example.com", "eve@example.com"]
    assert named.header.endswith(b"\r\n\r\n")
