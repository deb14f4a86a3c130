"""How SEARCH answers: the old way, or as asked for with RETURN (RFC 4731)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from service.sandbox.imap.answers import Malformed
from service.sandbox.imap.syntax import Cursor
from service.sandbox.imap.wire import numbers, string

_OPTIONS: Final = ("MIN", "MAX", "COUNT", "ALL")


def read_return_options(cursor: Cursor) -> frozenset[str] | None:
    """Reads ``RETURN (…)`` and the blank after it; None when SEARCH is to answer the old way. Raises Malformed."""
    if not cursor.skip(b"RETURN "):
        return None
    options = frozenset(cursor.list_of(cursor.name, may_be_empty=True))
    if not options.issubset(_OPTIONS):
        raise Malformed("RETURN takes MIN, MAX, COUNT and ALL")
    cursor.space()
    return options or frozenset({"ALL"})


def result_line(found: Sequence[int], options: frozenset[str] | None, *, tag: bytes, by_uid: bool) -> bytes:
    """Returns the untagged line for *found*, ascending."""
    if options is None:
        return b" ".join([b"* SEARCH", *(b"%d" % value for value in found)])
    words = [b"* ESEARCH (TAG " + string(tag) + b")"]
    if by_uid:
        words.append(b"UID")
    values = {"COUNT": b"%d" % len(found)}
    if found:  # nothing but COUNT is told of no messages (RFC 4731 section 3.1)
        values |= {"MIN": b"%d" % found[0], "MAX": b"%d" % found[-1], "ALL": numbers(found)}
    words += [option.encode() + b" " + values[option] for option in _OPTIONS if option in options and option in values]
    return b" ".join(words)
