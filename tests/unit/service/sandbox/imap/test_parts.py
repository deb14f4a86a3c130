from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.imap.addresses import EnvelopeAddress, parse_addresses
from service.sandbox.imap.parts import Part, read_parts
from service.sandbox.imap.structure import body_structure, envelope
from service.sandbox.imap.texts import fold, text_of


def test_given_no_blank_line_when_read_then_all_is_header() -> None:
    root = read_parts(b"Subject: x\r\nTo: y")

    assert root.header_octets == b"Subject: x\r\nTo: y"
    assert root.body_octets == b""


def test_given_no_header_when_read_then_all_behind_the_blank_line_is_body() -> None:
    assert read_parts(b"\r\nbody").body_octets == b"body"
    assert read_parts(b"\nbody").body_octets == b"body"


def test_given_a_field_that_comes_twice_when_selected_then_both_as_they_are_with_their_folds() -> None:
    root = read_parts(b"Received: one\r\n\tfolded\r\nSubject: x\r\nreceived: two\r\n\r\n")

    assert root.fields(frozenset({b"received"})) == b"Received: one\r\n\tfolded\r\nreceived: two\r\n\r\n"
    assert root.fields(frozenset({b"received"}), others=True) == b"Subject: x\r\n\r\n"


def test_given_deep_nesting_when_read_then_it_ends_at_a_bound() -> None:
    raw = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(500))

    part, depth = read_parts(raw), 0
    while part.children:
        part, depth = part.children[0], depth + 1

    assert depth == 50
    assert body_structure(read_parts(raw), extended=True).count(b"(") < 1_000


def test_given_too_many_parts_when_read_then_the_rest_is_left_out() -> None:
    root = read_parts(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 5_000)

    assert len(root.children) == 999


def test_given_boundaries_that_begin_alike_when_read_then_each_belongs_to_its_own() -> None:
    root = read_parts(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\ninner\r\n--bb--\r\n--b\r\n\r\nouter\r\n--b--"
    )

    inner, outer = root.at((1, 1)), root.at((2,))
    assert inner is not None
    assert outer is not None
    assert (inner.body_octets, outer.body_octets) == (b"inner", b"outer")
    assert root.at((3,)) is None
    assert root.at((2, 1)) is None


def _all(part: Part) -> list[Part]:
    return [part, *(inner for child in part.children for inner in _all(child))]


@given(
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from(
            [
                *(b"--b\r\n", b"--b--\r\n", b"--c\n", b"\r\n", b"\n", b"text", b"\0", b"\xff"),
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                b'Content-Type: multipart/digest; boundary="c"\r\n',
                b"Content-Type: message/rfc822\r\n",
                b"Content-Type: text/plain; charset=bogus\r\n",
                b"From: a <b@c>, :;<>@(\r\n",
                b"Content-Transfer-Encoding: base64\r\n",
                b"Content-Disposition: attachment; filename=\xff\r\n",
            ]
        ),
        max_size=40,
    ).map(b"".join)
)
def test_given_any_octets_when_read_then_parts_lie_within_and_everything_can_be_told(raw: bytes) -> None:
    root = read_parts(raw)

    assert root.raw[root.start : root.end] == raw
    for part in _all(root):
        assert root.start <= part.start <= part.body <= part.end <= root.end
        text_of(part)
    assert envelope(root).startswith(b"(")
    assert body_structure(root, extended=True).startswith(b"(")


@pytest.mark.parametrize(
    ("field", "addresses"),
    [
        (b"a@b.example", [EnvelopeAddress(None, b"a", b"b.example")]),
        (b"A B <a@b>", [EnvelopeAddress(b"A B", b"a", b"b")]),
        (b'"B, \\"A\\"" <a@b>', [EnvelopeAddress(b'B, "A"', b"a", b"b")]),
        (b"a@b (A (inner) B\\))", [EnvelopeAddress(b"A (inner) B)", b"a", b"b")]),
        (b"<@x,@y:a@b>", [EnvelopeAddress(None, b"a", b"b")]),
        (
            b"undisclosed-recipients:;",
            [EnvelopeAddress(None, b"undisclosed-recipients", None), EnvelopeAddress(None, None, None)],
        ),
        (
            b"T: a@b, c@d; e@f",
            [
                EnvelopeAddress(None, b"T", None),
                EnvelopeAddress(None, b"a", b"b"),
                EnvelopeAddress(None, b"c", b"d"),
                EnvelopeAddress(None, None, None),
                EnvelopeAddress(None, b"e", b"f"),
            ],
        ),
        (b"not an address", [EnvelopeAddress(None, b"not an address", b"")]),
        (b"", []),
        (b" , ,", []),
    ],
)
def test_given_an_address_field_when_read_then_its_four_fields(field: bytes, addresses: list[EnvelopeAddress]) -> None:
    assert parse_addresses(field) == addresses


@given(st.binary(max_size=200))
def test_given_any_octets_for_addresses_when_read_then_something_comes_out(field: bytes) -> None:
    assert isinstance(parse_addresses(field), list)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [("GRÜSSE", "grüsse", True), ("ΣΊΣΥΦΟΣ", "σίσυφος", True), ("groß", "gross", False), ("a", "b", False)],
)
def test_given_texts_when_folded_then_case_alone_makes_no_difference(one: str, other: str, is_same: bool) -> None:
    assert (fold(one) == fold(other)) is is_same
