"""MailboxService: each method parses, runs its use case, renders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from mailport.v1 import mailbox_service_pb2 as pb
from mailport.v1 import mailbox_service_pb2_grpc
from service.rpc.call import current_call
from service.rpc.ending import Ending
from service.rpc.parse import (
    parse_get_message,
    parse_id,
    parse_list_messages,
    parse_move_message,
    parse_set_flags,
    parse_watch_mailbox,
)
from service.rpc.render import (
    render_folders,
    render_mail_page,
    render_moved,
    render_piece,
    render_watched_mail,
)
from service.usecases.get_message import GetMessage
from service.usecases.list_folders import ListFolders
from service.usecases.list_messages import ListMessages
from service.usecases.move_message import MoveMessage
from service.usecases.set_flags import SetFlags
from service.usecases.watch_mailbox import WatchMailbox

Context = grpc.aio.ServicerContext[Any, Any]


class MailboxServicer(mailbox_service_pb2_grpc.MailboxServiceServicer):
    """Reads and tends mailboxes; mailbox_service.proto says what each RPC does."""

    def __init__(
        self,
        *,
        list_folders: ListFolders,
        list_messages: ListMessages,
        get_message: GetMessage,
        watch_mailbox: WatchMailbox,
        set_flags: SetFlags,
        move_message: MoveMessage,
    ) -> None:
        self._list_folders = list_folders
        self._list_messages = list_messages
        self._get_message = get_message
        self._watch_mailbox = watch_mailbox
        self._set_flags = set_flags
        self._move_message = move_message
        self._ending = Ending()

    def end_streams(self) -> None:
        """Lets the watches end, since the process does."""
        self._ending.begin()

    async def ListFolders(self, request: pb.ListFoldersRequest, context: Context) -> pb.ListFoldersResponse:
        call = current_call()
        folders = await self._list_folders(
            call.caller,
            parse_id(request.configuration_id, field="configuration_id"),
            with_counts=request.include_counts,
            time_left=call.time_left(),
        )
        return render_folders(folders)

    async def ListMessages(self, request: pb.ListMessagesRequest, context: Context) -> pb.ListMessagesResponse:
        call = current_call()
        configuration_id, folder, query = parse_list_messages(request)
        page = await self._list_messages(
            call.caller,
            configuration_id,
            folder,
            query,
            size=request.page_size,
            token=request.page_token,
            time_left=call.time_left(),
        )
        return render_mail_page(page)

    async def GetMessage(self, request: pb.GetMessageRequest, context: Context) -> AsyncIterator[pb.GetMessageResponse]:
        configuration_id, message_id, wanted = parse_get_message(request)
        pieces = self._get_message(current_call().caller, configuration_id, message_id, wanted)
        async with aclosing(pieces):
            async for piece in pieces:
                yield render_piece(piece)

    async def WatchMailbox(
        self, request: pb.WatchMailboxRequest, context: Context
    ) -> AsyncIterator[pb.WatchMailboxResponse]:
        configuration_id, folder = parse_watch_mailbox(request)
        watch = self._watch_mailbox(current_call().caller, configuration_id, folder, cursor=request.cursor)
        async for watched in self._ending.cut(watch):
            yield render_watched_mail(watched)

    async def SetFlags(self, request: pb.SetFlagsRequest, context: Context) -> pb.SetFlagsResponse:
        call = current_call()
        configuration_id, message_id, change = parse_set_flags(request)
        flags = await self._set_flags(call.caller, configuration_id, message_id, change, time_left=call.time_left())
        return pb.SetFlagsResponse(flags=flags)

    async def MoveMessage(self, request: pb.MoveMessageRequest, context: Context) -> pb.MoveMessageResponse:
        call = current_call()
        configuration_id, message_id, folder = parse_move_message(request)
        moved = await self._move_message(call.caller, configuration_id, message_id, folder, time_left=call.time_left())
        return render_moved(moved)
