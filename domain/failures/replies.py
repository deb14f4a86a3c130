"""Which refusal of an SMTP server a text holds: told from ports and times, and the one that ended the session."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_NO_REPLY: Final = r"(?!443|465|587)"
"""Ports that look like reply codes and are none (RFC 5321 section 4.2.2, RFC 8314 section 7)."""
_CODE: Final = rf"{_NO_REPLY}[45]\d\d"
_X_Y_Z: Final = r"[45]\.\d{1,3}\.\d{1,3}"
REPLY: Final = re.compile(rf"^\s*(?:S: ?|< ?|<<< ?|<- ?)?({_NO_REPLY}[2-5]\d\d)(?:([ -])|$)(.*)$")
"""A line that is a reply: its code, what follows the code, and its words."""
_ENHANCED: Final = re.compile(r"^\s*#?([245]\.\d{1,3}\.\d{1,3})(?=$|[\s:;,)])[\s:;,]*")
_CERTAIN: Final = re.compile(
    rf"(?<![\d./-])({_CODE})[ -]#?({_X_Y_Z})\b|\(({_CODE}), ?b?[\"']\s?(?:#?({_X_Y_Z})\b)?|\bsaid: ({_CODE})(?=[ -])"
)
_LOOSE: Final = re.compile(
    rf"(?:^|\b(?:code|error|status|reply|response|returned|answered|with)\b[ :=]{{1,3}}|[\"'(:<] ?)({_CODE})(?=[ -])|"
    rf"(?:response|reply|smtp|status)[ _-]?code[\"']?[ :=]{{1,3}}({_CODE})\b"
    r"(?! ?(?:bytes|octets|[km]b|ms|millis\w*|seconds)\b)",
    re.IGNORECASE,
)
_PORT_OR_TIME: Final = re.compile(
    r"\b\d{1,2}:\d\d(?::\d\d)?(?:[.,:]\d{1,9})?\b|\bport\b[ :=#]{0,3}\d{1,5}\b|"
    rf"(?<=[\w\]]):\d{{1,5}}\b(?![ -]#?{_X_Y_Z})",
    re.IGNORECASE,
)
_WORD_BEFORE: Final = re.compile(r"[\w.\-\]]{1,255}$")
_CONSEQUENCE: Final = re.compile(
    r"no valid recipient|(need|must have|expecting) (a )?(valid )?(rcpt|mail|recipient)|(bad|out of) sequence|"
    r"closing (connection|transmission|channel)|too many (errors|bad commands)|idle|time-?out",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 4yz or 5yz reply."""

    code: int
    enhanced_code: str
    """Empty when the reply had none."""
    text: str
    """Its words, without the codes."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A line of a reply, or a reply in the midst of other words."""

    code: str
    enhanced: str
    text: str
    goes_on: bool = False
    """Whether the next line belongs to it (RFC 5321 section 4.2.1)."""

    @property
    def is_refusal(self) -> bool:
        return self.code[0] in "45"


def refusal_in_lines(lines: list[str]) -> Refusal | None:
    """Returns the refusal among *lines* that are replies which ended the session; None for none."""
    return _decisive([_line(found) for line in lines if (found := REPLY.match(line))])


def certain_refusal(shown: str) -> Refusal | None:
    """Returns a refusal in the midst of *shown* that cannot be another number: with its enhanced code, or quoted."""
    read = without_ports_and_times(shown)
    found = list(_CERTAIN.finditer(read))
    if not found:
        return None
    ends = [*(match.start() for match in found[1:]), len(shown)]
    parts = []
    for match, end in zip(found, ends, strict=True):
        enhanced, text = without_enhanced(shown[match.end() : end])
        parts.append(_Part(match[1] or match[3] or match[5], match[2] or match[4] or enhanced, text))
    return _decisive(parts)


def loose_refusal(shown: str) -> Refusal | None:
    """Returns the first number in *shown* that may be a reply's code, neither a port nor part of a time."""
    found = _LOOSE.search(without_ports_and_times(shown))
    if found is None:
        return None
    enhanced, text = without_enhanced(shown[found.end() :])
    return Refusal(int(found[1] or found[2]), enhanced, text)


def without_ports_and_times(shown: str) -> str:
    """Returns *shown*, as long as it was, with blanks where ports and times of the day stand."""
    return _PORT_OR_TIME.sub(lambda found: _blank(found, shown), shown)


def without_enhanced(text: str) -> tuple[str, str]:
    """Returns the enhanced code that begins *text*, empty for none, and the rest."""
    found = _ENHANCED.match(text)
    return (found[1], text[found.end() :]) if found else ("", text)


def _blank(found: re.Match[str], shown: str) -> str:
    """Leaves ``Error:550`` as it is: a word without a dot is no host, and 550 is nobody's port."""
    if found[0].startswith(":"):
        before = _WORD_BEFORE.search(shown, max(0, found.start() - 255), found.start())
        if before and not re.search(r"[.\d\]]|^localhost$", before[0]):
            return found[0]
    return " " * len(found[0])


def _line(found: re.Match[str]) -> _Part:
    enhanced, text = without_enhanced(found[3])
    return _Part(found[1], enhanced, text, goes_on=found[2] == "-")


def _decisive(parts: list[_Part]) -> Refusal | None:
    """
    Returns the last refusal with all of its lines: what came before it had been got over.

    One that only follows from an earlier one (no recipient left, the session ended) gives way to that one.
    """
    replies: list[list[_Part]] = []
    for part in parts:
        if replies and _is_one_reply(replies[-1][-1], part):
            replies[-1].append(part)
        else:
            replies.append([part])
    refusals = [reply for reply in replies if reply[0].is_refusal]
    if not refusals:
        return None
    decisive = next((reply for reply in reversed(refusals) if not _is_consequence(reply)), refusals[0])
    enhanced = next((part.enhanced for part in decisive if part.enhanced), "")
    return Refusal(int(decisive[0].code), enhanced, " ".join(part.text for part in decisive))


def _is_one_reply(earlier: _Part, later: _Part) -> bool:
    return earlier.code == later.code and (
        earlier.goes_on or not (earlier.enhanced and later.enhanced) or earlier.enhanced == later.enhanced
    )


def _is_consequence(reply: list[_Part]) -> bool:
    """Tells whether a server only says so because it refused something before."""
    code = reply[0].code
    return code == "503" or (code in ("421", "554") and any(_CONSEQUENCE.search(part.text) for part in reply))
