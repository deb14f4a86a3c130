"""A whole message, read: header, bodies, parts, and what it reports; never raises."""

from __future__ import annotations

from dataclasses import replace

from domain.reading.bodies import body_text, text_and_html
from domain.reading.fields import RawField, shown_fields, split_fields
from domain.reading.header import header_of, with_line_feeds
from domain.reading.kinds import automatic_kind_of
from domain.reading.model import (
    BounceReport,
    Defect,
    MessageHeader,
    MessageKind,
    MessagePart,
    ReadMessage,
    in_order,
)
from domain.reading.reports import read_report
from domain.reading.structure import Leaf, header_end, read_structure


def read_message(octets: bytes, *, is_complete: bool = True) -> ReadMessage:
    """
    Returns what the message *octets* says, its raw source from the first octet on.

    *is_complete*: False for the beginning of a message whose end was not fetched; it is TRUNCATED then, and the parts
    that lie beyond are missing. The beginning is enough for a delivery report.

    Takes any octets. Time and memory go with their number and are bounded beside it (`domain.reading.model`): a
    thread's work above a few MiB. The content of attachments is not decoded here: see `ChunkedDecoder`.
    """
    found: set[Defect] = set() if is_complete else {Defect.TRUNCATED}
    octets = with_line_feeds(octets, found)
    content = header_end(octets)
    fields = split_fields(octets[:content], found)
    header = header_of(fields, found)
    leaves = read_structure(octets, start=content, fields=fields, found=found, is_complete=is_complete)
    bounce = read_report(octets, leaves, fields, header, found)
    text, html = text_and_html(leaves)
    text_body = body_text(octets, text, found, is_complete=is_complete) if text else ""
    html_body = body_text(octets, html, found, is_complete=is_complete) if html else ""
    headers = shown_fields(fields, found)
    return ReadMessage(
        header=replace(header, kind=_kind(header, fields, leaves, bounce)),
        text_body=text_body,
        html_body=html_body,
        parts=tuple(_part(leaf, is_body=leaf is text or leaf is html) for leaf in leaves),
        headers=headers,
        bounce=bounce,
        defects=in_order(found),
    )


def _kind(
    header: MessageHeader, fields: list[RawField], leaves: list[Leaf], bounce: BounceReport | None
) -> MessageKind:
    if bounce:
        return MessageKind.DELIVERY_REPORT
    is_read_report = any(
        leaf.entity.content_type in {"message/disposition-notification", "message/global-disposition-notification"}
        for leaf in leaves
        if not leaf.is_nested
    )
    if is_read_report or header.kind is MessageKind.READ_REPORT:
        return MessageKind.READ_REPORT
    return automatic_kind_of({field.name: field.value for field in reversed(fields)})


def _part(leaf: Leaf, *, is_body: bool) -> MessagePart:
    entity = leaf.entity
    is_shown = is_body or (entity.content_type.startswith("text/") and not entity.file_name)
    is_shown = is_shown or bool(entity.content_id and leaf.parent_type == "multipart/related")
    return MessagePart(
        part_id=leaf.part_id,
        content_type=entity.content_type,
        file_name=entity.file_name,
        content_id=entity.content_id,
        charset=entity.charset,
        transfer_encoding=entity.transfer_encoding,
        is_inline=entity.disposition == "inline" or (not entity.disposition and is_shown),
        is_body=is_body,
        is_attachment=not is_body and not leaf.is_nested,
        start=leaf.start,
        end=leaf.end,
    )
