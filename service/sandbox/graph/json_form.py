"""A message that came as JSON (https://learn.microsoft.com/graph/api/resources/message), read strictly."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from service.sandbox.graph.errors import (
    GraphError,
    body_empty,
    body_unreadable,
    property_invalid,
    property_unknown,
    recipient_invalid,
)
from service.sandbox.graph.item import Fields, Recipient

MESSAGE: Final = "microsoft.graph.message"
_FILE: Final = "#microsoft.graph.fileAttachment"
_MOST_HEADERS: Final = 5
_IGNORED: Final = frozenset(
    {"categories", "flag", "inferenceClassification", "isDeliveryReceiptRequested", "isRead", "isReadReceiptRequested"}
)
_IMPORTANCES: Final = frozenset({"low", "normal", "high"})


def read_object(body: bytes) -> dict[str, Any]:
    """Returns the JSON object that *body* is. Raises GraphError."""
    if not body:
        raise body_empty()
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise body_unreadable() from None
    if not isinstance(found, dict):
        raise body_unreadable()
    return found


def read_message(written: dict[str, Any], *, before: Fields | None = None) -> Fields:
    """
    Returns what a client wrote, in place of what was there *before*; attachments are read by `read_attachments`.

    Raises GraphError: for a property that a message does not have, for one of another type, and for headers that the
    JSON form does not take.
    """
    fields = before or Fields()
    for name, value in written.items():
        if name in {"attachments"} | _IGNORED or name.startswith("@odata."):
            continue
        reader = _READERS.get(name)
        if reader is None:
            raise property_unknown(name, MESSAGE)
        fields = replace(fields, **reader(value, name))
    return fields


def read_attachments(written: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the attachments of a message, each as `read_attachment` takes it. Raises GraphError."""
    return [_object(each, "attachments") for each in _list(written.get("attachments") or [], "attachments")]


def read_attachment(written: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Returns the properties of a file, checked, and its content. Raises GraphError."""
    if written.get("@odata.type") != _FILE:
        raise GraphError(400, "ErrorInvalidRequest", "Cannot create an abstract class.")
    known = {"@odata.type", "name", "contentType", "contentBytes", "contentId", "isInline", "size"}
    for name in written.keys() - known:
        raise property_unknown(name, "microsoft.graph.fileAttachment")
    properties = {
        "name": _text(written.get("name"), "name"),
        "content_type": _text(written.get("contentType") or "application/octet-stream", "contentType"),
        "content_id": _text(written.get("contentId") or "", "contentId"),
        "is_inline": _boolean(written.get("isInline", False), "isInline"),
    }
    try:
        content = base64.b64decode(_text(written.get("contentBytes"), "contentBytes"), validate=True)
    except (binascii.Error, ValueError):
        raise property_invalid("contentBytes", "Edm.Binary") from None
    return properties, content


def read_recipient(value: Any, name: str) -> Recipient:
    """Returns a recipient. Raises GraphError."""
    address = _object(_object(value, name).get("emailAddress"), name)
    text = _text(address.get("address") or "", "address").strip()
    if text.count("@") != 1 or text.startswith("@") or text.endswith("@") or any(sign.isspace() for sign in text):
        raise recipient_invalid()
    return Recipient(text, _text(address.get("name") or "", "name"))


def boolean(written: dict[str, Any], name: str, *, default: bool) -> bool:
    """Returns a boolean property. Raises GraphError."""
    return _boolean(written.get(name, default), name)


def _recipients(field: str) -> Callable[[Any, str], dict[str, Any]]:
    def read(value: Any, name: str) -> dict[str, Any]:
        return {field: tuple(read_recipient(each, name) for each in _list(value, name))}

    return read


def _one_recipient(field: str) -> Callable[[Any, str], dict[str, Any]]:
    return lambda value, name: {field: None if value is None else read_recipient(value, name)}


def _subject(value: Any, name: str) -> dict[str, Any]:
    return {"subject": " ".join(_text(value or "", name).splitlines())}


def _body(value: Any, name: str) -> dict[str, Any]:
    body = _object(value, name)
    for unknown in body.keys() - {"contentType", "content"}:
        raise property_unknown(unknown, "microsoft.graph.itemBody")
    kind = _text(body.get("contentType", "text"), "contentType").lower()
    if kind not in {"text", "html"}:
        raise property_invalid("contentType", "microsoft.graph.bodyType")
    return {"body": _text(body.get("content") or "", "content"), "body_type": kind}


def _importance(value: Any, name: str) -> dict[str, Any]:
    text = _text(value, name).lower()
    if text not in _IMPORTANCES:
        raise property_invalid(name, "microsoft.graph.importance")
    return {"importance": text}


def _message_id(value: Any, name: str) -> dict[str, Any]:
    return {"internet_message_id": _text(value, name)}


def _headers(value: Any, name: str) -> dict[str, Any]:
    """At most five, none left out, and of the sender's own making (things to know about sendMail, seen 2026-11)."""
    written = [_object(each, name) for each in _list(value, name)]
    if not written:
        raise GraphError(
            400, "InvalidInternetMessageHeaderCollection", "The collection of internet message headers is empty."
        )
    if len(written) > _MOST_HEADERS:
        raise GraphError(
            400,
            "InvalidInternetMessageHeaderCollection",
            f"Maximum number of headers in one message should be less than or equal to {_MOST_HEADERS}.",
        )
    headers = tuple((_text(each.get("name"), "name"), _text(each.get("value"), "value")) for each in written)
    for header, text in headers:
        if not header.lower().startswith("x-"):
            raise GraphError(
                400,
                "InvalidInternetMessageHeader",
                f"The internet message header name '{header}' should start with 'x-' or 'X-'.",
            )
        if not _is_header(header, text):
            raise GraphError(
                400, "InvalidInternetMessageHeader", f"The internet message header '{header}' is not valid."
            )
    return {"headers": headers}


def _is_header(name: str, value: str) -> bool:
    return all("!" <= sign <= "~" and sign != ":" for sign in name) and "\r" not in value and "\n" not in value


_READERS: Final[dict[str, Callable[[Any, str], dict[str, Any]]]] = {
    "subject": _subject,
    "body": _body,
    "from": _one_recipient("from_"),
    "sender": _one_recipient("sender"),
    "toRecipients": _recipients("to"),
    "ccRecipients": _recipients("cc"),
    "bccRecipients": _recipients("bcc"),
    "replyTo": _recipients("reply_to"),
    "importance": _importance,
    "internetMessageId": _message_id,
    "internetMessageHeaders": _headers,
}


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise property_invalid(name, "Edm.String")
    return value


def _boolean(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise property_invalid(name, "Edm.Boolean")
    return value


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise property_invalid(name, "a complex type")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise property_invalid(name, "a collection")
    return value
