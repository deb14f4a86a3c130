"""File names and content types: parameters written so that every name survives (RFC 2231), content types parsed."""

from __future__ import annotations

import re
from typing import Final

_PREFERRED_LINE: Final = 76
_LONGEST_QUOTED: Final = 60
_LONGEST_CONTENT_TYPE: Final = 500

_PLAIN: Final = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9!#$&+.^_`|~-]")

# RFC 6838 section 4.2 for the names, RFC 2045 section 5.1 for the parameters.
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_TOKEN: Final = r"[A-Za-z0-9!#$&+.^_`{|}~-]+"
_CONTENT_TYPE: Final = re.compile(rf"[ ]*({_NAME}/{_NAME})[ ]*((?:;.*)?)")
_PARAMETER: Final = re.compile(rf';[ ]*({_TOKEN})=({_TOKEN}|"(?:[ !#-\[\]-~]|\\[ -~])*")[ ]*')


def parse_content_type(text: str) -> str | None:
    """
    Returns *text* as ``type/subtype`` in lower case, parameters behind it as ``; name=value``; None if it is malformed.

    Parameters are tokens or quoted strings in ASCII (RFC 2045 section 5.1), each name once, 500 characters in all.
    """
    found = _CONTENT_TYPE.fullmatch(text) if len(text) <= _LONGEST_CONTENT_TYPE else None
    if found is None:
        return None
    media_type, rest = found[1].lower(), found[2].rstrip("; ")
    written: dict[str, str] = {}
    position = 0
    while position < len(rest):
        parameter = _PARAMETER.match(rest, position)
        if parameter is None or parameter[1].lower() in written:
            return None
        written[parameter[1].lower()] = parameter[2]
        position = parameter.end()
    return "".join([media_type, *(f"; {name}={value}" for name, value in written.items())])


def disposition_field(kind: str, file_name: str) -> str:
    """Returns Content-Disposition (RFC 2183): *kind* is attachment or inline, *file_name* left out when it is empty."""
    pieces = [f"Content-Disposition: {kind}"]
    column = len(pieces[0])
    for parameter in _parameter("filename", file_name):
        if column + len(parameter) + 2 > _PREFERRED_LINE:
            pieces.append(f";\r\n {parameter}")
            column = len(parameter) + 1
        else:
            pieces.append(f"; {parameter}")
            column += len(parameter) + 2
    return "".join(pieces)


def _parameter(name: str, value: str) -> list[str]:
    """
    Returns ``name="value"`` where any reader gets that right, else the RFC 2231 form, in sections when long.

    Quotes and backslashes are not left to escaping, which mail programs are known to get wrong; an encoded-word is not
    left to readers that decode it against RFC 2047 section 5.
    """
    if not value:
        return []
    if len(value) <= _LONGEST_QUOTED and _PLAIN.fullmatch(value) and "=?" not in value:
        return [f'{name}="{value}"']
    encoded = _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], value.encode()).decode("ascii")
    if len(encoded) <= _LONGEST_QUOTED:
        return [f"{name}*=utf-8''{encoded}"]
    return [
        f"{name}*{number}*={'' if number else 'utf-8' + chr(39) * 2}{section}"
        for number, section in enumerate(_sections(value))
    ]


def _sections(value: str) -> list[str]:
    """Cuts between whole characters, since some readers decode each section by itself."""
    sections = [""]
    for character in value:
        encoded = _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], character.encode()).decode("ascii")
        if len(sections[-1]) + len(encoded) > _LONGEST_QUOTED - len("utf-8''"):
            sections.append("")
        sections[-1] += encoded
    return sections
