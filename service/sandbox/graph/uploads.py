"""Upload sessions for large files (https://learn.microsoft.com/graph/outlook-large-attachments)."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from service.sandbox.graph.errors import GraphError, item_not_found, property_invalid, property_unknown
from service.sandbox.graph.item import Folder, Item
from service.sandbox.graph.limits import MB, Limits
from service.sandbox.spool import Spool

_LIFETIME: Final = timedelta(days=1)
_RANGE: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


@dataclass(slots=True, eq=False, kw_only=True)
class UploadSession:
    """A file on its way to a draft, in ranges."""

    session_id: str
    token: str
    """Opens it, in the URL; there is no other proof."""
    item: Item
    size_bytes: int
    properties: dict[str, Any]
    """Of the attachment that comes of it."""
    expire_time: datetime
    content: Spool = field(default_factory=Spool)

    def as_json(self, *, context: str, expected: str) -> dict[str, Any]:
        """Returns what Graph says of it; *expected* is the range that it waits for."""
        return {
            "@odata.context": context,
            "expirationDateTime": f"{self.expire_time:%Y-%m-%dT%H:%M:%S.%fZ}",
            "nextExpectedRanges": [expected],
        }


class Uploads:
    """The sessions that are open."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._sessions: dict[str, UploadSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def create(self, item: Item, written: dict[str, Any], limits: Limits) -> UploadSession:
        """Opens a session for what a client wrote as ``AttachmentItem``. Raises GraphError."""
        properties, size_bytes = _read(written)
        if size_bytes < limits.least_upload_bytes:
            raise GraphError(
                400,
                "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize",
                f"Attachment size should not be less than the minimum size: {limits.least_upload_bytes // MB} MB.",
            )
        if size_bytes > limits.most_upload_bytes:
            raise GraphError(
                400,
                "ErrorAttachmentSizeLimitExceeded",
                "The attachment size exceeds the limit that can be uploaded.",
            )
        session = UploadSession(
            session_id=secrets.token_urlsafe(24),
            token=secrets.token_urlsafe(48),
            item=item,
            size_bytes=size_bytes,
            properties=properties,
            expire_time=self._now() + _LIFETIME,
        )
        self._sessions[session.session_id] = session
        return session

    def find(self, session_id: str, token: str) -> UploadSession:
        """Returns the session that *token* opens. Raises GraphError."""
        session = self._sessions.get(session_id)
        if session is None or self._now() >= session.expire_time or session.item.folder is not Folder.DRAFTS:
            raise item_not_found()
        if not hmac.compare_digest(session.token.encode(), token.encode()):
            raise GraphError(401, "InvalidAuthenticationToken", "The upload URL's token is not valid.")
        return session

    def receive(self, session: UploadSession, content_range: str, body: bytes) -> bool:
        """
        Adds a range that follows on what is there; returns whether the file is whole.

        Raises GraphError: 416 for one that does not follow, 400 for one that is not what its header says.
        """
        written = _RANGE.fullmatch(content_range.strip())
        if written is None:
            raise GraphError(400, "ErrorInvalidRequest", "The Content-Range header is missing or malformed.")
        first, last, total = map(int, written.groups())
        if total != session.size_bytes or last >= total or last - first + 1 != len(body):
            raise GraphError(
                400, "ErrorInvalidRequest", "The Content-Range header does not match the session or the content."
            )
        if first != session.content.size_bytes:
            raise GraphError(
                416,
                "ErrorInvalidRange",
                f"The range is not the next expected one, which begins at {session.content.size_bytes}.",
            )
        session.content.append(body)
        return session.content.size_bytes == session.size_bytes

    def close(self, session: UploadSession) -> None:
        """Ends a session."""
        self._sessions.pop(session.session_id, None)

    def clear(self) -> None:
        """Ends all sessions."""
        self._sessions.clear()


def _read(written: dict[str, Any]) -> tuple[dict[str, Any], int]:
    item = next((value for name, value in written.items() if name.lower() == "attachmentitem"), None)
    if not isinstance(item, dict):
        raise property_invalid("AttachmentItem", "microsoft.graph.attachmentItem")
    known = {"attachmentType", "name", "size", "contentType", "isInline", "contentId"}
    for name in item.keys() - known:
        raise property_unknown(name, "microsoft.graph.attachmentItem")
    if str(item.get("attachmentType", "")).lower() != "file":
        raise property_invalid("attachmentType", "microsoft.graph.attachmentType")
    if type(item.get("size")) is not int or item["size"] < 0:
        raise property_invalid("size", "Edm.Int64")
    texts = {name: item.get(name) or "" for name in ("name", "contentType", "contentId")}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise property_invalid(name, "Edm.String")
    if not texts["name"]:
        raise property_invalid("name", "Edm.String")
    properties = {
        "name": texts["name"],
        "content_type": texts["contentType"] or "application/octet-stream",
        "content_id": texts["contentId"],
        "is_inline": item.get("isInline") is True,
    }
    return properties, item["size"]
