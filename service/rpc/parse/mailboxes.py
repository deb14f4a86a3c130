"""What a caller asks of a mailbox."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from domain.errors import InputInvalid, Violation
from domain.mailbox import FlagChange, MessageQuery, parse_folder
from domain.reasons import Reason
from mailport.v1 import mailbox_service_pb2 as pb
from service.rpc.parse.ids import keep_id, parse_id
from service.rpc.parse.values import instant
from service.usecases.get_message import Wanted

_MOST_PARTS: Final = 500
_LONGEST_PART_ID: Final = 255
_MOST_READ: Final = 1_000
"""Members of a list that are read: far above what the domain takes, so that what is left out changes no answer."""


def parse_list_messages(request: pb.ListMessagesRequest) -> tuple[str, str, MessageQuery]:
    """Returns configuration, folder and query. Raises InputInvalid with all that is wrong with them."""
    found: list[Violation] = []
    configuration_id = keep_id(parse_id, request.configuration_id, field="configuration_id", found=found)
    folder = _folder(request.folder, found)
    query = _query(request.query, found)
    _check(found)
    return configuration_id, folder, query


def parse_watch_mailbox(request: pb.WatchMailboxRequest) -> tuple[str, str]:
    """Returns configuration and folder. Raises InputInvalid with all that is wrong with them."""
    found: list[Violation] = []
    configuration_id = keep_id(parse_id, request.configuration_id, field="configuration_id", found=found)
    folder = _folder(request.folder, found)
    _check(found)
    return configuration_id, folder


def parse_get_message(request: pb.GetMessageRequest) -> tuple[str, str, Wanted]:
    """Returns configuration, message and what to send of it. Raises InputInvalid with all that is wrong with them."""
    found: list[Violation] = []
    configuration_id = keep_id(parse_id, request.configuration_id, field="configuration_id", found=found)
    message_id = _message_id(request.mailbox_message_id, found)
    if len(request.part_ids) > _MOST_PARTS:
        message = f"There are {len(request.part_ids)} parts; a message has at most {_MOST_PARTS}."
        found.append(Violation("part_ids", Reason.VALUE_TOO_LONG, message, "Name each part once."))
    for index, part_id in enumerate(request.part_ids[:_MOST_PARTS]):
        if len(part_id) > _LONGEST_PART_ID:
            message = f"The id of a part has at most {_LONGEST_PART_ID} characters."
            found.append(
                Violation(f"part_ids[{index}]", Reason.VALUE_TOO_LONG, message, "Give it as GetMessage answered it.")
            )
    _check(found)
    wanted = Wanted(part_ids=tuple(request.part_ids), attachments=request.include_attachments, raw=request.include_raw)
    return configuration_id, message_id, wanted


def parse_set_flags(request: pb.SetFlagsRequest) -> tuple[str, str, FlagChange]:
    """Returns configuration, message and change. Raises InputInvalid with all that is wrong with them."""
    found: list[Violation] = []
    configuration_id = keep_id(parse_id, request.configuration_id, field="configuration_id", found=found)
    message_id = _message_id(request.mailbox_message_id, found)
    change = FlagChange(add=(r"\Seen",))
    try:
        change = FlagChange(add=tuple(request.add_flags[:_MOST_READ]), remove=tuple(request.remove_flags[:_MOST_READ]))
    except InputInvalid as invalid:
        found += invalid.violations
    _check(found)
    return configuration_id, message_id, change


def parse_move_message(request: pb.MoveMessageRequest) -> tuple[str, str, str]:
    """Returns configuration, message and folder. Raises InputInvalid with all that is wrong with them."""
    found: list[Violation] = []
    configuration_id = keep_id(parse_id, request.configuration_id, field="configuration_id", found=found)
    message_id = _message_id(request.mailbox_message_id, found)
    if not request.folder:  # nobody means INBOX by saying nothing of where to
        found.append(_missing("folder", "The folder to move it to is missing.", "Name one that ListFolders gives."))
    folder = _folder(request.folder, found)
    _check(found)
    return configuration_id, message_id, folder


def _folder(text: str, found: list[Violation]) -> str:
    folder = parse_folder(text, field="folder")
    if isinstance(folder, Violation):
        found.append(folder)
        return ""
    return folder


def _message_id(text: str, found: list[Violation]) -> str:
    """Returns the name as it is, for the mailbox to judge; one that is missing goes to *found*."""
    if not text:
        remedy = "Name the message as ListMessages or WatchMailbox does."
        found.append(_missing("mailbox_message_id", "The message is missing.", remedy))
    return text


def _query(query: pb.MessageQuery, found: list[Violation]) -> MessageQuery:
    since = _bound(query.since_time if query.HasField("since_time") else None, "query.since_time", found)
    before = _bound(query.before_time if query.HasField("before_time") else None, "query.before_time", found)
    try:
        return MessageQuery(
            from_text=getattr(query, "from"),
            to_text=query.to,
            subject=query.subject,
            text=query.text,
            since_time=since,
            before_time=before,
            unseen=query.unseen,
            flags=tuple(query.flags[:_MOST_READ]),
            without_flags=tuple(query.without_flags[:_MOST_READ]),
        )
    except InputInvalid as invalid:
        found += invalid.violations
        return MessageQuery()


def _bound(written: Timestamp | None, field: str, found: list[Violation]) -> datetime | None:
    if written is None:
        return None
    time = instant(written, field=field)
    if isinstance(time, Violation):
        found.append(time)
        return None
    return time


def _missing(field: str, message: str, remedy: str) -> Violation:
    return Violation(field=field, reason=Reason.FIELD_REQUIRED, message=message, remedy=remedy)


def _check(found: list[Violation]) -> None:
    if found:
        raise InputInvalid(found)
