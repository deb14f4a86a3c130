"""A message as a caller wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.errors import Violation
from domain.message import WrittenAddress, WrittenAttachment, WrittenMessage
from mailport.v1 import delivery_pb2 as pb
from service.rpc.parse.values import choice, instant, span

_PATH: Final = "message"
_MOST_READ: Final = 10_000
"""Members of a list that are read: far above what any rule allows, so that what is left out changes no answer."""


def parse_message(message: pb.Message) -> tuple[WrittenMessage, tuple[Violation, ...]]:
    """
    Returns what *message* says, for the domain to judge, and what is wrong with it already.

    Of each list no more members are read than are amply enough to be refused, so that a request of a few million empty
    ones costs little. A timestamp or duration that is none is a violation, and left out.
    """
    life = span(message.expire_after, field=f"{_PATH}.expire_after") if message.HasField("expire_after") else None
    time = instant(message.send_time, field=f"{_PATH}.send_time") if message.HasField("send_time") else None
    written = WrittenMessage(
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
        expire_after=None if isinstance(life, Violation) else life,
        send_time=None if isinstance(time, Violation) else time,
        in_doubt_policy=choice(message.in_doubt_policy, pb.InDoubtPolicy, prefix="IN_DOUBT_POLICY_"),
    )
    return written, tuple(found for found in (life, time) if isinstance(found, Violation))


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
