"""Folder names between octets and text (F37, RFC 3501 section 5.1.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.imap.names import candidates, decode, encode, shown

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"[Gmail]/G&APY-nderilmi&AV8- Postalar", "[Gmail]/Gönderilmiş Postalar"),
        (b"M&APw-ll &- Reste", "Müll & Reste"),
        (b"&U,BTFw-", "台北"),
        (b"R&-D", "R&D"),
        (b"&2D3cqQ-", "💩"),
        (b"plain", "plain"),
    ],
)
def test_given_modified_utf_7_when_decoded_then_it_is_the_name_and_encodes_to_the_same(
    octets: bytes, text: str
) -> None:
    assert decode(octets) == text
    assert encode(text) == octets


@pytest.mark.parametrize(
    "octets",
    [
        b"Bad&zz",
        b"&",
        b"&AGE-",  # an ASCII letter has no other way to be written
        b"&APw-&APw-",  # nor have two shifts in a row
        b"&APw",
        b"&2D0-",  # half a surrogate pair
        b"&AP-",
        b"&AP!8-",
        b"caf\xc3\xa9",
        b"&APx-",  # spare bits
    ],
)
def test_given_what_is_no_modified_utf_7_when_decoded_then_it_is_none_and_is_shown_raw(octets: bytes) -> None:
    assert decode(octets) is None
    name = shown(octets, is_utf8=False)
    assert name is not None
    assert octets in candidates(name, is_utf8=False)


@given(TEXTS)
def test_given_any_name_when_encoded_then_it_decodes_to_itself_and_is_the_first_candidate(text: str) -> None:
    assert decode(encode(text)) == text
    if text.casefold() != "inbox":
        assert candidates(text, is_utf8=False)[0] == encode(text)
        assert candidates(text, is_utf8=True)[0] == text.encode()


def test_given_a_name_that_only_resembles_inbox_when_shown_then_it_is_itself_and_opens() -> None:
    octets = encode("\u0131nbox")  # its capital is an ASCII I

    assert shown(octets, is_utf8=False) == "\u0131nbox"
    assert candidates("\u0131nbox", is_utf8=False)[0] == octets


@given(st.binary(min_size=1, max_size=40), st.booleans())
def test_given_any_octets_when_shown_then_they_can_be_opened_by_that_name(octets: bytes, is_utf8: bool) -> None:
    name = shown(octets, is_utf8=is_utf8)

    if name is not None and name != "INBOX":
        assert octets in candidates(name, is_utf8=is_utf8)


@given(TEXTS | st.text(max_size=20))
def test_given_any_text_when_made_an_argument_then_it_ends_no_line(text: str) -> None:
    try:
        found = candidates(text, is_utf8=False)
    except UnicodeEncodeError:
        return
    assert not any(octet in b"\r\n\0" for octets in found for octet in octets)
