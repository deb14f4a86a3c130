"""What a hostile message costs: time in proportion to its size, whatever it is made of."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest

from domain.reading import read_header, read_message

SIZE = 1024 * 1024
LONGEST = 20.0
"""Seconds of the processor for twice a message that takes well below one; a square would take minutes or hours."""
BASE64 = b"Content-Transfer-Encoding: base64\n\n"
QUOTED = b"Content-Transfer-Encoding: quoted-printable\n\n"
MULTIPART = b"Content-Type: multipart/mixed; boundary=b\n\n"


def filled(start: bytes, piece: bytes) -> bytes:
    return start + piece * (SIZE // len(piece))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "delimiters": lambda: filled(MULTIPART, b"--b\n"),
    "dashes": lambda: filled(MULTIPART, b"\n--"),
    "padded delimiters": lambda: filled(MULTIPART, b"\n--b" + b" " * 60 + b"x"),
    "one padded delimiter": lambda: filled(MULTIPART + b"\n--b", b" ") + b"x",
    "nested multiparts": lambda: b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (level, level) for level in range(SIZE // 60)
    ),
    "nested messages": lambda: filled(b"", b"Content-Type: message/rfc822\n\n"),
    "headers of parts": lambda: MULTIPART + b"".join(b"--b\n" + b"a:\n" * 700 for _ in range(500)),
    "parts without an end of header": lambda: MULTIPART + b"".join(b"--b\n" + b"x" * 2000 for _ in range(500)),
    "fields": lambda: filled(b"", b"a:\n"),
    "one line": lambda: filled(b"Subject: ", b"x"),
    "folded": lambda: filled(b"Subject: x", b"\n x"),
    "open quotes": lambda: filled(b"To: ", b'\\"'),
    "quotes": lambda: filled(b"To: ", b'"\\'),
    "comments": lambda: filled(b"To: ", b"("),
    "closed comments": lambda: filled(b"To: ", b"()"),
    "groups": lambda: filled(b"To: ", b"a:;"),
    "blanks": lambda: filled(b"To: a", b" "),
    "dots": lambda: filled(b"To: a@", b" ."),
    "addresses": lambda: filled(b"To: ", b"a@b,"),
    "many address fields": lambda: filled(b"", b"To: a b,\n"),
    "openings of words": lambda: filled(b"Subject: ", b"=?a?q?"),
    "words": lambda: filled(b"Subject: ", b"=?utf-8?q?=41?= "),
    "words of many charsets": lambda: filled(b"Subject: ", b"=?a?q?x?= =?b?q?x?= "),
    "ids": lambda: filled(b"References: ", b"<a@b> "),
    "openings of ids": lambda: filled(b"References: ", b"<"),
    "parameters": lambda: filled(b"Content-Type: text/plain", b";a=b"),
    "semicolons": lambda: filled(b"Content-Type: text/plain", b";"),
    "sections": lambda: b"Content-Type: text/plain" + b"".join(b"; a*%d*=%%41" % number for number in range(9999)),
    "base64 in pieces": lambda: filled(BASE64, b"QQ=="),
    "blank base64": lambda: filled(BASE64, b" \n"),
    "equals signs": lambda: filled(QUOTED, b"="),
    "soft breaks": lambda: filled(QUOTED, b"=\n"),
    "long soft breaks": lambda: filled(QUOTED, b"=" + b" " * 70),
    "a report": lambda: filled(
        b"From: mailer-daemon@x\nContent-Type: message/delivery-status\n\n",
        b"Final-Recipient: rfc822; a@b\nDiagnostic-Code: smtp; " + b"password is eyJ0b2tlbg token=" * 50 + b"\n\n",
    ),
    "plain reports": lambda: filled(b"From: mailer-daemon@x\n\nThis is the qmail-send program\n", b"<a@b>:\nx\n"),
    "reply codes": lambda: filled(b"From: mailer-daemon@x\nX-Failed-Recipients: a@b\n\n", b"550 "),
    "nuls": lambda: filled(b"", b"\0"),
    "carriage returns": lambda: filled(b"Subject: x\r\r", b"\r"),
    "escapes of iso-2022-jp": lambda: filled(b"Content-Type: text/plain; charset=iso-2022-jp\n\n", b"\x1b$B"),
    "utf-7": lambda: filled(b"Content-Type: text/plain; charset=utf-7\n\n", b"+2AA-"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_given_a_hostile_message_when_read_then_it_costs_seconds_at_most(name: str) -> None:
    octets = HOSTILE[name]()
    start = time.process_time()

    read_message(octets)
    read_header(octets)

    assert time.process_time() - start < LONGEST


@pytest.mark.parametrize("name", ["delimiters", "fields", "nested messages", "addresses", "words", "a report"])
def test_given_a_hostile_message_of_8_mib_when_read_then_memory_is_bounded(name: str) -> None:
    octets = HOSTILE[name]() * 8
    tracemalloc.start()

    read_message(octets)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 2**20
