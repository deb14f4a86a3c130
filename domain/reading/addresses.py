"""Address lists as people send them: groups, comments, obsolete and broken forms (RFC 5322 sections 3.4, 4.4)."""

from __future__ import annotations

import re
from typing import Final

from domain.reading.fields import cut
from domain.reading.model import MOST_ADDRESSES, Defect, ReadAddress
from domain.reading.words import ENCODED_WORD, clean, decode_words, raw_text

_LARGEST_BYTES: Final = 64 * 1024
"""Of a field: a hundred addresses with long names."""
_LONGEST_ADDRESS: Final = 320
_LONGEST_NAME: Final = 256
_TOKEN: Final = re.compile(
    rf"""(?P<word>{ENCODED_WORD})
      | (?P<blank>\s+)
      | (?P<quote>")
      | (?P<comment>\()
      | (?P<mark>[<>,:;])
      | (?P<literal>\[[^\]\[<>]{{0,255}}\])
      | (?P<text>[^\s"(<>,:;=\[]+|.)""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_COMMENT_MARK: Final = re.compile(r"\\.|[()]", re.DOTALL)
_ADDRESS: Final = re.compile(r'(?:[^\s@<>"(),:;\\]+|"(?:[^"\\]|\\.)*")@[^\s@<>"(),:;\\]+|[^\s@]+@\[[^\]\s]+\]')


def read_addresses(value: bytes, found: set[Defect]) -> tuple[ReadAddress, ...]:
    """
    Returns the mailboxes of an address field, those of groups among them, names decoded, at most `MOST_ADDRESSES`.

    What is no address is given as it could be read, and flagged. Takes time in proportion to the length.
    """
    if len(value) > _LARGEST_BYTES:
        value = value[:_LARGEST_BYTES]
        found.add(Defect.TRUNCATED)
    return _Reader(raw_text(value, found), found).read()


class _Reader:
    """What was read of a list so far: finished mailboxes, and the one under construction."""

    def __init__(self, text: str, found: set[Defect]) -> None:
        self._text = text
        self._found = found
        self._read: list[ReadAddress] = []
        self._carried = ""
        """What stood before a comma and is no address: the first half of an unquoted ``Doe, Jane``, perhaps."""
        # A quote or comment that is not closed is looked for once, or a field of nothing else would cost its square.
        self._are_quotes_closed = self._are_comments_closed = True
        self._is_in_group = False
        self._start()

    def _start(self) -> None:
        self._words: list[str] = []
        self._raw: list[str] = []
        self._angle: list[str] | None = None
        self._is_angle_open = False
        self._comment = ""

    def read(self) -> tuple[ReadAddress, ...]:
        position = 0
        while position < len(self._text):
            token = _TOKEN.match(self._text, position)
            if token is None:  # there is none such: the last alternative takes any character
                break
            position = self._take(token)
            if len(self._read) > MOST_ADDRESSES:
                self._found.add(Defect.TRUNCATED)
                return tuple(self._read[:MOST_ADDRESSES])
        self._end(",")
        self._release()
        if self._is_in_group:
            self._found.add(Defect.HEADER)
        if len(self._read) > MOST_ADDRESSES:
            self._found.add(Defect.TRUNCATED)
        return tuple(self._read[:MOST_ADDRESSES])

    def _take(self, token: re.Match[str]) -> int:
        kind, text, end = token.lastgroup, token[0], token.end()
        if kind == "quote" and self._are_quotes_closed:
            quoted = _QUOTED.match(self._text, token.start())
            if quoted:
                self._add_quoted(quoted)
                return quoted.end()
            self._are_quotes_closed = False
        if kind == "quote":
            self._found.add(Defect.HEADER)
            return end
        if kind == "comment" and self._are_comments_closed and not self._is_angle_open:
            after = self._after_comment(token.start())
            if after:
                self._comment = self._comment or self._text[end : after - 1]
                self._add(" ", " ")
                return after
            self._are_comments_closed = False
        if kind == "comment":
            self._found.add(Defect.HEADER)
        if kind == "mark":
            self._mark(text)
        else:
            self._add(text, text)
        return end

    def _after_comment(self, position: int) -> int:
        depth = 0
        for mark in _COMMENT_MARK.finditer(self._text, position):
            depth += {"(": 1, ")": -1}.get(mark[0], 0)
            if depth == 0:
                return mark.end()
        return 0

    def _add_quoted(self, quoted: re.Match[str]) -> None:
        if self._angle is None and "=?" in quoted[1] and re.search(ENCODED_WORD, quoted[1]):
            self._found.add(Defect.HEADER)  # RFC 2047 section 5, rule 3; everybody decodes it, though
        self._add(_ESCAPED.sub(r"\1", quoted[1]), quoted[0])

    def _add(self, word: str, raw: str) -> None:
        if self._is_angle_open and self._angle is not None:
            self._angle.append(raw)
            return
        if self._angle is not None and raw.strip():
            self._found.add(Defect.HEADER)  # text behind the address
        self._words.append(word)
        self._raw.append(raw)

    def _mark(self, mark: str) -> None:
        match mark:
            case ">" if self._is_angle_open:
                self._is_angle_open = False
            case "<" if self._angle is None:
                self._angle, self._is_angle_open = [], True
            case "<":
                self._found.add(Defect.HEADER)  # a comma is missing
                self._end(",")
                self._angle, self._is_angle_open = [], True
            case ":" if self._is_angle_open and self._angle is not None:
                self._angle.append(mark)
            case ":" if self._angle is None and not self._is_in_group and "@" not in "".join(self._raw):
                self._start()
                self._is_in_group = True
            case ";" if self._is_in_group:
                self._end(mark)
                self._release()
                self._is_in_group = False
            case "," if self._is_angle_open and self._angle is not None and "".join(self._angle).strip()[:1] == "@":
                self._angle.append(mark)  # a route (RFC 5322 section 4.4)
            case "," | ";":
                if mark == ";":
                    self._found.add(Defect.HEADER)
                self._end(mark)
            case _:
                self._found.add(Defect.HEADER)
                self._words.append(mark)
                self._raw.append(mark)

    def _end(self, mark: str) -> None:
        """Finishes the mailbox under construction."""
        if self._is_angle_open:
            self._found.add(Defect.HEADER)
        words, raw = "".join(self._words), "".join(self._raw).strip()
        angle = None if self._angle is None else "".join(self._angle).strip()
        comment = self._comment
        self._start()
        if angle is not None:
            name = words.strip()
            if self._carried:
                self._found.add(Defect.HEADER)
                name, self._carried = f"{self._carried}, {name}", ""
            self._keep(_without_route(angle), name or comment)
        elif "@" in raw:
            self._release()
            self._bare(raw, comment)
        elif raw and mark == ",":
            self._release()
            self._carried = words.strip()
        elif raw:
            self._release()
            self._keep(raw, comment)

    def _release(self) -> None:
        """Gives what was held back for a name as what it is: a word where an address belongs."""
        if self._carried:
            carried, self._carried = self._carried, ""
            self._keep(carried, "")

    def _bare(self, raw: str, comment: str) -> None:
        if not re.search(r"\s", raw) or raw.startswith('"'):
            self._keep(raw, comment)
            return
        squeezed = re.sub(r"\s*([@.])\s*", r"\1", raw) if len(raw) <= _LONGEST_ADDRESS else raw
        if " " not in squeezed:
            self._keep(squeezed, comment)  # blanks around dots and the @ (RFC 5322 section 4.4)
            return
        self._found.add(Defect.HEADER)
        words = raw.split()
        place = next(index for index, word in enumerate(words) if "@" in word)
        self._keep(words[place], " ".join(words[:place] + words[place + 1 :]) or comment)

    def _keep(self, address: str, name: str) -> None:
        if "=?" in address:
            self._found.add(Defect.HEADER)  # RFC 2047 section 5: never within an address
            address = decode_words(address, self._found)
        address = clean(address, self._found)
        if not _ADDRESS.fullmatch(address[: _LONGEST_ADDRESS + 1]):
            self._found.add(Defect.HEADER)
        name = clean(decode_words(name, self._found), self._found)
        address, name = (
            cut(address, _LONGEST_ADDRESS, self._found),
            cut(" ".join(name.split()), _LONGEST_NAME, self._found),
        )
        if address or name:
            self._read.append(ReadAddress(address, name))


def _without_route(angle: str) -> str:
    return angle.rpartition(":")[2].strip() if angle.startswith("@") else angle
