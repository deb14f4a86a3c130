"""The header that Graph gets: there the To, Cc and Bcc lines alone say who gets the message, and no envelope does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import Final

from domain.address import EmailAddress, parse_address
from domain.graph.files import header_end
from domain.message import Envelope, NamedAddress
from domain.mime.address_list import AddressListMalformed, addresses_in
from domain.mime.headers import address_field

_FIELD: Final = re.compile(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
_READ: Final = ("to", "cc")
_REPLACED: Final = frozenset({"to", "cc", "bcc"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Addressed:
    """A message's header as Graph is to have it, and who is named in it."""

    header: bytes
    """With the empty line that ends it."""
    to: tuple[NamedAddress, ...]
    cc: tuple[NamedAddress, ...]
    bcc: tuple[NamedAddress, ...]
    message_id: str
    """With angle brackets; empty when the header has none."""


def addressed(content: bytes, envelope: Envelope) -> Addressed:
    """
    Returns the header of *content* so that To, Cc and Bcc together name the recipients of *envelope*, and nobody else.

    Who is not in the header comes into a Bcc line, which Exchange keeps from the others. Who is in it and not in the
    envelope (someone who has the message already, or whom the caller left out) is taken out of it, since Graph would
    send there. A line that names only recipients stays as it is, octet by octet
    (learn.microsoft.com/graph/outlook-send-mime-message, seen 2026-11).
    """
    header = content[: header_end(content)]
    end = len(header) - 2 if header.endswith(b"\r\n\r\n") or header == b"\r\n" else len(header)
    left = {_key(recipient): recipient for recipient in envelope.recipients}
    kept: list[bytes] = []
    named: dict[str, tuple[NamedAddress, ...]] = {}
    message_id = ""
    for line in _FIELD.findall(header[:end]):
        name = line.partition(b":")[0].strip().lower().decode("ascii", "replace")
        if name == "message-id":
            message_id = line.partition(b":")[2].decode("ascii", "replace").strip()
        if name not in _REPLACED:
            kept.append(line)
            continue
        if name == "bcc":
            continue
        value = line.partition(b":")[2].decode("utf-8", "replace").replace("\r\n", "").strip()
        found, is_certain = _mailboxes(value)
        here = tuple(mailbox for mailbox in found if left.pop(_key(mailbox.address), None) is not None)
        named[name] = named.get(name, ()) + here
        if is_certain and (len(here) == len(found)):
            kept.append(line)
        elif here:
            kept.append(f"{address_field(name.title(), here)}\r\n".encode())
    hidden = tuple(NamedAddress(recipient) for recipient in left.values())
    if hidden:
        kept.append(f"{address_field('Bcc', hidden)}\r\n".encode())
    return Addressed(
        header=b"".join([*kept, b"\r\n"]),
        to=named.get("to", ()),
        cc=named.get("cc", ()),
        bcc=hidden,
        message_id=message_id,
    )


def mailboxes_in(value: str) -> tuple[NamedAddress, ...]:
    """Returns who an unfolded header *value* names, as far as these are addresses."""
    return _mailboxes(value)[0]


def _mailboxes(value: str) -> tuple[tuple[NamedAddress, ...], bool]:
    """Returns who is named, and whether it is certain that nobody else is."""
    try:
        strict = addresses_in(value)
    except AddressListMalformed:
        strict = None
    names = {_bare(address): text for text, address in getaddresses([value])}
    written = strict if strict is not None else list(names)
    found = [parse_address(address, field="") for address in written]
    mailboxes = tuple(
        NamedAddress(address, _decoded(names.get(_bare(text), "")))
        for address, text in zip(found, written, strict=True)
        if isinstance(address, EmailAddress)
    )
    return _each_once(mailboxes), strict is not None and len(mailboxes) == len(written)


def _each_once(mailboxes: Iterable[NamedAddress]) -> tuple[NamedAddress, ...]:
    first: dict[tuple[str, str], NamedAddress] = {}
    for mailbox in mailboxes:
        first.setdefault(_key(mailbox.address), mailbox)
    return tuple(first.values())


def _bare(address: str) -> str:
    return address.strip().casefold()


def _decoded(name: str) -> str:
    try:
        decoded = str(make_header(decode_header(name)))
    except (LookupError, ValueError):
        decoded = ""
    return _CONTROL.sub(" ", decoded).strip()


def _key(address: EmailAddress) -> tuple[str, str]:
    return address.local_part.casefold(), address.domain
