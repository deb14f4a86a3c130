"""Messages whose text is not what its charset and its transfer encoding say (RFC 2045, 2046)."""

from __future__ import annotations

import random
from base64 import b64encode, encodebytes

from domain.reading import Defect
from tests.broken_mail.pieces import UTF_8, Made, Maker, a_message, a_text, a_word

C, M = Defect.CHARSET, Defect.MIME
BASE64 = "Content-Transfer-Encoding: base64"
QUOTED = "Content-Transfer-Encoding: quoted-printable"


def junk_within_base64(chance: random.Random) -> Made:
    word = a_word(chance)
    content = encodebytes(f"{word}\r\n{a_text(chance)}".encode()).decode()
    for _ in range(chance.randint(1, 20)):
        place = chance.randint(0, len(content) - 4)
        content = content[:place] + chance.choice("!#$%&*.,:;\u00e9\0") + content[place:]
    return a_message(chance, content, more=(UTF_8, BASE64)), {M}, [word]


def base64_cut_off(chance: random.Random) -> Made:
    word = a_word(chance)
    content = b64encode(f"{word} and {a_word(chance)}.".encode()).decode().rstrip("=")
    cut = len(content) - len(content) % 4 - chance.choice((1, 2, 3))
    return a_message(chance, content[:cut], more=(UTF_8, BASE64)), {M}, [word]


def plain_text_called_base64(chance: random.Random) -> Made:
    text = f"Dear {a_word(chance)}, this is no base64 at all!"
    return a_message(chance, text, more=("Content-Type: application/pdf; name=x.pdf", BASE64)), (), []


def quoted_printable_broken(chance: random.Random) -> Made:
    word = a_word(chance)
    bad = chance.choice(("=", "=G1", "=4", "a = b", "=\0", "=="))
    return a_message(chance, f"{word} {bad}z\r\n", more=(UTF_8, QUOTED)), {M}, [word]


def unknown_encoding(chance: random.Random) -> Made:
    word = a_word(chance)
    encoding = chance.choice(("x-uuencode", "uuencode", "base65", "gzip", "16bit"))
    return a_message(chance, word, more=(f"Content-Transfer-Encoding: {encoding}",)), {M}, [word]


def unknown_charset(chance: random.Random) -> Made:
    word = a_word(chance)
    charset = chance.choice(
        ("bogus", "x-unknown", "zlib_codec", "unicode_escape", "punycode", "utf-99", "unknown-8bit")
    )
    content = f"{word} caf".encode() + b"\xe9\r\n"
    return a_message(chance, content, more=(f"Content-Type: text/plain; charset={charset}",)), {C}, [f"{word} café"]


def charset_with_junk(chance: random.Random) -> Made:
    word = f"{a_word(chance)} é"
    charset = chance.choice(("utf-8  euao6y69zh2w", " UTF8 ", "utf-8;", "x-utf-8", "'utf-8'", "utf_8"))
    return a_message(chance, word, more=(f'Content-Type: text/plain; charset="{charset}"',)), (), [word]


def charset_by_an_old_name(chance: random.Random) -> Made:
    charset, codec, text = chance.choice(
        (
            ("windows-874", "cp874", "ข้อความ"), ("cp-850", "cp850", "naïve"), ("ks_c_5601-1987", "cp949", "보고서"),
            ("x-sjis", "cp932", "報告書"), ("iso-8859-8-i", "iso8859_8", "שלום"),
            ("x-mac-cyrillic", "mac_cyrillic", "отчёт"),
            ("gb2312", "gb18030", "报告镕"), ("unicode-1-1-utf-7", "utf_7", "отчёт"), ("koi8", "koi8_r", "отчёт"),
        )
    )  # fmt: skip
    content = text.encode(codec) + b"\r\n"
    return a_message(chance, content, more=(f"Content-Type: text/plain; charset={charset}",)), (), [text]


def charset_not_the_one_named(chance: random.Random) -> Made:
    word = a_word(chance)
    field = f"Content-Type: text/plain; charset={chance.choice(('utf-8', 'us-ascii', 'euc-jp'))}"
    return a_message(chance, f"{word} caf".encode() + b"\xe9.\r\n", more=(field,)), {C}, [word]


def eight_bits_without_a_charset(chance: random.Random) -> Made:
    word = f"{a_word(chance)} é"
    return a_message(chance, word), {C}, [word]


def half_of_a_surrogate_pair(chance: random.Random) -> Made:
    word = a_word(chance)
    return a_message(chance, f"{word} +2AA- x", more=("Content-Type: text/plain; charset=utf-7",)), {C}, [word]


def nuls_in_text(chance: random.Random) -> Made:
    word = a_word(chance)
    return a_message(chance, f"\0{word[:6]}\0{word[6:]}\0", more=(UTF_8,)), {M}, [word]


def line_without_end(chance: random.Random) -> Made:
    word = a_word(chance)
    return a_message(chance, word * chance.randint(1_000, 9_000), more=(UTF_8,)), (), [word]


TEXT_CATEGORIES: dict[str, Maker] = {
    made.__name__: made
    for made in (
        junk_within_base64, base64_cut_off, plain_text_called_base64, quoted_printable_broken, unknown_encoding,
        unknown_charset, charset_with_junk, charset_by_an_old_name, charset_not_the_one_named,
        eight_bits_without_a_charset, half_of_a_surrogate_pair, nuls_in_text, line_without_end,
    )
}  # fmt: skip
