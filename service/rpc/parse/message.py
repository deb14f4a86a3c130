"""A message as a caller wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.errors import InputInvalid, Violation
from domain.message import WrittenAddress, WrittenAttachment, WrittenMessage
from mailport.v1 import delivery_pb2 as pb
from service.rpc.parse.values import choice, instant, span

_PATH: Final = "message"
_MOST_READ: Final = 10_000
"""Members of a list that are read: far above what any rule allows, so that what is left out changes no answer."""


def parse_message(message: pb.Message) -> WrittenMessage:
    """
    Returns what *message* says; the domain judges it.

    Of each list no more members are read than are amply enough to be refused, so that a request of a few million empty
    ones costs little. Raises InputInvalid when a timestamp or duration is none.
    """
    life = span(message.expire_after, field=f"{_PATH}.expire_after") if message.HasField("expire_after") else None
    time = instant(message.send_time, field=f"{_PATH}.send_time") if message.HasField("send_time") else None
    if isinstance(life, Violation) or isinstance(time, Violation):
        raise InputInvalid([found for found in (life, time) if isinstance(found, Violation)])
    return WrittenMessage(
        sender=_address(getattr(message, "from")) if message.HasField("from") else None,
        reply_to=_addresses(message.reply_to),
        to=_addresses(message.to),
        cc=_addresses(message.cc),
        bcc=_addresses(message.bcc),
        subject=message.subject,
        text_body=message.text_body,
        html_body=message.html_body,
        attachments=tuple(_attachment(each) for each in message.attachments[:_MOST_READ]),
        headers=tuple((each.name, each.value) for each in message.headers[:_MOST_READ]),
        raw_mime=message.raw_mime,
        message_id=message.message_id,
        expire_after=life,
        send_time=time,
        in_doubt_policy=choice(message.in_doubt_policy, pb.InDoubtPolicy, prefix="IN_DOUBT_POLICY_"),
    )


def _addresses(addresses: Sequence[pb.Address]) -> tuple[WrittenAddress, ...]:
    return tuple(_address(each) for each in addresses[:_MOST_READ])


def _address(address: pb.Address) -> WrittenAddress:
    return WrittenAddress(address=address.address, name=address.name)


def _attachment(attachment: pb.Attachment) -> WrittenAttachment:
    return WrittenAttachment(
        file_name=attachment.file_name,
        content_type=attachment.content_type,
        content=attachment.content,
        content_id=attachment.content_id,
    )
