"""Secrets that a pasted text may hold, taken out by their look, since nobody knows them."""

from __future__ import annotations

import re
from typing import Final

_MASK: Final = "***"
_NAMED: Final = re.compile(
    r"(?<![A-Za-z0-9])((?:[A-Za-z_.-]{0,40}(?:pass(?:word|wd|phrase)?|pwd|secret|token|assertion|verifier|api[-_ ]?key|"
    r"apikey|authorization|credential)|auth|bearer|session_state|cookie)[\"']?\s{0,3}(?:=|%3[Dd]|:)\s{0,3}[\"']?"
    r"(?:(?:bearer|basic)\s{1,3})?)([^\s\"'&;,<>{}\[\]()]{4,})",
    re.IGNORECASE,
)
_SHAPED: Final = re.compile(
    r"eyJ[A-Za-z0-9_=-]{8,}\.[A-Za-z0-9_=-]{4,}(?:\.[A-Za-z0-9_=-]*)*"  # JSON web tokens
    r"|ya29\.[A-Za-z0-9_.-]{8,}|\b1//[A-Za-z0-9_-]{10,}|\b4/[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{8,}"  # Google
    r"|\b[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{20,}|\b[0-9]\.A[A-Za-z0-9_.-]{40,}|\bM\.[A-Z0-9_]{3,}[A-Za-z0-9_.!*$-]{30,}"
    r"|\bSG\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|\bxs?(?:mtp|key)sib-[A-Za-z0-9-]{8,}|\bAKIA[A-Z0-9]{12,}"
    r"|\bsk-[A-Za-z0-9]{16,}|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,8000}(?:-----END [A-Z ]{0,40}KEY-----)?",
)
_MARKS: Final = ("eyJ", "ya29.", "1//", "4/", "GOCSPX-", "Q~", ".A", "M.", "SG.", "sib-", "AKIA", "sk-", "PRIVATE KEY")
"""One of these is in whatever `_SHAPED` finds; looking for them first costs a reply nothing."""
_CODE: Final = re.compile(r"(\b(?:user_|device_)?code(?:=|%3[Dd]))([^\s\"'&;,<>]{6,})")
_SASL: Final = re.compile(
    r"(\bAUTH(?:ENTICATE)?\s+[A-Z0-9-]{3,20}\s+)(\S{4,})|(\bLOGIN\s+\S{1,320}\s+)(\S+)", re.IGNORECASE
)
_BASIC: Final = re.compile(r"(\b(?:basic|bearer)\s{1,3})([A-Za-z0-9+/=_.~-]{8,})", re.IGNORECASE)
_LONG: Final = re.compile(r"(?<![A-Za-z0-9_/+=.:?&%-])[A-Za-z0-9_+/=-]{40,}(?![A-Za-z0-9_+/=-])")
_USER_INFO: Final = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,200}:)[^\s/@]{1,200}(?=@)", re.IGNORECASE)
_BASE64_LINE: Final = re.compile(r"(?m)^(?:C: ?|> ?|>>> ?)?[A-Za-z0-9+/]{8,}={0,2}[ \t\r]*$")
_IN_SESSION: Final = re.compile(r"\b334\b|\bAUTH(?:ENTICATE)?\b", re.IGNORECASE)
_PLAIN_WORDS: Final = re.compile(
    r"(?:invalid|expired|required|rejected|failed|incorrect|wrong|missing|not|is|was|has|have|error|failure|please|try|the|"
    r"an?|must|authentication|auth|access|token|user|account|your|you|bad|unknown|denied|login|see|check|cannot|could|"
    r"no|revoked|disabled|unsuccessful|https?:.*|\*+|\d{1,6})[.!?:]?$",
    re.IGNORECASE,
)
"""What stands behind `password:` in a sentence, and is none."""


def without_tokens(text: str) -> str:
    """
    Returns *text* without what can be nothing but a token or key of a known make (JSON web tokens, Google's `ya29.`).

    For the words of a peer that was shown others earlier, which nobody here remembers and which may still be good.
    """
    return _SHAPED.sub(_MASK, text) if any(mark in text for mark in _MARKS) else text


def redact(text: str) -> str:
    """
    Returns *text* with everything that looks like a password, token, key or code as ``***``.

    Rather too much than too little: a masked word costs an explanation nothing, since patterns go by plain words.
    """
    text = without_tokens(text)
    text = _SASL.sub(lambda found: f"{found[1] or found[3]}{_MASK}" if _is_command(found) else found[0], text)
    text = _BASIC.sub(
        lambda found: found[0] if found[2].isalpha() and _is_one_case(found[2]) else f"{found[1]}{_MASK}", text
    )
    text = _USER_INFO.sub(rf"\1{_MASK}", text)
    text = _NAMED.sub(_named, text)
    text = _CODE.sub(lambda found: found[0] if found[2].isdigit() else f"{found[1]}{_MASK}", text)
    if _IN_SESSION.search(text):
        text = _BASE64_LINE.sub(_MASK, text)
    return _LONG.sub(lambda found: _MASK if _is_mixed(found[0]) else found[0], text)


def _is_command(found: re.Match[str]) -> bool:
    """Tells a client's command from a sentence such as `AUTH command used when not advertised`."""
    if found[4] is not None:
        return "@" in found[3] or '"' in found[3] + found[4]
    return len(found[2]) >= 8 and bool(re.fullmatch(r"[A-Za-z0-9+/=_-]+", found[2])) and not found[2].islower()


def _named(found: re.Match[str]) -> str:
    return found[0] if _PLAIN_WORDS.match(found[2]) and not _is_field(found[1]) else f"{found[1]}{_MASK}"


def _is_field(name: str) -> bool:
    """Tells a field, whose value is a secret however plain it looks, from a sentence with a colon."""
    return not name.rstrip().endswith(":") or '"' in name or "'" in name


def _is_one_case(word: str) -> bool:
    return word.islower() or word.isupper() or word.istitle()


def _is_mixed(word: str) -> bool:
    return any(map(str.isdigit, word)) and any(map(str.isupper, word)) and any(map(str.islower, word))
