"""Content-Transfer-Encodings undone piece by piece, whatever the pieces (RFC 2045 sections 6.7, 6.8); never raises."""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp
from typing import Final, Protocol

from domain.reading.model import LARGEST_CHUNK_BYTES, DecodedChunk

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = bytes(set(range(256)) - {*_BASE64, *b"-_="})
_BLANKS: Final = b" \t\r\n"
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_PADDING: Final = re.compile(rb"(=+)")
_GROUP: Final = 4

_MOST_BLANKS: Final = 76
"""Between an equals sign and its line end; more cannot stand on a line of quoted-printable."""
_SOFT_BREAK: Final = re.compile(rb"=[ \t]{0,%d}\r?\n" % _MOST_BLANKS)
_BARE_EQUALS: Final = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]{0,%d}\r?\n)" % _MOST_BLANKS)
_OPEN_END: Final = re.compile(rb"=(?:[0-9A-Fa-f]|[ \t]{0,%d}\r?)\Z" % _MOST_BLANKS)

_KNOWN: Final = frozenset({"base64", "quoted-printable", "7bit", "8bit", "binary"})
_TOKEN: Final = re.compile(r"[\s\"';]*([A-Za-z0-9-]{1,40})")


class _Decoder(Protocol):
    is_broken: bool

    def feed(self, octets: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class _Identity:
    def __init__(self) -> None:
        self.is_broken = False

    def feed(self, octets: bytes) -> bytes:
        return octets

    def finish(self) -> bytes:
        return b""


class _Base64:
    """Padding ends a group, not the content: some programs encode a file in several pieces."""

    def __init__(self) -> None:
        self.is_broken = False
        self._group = b""

    def feed(self, octets: bytes) -> bytes:
        digits = octets.translate(None, _NOT_BASE64)
        if not self.is_broken and len(digits) != len(octets.translate(None, _BLANKS)):
            self.is_broken = True
        if b"-" in digits or b"_" in digits:
            self.is_broken = True
            digits = digits.translate(_URL_SAFE)
        if b"=" not in digits:
            return self._more(digits)
        decoded = []
        for index, piece in enumerate(_PADDING.split(digits)):
            decoded.append(self.finish(is_padded=True) if index % 2 else self._more(piece))
        return b"".join(decoded)

    def _more(self, digits: bytes) -> bytes:
        digits = self._group + digits
        whole = len(digits) // _GROUP * _GROUP
        self._group = digits[whole:]
        return a2b_base64(digits[:whole])

    def finish(self, *, is_padded: bool = False) -> bytes:
        group, self._group = self._group, b""
        if len(group) == 1 or (group and not is_padded):
            self.is_broken = True  # six bits are no octet
        return a2b_base64(group + b"=" * (_GROUP - len(group))) if len(group) > 1 else b""


class _QuotedPrintable:
    """An equals sign that means nothing stands for itself (RFC 2045 section 6.7, notes on robust decoders)."""

    def __init__(self) -> None:
        self.is_broken = False
        self._open = b""

    def feed(self, octets: bytes) -> bytes:
        octets = self._open + octets
        # What the next octets decide about is kept back; it is never longer than a line.
        undecided = _OPEN_END.search(octets, max(0, len(octets) - _MOST_BLANKS - 2))
        end = undecided.start() if undecided else len(octets)
        self._open = octets[end:]
        return self._decoded(octets[:end])

    def finish(self) -> bytes:
        rest, self._open = self._open, b""
        if rest == b"=" or rest.rstrip(b" \t\r") == b"=":
            return b""  # a soft line break that lost its line end
        return self._decoded(rest)

    def _decoded(self, octets: bytes) -> bytes:
        octets, bare = _BARE_EQUALS.subn(b"=3D", octets)
        if bare:
            self.is_broken = True
        return a2b_qp(_SOFT_BREAK.sub(b"", octets))


def transfer_encoding(written: str) -> tuple[str, bool]:
    """
    Returns the encoding that a field's value names, in lower case, and whether it is one of RFC 2045 section 6.1.

    Quotes around and junk behind the name are set aside; what is unknown, uuencode among it, is left undone.
    """
    token = _TOKEN.match(written)
    name = token[1].lower() if token else ""
    name = {"quoted_printable": "quoted-printable", "qp": "quoted-printable", "base-64": "base64"}.get(name, name)
    return name, name in _KNOWN or not written.strip()


class ContentDecoder:
    """Decodes the content of one part as its octets come; holds back less than a line."""

    def __init__(self, encoding: str) -> None:
        """Takes `MessagePart.transfer_encoding`; what it does not know it leaves as it is."""
        self._decoder: _Decoder
        if encoding == "base64":
            self._decoder = _Base64()
        elif encoding == "quoted-printable":
            self._decoder = _QuotedPrintable()
        else:
            self._decoder = _Identity()

    @property
    def is_broken(self) -> bool:
        """Tells whether the content broke the rules of its encoding so far."""
        return self._decoder.is_broken

    def feed(self, octets: bytes) -> bytes:
        """Returns what can be decoded by now: the same in all, wherever the content was cut into pieces."""
        return self._decoder.feed(octets)

    def finish(self) -> bytes:
        """Returns what is left at the end of the content."""
        return self._decoder.finish()


class ChunkedDecoder:
    """Decodes one part into numbered chunks for a stream: feed its octets as they come, then finish, once."""

    def __init__(self, encoding: str, *, largest_bytes: int = LARGEST_CHUNK_BYTES) -> None:
        """Takes `MessagePart.transfer_encoding`, or an empty text for the raw source; holds up to *largest_bytes*."""
        self._decoder = ContentDecoder(encoding)
        self._largest = largest_bytes
        self._pending = bytearray()
        self._offset = 0

    def feed(self, octets: bytes) -> list[DecodedChunk]:
        """Returns the chunks that are full and not the last; none while there is too little."""
        self._pending += self._decoder.feed(octets)
        return self._full()

    def finish(self) -> list[DecodedChunk]:
        """Returns the rest: one chunk at least, the last one marked, which is empty when the whole content is."""
        self._pending += self._decoder.finish()
        chunks = self._full()
        chunks.append(DecodedChunk(self._offset, bytes(self._pending), is_last=True))
        self._pending.clear()
        return chunks

    def _full(self) -> list[DecodedChunk]:
        chunks = []
        while len(self._pending) > self._largest:
            data = bytes(self._pending[: self._largest])
            del self._pending[: self._largest]
            chunks.append(DecodedChunk(self._offset, data, is_last=False))
            self._offset += len(data)
        return chunks
