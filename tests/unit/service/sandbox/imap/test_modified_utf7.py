from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.imap.modified_utf7 import NotModifiedUtf7, decode_name, encode_name


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("Entwürfe", b"Entw&APw-rfe"),
        ("[Gmail]/Gönderilmiş Postalar", b"[Gmail]/G&APY-nderilmi&AV8- Postalar"),
        ("Müll & Reste", b"M&APw-ll &- Reste"),
        ("台北", b"&U,BTFw-"),
        ("R&D", b"R&-D"),
        ("😀", b"&2D3eAA-"),
        ("", b""),
    ],
)
def test_given_a_name_when_encoded_then_as_the_standard_writes_it_and_back(name: str, encoded: bytes) -> None:
    assert encode_name(name) == encoded
    assert decode_name(encoded) == name


@pytest.mark.parametrize(
    "data", [b"Bad&zz", b"&", b"a&b", b"&AGE-", b"&APw", b"&APw=-", b"&2D0-", b"\xc3\xbc", b"&APx-", b"&APw-&APw-"]
)
def test_given_what_no_name_is_written_as_when_decoded_then_refused(data: bytes) -> None:
    with pytest.raises(NotModifiedUtf7):
        decode_name(data)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_given_any_name_when_encoded_and_decoded_then_it_is_the_same_and_ascii(name: str) -> None:
    encoded = encode_name(name)

    assert encoded.isascii()
    assert decode_name(encoded) == name


@given(st.binary())
def test_given_any_octets_when_decoded_then_a_name_that_is_written_so_or_refused(data: bytes) -> None:
    try:
        name = decode_name(data)
    except NotModifiedUtf7:
        return

    assert encode_name(name) == data
