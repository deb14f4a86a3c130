"""How much Graph takes, as Microsoft documents it; a test may set lower ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

MB: Final = 1024 * 1024
"""Microsoft writes MB and counts 1,048,576 octets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    Sizes in octets, and what a mailbox may ask for in a time.

    Source: https://learn.microsoft.com/graph/throttling-limits#outlook-service-limits,
    https://learn.microsoft.com/graph/outlook-large-attachments.
    """

    request_bytes: int = 4 * MB
    """A request's body at most."""
    inline_attachment_bytes: int = 3 * MB
    """An attachment in a request must be smaller."""
    least_upload_bytes: int = 3 * MB
    """An upload session is for files from this size on."""
    most_upload_bytes: int = 150 * MB
    range_bytes: int = 4 * MB
    """A range of an upload at most."""
    message_bytes: int = 220 * MB
    """The mailbox's largest message as it goes out; Exchange's own default is 35 MB."""
    concurrent: int = 4
    """Requests at once for a mailbox."""
    retry_after: timedelta = timedelta(seconds=10)
    """What a request above `concurrent` is told to wait, rounded up to seconds."""
    requests: int = 10_000
    """Requests for a mailbox in `request_window`; refused ones count."""
    request_window: timedelta = timedelta(minutes=10)
    uploaded_bytes: int = 150 * MB
    """Octets in ranges for a mailbox in `upload_window`."""
    upload_window: timedelta = timedelta(minutes=5)
