"""ENVELOPE, BODY and BODYSTRUCTURE of a message (RFC 3501 section 7.4.2)."""

from __future__ import annotations

from service.sandbox.imap.addresses import parse_addresses
from service.sandbox.imap.parameters import parse_parameterized
from service.sandbox.imap.parts import Part
from service.sandbox.imap.wire import listing, nstring, string


def envelope(message: Part) -> bytes:
    """Returns the ENVELOPE of *message*."""
    sender = _addresses(message, "From")
    return listing(
        [
            nstring(message.octets_of("Date")),
            nstring(message.octets_of("Subject")),
            sender,
            # Absent or empty ones are those of From.
            *(_or(_addresses(message, name), sender) for name in ("Sender", "Reply-To")),
            *(_addresses(message, name) for name in ("To", "Cc", "Bcc")),
            nstring(message.octets_of("In-Reply-To")),
            nstring(message.octets_of("Message-ID")),
        ]
    )


def body_structure(part: Part, *, extended: bool) -> bytes:
    """Returns BODYSTRUCTURE, or BODY when not *extended*."""
    kind, _, subtype = part.content_type.value.partition("/")
    if part.is_multipart:
        children = b"".join(body_structure(child, extended=extended) for child in part.children)
        items = [children, _text(subtype)]
        if extended:
            items += [_parameters(part.content_type.parameters), *_extension(part)]
        return listing(items)
    items = [
        _text(kind),
        _text(subtype),
        _parameters(_with_charset(part)),
        nstring(part.octets_of("Content-ID")),
        nstring(part.octets_of("Content-Description")),
        _text(_encoding(part)),
        b"%d" % (part.end - part.body),
    ]
    if part.embedded is not None:
        items += [envelope(part.embedded), body_structure(part.embedded, extended=extended), _lines(part)]
    elif kind == "text":
        items.append(_lines(part))
    if extended:
        items += [nstring(part.octets_of("Content-MD5")), *_extension(part)]
    return listing(items)


def _extension(part: Part) -> list[bytes]:
    """Disposition, languages and location."""
    value = part.field("Content-Disposition")
    disposition = b"NIL"
    if value:
        found = parse_parameterized(value)
        if found.value:
            disposition = listing([_text(found.value), _parameters(found.parameters)])
    languages = [word.strip() for word in (part.field("Content-Language") or "").split(",") if word.strip()]
    return [
        disposition,
        b"NIL" if not languages else _text(languages[0]) if len(languages) == 1 else listing(map(_text, languages)),
        nstring(part.octets_of("Content-Location")),
    ]


def _with_charset(part: Part) -> dict[str, str]:
    parameters = part.content_type.parameters
    if part.content_type.value.startswith("text/") and "charset" not in parameters:
        return {**parameters, "charset": "us-ascii"}  # RFC 2045 section 5.2, and what Dovecot says
    return parameters


def _encoding(part: Part) -> str:
    value = (part.field("Content-Transfer-Encoding") or "7bit").lower().partition(";")[0].strip()
    return value or "7bit"


def _parameters(parameters: dict[str, str]) -> bytes:
    return listing(_text(text) for pair in parameters.items() for text in pair) if parameters else b"NIL"


def _lines(part: Part) -> bytes:
    return b"%d" % part.raw.count(b"\n", part.body, part.end)


def _addresses(message: Part, name: str) -> bytes:
    field = message.octets_of(name)
    found = parse_addresses(field) if field else []
    # The lists of one address each stand without blanks between them.
    text = b"".join(
        listing([nstring(address.name), b"NIL", nstring(address.mailbox), nstring(address.host)]) for address in found
    )
    return b"(" + text + b")" if text else b"NIL"


def _or(addresses: bytes, default: bytes) -> bytes:
    return default if addresses == b"NIL" else addresses


def _text(text: str) -> bytes:
    return string(text.encode("utf-8", "surrogateescape"))
