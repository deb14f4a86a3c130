"""What use cases tell of mail in a mailbox."""

from __future__ import annotations

from dataclasses import dataclass

from domain.mailbox import FolderMessage
from domain.reading.model import BounceReport, MessageHeader, ReadMessage


@dataclass(frozen=True, slots=True)
class Mail:
    """A message of a mailbox, read."""

    message: FolderMessage
    header: MessageHeader
    delivery_id: str = ""
    """The delivery of the tenant that it answers or reports on; empty when it is neither."""
    bounce: BounceReport | None = None
    """What it reports; None when it is no delivery report."""
    content: ReadMessage | None = None
    """Bodies, parts and fields; None in lists."""
