"""Private CAs: PEM in, certificates alone out."""

from __future__ import annotations

import base64
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Violation
from domain.reasons import Reason
from domain.settings.certificates import parse_ca_certificates

FIELD = "settings.smtp.ca_certificates"


def a_der(body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes([0x30, size]) + body
    octets = (size.bit_length() + 7) // 8
    return bytes([0x30, 0x80 | octets]) + size.to_bytes(octets, "big") + body


def a_pem(der: bytes, label: str = "CERTIFICATE") -> str:
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


ONE, TWO = a_pem(a_der(b"x" * 900)), a_pem(a_der(b"y" * 40))


def test_given_a_bundle_with_comments_when_parsing_then_the_certificates_stand_in_a_row_f17() -> None:
    bundle = f"# Company root, gültig bis 2030\r\n{ONE.replace(chr(10), chr(13) + chr(10))}\n\nsubject=CN=x\n{TWO}"

    assert parse_ca_certificates(bundle, field=FIELD) == ONE + TWO


@pytest.mark.parametrize("text", ["", "  \n"])
def test_given_nothing_when_parsing_then_there_are_none(text: str) -> None:
    assert parse_ca_certificates(text, field=FIELD) == ""


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        ONE.replace("-----END CERTIFICATE-----", ""),
        ONE + "-----BEGIN CERTIFICATE-----",
        ONE + a_pem(a_der(b"z"), "CERTIFICATE REQUEST"),
        ONE + a_pem(a_der(b"z"), "PUBLIC KEY"),
        a_pem(b"\x31\x01x"),
        a_pem(a_der(b"x" * 50)[:-1]),
        a_pem(a_der(b"x" * 300) + b"x"),
        a_pem(b"\x30\x80x"),
        a_pem(b""),
        ONE.replace("eHh4", "eHh", 1),
        "-----BEGIN CERTIFICATE-----\n====\n-----END CERTIFICATE-----",
    ],
)
def test_given_no_whole_certificate_when_parsing_then_it_is_refused(text: str) -> None:
    parsed = parse_ca_certificates(text, field=FIELD)

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.CA_CERTIFICATES_INVALID
    assert parsed.remedy


@pytest.mark.parametrize("label", ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
def test_given_a_private_key_when_parsing_then_it_is_refused_loudly(label: str) -> None:
    parsed = parse_ca_certificates(ONE + a_pem(a_der(b"k"), label), field=FIELD)

    assert isinstance(parsed, Violation)
    assert "PRIVATE KEY" in parsed.message
    assert "replace the key" in parsed.remedy


def test_given_more_than_64_kib_when_parsing_then_it_is_too_long() -> None:
    parsed = parse_ca_certificates(ONE * 60, field=FIELD)

    assert isinstance(parsed, Violation)
    assert parsed.reason is Reason.VALUE_TOO_LONG


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_given_any_bundle_when_parsing_its_result_again_then_nothing_changes(bodies: list[bytes]) -> None:
    parsed = parse_ca_certificates("\n".join(a_pem(a_der(body)) for body in bodies), field=FIELD)

    assert isinstance(parsed, str)
    assert parse_ca_certificates(parsed, field=FIELD) == parsed
