"""From the body of a request to a message, in either form."""

from __future__ import annotations

from typing import Any, Final

from service.sandbox.graph.errors import GraphError, content_type_missing, request_too_large
from service.sandbox.graph.gateway import Call
from service.sandbox.graph.item import Attachment, Fields, Item, attachment_id_of
from service.sandbox.graph.json_form import read_attachment, read_attachments, read_message, read_object
from service.sandbox.graph.limits import Limits
from service.sandbox.graph.mime_form import decode_mime, read_mime
from service.sandbox.spool import Spool

MIME: Final = "text/plain"
JSON: Final = "application/json"


def content_type(call: Call) -> str:
    """Returns which form the body has. Raises GraphError (415)."""
    found = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in {MIME, JSON}:
        raise content_type_missing()
    return found


def read_json(call: Call) -> dict[str, Any]:
    """Returns the JSON object of the body. Raises GraphError."""
    if content_type(call) != JSON:
        raise content_type_missing()
    return read_object(call.body)


def from_mime(call: Call) -> tuple[Fields, Spool]:
    """Returns what a message that came as MIME says, and the message. Raises GraphError."""
    raw = decode_mime(call.body)
    return read_mime(raw), Spool(raw)


def from_json(written: dict[str, Any], limits: Limits) -> tuple[Fields, list[tuple[dict[str, Any], bytes]]]:
    """Returns what a message that came as JSON says, and its files. Raises GraphError."""
    return read_message(written), [read_file(each, limits) for each in read_attachments(written)]


def read_file(written: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], bytes]:
    """Returns a file that came in the request. Raises GraphError, also for one that must be uploaded in ranges."""
    properties, content = read_attachment(written)
    if len(content) >= limits.inline_attachment_bytes:
        raise request_too_large()
    if not properties["name"]:
        raise GraphError(400, "ErrorInvalidPropertySet", "The attachment has no name.")
    return properties, content


def attach(item: Item, properties: dict[str, Any], content: Spool) -> Attachment:
    """Adds a file to a message and returns it."""
    attachment = Attachment(
        attachment_id=attachment_id_of(item, len(item.attachments) + 1),
        size_bytes=content.size_bytes,
        content=content,
        **properties,
    )
    item.attachments.append(attachment)
    return attachment
