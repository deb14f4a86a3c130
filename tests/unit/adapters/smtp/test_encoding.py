from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.ehlo import Capabilities
from adapters.smtp.encoding import AboveSize, NeedsSmtpUtf8, on_the_wire, plan
from domain.address import EmailAddress
from domain.message import Envelope

ANN, JOERG = EmailAddress("ann", "example.com"), EmailAddress("jörg", "example.com")
LINES = st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b"")), max_size=12)
TRICKY = st.text("\r\n.a", max_size=60).map(str.encode)


def capabilities(**extensions: str) -> Capabilities:
    return Capabilities(extensions)


def received(stream: bytes) -> bytes:
    """Reads as a server does (RFC 5321 section 4.5.2)."""
    end = (b"\r\n" + stream).index(b"\r\n.\r\n")
    assert end + 3 == len(stream), "something follows the final dot"
    return re.sub(rb"(?m)^\.", b"", stream[:end])


@given(LINES.map(lambda lines: b"".join(line + b"\r\n" for line in lines)), st.integers(min_value=1, max_value=9))
def test_given_any_lines_when_written_then_the_server_reads_them_back(content: bytes, slice_octets: int) -> None:
    """F07."""
    stream = b"".join(on_the_wire(content, slice_octets=slice_octets))

    assert received(stream) == content


@given(TRICKY | st.binary(max_size=60), st.integers(min_value=1, max_value=9))
def test_given_any_octets_when_written_then_only_crlf_leaves_and_one_message_arrives(
    content: bytes, slice_octets: int
) -> None:
    """F08."""
    stream = b"".join(on_the_wire(content, slice_octets=slice_octets))

    assert re.search(rb"(?<!\r)\n|\r(?!\n)", stream) is None
    assert stream.endswith(b".\r\n")
    normal = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    assert received(stream) == (normal if normal.endswith(b"\r\n") or not normal else normal + b"\r\n")


@given(TRICKY, st.integers(min_value=1, max_value=9))
def test_given_any_slices_when_written_then_they_make_no_difference(content: bytes, slice_octets: int) -> None:
    assert b"".join(on_the_wire(content, slice_octets=slice_octets)) == b"".join(on_the_wire(content))


def test_given_a_large_content_when_written_then_it_comes_in_slices() -> None:
    pieces = list(on_the_wire(b"x" * 300_000))

    assert max(map(len, pieces)) <= 64 * 1024 + 2


@pytest.mark.parametrize(
    ("offered", "content", "recipients", "parameters"),
    [
        ({}, b"a\r\n", (ANN,), ()),
        ({"size": ""}, b"a\r\n", (ANN,), (b"SIZE=3",)),
        ({"size": "0"}, b"a", (ANN,), (b"SIZE=3",)),
        ({"size": "3"}, b"a\r\n", (ANN,), (b"SIZE=3",)),
        ({"8bitmime": ""}, b"a\r\n", (ANN,), ()),
        ({"8bitmime": ""}, b"A: b\r\n\r\n\xff\r\n", (ANN,), (b"BODY=8BITMIME",)),
        ({"smtputf8": ""}, b"a\r\n", (ANN,), ()),
        ({"smtputf8": ""}, b"a\r\n", (ANN, JOERG), (b"SMTPUTF8",)),
        ({"smtputf8": "", "8bitmime": ""}, "A: ö\r\n\r\n".encode(), (ANN,), (b"BODY=8BITMIME", b"SMTPUTF8")),
    ],
)
def test_given_what_a_server_offers_when_planned_then_mail_says_what_is_needed(
    offered: dict[str, str], content: bytes, recipients: tuple[EmailAddress, ...], parameters: tuple[bytes, ...]
) -> None:
    planned = plan(Envelope(ANN, recipients), content, capabilities(**offered))

    assert planned.parameters == parameters
    assert planned.recipients == recipients


def test_given_a_server_of_seven_bits_when_planned_then_the_content_is_recoded() -> None:
    content = b"Content-Type: application/octet-stream\r\n\r\n\xff\xfe\r\n"

    planned = plan(Envelope(ANN, (ANN,)), content, capabilities())

    assert planned.content.isascii()
    assert b"Content-Transfer-Encoding: base64" in planned.content


@pytest.mark.parametrize(
    ("sender", "content"), [(JOERG, b"A: b\r\n\r\n"), (ANN, "A: ö\r\n\r\n".encode())], ids=["sender", "header"]
)
def test_given_a_need_of_smtputf8_when_not_offered_then_nobody_can_get_it(sender: EmailAddress, content: bytes) -> None:
    with pytest.raises(NeedsSmtpUtf8):
        plan(Envelope(sender, (ANN,)), content, capabilities())


def test_given_international_recipients_when_not_offered_then_only_they_are_left_out() -> None:
    planned = plan(Envelope(ANN, (JOERG, ANN)), b"a\r\n", capabilities())

    assert (planned.recipients, planned.needing_smtputf8) == ((ANN,), (JOERG,))


def test_given_a_message_above_the_limit_when_planned_then_it_is_refused_with_both_sizes() -> None:
    with pytest.raises(AboveSize, match="1,002 bytes, the limit is 1,001"):
        plan(Envelope(ANN, (ANN,)), b"x" * 1000, capabilities(size="1001"))


def test_given_more_recipients_than_the_server_takes_when_planned_then_the_surplus_waits() -> None:
    many = tuple(EmailAddress(f"r{number}", "example.com") for number in range(5))

    planned = plan(Envelope(ANN, many), b"a\r\n", capabilities(limits="RCPTMAX=3"))

    assert (planned.recipients, planned.surplus) == (many[:3], many[3:])
