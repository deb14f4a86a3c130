"""Delivery reports (RFC 3464, 6533), and what servers send that should be one; never raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from domain.failures.redact import redact
from domain.failures.scrub import Scrubber
from domain.reading.bodies import decoded_start
from domain.reading.fields import RawField, only_value, split_fields, values_of
from domain.reading.ids import read_message_id
from domain.reading.model import (
    LONGEST_DIAGNOSTIC,
    MOST_BOUNCED,
    BounceAction,
    BouncedRecipient,
    BounceReport,
    Defect,
    MessageHeader,
    MessageKind,
)
from domain.reading.plain_reports import failed_recipients, reported_id_in
from domain.reading.structure import Leaf
from domain.reading.words import decode_text

_STATUS_TYPES: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
_HEADER_TYPES: Final = frozenset(
    {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "text/rfc822-header"}
)
_MESSAGE_TYPES: Final = frozenset({"message/rfc822", "message/global"})
_LARGEST_STATUS: Final = 256 * 1024
_LARGEST_ORIGINAL: Final = 64 * 1024
_LONGEST_SERVER: Final = 255
_LONGEST_ADDRESS: Final = 320
_MOST_SCRUBBED: Final = 2 * LONGEST_DIAGNOSTIC
_BLOCKS: Final = re.compile(rb"\n[ \t]*\r?\n")
_STATUS: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_TYPED: Final = re.compile(r"[A-Za-z0-9-]{1,40}\s*;\s*")
_ESCAPED: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_MISLABELLED: Final = re.compile(rb"(?im)^(?:Reporting-MTA|Original-Recipient|Final-Recipient)[ \t]*:")
_NEW_GROUP: Final = frozenset({"final-recipient", "original-recipient", "action"})
_ACTIONS: Final = {
    "failed": BounceAction.FAILED, "failure": BounceAction.FAILED, "delayed": BounceAction.DELAYED,
    "delivered": BounceAction.DELIVERED, "relayed": BounceAction.RELAYED, "expanded": BounceAction.EXPANDED,
}  # fmt: skip
_BY_CLASS: Final = {"5": BounceAction.FAILED, "4": BounceAction.DELAYED, "2": BounceAction.DELIVERED}


def read_report(
    octets: bytes, leaves: list[Leaf], fields: list[RawField], header: MessageHeader, found: set[Defect]
) -> BounceReport | None:
    """
    Returns what a message reports about others, None when it is no delivery report; whose header guesses it is one.

    A report is known by its part message/delivery-status, whatever is said of the whole; where the header speaks of a
    mail server, also by the same lines in a text, by X-Failed-Recipients (Exim), and by qmail's own form. What an
    attached message reports is not the message's.
    """
    outer = [leaf for leaf in leaves if not leaf.is_nested]
    groups = list(_groups(octets, outer, found, is_likely=header.kind is MessageKind.DELIVERY_REPORT))
    recipients = tuple(_recipients(groups, found))
    if not recipients and header.kind is MessageKind.DELIVERY_REPORT:
        plain = failed_recipients(values_of(fields, "x-failed-recipients"), _texts(octets, outer))
        recipients = tuple(
            BouncedRecipient(
                address=address, action=_action("", status), status=status, diagnostic=scrubbed(diagnostic)
            )
            for address, status, diagnostic in plain
        )
    if not recipients and not any("reporting-mta" in group for group in groups):
        return None
    if len(recipients) > MOST_BOUNCED:
        found.add(Defect.TRUNCATED)
    server = next((group["reporting-mta"] for group in groups if "reporting-mta" in group), b"")
    return BounceReport(
        reported_message_id=_reported_id(octets, outer, groups, header),
        reporting_server=_untyped(decode_text(server[:1024], found))[:_LONGEST_SERVER],
        recipients=recipients[:MOST_BOUNCED],
    )


def scrubbed(words: str) -> str:
    """Returns a server's *words* on one line, without secrets, at most `LONGEST_DIAGNOSTIC` characters."""
    return Scrubber().clean(redact(words[:_MOST_SCRUBBED]))[:LONGEST_DIAGNOSTIC]


def _groups(octets: bytes, leaves: list[Leaf], found: set[Defect], *, is_likely: bool) -> Iterator[dict[str, bytes]]:
    """Yields the fields about the message and about each recipient, the first value of each name."""
    status = next((leaf for leaf in leaves if leaf.entity.content_type in _STATUS_TYPES), None)
    content = b""
    if status:
        content = _content(octets, status, _LARGEST_STATUS, found)
    elif is_likely:
        for leaf in leaves[:10]:
            content = _content(octets, leaf, _LARGEST_ORIGINAL, set()) if leaf.inner is None else b""
            if begin := _MISLABELLED.search(content):
                found.add(Defect.MIME)
                content = content[begin.start() :]
                break
        else:
            return
    for block in _BLOCKS.split(content, maxsplit=10 * MOST_BOUNCED):
        group: dict[str, bytes] = {}
        for field in split_fields(block.lstrip(b"\r\n"), found):
            if field.name in _NEW_GROUP and field.name in group:
                yield group
                group = {}
            group.setdefault(field.name, field.value)
        yield group


def _content(octets: bytes, leaf: Leaf, most: int, found: set[Defect]) -> bytes:
    content, is_whole = decoded_start(octets, leaf, most, found)
    if not is_whole:
        found.add(Defect.TRUNCATED)
    return content if b"\n" in content else content.replace(b"\r", b"\n")


def _recipients(groups: list[dict[str, bytes]], found: set[Defect]) -> Iterator[BouncedRecipient]:
    named = (group for group in groups if "final-recipient" in group or "original-recipient" in group)
    for _, group in zip(range(MOST_BOUNCED + 1), named, strict=False):
        final, original = (_address(group.get(name, b""), found) for name in ("final-recipient", "original-recipient"))
        words = _untyped(decode_text(group.get("diagnostic-code", b"")[: 4 * _MOST_SCRUBBED], found))
        written = decode_text(group.get("status", b"")[:100], found)
        status = _STATUS.search(written) or _STATUS.search(words)
        code = status[1] if status else ""
        action = decode_text(group.get("action", b"")[:100], found)
        yield BouncedRecipient(
            address=final or original, action=_action(action, code), status=code, diagnostic=scrubbed(words)
        )


def _action(written: str, status: str) -> BounceAction:
    word = re.match(r"\w*", written.lower())
    known = _ACTIONS.get(word[0] if word else "")
    return known or _BY_CLASS.get(status[:1], BounceAction.UNKNOWN)


def _address(value: bytes, found: set[Defect]) -> str:
    address = _untyped(decode_text(value[:2048], found))
    address = _ESCAPED.sub(_character, address)  # RFC 6533 section 3
    return address.strip("<> \t")[:_LONGEST_ADDRESS]


def _character(escaped: re.Match[str]) -> str:
    number = int(escaped[1], 16)
    is_character = 0x20 < number <= 0x10FFFF and not 0x7F <= number <= 0x9F and not 0xD800 <= number <= 0xDFFF
    return chr(number) if is_character else escaped[0]


def _untyped(value: str) -> str:
    """Returns *value* without the type before it, e.g. ``rfc822;`` (RFC 3464 section 2.1.2)."""
    typed = _TYPED.match(value)
    return value[typed.end() :] if typed else value


def _reported_id(octets: bytes, leaves: list[Leaf], groups: list[dict[str, bytes]], header: MessageHeader) -> str:
    unheeded: set[Defect] = set()  # what is wrong with the mail reported on is not the report's
    for leaf in leaves:
        kind = leaf.entity.content_type
        fields = leaf.inner
        if fields is None and (kind in _HEADER_TYPES or kind in _MESSAGE_TYPES):
            fields = split_fields(_content(octets, leaf, _LARGEST_ORIGINAL, unheeded).lstrip(b"\r\n"), unheeded)
        if fields and (found := read_message_id(only_value(fields, "message-id", unheeded), unheeded)):
            return found
    for group in groups:
        for name in ("x-original-message-id", "original-message-id"):
            if found := read_message_id(group.get(name, b""), unheeded):
                return found
    named = reported_id_in(_texts(octets, leaves), unheeded)
    return named or next(iter(header.in_reply_to), "") or next(reversed(header.references), "")


def _texts(octets: bytes, leaves: list[Leaf]) -> list[bytes]:
    texts = [leaf for leaf in leaves if leaf.entity.content_type == "text/plain"]
    return [_content(octets, leaf, _LARGEST_ORIGINAL, set()) for leaf in texts[:3]]
