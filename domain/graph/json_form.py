"""A flattened message in Graph's JSON form, and what that form cannot carry."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, Final

from domain.graph.addressing import Addressed, mailboxes_in
from domain.graph.files import FilePart, files_in, pieces_of, without_files
from domain.message import NamedAddress

MOST_HEADERS: Final = 5
"""Fields of the sender's own making (things to know about sendMail, seen 2026-11)."""
_TOLD_OTHERWISE: Final = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "sender", "subject", "date", "message-id", "mime-version", "importance",
     "x-priority", "priority", "content-type", "content-transfer-encoding", "content-disposition", "content-id",
     "content-language"}
)  # fmt: skip
"""What has a property of its own, or is written anew by Exchange."""
_IMPORTANCES: Final = {"high": "high", "low": "low", "urgent": "high", "non-urgent": "low", "1": "high", "2": "high",
                       "4": "low", "5": "low"}  # fmt: skip
_ALTERNATIVE: Final = "the text beside the HTML"


@dataclass(frozen=True, slots=True)
class JsonForm:
    """A message as Graph's JSON has it."""

    message: dict[str, Any]
    """Without its files."""
    files: tuple[FilePart, ...]
    lost: tuple[str, ...]
    """What it cannot carry, for people; empty: it carries everything."""

    @property
    def loses_little(self) -> bool:
        """Tells whether no more gets lost than what Exchange makes again: a text for those who read no HTML."""
        return set(self.lost) <= {_ALTERNATIVE}


def json_form(content: bytes, named: Addressed) -> JsonForm | None:
    """
    Returns *content*, a flattened message whose header is to be *named*, in JSON; None when JSON has no such message.

    So it is where texts are signed, encrypted or accompanied by others than plain text and HTML, as an invitation. For
    messages of some MiB; takes time in proportion to the size.
    """
    files = files_in(content)
    rest = without_files(content, files, header=named.header)
    try:
        parsed = BytesParser(EmailMessage, policy=policy.default).parsebytes(rest)
        body = _body(parsed)
        if body is None:
            return None
        text, kind, lost = body
        return _form(parsed, named, text, kind, lost, files)
    except (LookupError, ValueError, AttributeError, TypeError):
        return None  # the standard library's reader gave up on a header that is against the rules


def send_request(form: JsonForm, content: bytes, *, saves: bool) -> bytes:
    """Returns the body of sendMail with all files of *form* in it."""
    message = dict(form.message)
    if form.files:
        message["attachments"] = [file_object(content, file) for file in form.files]
    return _json({"message": message, "saveToSentItems": saves})


def request_size(form: JsonForm) -> int:
    """Returns how many octets sendMail with *form* has at most."""
    return len(_json({"message": form.message, "saveToSentItems": False})) + encoded_size(form.files)


def file_request(content: bytes, file: FilePart) -> bytes:
    """Returns the body of a request that adds *file* to a draft."""
    return _json(file_object(content, file))


def session_request(file: FilePart) -> bytes:
    """Returns the body of a request for an upload session for *file*."""
    item: dict[str, Any] = {
        "attachmentType": "file",
        "name": file.name,
        "size": file.size,
        "contentType": file.content_type,
        "isInline": file.is_inline,
    }
    if file.content_id:
        item["contentId"] = file.content_id
    return _json({"AttachmentItem": item})


def file_object(content: bytes, file: FilePart) -> dict[str, Any]:
    """Returns *file* as a fileAttachment."""
    item: dict[str, Any] = {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": file.name,
        "contentType": file.content_type,
        "contentBytes": _encoded(content, file),
        "isInline": file.is_inline,
    }
    if file.content_id:
        item["contentId"] = file.content_id
    return item


def encoded_size(files: Sequence[FilePart]) -> int:
    """Returns about how many octets *files* take in JSON: base64, and half a KiB each for what describes them."""
    return sum(-(-file.size // 3) * 4 + 512 + 6 * len(file.name) for file in files)


def _encoded(content: bytes, file: FilePart) -> str:
    return "".join(base64.b64encode(piece).decode() for piece in pieces_of(content, file, largest=3 << 18))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _form(
    parsed: EmailMessage, named: Addressed, text: str, kind: str, lost: list[str], files: tuple[FilePart, ...]
) -> JsonForm:
    message: dict[str, Any] = {
        "subject": str(parsed.get("Subject", "")),
        "body": {"contentType": kind, "content": text},
        "toRecipients": _recipients(named.to),
        "ccRecipients": _recipients(named.cc),
        "bccRecipients": _recipients(named.bcc),
    }
    sender = mailboxes_in(str(parsed.get("From", "")))
    if sender:
        message["from"] = _recipient(sender[0])
    reply_to = mailboxes_in(str(parsed.get("Reply-To", "")))
    if reply_to:
        message["replyTo"] = _recipients(reply_to)
    if named.message_id:
        message["internetMessageId"] = named.message_id
    importance = next(_importances(parsed), "")
    if importance:
        message["importance"] = importance
    own = [(name, str(value)) for name, value in parsed.items() if name.lower() not in _TOLD_OTHERWISE]
    headers = [(name, value) for name, value in own if name.lower().startswith("x-")]
    lost += [f"the header {name}" for name, value in own if (name, value) not in headers]
    lost += [f"the header {name}" for name, _ in headers[MOST_HEADERS:]]
    if headers:
        message["internetMessageHeaders"] = [{"name": name, "value": value} for name, value in headers[:MOST_HEADERS]]
    return JsonForm(message=message, files=files, lost=tuple(dict.fromkeys(lost)))


def _importances(parsed: EmailMessage) -> Iterator[str]:
    for name in ("Importance", "X-Priority", "Priority"):
        words = str(parsed.get(name, "")).lower().split()
        if words and words[0] in _IMPORTANCES:
            yield _IMPORTANCES[words[0]]


def _recipients(mailboxes: Sequence[NamedAddress]) -> list[dict[str, Any]]:
    return [_recipient(mailbox) for mailbox in mailboxes]


def _recipient(mailbox: NamedAddress) -> dict[str, Any]:
    address = {"address": str(mailbox.address)}
    return {"emailAddress": {**address, "name": mailbox.name} if mailbox.name else address}


def _body(parsed: EmailMessage) -> tuple[str, str, list[str]] | None:
    """Returns the one text that JSON has, its kind, and what is lost of others."""
    entity = parsed
    while entity.get_content_type() in ("multipart/mixed", "multipart/related"):
        inner = list(entity.iter_parts())
        if len(inner) != 1 or not isinstance(inner[0], EmailMessage):
            return None
        entity = inner[0]
    match entity.get_content_type():
        case "text/plain":
            return _text(entity), "Text", []
        case "text/html":
            return _text(entity), "HTML", []
        case "multipart/alternative":
            return _alternative(entity)
    return None


def _alternative(entity: EmailMessage) -> tuple[str, str, list[str]] | None:
    parts = list(entity.iter_parts())
    if [part.get_content_type() for part in parts[:-1]] != ["text/plain"] or not isinstance(parts[-1], EmailMessage):
        return None
    found = _body(parts[-1])
    return (found[0], "HTML", [_ALTERNATIVE]) if found is not None and found[1] == "HTML" else None


def _text(entity: EmailMessage) -> str:
    content = entity.get_content()
    return content if isinstance(content, str) else content.decode("utf-8", "replace")
