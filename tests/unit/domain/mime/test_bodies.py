"""Bodies: any text survives, and any server takes it (F06, F08)."""

from __future__ import annotations

import quopri
from base64 import b64decode

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from domain.mime.bodies import EncodedText, base64_lines, encode_text, is_7bit_text
from tests.unit.domain.message_builders import wire_faults

TEXT = st.lists(
    st.one_of(
        st.sampled_from(["\r", "\n", "\r\n", " ", "\t", ".", "=", "\0", "\f", "é", "\u2028", "From "]),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=400,
).map("".join)


def decoded(encoded: EncodedText) -> str:
    octets = encoded.content
    if encoded.encoding == "quoted-printable":
        octets = quopri.decodestring(octets)
    elif encoded.encoding == "base64":
        octets = b64decode(octets, validate=False)
    return octets.decode(encoded.charset)


def normalised(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


@hypothesis(deadline=None)
@given(TEXT)
@example("a" * 998 + "\n")
@example("a" * 999)
@example("é" + " " * 2000 + "\n")
@example("a =\r\n=\r\n")
@example(" \n" * 50 + "é")
@example("a\nb\rc\r\nd\n.\nMAIL FROM:<eve@example.net>\n")
def test_given_any_text_when_encoded_then_it_decodes_to_the_same_lines_f08(text: str) -> None:
    encoded = encode_text(text)

    assert decoded(encoded) == normalised(text)
    assert wire_faults(encoded.content + b"\r\n") == []


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("a" * 998 + "\n", "7bit"),
        ("a" * 1210 + "\n", "quoted-printable"),
        ("<p>" + "x" * 5000, "quoted-printable"),
        ("plain\nASCII\n", "7bit"),
        ("Zażółć gęślą jaźń", "base64"),
        ("mostly ASCII with one é in it, and then a good deal more", "quoted-printable"),
        ("日本語" * 20, "base64"),
        ("a\0b" + "c" * 50, "quoted-printable"),
        ("", "7bit"),
    ],
)
def test_given_a_text_when_encoded_then_the_least_change_is_chosen_f06(text: str, encoding: str) -> None:
    assert encode_text(text).encoding == encoding


@given(st.binary(max_size=1000))
def test_given_any_octets_when_in_base64_then_lines_are_76_and_octets_survive(content: bytes) -> None:
    lines = base64_lines(content)

    assert b64decode(lines) == content
    assert all(len(line) <= 76 for line in lines.split(b"\r\n"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"Subject: x\r\n\r\nbody\r\n", True),
        (b"a\nb", False),
        (b"a\rb", False),
        (b"a\0b", False),
        (b"\xe9", False),
        (b"a" * 998 + b"\r\n", True),
        (b"a" * 999, False),
    ],
)
def test_given_octets_when_asked_whether_they_are_7bit_text_then_tells(content: bytes, expected: bool) -> None:
    assert is_7bit_text(content) is expected
