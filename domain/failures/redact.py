"""Secrets that a pasted text may hold, taken out by their look, since nobody knows them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final

from domain.failures.plain_words import is_odd, is_plain

_MASK: Final = "***"
_MOST_VALUES: Final = 200
"""Secrets of one text that are looked for in the rest of it; bounds the time that a made-up text costs."""
_PASSWORD: Final = (
    r"pass(?:words?|wd|phrase|code|wort|wörter)?|pwd|kennw[oö]rt(?:er)?|mot de passe|contrase[nñ]a|senha|parola|"
    r"wachtwoord|lösenord|adgangskode|salasana|has[lł]o|heslo|jelsz[oó]|şifre|парол[ья]|パスワード|暗証番号|密码|密碼|口令|"
    r"비밀번호|암호"
)
_QUOTED: Final = (
    r"\"(?:[^\"\\\n]|\\.){3,400}\"|'(?:[^'\\\n]|\\.){3,400}'|"
    r"`[^`\n]{3,400}`|“[^”\n]{3,400}”|„[^“”\n]{3,400}[“”]|«[^»\n]{3,400}»"
)
_GROUPS: Final = r"[A-Za-z]{4}(?:[ \u00a0][A-Za-z]{4}){3}(?![A-Za-z])"
"""An app password as Google shows it: four groups of four letters."""
_VALUE: Final = r"[^\s\"'&;,<>{}\[\]()]{3,}"
_NAMED: Final = re.compile(
    rf"((?:{_PASSWORD}|secret|token|assertion|verifier|api[-_ ]?key|apikey|authorization|credential|"
    r"(?<![A-Za-z0-9])(?:auth|bearer|session_state|cookie))[\"']?\s{0,3}(?:=|%3[Dd]|[:\uff1a])\s{0,3}"
    rf"(?:(?:bearer|basic)\s{{1,3}})?)({_QUOTED}|{_GROUPS}|[\"']?{_VALUE})",
    re.IGNORECASE,
)
_SPOKEN: Final = re.compile(
    rf"((?<![A-Za-z0-9=])(?:{_PASSWORD})[\"')]?\s{{1,3}}(?:(?:for|of)\s\S{{1,320}}\s(?:is|was)\s|"
    rf"(?:is|was|of|ist|war|lautet|->|=>)\s{{1,3}})?\(?)"
    rf"({_QUOTED}|{_GROUPS}|[\"']?{_VALUE})"
    r"(?P<after>(?=[\"')]{0,2}[.,;:!]?(?:\s{1,3}(?:for|is|was|by|not|rejected|refused|failed|wrong|incorrect|invalid|"
    r"denied|does|from)\b|\s{0,3}(?:\n|\Z))))?",
    re.IGNORECASE,
)
_VERB: Final = re.compile(r"(?:is|was|of|ist|war|lautet|->|=>)\s+\(?$", re.IGNORECASE)
_RUN: Final = re.compile(r"[A-Za-z0-9_=.-]{16,}")
_FOLD: Final = r"(=?[ \t]*\n[ \t>]{0,8}(?:[2-5]\d\d[ -](?:[245]\.\d{1,3}\.\d{1,3}[ ])?)?|[ ])"
_PIECE: Final = re.compile(rf"{_FOLD}([A-Za-z0-9_.=-]{{12,}})")
_FOLDED: Final = re.compile(rf"(?<=\*\*\*)(?:{_FOLD}[A-Za-z0-9_.=-]{{12,}})+")
_HALF_TOKEN: Final = re.compile(r"(?<![A-Za-z0-9+/_=-])(?<!334 )(?<!\+ )eyJ[A-Za-z0-9_+/=.-]{8,}")
_SHAPED: Final = re.compile(
    r"ya29\.[A-Za-z0-9_.-]{8,}|\b1//[A-Za-z0-9_-]{10,}|\b4/[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{8,}"  # Google
    r"|\bAIza[A-Za-z0-9_-]{20,}"
    r"|\b[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{20,}|\b[0-9]\.A[A-Za-z0-9_.-]{40,}|\bM\.[A-Z0-9_]{3,}[A-Za-z0-9_.!*$-]{30,}"
    r"|\bSG\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|\bxs?(?:mtp|key)sib-[A-Za-z0-9-]{8,}|\bAKIA[A-Z0-9]{12,}"
    r"|\bgh[oprsu]_[A-Za-z0-9]{10,}|\bgithub_pat_[A-Za-z0-9_]{10,}|\bglpat-[A-Za-z0-9_-]{10,}|\bxox[a-z]-[A-Za-z0-9-]{8,}"
    r"|\bkey-[0-9a-f]{24,}|\b[rsw][khp]_(?:live|test)_[A-Za-z0-9]{8,}|\bwhsec_[A-Za-z0-9+/=]{8,}"
    r"|\bsk-[A-Za-z0-9]{16,}|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,8000}(?:-----END [A-Z ]{0,40}KEY-----)?",
)
_MARKS: Final = (
    *("ya29.", "1//", "4/", "GOCSPX-", "AIza", "Q~", ".A", "M.", "SG.", "sib-", "AKIA", "gh", "glpat-", "xox", "key-"),
    *("_live_", "_test_", "whsec_", "sk-", "PRIVATE KEY"),
)
"""One of these is in whatever `_SHAPED` finds; looking for them first costs a reply nothing."""
_CODE: Final = re.compile(r"(\b(?:user_|device_)?code(?:=|%3[Dd]))([^\s\"'&;,<>]{6,})")
_SPOKEN_CODE: Final = re.compile(r"(\bcode[\"']?:?\s{1,3}[\"'(]?)([A-Za-z0-9_/.~-]{10,})", re.IGNORECASE)
_STATE: Final = re.compile(
    r"((?<![A-Za-z0-9_])(?:state|nonce|code_challenge)(?:=|%3[Dd]|[\"']\s{0,3}:\s{0,3}[\"']))((?:[^\s\"'&;,<>%]|%(?!26)){6,})"
)
_SPOKEN_KEY: Final = re.compile(
    r"((?<![A-Za-z0-9])(?:secret|token|api[-_ ]?key|access[-_ ]key)\s{1,3}(?:(?:is|was)\s{1,3})?[\"'(]?)"
    r"([A-Za-z0-9_/+=.~-]{8,})",
    re.IGNORECASE,
)
_USER_OPTION: Final = re.compile(r"((?:^|\s)(?:-u|--user|--proxy-user)[ =][\"']?[^\s:]{1,320}:)(\S{1,320})")
_SASL: Final = re.compile(
    r"(\bAUTH(?:ENTICATE)?\s+[A-Z0-9-]{3,20}\s+)(\S{4,})|(\bLOGIN\s+)(\S{1,320})(\s+)(\"[^\"\n]{1,320}\"|\S+)",
    re.IGNORECASE,
)
_CALL: Final = re.compile(
    r"(\b(?:log_?in|auth(?:enticate)?|auth_plain|auth_login|sign_?in|credentials?)\(\s{0,3}(?:[A-Za-z_]{1,20}=)?(?:\"[^\"\n]{0,320}\"|"
    r"'[^'\n]{0,320}'|[^\s,()\"']{1,320})\s{0,3},\s{0,3}(?:[A-Za-z_]{1,20}=)?)(\"[^\"\n]{1,320}\"|'[^'\n]{1,320}'|[^\s,()\"']{1,320})",
    re.IGNORECASE,
)
_PASS: Final = re.compile(r"(?m)(^[^\n]{0,100}?(?:C:|>|^)[ \t]{0,3}PASS[ \t]{1,3})(\S{1,320})(?=[ \t]*$)")
_BASIC: Final = re.compile(r"(\b(?:basic|bearer)\s{1,3})([A-Za-z0-9+/=_.~-]{8,})", re.IGNORECASE)
_LONG: Final = re.compile(r"(?<![A-Za-z0-9_/+=.:?&%-])[A-Za-z0-9_+/=-]{40,}(?![A-Za-z0-9_+/=-])")
_USER_INFO: Final = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,200}:)([^\s/@]{1,200})(?=@)", re.IGNORECASE)
_BASE64_LINE: Final = re.compile(r"(?m)^()([A-Za-z0-9+/]{8,}={0,2})(?=[ \t\r]*$)")
_SENT: Final = re.compile(
    r"(?m)((?:^|[\s\])])(?:C:|>{1,3}|-{1,2}>|→|=>|send:|sent:|client:|tx:)[ \t]{0,3}b?[\"']?)([A-Za-z0-9+/]{8,}={0,2})"
    r"(?=(?:\\[rn])*[\"']?[ \t\r]*$)",
    re.IGNORECASE,
)
_PADDED: Final = re.compile(r"(?m)((?<!334)(?<!\+)[ \t\"'])([A-Za-z0-9+/]{6,}={1,2})(?=[\"']?[ \t\r]*$)")
_IN_SESSION: Final = re.compile(r"\b334\b|\bAUTH(?:ENTICATE)?\b", re.IGNORECASE)
_COMMANDS: Final = frozenset({"starttls", "capability", "namespace", "logout", "authenticate", "xforward", "xclient"})
_PLAIN_WORDS: Final = re.compile(
    r"(?:invalid|expired|required|rejected|failed|incorrect|wrong|missing|not|is|was|has|have|error|failure|please|try|the|"
    r"an?|must|authentication|auth|access|token|user|account|your|you|bad|unknown|denied|login|see|check|cannot|could|"
    r"no|revoked|disabled|unsuccessful|https?:.*|\*+|\d{1,6})[.!?:]?$",
    re.IGNORECASE,
)
"""What stands behind `password:` in a sentence, and is none."""
_Learn = Callable[[str], None]


def without_tokens(text: str) -> str:
    """
    Returns *text* without what can be nothing but a token or key of a known make (JSON web tokens, Google's `ya29.`).

    For the words of a peer that was shown others earlier, which nobody here remembers and which may still be good.
    """
    if "eyJ" in text:
        text = _RUN.sub(lambda found: _without_web_token(found[0]), text)
        text = _without_rest(text)
    return _SHAPED.sub(_MASK, text) if any(mark in text for mark in _MARKS) else text


def redact(text: str) -> str:
    """
    Returns *text* with everything that looks like a password, token, key or code as ``***``.

    What was found once is masked wherever it stands again. Rather too much than too little: a masked word costs an
    explanation nothing, since patterns go by plain words. Takes time in proportion to the length.
    """
    values: dict[str, None] = {}

    def learn(value: str) -> None:
        bare = value.strip("\"'`“”„«».,;:!?()")
        if len(bare) >= 4 and "***" not in bare and not is_plain(bare) and len(values) < _MOST_VALUES:
            values.setdefault(bare)

    def masked(found: re.Match[str]) -> str:
        """Takes away the match's second group; the first stays."""
        value = found[2]
        learn(value)
        # JSON is still to be read afterwards.
        quote = value[0] if value[0] in "\"'" and value[-1] == value[0] else ""
        opening = value[0] if value[0] in "\"'" and not quote else quote
        return f"{found[1]}{opening}{_MASK}{quote}"

    text = without_tokens(text)
    text = _HALF_TOKEN.sub(_MASK, text)
    text = _without_rest(text)
    text = _SASL.sub(lambda found: _command(found, learn), text)
    text = _CALL.sub(masked, text)
    text = _PASS.sub(masked, text)
    text = _BASIC.sub(lambda found: found[0] if is_plain(found[2]) else masked(found), text)
    text = _USER_INFO.sub(masked, text)
    text = _NAMED.sub(lambda found: masked(found) if _is_named(found) else found[0], text)
    text = _SPOKEN.sub(lambda found: masked(found) if _is_spoken(found) else found[0], text)
    text = _CODE.sub(lambda found: found[0] if found[2].isdigit() else masked(found), text)
    text = _SPOKEN_CODE.sub(lambda found: masked(found) if _is_code(found[2]) else found[0], text)
    text = _SPOKEN_KEY.sub(lambda found: masked(found) if is_odd(found[2]) else found[0], text)
    text = _STATE.sub(masked, text)
    text = _USER_OPTION.sub(masked, text)
    text = _without_base64(text, learn)
    text = _LONG.sub(lambda found: _MASK if _is_mixed(found[0]) else found[0], text)
    return _without_values(text, list(values))


def _without_web_token(run: str) -> str:
    """Returns *run*, a word of letters and dots, up to the web token in it; what hangs on it goes as well."""
    begin = 0
    segments = run.split(".")
    for segment, following in pairwise(segments):
        first = segment.find("eyJ")
        if first >= 0 and len(segment) - first >= 11 and len(following) >= 4:
            return run[: begin + first] + _MASK
        begin += len(segment) + 1
    return run


def _without_rest(text: str) -> str:
    """Returns *text* without what a masked token was folded into: words of the next lines that no sentence has."""

    def cut_off(found: re.Match[str]) -> str:
        for piece in _PIECE.finditer(found[0]):
            word = piece[2]
            is_rest = _is_mixed(word) or (
                "\n" in piece[1] and (is_odd(word) or (len(word) >= 20 and not is_plain(word)))
            )
            if not is_rest:
                return found[0][piece.start() :]
        return ""

    return _FOLDED.sub(cut_off, text)


def _without_base64(text: str, learn: _Learn) -> str:
    """Returns *text* without what a client sends in base64, whatever a log writes before it."""

    def sent(found: re.Match[str]) -> str:
        word = found[2]
        if word.lower() in _COMMANDS or (word.isalpha() and is_plain(word)):
            return found[0]
        _learn_packed(word, learn)
        return f"{found[1]}{_MASK}"

    text = _PADDED.sub(sent, _SENT.sub(sent, text))
    return _BASE64_LINE.sub(sent, text) if _IN_SESSION.search(text) else text


def _learn_packed(word: str, learn: _Learn) -> None:
    """Learns *word* and, where it is base64 of a text, what is in it (RFC 4616: the last part is the password)."""
    learn(word)
    try:
        opened = base64.b64decode(word + "=" * (-len(word) % 4), validate=True).decode()
    except ValueError:
        return
    last = opened.split("\0")[-1]
    if last.isprintable():
        learn(last)


def _without_values(text: str, values: list[str]) -> str:
    if not values:
        return text
    longest_first = sorted(values, key=len, reverse=True)
    forms = [re.escape(value) if len(value) >= 8 else rf"(?<!\w){re.escape(value)}(?!\w)" for value in longest_first]
    return re.sub("|".join(forms), _MASK, text)


def _command(found: re.Match[str], learn: _Learn) -> str:
    """Masks what a client's command says; a sentence such as `AUTH command used when not advertised` stays."""
    if found[4] is not None:
        name, secret = found[4], found[6]
        is_sentence = is_plain(name) or is_plain(secret) or name.endswith((",", ":", ";", "."))
        by_look = is_odd(secret) or found[3].startswith("LOGIN")
        if not ("@" in name or '"' in name + secret or (by_look and not is_sentence)):
            return found[0]
        learn(secret)
        return f"{found[3]}{name}{found[5]}{_MASK}"
    word = found[2]
    if len(word) < 8 or not re.fullmatch(r"[A-Za-z0-9+/=_-]+", word) or word.islower() or is_plain(word):
        return found[0]
    _learn_packed(word, learn)
    return f"{found[1]}{_MASK}"


def _is_named(found: re.Match[str]) -> bool:
    if _is_field(found[1]):
        return True
    value = found[2]
    return not (_PLAIN_WORDS.match(value.strip("\"'")) or is_plain(value))


def _is_field(name: str) -> bool:
    """Tells a field, whose value is a secret however plain it looks, from a sentence with a colon."""
    return not name.rstrip().endswith((":", "\uff1a")) or '"' in name or "'" in name


def _is_spoken(found: re.Match[str]) -> bool:
    """Tells `password hunter2` from `password expired`."""
    value = found[2]
    if is_plain(value):
        return False
    if value[0] in "\"'`“„«" or (re.fullmatch(_GROUPS, value) and not all(map(is_plain, value.split()))):
        return True
    return is_odd(value) or (
        found["after"] is not None and not _VERB.search(found[1]) and value.isascii() and value.islower()
    )


def _is_code(word: str) -> bool:
    return any(map(str.isdigit, word)) and any(map(str.islower, word)) and not re.match(r"0x|AADSTS|\d[\d.-]", word)


def _is_mixed(word: str) -> bool:
    return any(map(str.isdigit, word)) and any(map(str.isupper, word)) and any(map(str.islower, word))
