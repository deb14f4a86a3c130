"""Makes a status fit into the trailers of a response, which clients bound to 8 KiB."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from google.rpc.status_pb2 import Status

from mailport.v1 import failure_pb2 as pb

LARGEST_TRAILERS_BYTES: Final = 7 * 1024
"""
What the status may fill on the wire: `grpc-status-details-bin` in base64 and `grpc-message` percent-encoded (gRPC over
HTTP/2, "Requests" and "Responses"). Java's and C's default bound for all trailers together is 8 KiB.
"""
LARGEST_MESSAGE_BYTES: Final = 1536
"""What `grpc-message` may fill; the message stands in the details once more."""
_ELLIPSIS: Final = "…"


def trailers_size(status: Status) -> int:
    """Returns what *status* fills on the wire, in bytes."""
    size: int = status.ByteSize()
    return (size + 2) // 3 * 4 + message_size(status.message)


def message_size(message: str) -> int:
    """Returns what *message* fills on the wire once it is percent-encoded, in bytes."""
    return len(quote(message, safe=" !\"#$&'()*+,/:;<=>?@[\\]^`{|}"))


def first_that_fits(statuses: Iterable[Status]) -> Status:
    """Returns the first status that fits, else the last one."""
    status = Status()
    for status in statuses:
        if trailers_size(status) <= LARGEST_TRAILERS_BYTES:
            break
    return status


def cut(text: str, longest: int) -> str:
    """Returns *text* with at most *longest* bytes of UTF-8; an ellipsis shows that some is missing."""
    encoded = text.encode()
    if len(encoded) <= longest:
        return text
    return encoded[: longest - len(_ELLIPSIS.encode())].decode(errors="ignore") + _ELLIPSIS


def cut_message(message: str) -> str:
    """Returns *message* with at most `LARGEST_MESSAGE_BYTES` on the wire."""
    longest = LARGEST_MESSAGE_BYTES
    shown = cut(message, longest)
    while message_size(shown) > LARGEST_MESSAGE_BYTES:
        longest = longest * 3 // 4
        shown = cut(message, longest)
    return shown


def shortened_failure(failure: pb.Failure, longest: int) -> pb.Failure:
    """Returns *failure* with each text cut to *longest* bytes."""
    shorter = pb.Failure()
    shorter.CopyFrom(failure)
    shorter.provider_code = cut(shorter.provider_code, longest)
    shorter.provider_reply = cut(shorter.provider_reply, longest)
    shorter.cause = cut(shorter.cause, longest)
    shorter.remedy = cut(shorter.remedy, longest)
    return shorter


def shortened_trace(trace: pb.Trace, longest: int) -> pb.Trace:
    """Returns *trace* with each text of a peer cut to *longest* bytes."""
    shorter = pb.Trace()
    shorter.CopyFrom(trace)
    for step in shorter.steps:
        step.detail = cut(step.detail, longest)
        step.reply = cut(step.reply, longest)
        if step.HasField("tls"):
            step.tls.certificate_subject = cut(step.tls.certificate_subject, longest)
            step.tls.certificate_issuer = cut(step.tls.certificate_issuer, longest)
    return shorter
