"""What a mailbox holds, as lines. Everything in a message was written by strangers and is shown plain."""

from __future__ import annotations

from collections.abc import Sequence

from mailport.v1 import delivery_pb2
from mailport.v1 import mailbox_service_pb2 as api
from service.terminal.deliveries import draw_bounces
from service.terminal.style import Style
from service.terminal.words import aligned, counted, instant, labelled, plain, word

_SUBJECT_WIDTH = 60


def draw_folders(folders: Sequence[api.Folder], style: Style) -> list[str]:
    """Returns a table of folders; counts where they were asked for."""
    if not folders:
        return ["No folders."]
    has_counts = any(folder.HasField("message_count") for folder in folders)
    rows = [("FOLDER", "USE", *(("MESSAGES", "UNSEEN") if has_counts else ()))]
    for folder in folders:
        use = word(api.SpecialUse.DESCRIPTOR, folder.special_use, prefix="SPECIAL_USE_")
        shown = "" if folder.special_use == api.SPECIAL_USE_UNSPECIFIED else use
        counts = (str(folder.message_count), str(folder.unseen_count)) if folder.HasField("message_count") else ("", "")
        rows.append(
            (
                plain(folder.name),
                shown if folder.selectable else "level",
                *(counts if has_counts else ()),
            )
        )
    heading, *rest = aligned(rows)
    return [style.faint(heading), *rest]


def draw_messages(messages: Sequence[api.MailboxMessage], style: Style) -> list[str]:
    """Returns two lines a message: what a person looks for, and the id that other commands take."""
    if not messages:
        return ["No messages."]
    lines = []
    for message in messages:
        lines.append(draw_brief(message, style))
        lines.append(f"    {style.faint(message.mailbox_message_id)}")
    return lines


def draw_brief(message: api.MailboxMessage, style: Style) -> str:
    """Returns when, from whom, what about, and what stands out."""
    senders = _senders(message)
    sender = plain(senders[0].address) if senders else "(no sender)"
    subject = plain(message.subject) or "(no subject)"
    if len(subject) > _SUBJECT_WIDTH:
        subject = f"{subject[: _SUBJECT_WIDTH - 1]}…" if style.is_unicode else f"{subject[: _SUBJECT_WIDTH - 3]}..."
    is_new = "\\Seen" not in message.flags
    parts = [
        style.faint(instant(message.receive_time)),
        sender,
        style.bold(subject) if is_new else subject,
        "new" if is_new else "",
        _about(message),
        f"{style.caution} {_defects(message)}" if message.defects else "",
    ]
    return "  ".join(part for part in parts if part)


def draw_message(message: api.MailboxMessage, style: Style, *, html: bool, headers: bool) -> list[str]:
    """Returns a whole message: its facts, its body, its parts; all headers instead of the usual ones with *headers*."""
    facts = [
        ("from", _addresses(_senders(message))),
        ("to", _addresses(message.to)),
        ("cc", _addresses(message.cc)),
        ("reply to", _addresses(message.reply_to)),
        ("received", instant(message.receive_time)),
        ("written", instant(message.write_time)),
        ("folder", plain(message.folder)),
        ("size", counted(message.size_bytes, "byte")),
        ("flags", plain(" ".join(message.flags))),
        ("message id", plain(message.message_id)),
        ("in reply to", plain(" ".join(message.in_reply_to))),
        ("delivery", message.delivery_id),
        ("id", message.mailbox_message_id),
    ]
    lines = [style.bold(plain(message.subject) or "(no subject)"), *labelled(facts)]
    if message.defects:
        lines.append(f"  {style.caution} broken: {_defects(message)}")
    if message.HasField("bounce"):
        lines += _bounce(message.bounce, style)
    if headers:
        lines += ["", *(f"{plain(header.name)}: {plain(header.value)}" for header in message.headers)]
    body = message.html_body if html else message.text_body or message.html_body
    lines += ["", *(plain(line) for line in body.splitlines())]
    if message.parts:
        rows = [
            (
                part.part_id,
                plain(part.content_type),
                plain(part.file_name),
                counted(part.encoded_size_bytes, "byte"),
                "inline" if part.inline else "",
            )
            for part in message.parts
        ]
        lines += ["", style.faint("parts"), *aligned(rows, indent="  ")]
    return lines


def draw_flags(response: api.SetFlagsResponse, style: Style) -> list[str]:
    """Returns the flags that a message has now."""
    return [f"{style.tick} flags now: {plain(' '.join(response.flags)) or 'none'}"]


def draw_moved(response: api.MoveMessageResponse, folder: str, style: Style) -> list[str]:
    """Returns where a message is now and how it is named there."""
    lines = [f"{style.tick} moved to {plain(folder)}"]
    if response.mailbox_message_id:
        return [*lines, f"    {style.faint(response.mailbox_message_id)}"]
    return [*lines, "  The server does not tell its new name; list the folder to find it."]


def _senders(message: api.MailboxMessage) -> Sequence[delivery_pb2.Address]:
    # A word of Python, so no attribute can be written with it.
    senders: Sequence[delivery_pb2.Address] = getattr(message, "from")
    return senders


def _about(message: api.MailboxMessage) -> str:
    if message.HasField("bounce"):
        return f"reports on {message.delivery_id}" if message.delivery_id else "delivery report"
    return f"answers {message.delivery_id}" if message.delivery_id else ""


def _bounce(bounce: api.BounceReport, style: Style) -> list[str]:
    lines = [f"  report of {plain(bounce.reporting_server) or 'an unnamed server'}"]
    return lines + [f"  {line}" for line in draw_bounces(bounce.recipients, style)]


def _defects(message: api.MailboxMessage) -> str:
    return ", ".join(word(api.MessageDefect.DESCRIPTOR, defect, prefix="MESSAGE_DEFECT_") for defect in message.defects)


def _addresses(addresses: Sequence[delivery_pb2.Address]) -> str:
    return ", ".join(
        f"{plain(address.name)} <{plain(address.address)}>" if address.name else plain(address.address)
        for address in addresses
    )
