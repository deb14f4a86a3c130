"""Idempotency keys (rule 10): their form, and what makes two requests the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from domain.errors import Violation
from domain.message import InDoubtPolicy, WrittenAddress, WrittenMessage
from domain.message_wishes import DEFAULT_LIFE
from domain.reasons import Reason

MAX_KEY_BYTES = 255
_KEY = re.compile(rf"[ -~]{{0,{MAX_KEY_BYTES}}}")


def check_key(key: str) -> Violation | None:
    """Names what is wrong with a non-empty *key*: it must be 1 to 255 printable ASCII characters."""
    if _KEY.fullmatch(key):
        return None
    return Violation(
        field="idempotency_key",
        reason=Reason.VALUE_TOO_LONG if len(key) > MAX_KEY_BYTES else Reason.VALUE_MALFORMED,
        message="An idempotency key has 1 to 255 printable ASCII characters.",
        remedy="Use a random UUID for each message, and the same one when the call is repeated.",
    )


def content_bytes(configuration_id: str, message: WrittenMessage) -> Iterator[bytes]:
    """
    Yields the request's content field by field, each after its length, so that no two contents read the same.

    To be hashed with a key; named fields rather than protobuf bytes, whose order and unknown fields may differ between
    equal requests. A wish that writes its default out is the same as none.
    """
    life = None if message.expire_after == DEFAULT_LIFE else message.expire_after
    policy = "" if message.in_doubt_policy == InDoubtPolicy.RETRY else message.in_doubt_policy
    yield _texts("configuration_id", configuration_id)
    yield _addresses("from", (message.sender,) if message.sender else ())
    yield _addresses("reply_to", message.reply_to)
    yield _addresses("to", message.to)
    yield _addresses("cc", message.cc)
    yield _addresses("bcc", message.bcc)
    yield _texts("subject", message.subject)
    yield _texts("text_body", message.text_body)
    yield _texts("html_body", message.html_body)
    for attachment in message.attachments:
        yield _texts("attachment", attachment.file_name, attachment.content_type, attachment.content_id)
        yield _field("content", [attachment.content])
    yield _texts("headers", *(part for header in message.headers for part in header))
    yield _field("raw_mime", [message.raw_mime])
    yield _texts("message_id", message.message_id)
    yield _texts("expire_after", str(life))
    yield _texts("send_time", message.send_time.isoformat() if message.send_time else "")
    yield _texts("in_doubt_policy", policy)


def _addresses(name: str, addresses: Iterable[WrittenAddress]) -> bytes:
    return _texts(name, *(part for address in addresses for part in (address.address, address.name)))


def _texts(name: str, *values: str) -> bytes:
    return _field(name, [value.encode("utf-8", "surrogatepass") for value in values])


def _field(name: str, values: list[bytes]) -> bytes:
    parts = [name.encode(), b"\0", len(values).to_bytes(4, "big")]
    for value in values:
        parts += (len(value).to_bytes(8, "big"), value)
    return b"".join(parts)
