"""Messages whose header fields break RFC 5322, 2047 or 2231."""

from __future__ import annotations

import random
from base64 import b64encode

from domain.reading import Defect
from tests.broken_mail.pieces import MIXED, Made, Maker, a_header, a_message, a_part, a_word, multipart

H, C, T = Defect.HEADER, Defect.CHARSET, Defect.TRUNCATED


def _field(name: str, value: str, chance: random.Random) -> bytes:
    return a_message(chance, without=(name,), more=(f"{name}: {value}",))


def eight_bit_subject(chance: random.Random) -> Made:
    word = f"{a_word(chance)}é"
    head = a_header(chance, without=("Subject",)).encode()
    return head + b"Subject: " + word.encode("cp1252") + b"\r\n\r\nHello\r\n", {C, H}, [word]


def bad_date(chance: random.Random) -> Made:
    dates = (
        "yesterday",
        "Wed, 45 Foo 2026 99:99:99 +0000",
        "2026-13-77T99",
        "0",
        "9" * 100,
        "Wed, 31 Feb 2026 05:06:07 +0",
    )
    return _field("Date", chance.choice(dates), chance), {H}, []


def duplicate_fields(chance: random.Random) -> Made:
    word = a_word(chance)
    name = chance.choice(("Subject", "Message-ID", "Date", "From", "To"))
    values = {"Date": "Wed, 04 Mar 2026 05:06:07 +0000", "Message-ID": f"<{word}@example.com>", "Subject": word}
    value = values.get(name, f"{word}@example.com")
    twice = (f"{name}: {value}", f"{name}: {value}")
    return a_message(chance, without=(name,), more=twice), {H}, [] if name == "Date" else [word]


def nul_in_header(chance: random.Random) -> Made:
    word = a_word(chance)
    return _field("Subject", f"\0{word}\0", chance), {H}, [word]


def line_too_long(chance: random.Random) -> Made:
    return a_message(chance, more=(f"X-Long: {'x' * chance.randint(999, 9000)}",)), {H}, []


def huge_subject(chance: random.Random) -> Made:
    word = a_word(chance)
    lines = "\r\n ".join(chance.choices(("some words", "and more of them"), k=200))
    return _field("Subject", f"{word} {lines}", chance), {T}, [word]


def encoded_word_of_unknown_charset(chance: random.Random) -> Made:
    word = a_word(chance)
    charset = chance.choice(("x-unknown", "bogus", "klingon-1", "zlib", "unicode_escape", "idna"))
    return _field("Subject", f"=?{charset}?B?{b64encode(word.encode()).decode()}?=", chance), {C, H}, [word]


def encoded_word_not_decodable(chance: random.Random) -> Made:
    word = a_word(chance)
    return _field("Subject", f"{word} =?utf-8?B?{'!' * chance.randint(1, 9)}?=", chance), {H}, [word]


def encoded_word_of_unknown_encoding(chance: random.Random) -> Made:
    word = a_word(chance)
    return _field("Subject", f"{word} =?utf-8?{chance.choice('XZ')}?abc?=", chance), {H}, [word]


def encoded_words_cut_within_a_character(chance: random.Random) -> Made:
    word = f"{a_word(chance)}日本語"
    octets = word.encode()
    cut = len(octets) - chance.choice((1, 2, 4, 5))
    first, second = (b64encode(piece).decode() for piece in (octets[:cut], octets[cut:]))
    return _field("Subject", f"=?utf-8?B?{first}?=\r\n =?utf-8?B?{second}?=", chance), (), [word]


def line_break_in_encoded_word(chance: random.Random) -> Made:
    word = a_word(chance)
    return (
        _field("Subject", f"=?utf-8?Q?{word}=0D=0ABcc:_x=40example.com?=", chance),
        {H},
        [f"{word}  Bcc: x@example.com"],
    )


def malformed_addresses(chance: random.Random) -> Made:
    word = a_word(chance)
    forms = (
        f"{word}", f"<{word}>", f"{word}@", f"@{word}", f"{word}@example.com@example.org", f"<{word}@example.com",
        f"{word}@example.com <", f"{word} name {word}@example.com", f"a@example.com; {word}@example.com",
        f"Doe (Jane <{word}@example.com>", f"<a@example.com><{word}@example.com>", f"x:: <{word}@example.com>",
    )  # fmt: skip
    return _field("To", chance.choice(forms), chance), {H}, [word]


def quote_not_closed(chance: random.Random) -> Made:
    word = a_word(chance)
    return _field("From", f'"Jane Doe <{word}@example.com>', chance), {H}, ["Jane Doe", f"{word}@example.com"]


def comma_not_quoted(chance: random.Random) -> Made:
    word = a_word(chance)
    return _field("From", f"=?utf-8?q?Doe,_{word}?= <jane@example.com>", chance), (), [f"Doe, {word}"]


def address_as_encoded_word(chance: random.Random) -> Made:
    word = a_word(chance)
    return _field("To", f"=?utf-8?q?{word}=40example.com?=", chance), {H}, [f"{word}@example.com"]


def file_name_as_encoded_word(chance: random.Random) -> Made:
    word = f"{a_word(chance)} é.pdf"
    written = f"=?utf-8?B?{b64encode(word.encode()).decode()}?="
    disposition = f'Content-Disposition: attachment; filename="{written}"'
    file = a_part("AAAA", "Content-Type: application/pdf", "Content-Transfer-Encoding: base64", disposition)
    return a_message(chance, multipart(a_part("Hello"), file), more=(MIXED,)), {H}, [word]


def file_name_not_quoted(chance: random.Random) -> Made:
    word = f"{a_word(chance)} final version.pdf"
    file = a_part("AAAA", "Content-Type: application/pdf", f"Content-Disposition: attachment; filename={word}")
    return a_message(chance, multipart(a_part("Hello"), file), more=(MIXED,)), {H}, [word]


def file_name_in_broken_sections(chance: random.Random) -> Made:
    word = a_word(chance)
    forms = (
        f"filename*0*=utf-8''{word}; filename*2*=%41.pdf", f"filename*=utf-8''{word}%ZZ", f"filename*={word}",
        f"filename*x=a; filename={word}", f"filename*0*=utf-8''{word}; filename*1000*=x",
    )  # fmt: skip
    disposition = f"Content-Disposition: attachment; {chance.choice(forms)}"
    file = a_part("AAAA", "Content-Type: application/pdf", disposition)
    return a_message(chance, multipart(a_part("Hello"), file), more=(MIXED,)), {H}, [word]


def line_without_colon(chance: random.Random) -> Made:
    return a_message(chance, more=(a_word(chance), f"X-Name With Blank: {a_word(chance)}")), {H}, []


def mbox_line(chance: random.Random) -> Made:
    return b"From someone@example.com Wed Mar  4 05:06:07 2026\r\n" + a_message(chance), {H}, []


def continuation_without_field(chance: random.Random) -> Made:
    return f" {a_word(chance)}\r\n".encode() + a_message(chance), {H}, []


def message_id_without_brackets(chance: random.Random) -> Made:
    word = a_word(chance)
    return _field("Message-ID", f"{word}@example.com", chance), {H}, [f"<{word}@example.com>"]


def references_in_prose(chance: random.Random) -> Made:
    word = a_word(chance)
    return (
        a_message(chance, more=(f"In-Reply-To: your mail {word}@example.com of today",)),
        {H},
        [f"<{word}@example.com>"],
    )


def thread_without_end(chance: random.Random) -> Made:
    ids = "\r\n ".join(f"<{a_word(chance)}@example.com>" for _ in range(chance.randint(101, 400)))
    return a_message(chance, more=(f"References: {ids}",)), {T}, []


def too_many_fields(chance: random.Random) -> Made:
    return a_message(chance, more=tuple(f"X-{index}: y" for index in range(chance.randint(200, 900)))), {T}, []


def too_many_addresses(chance: random.Random) -> Made:
    addresses = ",\r\n ".join(f"{a_word(chance)}@example.com" for _ in range(chance.randint(101, 500)))
    return _field("To", addresses, chance), {T}, []


HEADER_CATEGORIES: dict[str, Maker] = {
    made.__name__: made
    for made in (
        eight_bit_subject, bad_date, duplicate_fields, nul_in_header, line_too_long, huge_subject,
        encoded_word_of_unknown_charset, encoded_word_not_decodable, encoded_word_of_unknown_encoding,
        encoded_words_cut_within_a_character, line_break_in_encoded_word, malformed_addresses, quote_not_closed,
        comma_not_quoted, address_as_encoded_word, file_name_as_encoded_word, file_name_not_quoted,
        file_name_in_broken_sections, line_without_colon, mbox_line, continuation_without_field,
        message_id_without_brackets, references_in_prose, thread_without_end, too_many_fields, too_many_addresses,
    )
}  # fmt: skip
