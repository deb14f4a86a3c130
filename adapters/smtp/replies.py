"""Replies read off the wire, bounded and strict: bytes in, whole replies out (RFC 5321 section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAXIMUM_REPLY_OCTETS: Final = 32 * 1024
"""Of all lines of one reply together; a real EHLO reply has about 1 KiB."""
MAXIMUM_REPLY_LINES: Final = 100
_LF: Final = b"\n"
_SHOWN_OCTETS: Final = 64


class UnreadableReply(Exception):
    """The peer's words are no SMTP reply; nothing that follows them can be trusted."""


class MalformedReply(UnreadableReply):
    """Something else than a reply line; `seen` is how it begins."""

    def __init__(self, seen: bytes) -> None:
        super().__init__("not an SMTP reply")
        self.seen = seen[:_SHOWN_OCTETS]

    @property
    def is_tls(self) -> bool:
        """Tells whether it begins as a TLS record does: an alert or a handshake of any SSL 3 or TLS version."""
        return self.seen[:1] in (b"\x15", b"\x16") and self.seen[1:2] in (b"\x03", b"")


class ReplyTooLarge(UnreadableReply):
    """A reply beyond 32 KiB or 100 lines."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its code, and the text of each line as it came, without code and line end."""

    code: int
    lines: tuple[str, ...]

    @property
    def is_positive(self) -> bool:
        """Tells whether the command was done: a 2yz."""
        return 200 <= self.code <= 299

    @property
    def is_negative(self) -> bool:
        """Tells whether the command was refused, for now (4yz) or for good (5yz)."""
        return 400 <= self.code <= 599


class ReplyReader:
    """
    Cuts a stream of octets into replies, in whatever pieces it arrives.

    Takes a bare LF for a line end, a line of the code alone, and any octets in the text; the lines of one reply must
    agree in their code. After an UnreadableReply the reader is of no use any more.
    """

    def __init__(self) -> None:
        self._unread = bytearray()
        self._searched = 0
        self._code = 0
        self._lines: list[str] = []
        self._size = 0

    @property
    def unread_octets(self) -> int:
        """How much was fed and is not part of a reply taken yet, less the lines of a reply that has begun."""
        return len(self._unread)

    @property
    def has_more(self) -> bool:
        """Tells whether anything was fed behind the last reply taken, be it complete or not."""
        return bool(self._unread or self._lines)

    def feed(self, data: bytes) -> None:
        """Adds what arrived."""
        self._unread += data

    def take(self) -> Reply | None:
        """
        Returns the next reply, or None until it is complete.

        Raises MalformedReply as soon as an octet cannot belong to a reply, ReplyTooLarge beyond the bounds.
        """
        while True:
            if self._unread and not self._unread[:1].isdigit():
                raise MalformedReply(bytes(self._unread))
            end = self._unread.find(_LF, self._searched)
            self._searched = len(self._unread)
            if self._size + (end if end >= 0 else self._searched) > MAXIMUM_REPLY_OCTETS:
                raise ReplyTooLarge
            if end < 0:
                return None
            line = bytes(self._unread[:end]).removesuffix(b"\r")
            del self._unread[: end + 1]
            self._searched = 0
            self._size += end + 1
            if self._is_last(line):
                reply = Reply(self._code, tuple(self._lines))
                self._code, self._lines, self._size = 0, [], 0
                return reply

    def _is_last(self, line: bytes) -> bool:
        digits, separator, text = line[:3], line[3:4], line[4:]
        code = int(digits) if len(digits) == 3 and digits.isdigit() else 0
        if not 200 <= code <= 599 or separator.isdigit() or self._code not in (0, code):
            raise MalformedReply(line)
        if len(self._lines) == MAXIMUM_REPLY_LINES:
            raise ReplyTooLarge
        self._code = code
        self._lines.append(_readable(text))
        return separator != b"-"


def _readable(text: bytes) -> str:
    """Returns UTF-8 as it is; older servers write the letters of western languages in their own eight bits."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("cp1252", errors="replace")
