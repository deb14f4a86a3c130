"""Content-Type and Content-Disposition as people send them (RFC 2045, 2183, 2231, and RFC 2047 out of its place)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from domain.reading.charsets import decode, without_surrogates
from domain.reading.fields import cut
from domain.reading.model import Defect
from domain.reading.words import clean, decode_words, raw_text

_LARGEST_BYTES: Final = 16 * 1024
_MOST_PARAMETERS: Final = 100
_LONGEST_FILE_NAME: Final = 255
_NAME: Final = re.compile(r"[;\s]*([^\s=;\"]{0,100})\s*(=?)\s*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\])')
_SECTION: Final = re.compile(r"([^*]+)\*(?:(\d{1,3})(\*?))?")
_WORD: Final = re.compile(r"=\?[^?\s]{1,100}\?[BbQq]\?")
_HEX: Final = re.compile(r"%[0-9A-Fa-f]{2}")


def read_parameters(value: bytes, found: set[Defect]) -> tuple[str, dict[str, str]]:
    """
    Returns what stands before the first semicolon, in lower case, and the parameters, decoded, names in lower case.

    Values in RFC 2231 come before plain ones of the same name, as that RFC wants it; else the first one counts.
    """
    if len(value) > _LARGEST_BYTES:
        value = value[:_LARGEST_BYTES]
        found.add(Defect.TRUNCATED)
    text = raw_text(value, found)
    main, semicolon, rest = text.partition(";")
    written = _written(rest, found) if semicolon else {}
    plain = {name: _plain(value, found) for name, value in written.items() if "*" not in name}
    return clean(main, found).lower(), plain | _extended(written, found)


def _written(text: str, found: set[Defect]) -> dict[str, str]:
    written: dict[str, str] = {}
    position = 0
    while position < len(text) and len(written) < _MOST_PARAMETERS:
        name = _NAME.match(text, position)
        if name is None or not (name[1] and name[2]):
            # Blanks and semicolons alone are harmless; a word without a value, or a value without a name, is not.
            after = name.end() if name else position
            if after == position or (name and (name[1] or name[2])):
                found.add(Defect.HEADER)
            position = max(after, position + 1)
            continue
        position = name.end()
        quoted = _QUOTED.match(text, position) if text.startswith('"', position) else None
        if quoted:
            value, position = _ESCAPED.sub(r"\1", quoted[1]), quoted.end()
            after = text.find(";", position)
            after = len(text) if after < 0 else after
            if text[position:after].strip():
                found.add(Defect.HEADER)
            position = after
        else:
            bare = text[position : (text + ";").index(";", position)]
            position += len(bare)
            value = bare.strip().strip('"')
            if '"' in bare or re.search(r"\s", bare.strip()):
                found.add(Defect.HEADER)
        if name[1].lower() in written:
            found.add(Defect.HEADER)
        written.setdefault(name[1].lower(), value)
    if position < len(text) and len(written) >= _MOST_PARAMETERS:
        found.add(Defect.TRUNCATED)
    return written


def _plain(value: str, found: set[Defect]) -> str:
    if not _WORD.search(value):
        return value
    found.add(Defect.HEADER)  # RFC 2047 section 5, rule 3; half of the world's mail programs do it
    return decode_words(value, found)


def _extended(written: dict[str, str], found: set[Defect]) -> dict[str, str]:
    """Returns the parameters that came in sections or with a charset (RFC 2231 sections 3, 4)."""
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in written.items():
        if "*" not in name:
            continue
        form = _SECTION.fullmatch(name)
        if form is None:
            found.add(Defect.HEADER)
            continue
        number = int(form[2] or 0)
        sections.setdefault(form[1], {}).setdefault(number, (value, form[2] is None or bool(form[3])))
    return {name: _joined(numbered, found) for name, numbered in sections.items()}


def _joined(sections: dict[int, tuple[str, bool]], found: set[Defect]) -> str:
    if sorted(sections) != list(range(len(sections))):
        found.add(Defect.HEADER)
    charset, octets, is_any_encoded = "", bytearray(), False
    for index, (_, (value, is_encoded)) in enumerate(sorted(sections.items())):
        if is_encoded and index == 0:
            charset, value = _charset(value, found)
        if is_encoded:
            is_any_encoded = True
            if value.count("%") != len(_HEX.findall(value)):
                found.add(Defect.HEADER)
        octets += unquote_to_bytes(value) if is_encoded else value.encode("utf-8", "replace")
    if not is_any_encoded:
        return _plain(octets.decode("utf-8", "replace"), found)
    return decode(bytes(octets), charset or "utf-8", found)


def _charset(value: str, found: set[Defect]) -> tuple[str, str]:
    pieces = value.split("'", 2)
    if len(pieces) == 3:
        return pieces[0], pieces[2]
    found.add(Defect.HEADER)
    return "", value


def file_name(written: str, found: set[Defect]) -> str:
    """Returns a name without directories (RFC 2183 section 2.3) and controls, at most 255 characters."""
    name = clean(written, found).replace("\\", "/").rstrip("/").rpartition("/")[2].strip()
    return cut(without_surrogates("" if name in {".", ".."} else name), _LONGEST_FILE_NAME, found)
