"""What the messages of the corpus are made of: right in all but the one thing that a category breaks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from domain.reading import Defect

Made = tuple[bytes, Iterable[Defect], Iterable[str]]
Maker = Callable[[random.Random], Made]

_WORDS = ("Rechnung", "invoice", "gönderi", "отчёт", "報告書", "naïve", "order", "Besprechung", "ข้อความ", "agenda")


def a_word(chance: random.Random) -> str:
    """A word of ASCII that stands nowhere else."""
    return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=12))


def a_text(chance: random.Random) -> str:
    """Some lines in several scripts."""
    return "\r\n".join(" ".join(chance.choices(_WORDS, k=chance.randint(1, 8))) for _ in range(chance.randint(1, 6)))


def a_header(chance: random.Random, *, without: tuple[str, ...] = (), more: tuple[str, ...] = ()) -> str:
    """Fields as they should be, some left out, others added."""
    fields = {
        "From": f'"{a_word(chance)}" <{a_word(chance)}@example.com>',
        "To": f"{a_word(chance)}@example.org",
        "Subject": a_word(chance),
        "Date": f"Wed, {chance.randint(1, 28):02} Mar 2026 05:06:07 +0100",
        "Message-ID": f"<{a_word(chance)}@example.com>",
        "MIME-Version": "1.0",
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if name not in without]
    return "".join(f"{line}\r\n" for line in (*lines, *more))


def a_message(chance: random.Random, body: str | bytes = b"Hello\r\n", **changes: tuple[str, ...]) -> bytes:
    content = body.encode() if isinstance(body, str) else body
    return a_header(chance, **changes).encode() + b"\r\n" + content


def a_part(text: str, *fields: str) -> str:
    return "".join(f"{field}\r\n" for field in fields) + f"\r\n{text}\r\n"


def multipart(*parts: str, boundary: str = "outer", is_closed: bool = True) -> str:
    """The content of a multipart."""
    return "".join(f"--{boundary}\r\n{part}" for part in parts) + (f"--{boundary}--\r\n" if is_closed else "")


MIXED = 'Content-Type: multipart/mixed; boundary="outer"'
UTF_8 = "Content-Type: text/plain; charset=utf-8"
