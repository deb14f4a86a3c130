"""Responses of IMAP servers as values that compare equal when they mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

_TOKEN: Final = re.compile(
    rb'(?P<blank> +)|(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]|\\.)*)"|\{(?P<literal>\d+)\}\r\n'
    rb"|(?P<atom>(?:\[[^\]]*\]|[^ ()\"{])+(?:\[[^\]]*\](?:<\d+>)?)?)",
    re.DOTALL,
)
_BODY_TYPES: Final = frozenset({b"BODY", b"BODYSTRUCTURE"})


def untagged_values(lines: Iterable[bytes]) -> list[Any]:
    """
    Returns what untagged lines say.

    A FETCH is a pair of its number and a dict of its items; names of sections, types and parameters in lower case.
    Left out: RECENT, which depends on who looked first, FLAGS, which Dovecot keeps for ever, and lines for people.
    """
    found: list[Any] = []
    for line in lines:
        values = _parsed(line.removeprefix(b"* "))
        if values[0] == b"OK" or b"RECENT" in values[1:2]:
            continue
        if values[1:2] == [b"FETCH"]:
            items = values[2]
            pairs = dict(zip(map(_lowered, items[::2]), items[1::2], strict=True))
            found.append((values[0], {name: _canonical(name, value) for name, value in pairs.items()}))
        elif values[0] == b"FLAGS":
            continue
        elif values[0] == b"LIST":
            found.append([values[0], sorted(values[1], key=repr), *values[2:]])
        elif values[0] == b"ESEARCH":
            found.append(["ESEARCH", sorted(zip(values[3::2], values[4::2], strict=True))])
        else:
            found.append(values)
    return found


def _canonical(name: bytes, value: Any) -> Any:
    if name == b"flags":
        return sorted(flag for flag in value if flag != b"\\Recent")
    if name.upper() in _BODY_TYPES:
        return _lowered(value)
    return value


def _lowered(value: Any) -> Any:
    if isinstance(value, list):
        return [_lowered(item) for item in value]
    return re.sub(rb'"', b"", value).lower() if isinstance(value, bytes) else value


def _parsed(line: bytes) -> list[Any]:
    stack: list[list[Any]] = [[]]
    place = 0
    while place < len(line):
        token = _TOKEN.match(line, place)
        assert token is not None, line[place:]
        place = token.end()
        if token["open"]:
            stack.append([])
        elif token["close"]:
            done = stack.pop()
            stack[-1].append(done)
        elif token["quoted"] is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", token["quoted"]))
        elif token["literal"] is not None:
            end = place + int(token["literal"])
            stack[-1].append(line[place:end])
            place = end
        elif token["atom"]:
            stack[-1].append(None if token["atom"] == b"NIL" else token["atom"])
    return stack[0]
