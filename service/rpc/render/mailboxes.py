"""Folders and messages of a mailbox, each answer small enough for any client."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from domain.mailbox import Folder
from domain.mailbox_names import MailboxMessageId
from domain.reading.model import BounceReport, HeaderField, MessagePart, ReadAddress
from mailport.v1 import delivery_pb2
from mailport.v1 import mailbox_service_pb2 as pb
from service.rpc.fitting import cut
from service.rpc.render.deliveries import render_bounce_action
from service.rpc.render.values import LARGEST_ANSWER_BYTES, enum_value, text, timestamp
from service.usecases.get_message import PartChunk
from service.usecases.list_messages import MailPage
from service.usecases.mails import Mail
from service.usecases.watch_mailbox import WatchedMail

_FRAME: Final = 16
"""Bytes that a member of a list takes beside its own."""
_LEAST_BODY: Final = 16 * 1024


def render_folders(folders: Sequence[Folder]) -> pb.ListFoldersResponse:
    """Returns the folders, as many as fit: with names of the longest kind fewer than all may."""
    answer = pb.ListFoldersResponse()
    used = 0
    for folder in folders:
        rendered = _folder(folder)
        used += rendered.ByteSize() + _FRAME
        if used > LARGEST_ANSWER_BYTES:
            break
        answer.folders.append(rendered)
    return answer


def render_mail_page(page: MailPage) -> pb.ListMessagesResponse:
    """Returns the page, cut where it would be too large; the next one goes on there."""
    answer = pb.ListMessagesResponse()
    used = 0
    for mail in page.mails:
        rendered = render_mail(mail)
        used += rendered.ByteSize() + _FRAME
        if used > LARGEST_ANSWER_BYTES and answer.messages:
            break
        answer.messages.append(rendered)
    shown = page.up_to(len(answer.messages))
    answer.next_page_token = str(shown.next) if shown.next is not None else ""
    return answer


def render_piece(piece: Mail | PartChunk) -> pb.GetMessageResponse:
    """Returns the message, or a chunk of its content."""
    if isinstance(piece, Mail):
        return pb.GetMessageResponse(message=render_mail(piece))
    chunk = piece.chunk
    return pb.GetMessageResponse(
        chunk=pb.ContentChunk(part_id=piece.part_id, offset=chunk.offset, data=chunk.data, last=chunk.is_last)
    )


def render_watched_mail(watched: WatchedMail) -> pb.WatchMailboxResponse:
    """Returns a message that came, or a sign of life."""
    message = render_mail(watched.mail) if watched.mail is not None else None
    return pb.WatchMailboxResponse(cursor=str(watched.cursor), message=message)


def render_moved(message_id: MailboxMessageId | None) -> pb.MoveMessageResponse:
    """Returns where the message is now, as far as the server told."""
    return pb.MoveMessageResponse(mailbox_message_id=str(message_id) if message_id is not None else "")


def render_mail(mail: Mail) -> pb.MailboxMessage:
    """Returns the message; with bodies, parts and fields where it was read whole, cut so that it fits."""
    message, header = mail.message, mail.header
    defects = mail.content.defects if mail.content is not None else header.defects
    rendered = pb.MailboxMessage(
        mailbox_message_id=str(message.id),
        folder=text(message.id.folder),
        to=_addresses(header.to),
        cc=_addresses(header.cc),
        reply_to=_addresses(header.reply_to),
        subject=text(header.subject),
        receive_time=timestamp(message.receive_time),
        write_time=timestamp(header.write_time),
        size_bytes=message.size_bytes,
        flags=[text(flag) for flag in message.flags],
        message_id=text(header.message_id),
        in_reply_to=[text(each) for each in header.in_reply_to],
        references=[text(each) for each in header.references],
        delivery_id=mail.delivery_id,
        bounce=_bounce(mail.bounce) if mail.bounce is not None else None,
        defects=[enum_value(pb.MessageDefect, "MESSAGE_DEFECT_", each) for each in defects],
    )
    getattr(rendered, "from").extend(_addresses(header.sender))
    if mail.content is not None:
        rendered.text_body = text(mail.content.text_body)
        rendered.html_body = text(mail.content.html_body)
        rendered.parts.extend(_part(each) for each in mail.content.parts)
        rendered.headers.extend(_header(each) for each in mail.content.headers)
        _fit(rendered)
    return rendered


def _fit(rendered: pb.MailboxMessage) -> None:
    """Cuts the bodies, then the last parts, of a message that is too large, and says so among its defects."""
    if rendered.ByteSize() <= LARGEST_ANSWER_BYTES:
        return
    if pb.MESSAGE_DEFECT_TRUNCATED not in rendered.defects:
        rendered.defects.append(pb.MESSAGE_DEFECT_TRUNCATED)
    while rendered.ByteSize() > LARGEST_ANSWER_BYTES:
        longest = max(len(rendered.text_body), len(rendered.html_body))
        if longest > _LEAST_BODY:
            rendered.text_body = cut(rendered.text_body, longest // 2)
            rendered.html_body = cut(rendered.html_body, longest // 2)
        else:
            del rendered.parts[len(rendered.parts) * 3 // 4 :]


def _folder(folder: Folder) -> pb.Folder:
    return pb.Folder(
        name=text(folder.name),
        delimiter=text(folder.delimiter),
        special_use=(
            enum_value(pb.SpecialUse, "SPECIAL_USE_", folder.special_use)
            if folder.special_use is not None
            else pb.SPECIAL_USE_UNSPECIFIED
        ),
        selectable=folder.selectable,
        message_count=folder.message_count,
        unseen_count=folder.unseen_count,
    )


def _addresses(addresses: Iterable[ReadAddress]) -> list[delivery_pb2.Address]:
    return [delivery_pb2.Address(name=text(each.name), address=text(each.address)) for each in addresses]


def _header(field: HeaderField) -> delivery_pb2.Header:
    return delivery_pb2.Header(name=text(field.name), value=text(field.value))


def _part(part: MessagePart) -> pb.MessagePart:
    return pb.MessagePart(
        part_id=part.part_id,
        content_type=text(part.content_type),
        file_name=text(part.file_name),
        encoded_size_bytes=part.encoded_size_bytes,
        content_id=text(part.content_id),
        inline=part.is_inline,
        charset=text(part.charset),
    )


def _bounce(bounce: BounceReport) -> pb.BounceReport:
    return pb.BounceReport(
        reported_message_id=text(bounce.reported_message_id),
        reporting_server=text(bounce.reporting_server),
        recipients=[
            pb.BouncedRecipient(
                address=text(each.address),
                action=render_bounce_action(each.action),
                status=text(each.status),
                diagnostic=text(each.diagnostic),
            )
            for each in bounce.recipients
        ],
    )
