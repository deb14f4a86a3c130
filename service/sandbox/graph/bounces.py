"""What Exchange sends back for a recipient that a message accepted with 202 cannot be delivered to (RFC 3464)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from typing import Final

from service.sandbox.recipients import Behaviour, MagicRecipient, RecipientRules

_RULES: Final = RecipientRules()


def undeliverable(recipient: str) -> MagicRecipient | None:
    """Returns the magic of a recipient that gets nothing: one that a mail server refuses for good."""
    magic = _RULES.find(recipient)
    refuses = {Behaviour.REFUSE_RECIPIENT, Behaviour.REFUSE_MESSAGE}
    return magic if magic is not None and magic.behaviour in refuses and magic.reply.startswith("5") else None


def bounce(
    *,
    to: str,
    subject: str,
    message_id: str,
    failed: Sequence[tuple[str, MagicRecipient]],
    original_headers: bytes,
    now: datetime,
) -> bytes:
    """
    Returns the report to *to* about the *failed* recipients of a message.

    *original_headers*: its header fields with the line break of the last, without Bcc.
    """
    boundary = f"=_{uuid.uuid4().hex}"
    domain = to.rpartition("@")[2]
    reasons = [f"{recipient}: {magic.reply}" for recipient, magic in failed]
    status = [f"Reporting-MTA: dns;{domain}", f"Arrival-Date: {format_datetime(now)}"]
    for recipient, magic in failed:
        status += [
            "",
            f"Final-Recipient: rfc822;{recipient}",
            "Action: failed",
            f"Status: {magic.reply.split()[1]}",
            f"Diagnostic-Code: smtp;{magic.reply}",
        ]
    text = ["Delivery has failed to these recipients or groups:", "", *reasons]
    lines = [
        f"From: Microsoft Outlook <postmaster@{domain}>",
        f"To: {to}",
        f"Subject: Undeliverable: {_folded(subject)}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{uuid.uuid4().hex}@{domain}>",
        f"In-Reply-To: {message_id}",
        f"References: {message_id}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        *_part(boundary, "text/plain; charset=utf-8", text),
        *_part(boundary, "message/delivery-status", status),
    ]
    head = "\r\n".join([*lines, f"--{boundary}", "Content-Type: text/rfc822-headers", "", ""]).encode()
    return head + original_headers + f"\r\n--{boundary}--\r\n".encode()


def _part(boundary: str, content_type: str, lines: Sequence[str]) -> list[str]:
    encoding = ["Content-Transfer-Encoding: 8bit"] if content_type.startswith("text/") else []
    return [f"--{boundary}", f"Content-Type: {content_type}", *encoding, "", *lines, ""]


def _folded(subject: str) -> str:
    return subject if subject.isascii() else Header(subject, "utf-8").encode(linesep="\r\n")
