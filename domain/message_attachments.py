"""The rules for attachments: names, types and content ids of files that travel with a message."""

from __future__ import annotations

import re
from typing import Final

from domain.errors import Violation
from domain.message import Attachment, WrittenAttachment
from domain.message_rules import LONGEST_ID, LONGEST_NAME_OCTETS, bare_id, check_line
from domain.mime.parameters import parse_content_type
from domain.reasons import Reason

MOST_ATTACHMENTS: Final = 495
"""With bodies and the multiparts around them at most 500 parts."""
_CONTENT_ID: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]+")


def parse_attachment(written: WrittenAttachment, *, field: str) -> Attachment | list[Violation]:
    """Returns the file with its type, ``application/octet-stream`` when none is given, or all that is wrong with it."""
    found: list[Violation] = []
    if trouble := check_line(written.file_name, field=f"{field}.file_name", longest=LONGEST_NAME_OCTETS):
        found.append(trouble)
    content_type = parse_content_type(written.content_type or "application/octet-stream")
    if content_type is None or not _may_be_attached(content_type):
        found.append(_content_type_violation(written.content_type, f"{field}.content_type"))
    content_id = bare_id(written.content_id)
    if trouble := _check_content_id(written.content_id, content_id, f"{field}.content_id"):
        found.append(trouble)
    if found or content_type is None:
        return found
    return Attachment(written.file_name, content_type, written.content, content_id)


def _may_be_attached(content_type: str) -> bool:
    media_type = content_type.partition(";")[0]
    return not media_type.startswith("multipart/") and (
        not media_type.startswith("message/") or media_type == "message/rfc822"
    )


def _content_type_violation(written: str, field: str) -> Violation:
    if trouble := check_line(written, field=field, longest=LONGEST_NAME_OCTETS):
        return trouble
    return Violation(
        field=field,
        reason=Reason.VALUE_MALFORMED,
        message="Not the type of a file: type/subtype, not multipart, of the message types message/rfc822 alone.",
        remedy="Use a type such as application/pdf, or leave it empty for application/octet-stream.",
    )


def _check_content_id(written: str, bare: str, field: str) -> Violation | None:
    if trouble := check_line(written, field=field, longest=LONGEST_ID):
        return trouble
    if not written or (_CONTENT_ID.fullmatch(bare) and "=?" not in bare):
        return None
    return Violation(
        field=field,
        reason=Reason.VALUE_MALFORMED,
        message="A content id holds ASCII letters, digits and the marks of an address, no blanks.",
        remedy="Use an id such as logo@example.com, and cid:logo@example.com in the HTML.",
    )
