"""Any pasted answer taken apart: what a person has at hand becomes Evidence, guessed where it does not say."""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl

from domain.failures.catalogue.exceptions import Sign, sign_in_text
from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.failure import Stage
from domain.failures.guess import guess_provider, guess_provider_by_code, guess_stage
from domain.failures.oauth_error import read_oauth_error
from domain.failures.redact import redact
from domain.failures.replies import (
    REPLY,
    Refusal,
    certain_refusal,
    loose_refusal,
    refusal_in_lines,
    without_enhanced,
)
from domain.failures.telling import telling_lines
from domain.failures.wording import alike

LONGEST_ANSWER: Final = 32 * 1024
"""Characters of a pasted text that are read at all."""
_LONGEST_TEXT: Final = 4096
_STAGES: Final = {
    Surface.DNS: Stage.DNS,
    Surface.CONNECT: Stage.CONNECT,
    Surface.TLS: Stage.TLS,
    Surface.GRAPH: Stage.API,
    Surface.IMAP: Stage.MAILBOX,
    Surface.OAUTH_TOKEN: Stage.TOKEN,
    Surface.OAUTH_AUTHORIZE: Stage.CONSENT,
}
_ANYWHERE: Final = re.compile(r"(?<![\d.])#?([45]\.\d{1,2}\.\d{1,3})(?![\d.])")
_IMAP: Final = re.compile(
    r"^\s*(?:S: ?|< ?)?(\*|[A-Za-z]{0,8}\d{0,10}) (NO|BAD|BYE)\b ?(?:\[([A-Za-z-]{1,40})[^\]]{0,400}\])?(.*)$"
)
_IMAP_CODE: Final = re.compile(
    r"(?:\b(NO|BAD|BYE) )?\[(AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|UNAVAILABLE|EXPIRED|PRIVACYREQUIRED|CONTACTADMIN|"
    r"NOPERM|INUSE|SERVERBUG|CLIENTBUG|CANNOT|LIMIT|OVERQUOTA|NONEXISTENT|TRYCREATE|ALERT|WEBALERT|CORRUPTION)"
    r"[^\]]{0,400}\](.*)$"
)
_HTTP: Final = re.compile(
    r"\bHTTP(?:/[\d.]{1,4})?(?:[ _-](?:status|code|error|response)){0,3}[ :=]{1,3}([1-5]\d\d)\b|"
    r"<(?:title|h1)>\s*([45]\d\d)\b",
    re.IGNORECASE,
)
_HTTP_PHRASE: Final = re.compile(
    r"(?<![\d.])(400:? bad request|401:? (?:client error:? )?unauthori[sz]ed|403:? (?:client error:? )?forbidden|"
    r"404:? (?:client error:? )?not found|405:? method not allowed|408:? request time-?out|409:? conflict|410:? gone|"
    r"413:? (?:payload|content|request entity) too large|415:? unsupported media type|"
    r"429:? (?:client error:? )?too many requests|50\d:? server error|500:? internal server error|502:? bad gateway|"
    r"503:? service (?:temporarily )?unavailable|504:? gateway time-?out)\b",
    re.IGNORECASE,
)
"""A status with its own reason phrase (RFC 9110 section 15), which no mail server says."""
_OVER_HTTP: Final = frozenset({None, Stage.TOKEN, Stage.CONSENT, Stage.API})
_PAGE: Final = re.compile(r"\bError ([45]\d\d): ([a-z_]{3,40})\b")
_AADSTS: Final = re.compile(r"\bAADSTS(\d{4,8})\b", re.IGNORECASE)
_QUERY: Final = re.compile(r"(?:^|[?&#\s])error=[A-Za-z0-9_]{2,60}")
_OAUTH_WORD: Final = re.compile(
    r"(?<![\w-])(invalid_(grant|client|request|scope|token|rapt|target|resource)|unauthorized_client|unsupported_(?:grant|response|token)_type|"
    r"access_denied|(login|consent|interaction|account_selection)_required|temporarily_unavailable|server_error|slow_down|"
    r"authorization_pending|expired_token|redirect_uri_mismatch|admin_policy_enforced|org_internal|deleted_client|"
    r"disallowed_useragent)\b"
)
_GRAPH_WORD: Final = re.compile(
    r"\b(Error[A-Z][A-Za-z]{4,60}|InvalidAuthenticationToken|Authorization_[A-Z]\w{3,40}|ApplicationThrottled|"
    r"MailboxNotEnabledForRESTAPI|ResourceNotFound|TooManyRequests|activityLimitReached|MailboxConcurrency)\b"
)
_ON_THE_PAGE: Final = re.compile(
    r"redirect_uri_mismatch|google verification|org_internal|admin_policy|disallowed_useragent|need admin approval|"
    r"only an admin can grant"
)
_COMMAND: Final = re.compile(
    r"(?im)^(?![^\n]{0,80}\b[2-5]\d\d[ -])[^\n]{0,80}?\bAUTH "
    r"(?:(LOGIN|PLAIN|CRAM-MD5|DIGEST-MD5|NTLM|SCRAM-[\w-]{1,20})|XOAUTH2|OAUTHBEARER)"
    r"(?= ?$| (?:\S{1,4000})$)(?! (?:LOGIN|PLAIN|XOAUTH2|OAUTHBEARER|CRAM-MD5|NTLM)\b)"
)
"""A client's command in a pasted session (RFC 4954 section 4); a server's list of what it offers is none."""
_CONTROLS: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_AUTHORIZE_NUMBERS: Final = frozenset({"50011", "90094", "65004", "50194"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the person who asks knows besides the text."""

    surface: Surface | None
    provider: str
    stage: Stage | None
    http_status: int


def read_answer(
    text: str,
    *,
    surface: Surface | None = None,
    provider: str = "",
    stage: Stage | None = None,
    http_status: int = 0,
) -> Evidence:
    """
    Returns what *text* is evidence of: a reply of one or many lines, JSON, a page, an exception, or a code alone.

    What is not given is guessed. Secrets are taken out by their look. Of a text longer than `LONGEST_ANSWER`
    characters the lines are read that tell what went wrong, the last ones of them; never raises, whatever the text.
    """
    asked = _Asked(surface, provider, stage, http_status)
    shown = _visible(text if len(text) <= LONGEST_ANSWER else telling_lines(text, LONGEST_ANSWER))
    opened, shown = _with_challenge(shown)
    shown = redact(shown)
    fields = _json_in(shown)
    found = _read(shown, fields, asked, opened)
    words = alike(found.text)
    where = stage or _STAGES.get(found.surface) or (found.stage if found.symptom else guess_stage(found, words))
    seen = replace(
        found,
        stage=where,
        with_token=_with_token(shown),
        provider=provider or guess_provider(alike(shown)) or guess_provider_by_code(found),
        text=_bounded(found.text),
    )
    return replace(seen, past_no_return=where is Stage.DATA and seen.symptom is not None)


def _read(shown: str, fields: Mapping[str, object], asked: _Asked, opened: bool) -> Evidence:
    """Chooses the way of reading by what was asked, else by what the text looks like."""
    surface = asked.surface or _guess_surface(shown, fields, asked, opened)
    if surface in (Surface.OAUTH_TOKEN, Surface.OAUTH_AUTHORIZE):
        return _read_oauth(shown, fields, surface, asked)
    if surface is Surface.GRAPH:
        return _read_graph(shown, fields, asked)
    if surface is Surface.IMAP:
        return _read_imap(shown, opened)
    if surface is Surface.SMTP:
        return _read_smtp(shown, opened)
    sign = sign_in_text(alike(shown))
    return (
        _signed(sign, shown, surface)
        if sign
        else Evidence(surface=surface, stage=_STAGES[surface], text=_joined(shown))
    )


def _guess_surface(shown: str, fields: Mapping[str, object], asked: _Asked, opened: bool) -> Surface:
    error = fields.get("error")
    if isinstance(error, Mapping):
        return Surface.GRAPH
    if error is not None or "error_description" in fields:
        return Surface.OAUTH_TOKEN
    if _QUERY.search(shown) or _PAGE.search(shown) or _ON_THE_PAGE.search(shown.casefold()):
        return Surface.OAUTH_AUTHORIZE
    number = _AADSTS.search(shown)
    if number:
        return Surface.OAUTH_AUTHORIZE if number[1] in _AUTHORIZE_NUMBERS else Surface.OAUTH_TOKEN
    if not opened and asked.stage in _OVER_HTTP and _speaks_http(shown):
        return Surface.GRAPH if _GRAPH_WORD.search(shown) or asked.stage is Stage.API else Surface.OAUTH_TOKEN
    lines = shown.splitlines()
    if opened or any(REPLY.match(line) for line in lines):
        return Surface.IMAP if opened and "334" not in shown else Surface.SMTP
    if any(_IMAP.match(line) or _IMAP_CODE.search(line) for line in lines):
        return Surface.IMAP
    word = _OAUTH_WORD.search(shown.casefold())
    if word:
        # Token endpoints have no such error (RFC 6749 section 5.2), but for some that limit the rate with it.
        is_denial = word[0] == "access_denied" and "too many" not in shown.casefold()
        return Surface.OAUTH_AUTHORIZE if is_denial else Surface.OAUTH_TOKEN
    if _GRAPH_WORD.search(shown) or asked.stage is Stage.API:
        return Surface.GRAPH
    if _HTTP.search(shown) or asked.http_status or asked.stage is Stage.TOKEN:
        return Surface.OAUTH_TOKEN
    by_stage = next((surface for surface, stage in _STAGES.items() if stage is asked.stage), None)
    if by_stage is not None:
        return by_stage
    if certain_refusal(shown):
        return Surface.SMTP
    sign = sign_in_text(alike(shown))
    return sign.surface if sign else Surface.SMTP


def _speaks_http(shown: str) -> bool:
    """Tells whether a status with its phrase is the verdict itself, and no words of a mail server's reply."""
    phrase = _HTTP_PHRASE.search(shown)
    reply = refusal_in_lines(shown.splitlines()) or certain_refusal(shown)
    return phrase is not None and (reply is None or (reply.code == int(phrase[0][:3]) and not reply.enhanced_code))


def _read_oauth(shown: str, fields: Mapping[str, object], surface: Surface, asked: _Asked) -> Evidence:
    page = _PAGE.search(shown)
    told = read_oauth_error(fields or _query(shown))
    number = _AADSTS.search(shown)
    word = _OAUTH_WORD.search(shown.casefold())
    error = told.error or (page[2] if page else "") or (word[0] if word else "")
    subcode = told.subcode or (f"AADSTS{number[1]}" if number else "")
    status = asked.http_status or _status(shown)
    if not (error or subcode or status) and surface is Surface.OAUTH_TOKEN:
        sign = sign_in_text(alike(shown))
        if sign:
            return _signed(sign, shown, surface)
    text = told.description or ("" if fields else _joined(shown))
    return Evidence(
        surface=surface, stage=_STAGES[surface], code=status, error=error, subcode=subcode, text=_bounded(text)
    )


def _read_graph(shown: str, fields: Mapping[str, object], asked: _Asked) -> Evidence:
    inner = fields.get("error")
    body: Mapping[str, object] = inner if isinstance(inner, Mapping) else {}
    word = _GRAPH_WORD.search(shown)
    code = body.get("code") or (inner if isinstance(inner, str) else "") or (word[1] if word else "")
    message = body.get("message") if body else shown
    return Evidence(
        surface=Surface.GRAPH,
        stage=Stage.API,
        code=asked.http_status or _status(shown),
        error=str(code)[:100],
        text=_joined(message if isinstance(message, str) else ""),
    )


def _read_imap(shown: str, opened: bool) -> Evidence:
    lines = [found for line in shown.splitlines() if (found := _IMAP.match(line))]
    if lines:
        # The tagged line answers the command; an untagged BYE beside it only ends the session.
        first = next((line for line in lines if line[1] != "*"), lines[0])
        status, code, text = first[2], first[3] or "", first[4]
        rest = " ".join(line[4] for line in lines if line is not first)
        return _imap(status, code, f"{text} {rest}")
    bare = next((found for line in shown.splitlines() if (found := _IMAP_CODE.search(line))), None)
    if bare:
        return _imap(bare[1] or "NO", bare[2], bare[3])
    if opened:
        return _imap("NO", "AUTHENTICATIONFAILED", "Invalid credentials (Failure)")
    sign = sign_in_text(alike(shown))
    return _signed(sign, shown, Surface.IMAP) if sign else _imap("", "", shown)


def _imap(status: str, code: str, text: str) -> Evidence:
    return Evidence(surface=Surface.IMAP, stage=Stage.MAILBOX, error=code.upper(), subcode=status, text=_joined(text))


def _read_smtp(shown: str, opened: bool) -> Evidence:
    lines = shown.splitlines()
    ended = refusal_in_lines(lines)
    if ended:
        others = [line for line in lines if not REPLY.match(line)]
        return _smtp(ended.code, ended.enhanced_code, " ".join([ended.text, *others]))
    if opened:
        return _smtp(334, "", shown)
    certain = certain_refusal(shown)
    if certain:
        return _refused(certain, shown)
    sign = sign_in_text(alike(shown))
    if sign:
        return _signed(sign, shown, Surface.SMTP)
    loose = loose_refusal(shown)
    if loose:
        return _refused(loose, shown)
    replies = [found for line in lines if (found := REPLY.match(line))]
    if replies and replies[0][1] != "220":
        enhanced, text = without_enhanced(replies[-1][3])
        others = [line for line in lines if not REPLY.match(line)]
        return _smtp(int(replies[-1][1]), enhanced, " ".join([*others, text]))
    enhanced, text = _without_codes(lines)
    anywhere = _ANYWHERE.search(shown)
    known = enhanced or (anywhere[1] if anywhere else "")
    if not known and re.search(r"HTTP/\d|^\s*220 ", shown):
        return Evidence(surface=Surface.SMTP, stage=Stage.EHLO, symptom=Symptom.GARBAGE, detail=_bounded(text))
    return _smtp(0, known, text)


def _refused(refusal: Refusal, shown: str) -> Evidence:
    return _smtp(refusal.code, refusal.enhanced_code, refusal.text if refusal.text.strip() else shown)


def _smtp(code: int, enhanced: str, text: str) -> Evidence:
    if not enhanced:
        found = _ANYWHERE.search(text)
        enhanced = found[1] if found and found[1][0] == str(code)[0] else ""
    return Evidence(
        surface=Surface.SMTP, stage=Stage.DATA, code=code, enhanced_code=enhanced, text=_bounded(_joined(text))
    )


def _without_codes(texts: list[str]) -> tuple[str, str]:
    """Returns the first enhanced code that begins a line, and the lines without theirs."""
    read = [without_enhanced(text) for text in texts]
    return next((enhanced for enhanced, _ in read if enhanced), ""), " ".join(text for _, text in read)


def _with_token(shown: str) -> bool | None:
    """Returns whether the session signed in with a token, by its last command that says so; None where none does."""
    commands = list(_COMMAND.finditer(shown))
    return not commands[-1][1] if commands else None


def _signed(sign: Sign, shown: str, surface: Surface) -> Evidence:
    """Returns evidence of a symptom; where a connection was expected to stand already, a time-out is silence."""
    where = surface if surface in (Surface.OAUTH_TOKEN, Surface.SMTP, Surface.IMAP) else sign.surface
    kept = surface if where is Surface.OAUTH_TOKEN else sign.surface
    return Evidence(surface=kept, stage=sign.stage, symptom=sign.symptom, text=_joined(shown))


def _status(shown: str) -> int:
    found = _HTTP.search(shown) or _PAGE.search(shown)
    if found:
        return int(found[1] or found[2])
    phrase = _HTTP_PHRASE.search(shown)
    return int(phrase[0][:3]) if phrase else 0


def _query(shown: str) -> Mapping[str, object]:
    """Returns the fields of a callback: a URL, its query, or what is left of it."""
    begin = shown.find("error=")
    if begin < 0:
        return {}
    return (
        dict(parse_qsl(shown[begin:].replace("\n", " ").strip(), max_num_fields=50, errors="replace"))
        if (shown.count("&", begin) < 50)
        else {}
    )


def _json_in(shown: str) -> Mapping[str, object]:
    begin, end = shown.find("{"), shown.rfind("}")
    if begin < 0 or end < begin or '"' not in shown:
        return {}
    try:
        read = json.loads(shown[begin : end + 1], strict=False)
    except (ValueError, RecursionError):
        return _fields_in(shown)
    return read if isinstance(read, dict) else {}


_FIELD: Final = re.compile(
    r'"(error|code|message|error_description|error_subtype|suberror)"\s{0,5}:\s{0,5}"((?:[^"\\]|\\.){0,4000})"'
)


def _fields_in(shown: str) -> Mapping[str, object]:
    """Returns what a cut or damaged JSON answer says."""
    fields = {found[1]: found[2] for found in _FIELD.finditer(shown)}
    if "code" in fields and "error" not in fields:
        return {"error": {"code": fields["code"], "message": fields.get("message", "")}}
    return dict(fields) if "error" in fields else {}


_CHALLENGE: Final = re.compile(
    r"(?m)(?:^|\s)(334|\+) ([A-Za-z0-9+/]{16,2000}={0,2})\s*$|^\s*(eyJ[A-Za-z0-9+/]{16,2000}={0,2})\s*$"
)


def _with_challenge(shown: str) -> tuple[bool, str]:
    """Opens the JSON that a server sends with a refused token (XOAUTH2, RFC 7628); tells whether there was one."""
    found = _CHALLENGE.search(shown)
    if found is None:
        return False, shown
    packed = found[2] or found[3]
    try:
        opened = json.loads(base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True))
    except (ValueError, RecursionError, binascii.Error):
        return False, shown
    if not isinstance(opened, dict) or "status" not in opened:
        return False, shown
    kept = {name: str(opened[name])[:200] for name in ("status", "schemes", "scope") if name in opened}
    begin, end = found.start(2 if found[2] else 3), found.end(2 if found[2] else 3)
    prefix = "" if found[1] else "334 "
    return True, f"{shown[:begin]}{prefix}{json.dumps(kept)}{shown[end:]}"


def _visible(text: str) -> str:
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\\r\\n", "\n").replace("\\n", "\n")
    return "".join(
        letter if letter in "\n\t" or unicodedata.category(letter) not in _CONTROLS else " " for letter in plain
    ).strip()


def _joined(text: str) -> str:
    return " ".join(text.split())


def _bounded(text: str) -> str:
    return text[:_LONGEST_TEXT]
