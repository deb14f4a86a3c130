"""A message as Graph shows it, and the queries that choose among messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.item import Attachment, Fields, Folder, Item, folder_id_of
from service.sandbox.graph.json_form import MESSAGE

_TERM: Final = re.compile(r"\s*(\w+)\s+(eq|ne)\s+('(?:[^']|'')*'|true|false)\s*(?:and|$)", re.IGNORECASE)
_MOST: Final = 1_000
_USUAL_TOP: Final = 10
_PREVIEW: Final = 255
_LONGEST_NUMBER: Final = 9


def render(item: Item, *, selected: frozenset[str], immutable: bool, context: str) -> dict[str, Any]:
    """
    Returns a message with the properties that were *selected* (none: the usual ones).

    *immutable*: with the id that survives a move, which the Prefer header asks for.
    """
    fields = item.fields
    everything: dict[str, Any] = {
        "id": item.immutable_id if immutable else item.folder_id,
        "createdDateTime": _time(item.create_time),
        "lastModifiedDateTime": _time(item.modify_time),
        "changeKey": f"CQAAABYAAAA{item.key[:12]}",
        "receivedDateTime": _time(item.create_time),
        "sentDateTime": _time(item.modify_time),
        "hasAttachments": any(not each.is_inline for each in item.attachments),
        "internetMessageId": fields.internet_message_id,
        "subject": fields.subject,
        "bodyPreview": fields.body[:_PREVIEW],
        "importance": fields.importance,
        "parentFolderId": folder_id_of(item.mailbox, item.folder),
        "conversationId": f"AAQkADI5MAAIT3drAQAQAN{item.key}=",
        "isDraft": item.is_draft,
        "isRead": True,
        "body": {"contentType": fields.body_type, "content": fields.body},
        "sender": fields.sender.as_json() if fields.sender else None,
        "from": fields.from_.as_json() if fields.from_ else None,
        "toRecipients": [each.as_json() for each in fields.to],
        "ccRecipients": [each.as_json() for each in fields.cc],
        "bccRecipients": [each.as_json() for each in fields.bcc],
        "replyTo": [each.as_json() for each in fields.reply_to],
    }
    chosen = everything
    if selected:
        everything["internetMessageHeaders"] = [{"name": name, "value": value} for name, value in fields.headers]
        for name in selected - everything.keys():
            raise GraphError(
                400, "RequestBroker--ParseUri", f"Could not find a property named '{name}' on type '{MESSAGE}'."
            )
        chosen = {name: value for name, value in everything.items() if name in selected | {"id"}}
    return {"@odata.context": context, "@odata.etag": f'W/"CQAAABYAAAA{item.key[:12]}"', **chosen}


def render_attachment(attachment: Attachment, *, context: str) -> dict[str, Any]:
    """Returns a file without its content."""
    return {
        "@odata.context": context,
        "@odata.type": "#microsoft.graph.fileAttachment",
        "id": attachment.attachment_id,
        "name": attachment.name,
        "contentType": attachment.content_type,
        "size": attachment.size_bytes,
        "isInline": attachment.is_inline,
        "contentId": attachment.content_id or None,
    }


def read_select(text: str) -> frozenset[str]:
    """Returns the names in a ``$select``."""
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def read_top(text: str) -> int:
    """Returns how many messages a page has. Raises GraphError."""
    if not text:
        return _USUAL_TOP
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_NUMBER or not 1 <= int(text) <= _MOST:
        raise GraphError(400, "BadRequest", f"Invalid value '{text}' for $top query option found.")
    return int(text)


def read_skip(text: str) -> int:
    """Returns how many messages a page leaves out. Raises GraphError."""
    if text and (not text.isascii() or not text.isdigit() or len(text) > _LONGEST_NUMBER):
        raise GraphError(400, "BadRequest", f"Invalid value '{text}' for $skip query option found.")
    return int(text or 0)


def read_filter(text: str) -> Callable[[Item], bool]:
    """
    Returns what a ``$filter`` lets through: ``eq`` and ``ne`` on a few properties, joined by ``and``.

    Raises GraphError for anything else, as Graph does for what it cannot filter by.
    """
    terms: list[Callable[[Item], bool]] = []
    place = 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None:
            raise GraphError(400, "BadRequest", "Invalid filter clause: There is a syntax error.")
        name, operator, value = term.groups()
        terms.append(_term(name, operator.lower(), value))
        place = term.end()
    return lambda item: all(fits(item) for fits in terms)


def _term(name: str, operator: str, value: str) -> Callable[[Item], bool]:
    wanted: str | bool = value[1:-1].replace("''", "'") if value.startswith("'") else value.lower() == "true"
    getters: dict[str, Callable[[Item], str | bool]] = {
        "internetMessageId": lambda item: item.fields.internet_message_id,
        "subject": lambda item: item.fields.subject,
        "isDraft": lambda item: item.is_draft,
    }
    getter = getters.get(name)
    if getter is None:
        raise GraphError(400, "ErrorInvalidUrlQueryFilter", "The query filter contains one or more invalid nodes.")
    return lambda item: (getter(item) == wanted) is (operator == "eq")


def render_folder(mailbox: str, folder: Folder, count: int, *, context: str) -> dict[str, Any]:
    """Returns a folder."""
    return {
        "@odata.context": context,
        "id": folder_id_of(mailbox, folder),
        "displayName": folder.display_name,
        "childFolderCount": 0,
        "unreadItemCount": 0,
        "totalItemCount": count,
    }


def from_or(fields: Fields, mailbox: str) -> str:
    """Returns the address that a message is from: its own, or the mailbox's."""
    return fields.from_.address if fields.from_ else mailbox


def _time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
