"""Fields of a header: decoded, bounded, in order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.reading import LISTED_FIELDS, Defect, HeaderField, read_header, read_message
from domain.reading.charsets import codec_of, decode
from domain.reading.ids import read_date, read_ids, read_message_id
from domain.reading.parameters import file_name, read_parameters
from domain.reading.words import decode_text


@pytest.mark.parametrize(
    ("written", "text", "defects"),
    [
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab", set()),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c", set()),
        ("=?utf-8?q?a?= =?iso-8859-1?q?=E9?=", "aé", set()),
        ("x =?UTF-8?B?w6k=?= y", "x é y", set()),
        ("=?iso-8859-1*fr?Q?=E9t=E9?=", "été", set()),
        ("=?utf-8?q?a?==?utf-8?q?b?=", "ab", set()),
        ("=?gb2312?B?xOO6w7D0?=", "你好棒", set()),
        ("raw UTF-8: é", "raw UTF-8: é", set()),
        ("a =? b ?= c", "a =? b ?= c", set()),
        ("=?utf-8?q??= x", "x", set()),
        ("=?utf-8?B?w6k?=", "é", {Defect.HEADER}),
        ("=?utf-8?q?=E9?=", "\ufffd", {Defect.CHARSET}),
        ("=?x-unknown?B?SGVsbG8=?=", "Hello", {Defect.CHARSET, Defect.HEADER}),
        ("=?utf-8?B?!!!?= end", "=?utf-8?B?!!!?= end", {Defect.HEADER}),
        ("a\tb", "a b", set()),
        ("a\x85b\u2028c", "a b c", {Defect.HEADER}),
    ],
)
def test_given_a_value_when_decoded_then_words_are_joined_and_junk_stays(
    written: str, text: str, defects: set[Defect]
) -> None:
    found: set[Defect] = set()

    assert decode_text(written.encode(), found) == text
    assert found == defects


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("UTF-8", "utf_8"), ("utf8", "utf_8"), ("utf-8  euao6y69zh2w", "utf_8"), ("windows-874", "cp874"),
        ("cp-850", "cp850"), ("ISO-8859-1", "cp1252"), ("iso8859-15", "iso8859_15"), ("x-gbk", "gb18030"),
        ("\"koi8-r\"", "koi8_r"), ("x-unknown", None), ("", None), ("bogus", None), ("zlib", None), ("rot13", None),
        ("punycode", None), ("unicode_escape", None), ("idna", None), ("../../etc", None), ("undefined", None),
    ],
)  # fmt: skip
def test_given_a_label_when_looked_up_then_it_is_a_charset_or_none(charset: str, codec: str | None) -> None:
    assert codec_of(charset) == codec


def test_given_every_label_when_octets_are_decoded_then_nothing_raises() -> None:
    octets = bytes(range(256)) * 4

    for charset in (
        "utf-16",
        "utf-32",
        "utf-7",
        "hz",
        "iso-2022-jp",
        "iso-2022-kr",
        "euc-jp",
        "big5",
        "cp1255",
        "johab",
    ):
        found: set[Defect] = set()
        decode(octets, charset, found).encode()
        assert found == {Defect.CHARSET}, charset


@pytest.mark.parametrize(
    ("written", "instant", "is_flagged"),
    [
        ("Wed, 04 Mar 2026 05:06:07 +0100", datetime(2026, 3, 4, 4, 6, 7, tzinfo=UTC), False),
        ("4 Mar 2026 05:06 GMT (comment)", datetime(2026, 3, 4, 5, 6, tzinfo=UTC), False),
        ("Wed, 04 Mar 2026 23:59:60 -0000", datetime(2026, 3, 4, 23, 59, 59, tzinfo=UTC), False),
        ("Wed, 04 Mar 2026 05:06:07", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), True),
        ("04-Mar-26 05:06:07 +0000", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), True),
        ("Wed, 31 Feb 2026 05:06:07 +0000", None, True),
        ("Wed, 04 Mar 2026 05:06:07 +9999", None, True),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None, True),
        ("9" * 5000, None, True),
        ("", None, False),
    ],
)
def test_given_a_date_when_read_then_it_is_an_instant_or_none(
    written: str, instant: datetime | None, is_flagged: bool
) -> None:
    found: set[Defect] = set()

    assert read_date(written.encode(), found) == instant
    assert found == ({Defect.HEADER} if is_flagged else set())


@pytest.mark.parametrize(
    ("written", "message_id", "is_flagged"),
    [
        ("<a@b>", "<a@b>", False),
        ("  <a@b>  ", "<a@b>", False),
        ("a@b", "<a@b>", True),
        ("<a@b> (x)", "<a@b>", True),
        ("<a b@c>", "<ab@c>", False),
        ("<ab>", "<ab>", True),
        ("<<a@b>>", "<a@b>", True),
        ("<>", "", True),
        ("", "", False),
    ],
)
def test_given_a_message_id_when_read_then_it_stands_in_angle_brackets(
    written: str, message_id: str, is_flagged: bool
) -> None:
    found: set[Defect] = set()

    assert read_message_id(written.encode(), found) == message_id
    assert found == ({Defect.HEADER} if is_flagged else set())


def test_given_a_long_thread_when_read_then_the_first_and_the_newest_are_kept() -> None:
    found: set[Defect] = set()

    ids = read_ids([" ".join(f"<{number}@x>" for number in range(300)).encode()], found)

    assert ids == ("<0@x>", *(f"<{number}@x>" for number in range(201, 300)))
    assert found == {Defect.TRUNCATED}


@pytest.mark.parametrize(
    ("written", "name", "is_flagged"),
    [
        ('attachment; filename="a.pdf"', "a.pdf", False),
        (r'attachment; filename="a\"b.pdf"', 'a"b.pdf', False),
        (r'attachment; filename="C:\temp\new.txt"', "new.txt", False),
        ('attachment; filename="../../etc/passwd"', "passwd", False),
        ('attachment; filename=".."', "", False),
        ("attachment; filename*=UTF-8''%E2%82%AC%20rates.txt", "€ rates.txt", False),
        ("attachment; filename*=iso-8859-1'en'%A3.txt; filename=x.txt", "£.txt", False),
        ("attachment; filename*0*=utf-8''%C3; filename*1*=%A9; filename*2=\".txt\"", "é.txt", False),
        ('attachment; filename*1="b.txt"; filename*0="a"', "ab.txt", False),
        ("attachment; filename==?utf-8?Q?=C3=A9.txt?=", "é.txt", True),
        ('attachment; filename="=?utf-8?B?w6kudHh0?="', "é.txt", True),
        ("attachment; filename=my file.txt", "my file.txt", True),
        ('attachment; filename="open.txt', "open.txt", True),
        ('attachment; filename="a.txt"; filename="b.txt"', "a.txt", True),
        ('attachment; ; filename="a.txt";', "a.txt", False),
        ("attachment; filename=é.txt", "é.txt", False),
    ],
)
def test_given_a_disposition_when_read_then_the_file_has_its_bare_name(
    written: str, name: str, is_flagged: bool
) -> None:
    found: set[Defect] = set()

    kind, parameters = read_parameters(written.encode(), found)

    assert kind == "attachment"
    assert file_name(parameters.get("filename", ""), found) == name
    assert found == ({Defect.HEADER} if is_flagged else set())


def test_given_a_message_when_read_then_its_fields_are_all_there_in_order() -> None:
    octets = b"B: 1\r\nA: =?utf-8?q?=C3=A9?=\r\n x\r\nB:2\r\n\r\nC: no\r\n"

    read = read_message(octets)

    assert read.headers == (HeaderField("B", "1"), HeaderField("A", "é x"), HeaderField("B", "2"))


def test_given_large_fields_when_read_then_64_kib_are_given() -> None:
    octets = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 900) for number in range(100))

    read = read_message(octets)

    assert sum(len(field.name) + len(field.value) for field in read.headers) == 64 * 1024
    assert read.defects == (Defect.TRUNCATED,)


def test_given_the_listed_fields_alone_when_read_then_they_say_what_the_whole_header_says() -> None:
    whole = b"".join(b"%s: x@example.com\r\n" % name.encode() for name in LISTED_FIELDS) + b"X-More: y\r\n\r\n"
    listed = whole.replace(b"X-More: y\r\n", b"")

    assert read_header(listed) == read_header(whole)
