"""Address lists in other programs' headers: the strict syntax of RFC 5322 section 3.4, obsolete forms refused."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<blank>[ \t]+)
      | (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<literal>\[[^\[\]\\]*\])
      | (?P<mark>[<>,:;])
      | (?P<comment>\()
      | (?P<text>[^ \t"\[\]<>,:;()\\]+)""",
    re.VERBOSE,
)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_COMMENT_MARK: Final = re.compile(r"\\.|[()]")


class AddressListMalformed(ValueError):
    """Not an address list; the text says why, as the end of a sentence."""


def addresses_in(value: str) -> list[str]:
    """
    Returns the addr-specs of an unfolded header *value*, as written, names and comments and group names left out.

    They are not judged: that is `parse_address`'s. Raises AddressListMalformed where it is not certain who is meant, as
    with an unquoted address for a name, since two programs would read two different lists.
    """
    reader = _Reader()
    position = 0
    while position < len(value):
        token = _TOKEN.match(value, position)
        if token is None:
            raise AddressListMalformed(f"the character at position {position + 1} is out of place")
        if token.lastgroup == "comment":
            position = _after_comment(value, position)
            reader.take("blank", " ")
        else:
            reader.take(token.lastgroup or "", token[0])
            position = token.end()
    return reader.finish()


def _after_comment(value: str, position: int) -> int:
    depth = 0
    for mark in _COMMENT_MARK.finditer(value, position):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.end()
    raise AddressListMalformed("a comment is not closed")


class _Reader:
    """What was read of the list so far: finished addresses, and the one under construction."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._words = ""
        self._angle: str | None = None
        self._is_angle_open = False
        self._is_group_open = False

    def take(self, kind: str, text: str) -> None:
        if kind == "mark":
            self._mark(text)
        elif self._is_angle_open:
            self._angle = (self._angle or "") + text
        elif self._angle is None:
            self._words += text
        elif kind != "blank":
            raise AddressListMalformed("text follows an address without a comma between")

    def finish(self) -> list[str]:
        if self._is_angle_open:
            raise AddressListMalformed("an angle bracket is not closed")
        if self._is_group_open:
            raise AddressListMalformed("a group is not closed with a semicolon")
        self._end_of_mailbox()
        return self._found

    def _mark(self, mark: str) -> None:
        if self._is_angle_open and mark != ">":
            raise AddressListMalformed(f"'{mark}' stands between angle brackets")
        match mark:
            case "<" if self._angle is None:
                self._angle, self._is_angle_open = "", True
            case ">" if self._is_angle_open:
                self._is_angle_open = False
            case ":" if self._words.strip() and self._angle is None and not self._is_group_open:
                self._check_name()
                self._words, self._is_group_open = "", True
            case ";" if self._is_group_open:
                self._end_of_mailbox()
                self._is_group_open = False
            case ",":
                self._end_of_mailbox()
            case _:
                raise AddressListMalformed(f"'{mark}' is out of place")

    def _end_of_mailbox(self) -> None:
        if self._angle is not None:
            self._check_name()
            self._found.append(self._angle.strip())
        elif self._words.strip():
            self._found.append(self._words.strip())
        self._words, self._angle = "", None

    def _check_name(self) -> None:
        if "@" in _QUOTED.sub("", self._words):
            raise AddressListMalformed("a name holds an address and is not in quotes")
