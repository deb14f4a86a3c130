"""Received messages read as well as they can be: any octets in, a message with its defects out, never an error."""

from __future__ import annotations

from domain.reading.correlation import candidate_ids
from domain.reading.header import LISTED_FIELDS, read_header
from domain.reading.message import read_message
from domain.reading.model import (
    LARGEST_CHUNK_BYTES,
    BounceAction,
    BouncedRecipient,
    BounceReport,
    DecodedChunk,
    Defect,
    HeaderField,
    MessageHeader,
    MessageKind,
    MessagePart,
    ReadAddress,
    ReadMessage,
)
from domain.reading.transfer import ChunkedDecoder, ContentDecoder

__all__ = [
    "LARGEST_CHUNK_BYTES",
    "LISTED_FIELDS",
    "BounceAction",
    "BounceReport",
    "BouncedRecipient",
    "ChunkedDecoder",
    "ContentDecoder",
    "DecodedChunk",
    "Defect",
    "HeaderField",
    "MessageHeader",
    "MessageKind",
    "MessagePart",
    "ReadAddress",
    "ReadMessage",
    "candidate_ids",
    "read_header",
    "read_message",
]
