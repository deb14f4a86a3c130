"""Messages whose MIME structure breaks RFC 2045 or 2046."""

from __future__ import annotations

import random
from base64 import b64encode

from domain.reading import Defect
from tests.broken_mail.pieces import MIXED, UTF_8, Made, Maker, a_message, a_part, a_text, a_word, multipart

H, M, T = Defect.HEADER, Defect.MIME, Defect.TRUNCATED


def boundary_not_named(chance: random.Random) -> Made:
    word = a_word(chance)
    return a_message(chance, multipart(a_part(word)), more=("Content-Type: multipart/mixed",)), {M}, [word]


def boundary_never_used(chance: random.Random) -> Made:
    word = a_word(chance)
    field = f'Content-Type: multipart/mixed; boundary="{a_word(chance)}"'
    return a_message(chance, multipart(a_part(word)), more=(field,)), {M}, [word]


def multipart_not_closed(chance: random.Random) -> Made:
    word = a_word(chance)
    parts = [a_part(word), *(a_part("AAAA", "Content-Type: image/png") for _ in range(chance.randint(0, 3)))]
    return a_message(chance, multipart(*parts, is_closed=False), more=(MIXED,)), {M}, [word]


def inner_multipart_not_closed(chance: random.Random) -> Made:
    word = a_word(chance)
    inner = multipart(a_part(word), boundary="inner", is_closed=False)
    nested = a_part(inner, "Content-Type: multipart/alternative; boundary=inner")
    return a_message(chance, multipart(nested, a_part("AAAA", "Content-Type: image/png")), more=(MIXED,)), {M}, [word]


def part_without_empty_line(chance: random.Random) -> Made:
    word = a_word(chance)
    bad = "Content-Type: text/html\r\n"
    return a_message(chance, multipart(bad, a_part(word, UTF_8)), more=(MIXED,)), {M}, [word]


def boundary_within_itself(chance: random.Random) -> Made:
    word = a_word(chance)
    inner = a_part(multipart(a_part(word)), MIXED)
    depth = chance.randint(1, 30)
    for _ in range(depth - 1):
        inner = a_part(multipart(inner), MIXED)
    return a_message(chance, multipart(inner), more=(MIXED,)), {M}, [word]


def nested_too_deep(chance: random.Random) -> Made:
    content = a_part(a_word(chance))
    for level in range(chance.randint(22, 200)):
        content = a_part(multipart(content, boundary=f"b{level}"), f"Content-Type: multipart/mixed; boundary=b{level}")
    return a_message(chance, multipart(content), more=(MIXED,)), {T}, []


def messages_too_deep(chance: random.Random) -> Made:
    nested = "Content-Type: message/rfc822\r\n\r\n" * chance.randint(22, 400)
    return a_message(chance, nested + "\r\nHello\r\n", more=("Content-Type: message/rfc822",)), {T}, []


def too_many_parts(chance: random.Random) -> Made:
    parts = (a_part("x") for _ in range(chance.randint(501, 900)))
    word = a_word(chance)
    return a_message(chance, multipart(a_part(word), *parts), more=(MIXED,)), {T}, [word]


def empty_multipart(chance: random.Random) -> Made:
    return a_message(chance, "--outer--\r\n", more=(MIXED,)), {M}, []


def media_type_malformed(chance: random.Random) -> Made:
    word = a_word(chance)
    written = chance.choice(("text", "text/", "/plain", "t\u00e9xt/plain", "text/plain/html", "<text/plain>"))
    return a_message(chance, word, more=(f"Content-Type: {written}",)), {M}, [word]


def multipart_in_base64(chance: random.Random) -> Made:
    word = a_word(chance)
    fields = (MIXED, f"Content-Transfer-Encoding: {chance.choice(('base64', 'quoted-printable'))}")
    return a_message(chance, multipart(a_part(word)), more=fields), {M}, [word]


def attached_message_in_base64(chance: random.Random) -> Made:
    word = a_word(chance)
    attached = b64encode(a_message(chance)).decode()
    part = a_part(attached, "Content-Type: message/rfc822", "Content-Transfer-Encoding: base64")
    return a_message(chance, multipart(a_part(word), part), more=(MIXED,)), {M}, [word]


def report_mislabelled(chance: random.Random) -> Made:
    word = a_word(chance)
    status = (
        f"Reporting-MTA: dns; mx.example.org\r\n\r\nFinal-Recipient: rfc822; {word}@example.org\r\nAction: failed\r\n"
    )
    message = a_message(
        chance,
        multipart(a_part("Sorry."), a_part(status, UTF_8)),
        without=("From",),
        more=("From: MAILER-DAEMON@example.org", MIXED),
    )
    return message, {M}, [f"{word}@example.org"]


def report_of_junk(chance: random.Random) -> Made:
    report = "Content-Type: multipart/report; report-type=delivery-status; boundary=outer"
    status = a_part(f"{a_word(chance)}\r\n\r\n{a_word(chance)} x", "Content-Type: message/delivery-status")
    word = a_word(chance)
    return a_message(chance, multipart(a_part(word), status), more=(report,)), {H}, [word]


def bare_carriage_returns(chance: random.Random) -> Made:
    word = a_word(chance)
    message = a_message(chance, multipart(a_part(word), a_part(a_text(chance), UTF_8)), more=(MIXED,))
    return message.replace(b"\r\n", b"\r"), {H}, [word]


def bare_line_feeds(chance: random.Random) -> Made:
    word = a_word(chance)
    message = a_message(chance, multipart(a_part(word), a_part(a_text(chance), UTF_8)), more=(MIXED,))
    return message.replace(b"\r\n", b"\n"), (), [word]


STRUCTURE_CATEGORIES: dict[str, Maker] = {
    made.__name__: made
    for made in (
        boundary_not_named, boundary_never_used, multipart_not_closed, inner_multipart_not_closed,
        part_without_empty_line, boundary_within_itself, nested_too_deep, messages_too_deep, too_many_parts,
        empty_multipart, media_type_malformed, multipart_in_base64, attached_message_in_base64, report_mislabelled,
        report_of_junk, bare_carriage_returns, bare_line_feeds,
    )
}  # fmt: skip
