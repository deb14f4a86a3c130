"""Transfer encodings undone: the same content wherever it is cut, and junk set aside."""

from __future__ import annotations

import base64
import quopri
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reading import ChunkedDecoder, ContentDecoder
from domain.reading.transfer import transfer_encoding

ENCODINGS = st.sampled_from(["base64", "quoted-printable", "7bit", "x-uuencode", ""])
BASE64_LIKE = st.lists(st.sampled_from([b"Q", b"U", b"=", b"==", b"\r\n", b"!", b"-", b"_", b" ", b"\xff"])).map(
    b"".join
)
QUOTED_LIKE = st.lists(
    st.sampled_from([b"=", b"4", b"1", b"a", b" ", b"\t", b"\r", b"\n", b"\r\n", b"=\r\n", b"=3D", b"== \n", b" " * 80])
).map(b"".join)


def whole(encoding: str, octets: bytes) -> bytes:
    decoder = ContentDecoder(encoding)
    return decoder.feed(octets) + decoder.finish()


@given(ENCODINGS, st.one_of(st.binary(), BASE64_LIKE, QUOTED_LIKE), st.lists(st.integers(0, 200)))
def test_given_content_when_cut_anywhere_then_it_decodes_to_the_same(
    encoding: str, octets: bytes, places: list[int]
) -> None:
    cuts = [0, *sorted(place for place in places if place < len(octets)), len(octets)]
    decoder, one = ContentDecoder(encoding), ContentDecoder(encoding)

    pieces = [decoder.feed(octets[start:end]) for start, end in pairwise(cuts)]
    pieces.append(decoder.finish())

    assert b"".join(pieces) == one.feed(octets) + one.finish()
    assert decoder.is_broken == one.is_broken


@given(st.binary(), st.integers(1, 76))
def test_given_octets_when_encoded_in_base64_lines_then_they_come_back(octets: bytes, width: int) -> None:
    flat = base64.b64encode(octets)
    lines = b"\r\n".join(flat[start : start + width] for start in range(0, len(flat), width))
    decoder = ContentDecoder("base64")

    decoded = decoder.feed(lines) + decoder.finish()

    assert decoded == octets
    assert not decoder.is_broken


@given(st.text(st.characters(blacklist_characters="\r", blacklist_categories=["Cs"])))
def test_given_text_when_encoded_in_quoted_printable_then_it_comes_back(text: str) -> None:
    encoded = quopri.encodestring(text.encode()).replace(b"\n", b"\r\n")
    decoder = ContentDecoder("quoted-printable")

    decoded = decoder.feed(encoded) + decoder.finish()

    assert decoded.replace(b"\r\n", b"\n") == text.encode()
    assert not decoder.is_broken


@pytest.mark.parametrize(
    ("encoding", "octets", "decoded", "is_broken"),
    [
        ("base64", b"SGVsbG8=", b"Hello", False),
        ("base64", b"SGVs\r\nbG8=\r\n", b"Hello", False),
        ("base64", b"SGVsbG8=SGVsbG8=", b"HelloHello", False),
        ("base64", b"SGVsbG8", b"Hello", True),
        ("base64", b"S!GVs*bG8=", b"Hello", True),
        ("base64", b"_-_-", b"\xff\xef\xfe", True),
        ("base64", b"Q", b"", True),
        ("base64", b"====", b"", False),
        ("quoted-printable", b"caf=C3=A9 =3D", "café =".encode(), False),
        ("quoted-printable", b"a=\r\nb=  \nc", b"abc", False),
        ("quoted-printable", b"=4=\r\n1", b"=41", True),
        ("quoted-printable", b"==\n41", b"=41", True),
        ("quoted-printable", b"=\rabc\nd", b"=\rabc\nd", True),
        ("quoted-printable", b"end=", b"end", False),
        ("quoted-printable", b"a_b", b"a_b", False),
        ("x-uuencode", b"begin 644 x", b"begin 644 x", False),
    ],
)
def test_given_an_encoding_when_undone_then_what_can_be_read_is_kept(
    encoding: str, octets: bytes, decoded: bytes, is_broken: bool
) -> None:
    decoder = ContentDecoder(encoding)

    read = decoder.feed(octets) + decoder.finish()

    assert read == decoded
    assert decoder.is_broken is is_broken


@given(ENCODINGS, st.lists(st.binary(max_size=50)), st.integers(1, 20))
def test_given_pieces_of_a_part_when_chunked_then_chunks_are_numbered_bounded_and_closed(
    encoding: str, pieces: list[bytes], largest: int
) -> None:
    decoder = ChunkedDecoder(encoding, largest_bytes=largest)

    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)] + decoder.finish()

    assert b"".join(chunk.data for chunk in chunks) == whole(encoding, b"".join(pieces))
    assert all(0 < len(chunk.data) <= largest for chunk in chunks[:-1])
    assert len(chunks[-1].data) <= largest
    assert [chunk.is_last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    offsets = [sum(len(earlier.data) for earlier in chunks[:index]) for index in range(len(chunks))]
    assert [chunk.offset for chunk in chunks] == offsets


@pytest.mark.parametrize(
    ("written", "name", "is_known"),
    [
        ("base64", "base64", True),
        (' "BASE64"; x', "base64", True),
        ("Quoted-Printable (really)", "quoted-printable", True),
        ("", "", True),
        ("x-uuencode", "x-uuencode", False),
        ("\x00", "", False),
    ],
)
def test_given_a_field_when_read_then_it_names_an_encoding(written: str, name: str, is_known: bool) -> None:
    assert transfer_encoding(written) == (name, is_known)
