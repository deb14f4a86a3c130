"""The only reader of requests: protobuf to domain. Raises InputInvalid or ConfigInvalid, and nothing else."""

from __future__ import annotations

from service.rpc.parse.consents import parse_callback
from service.rpc.parse.deliveries import parse_change_filter, parse_delivery_filter, parse_expire_after
from service.rpc.parse.ids import keep_id, parse_id, parse_optional_id
from service.rpc.parse.mailboxes import (
    parse_get_message,
    parse_list_messages,
    parse_move_message,
    parse_set_flags,
    parse_watch_mailbox,
)
from service.rpc.parse.message import parse_message
from service.rpc.parse.questions import parse_question
from service.rpc.parse.settings import parse_settings

__all__ = [
    "keep_id",
    "parse_callback",
    "parse_change_filter",
    "parse_delivery_filter",
    "parse_expire_after",
    "parse_get_message",
    "parse_id",
    "parse_list_messages",
    "parse_message",
    "parse_move_message",
    "parse_optional_id",
    "parse_question",
    "parse_set_flags",
    "parse_settings",
    "parse_watch_mailbox",
]
