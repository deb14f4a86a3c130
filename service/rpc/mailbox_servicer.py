"""MailboxService, declared for good and offered by a later version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from mailport.v1 import mailbox_service_pb2 as pb
from mailport.v1 import mailbox_service_pb2_grpc
from service.rpc.not_yet import not_yet, not_yet_streamed

Context = grpc.aio.ServicerContext[Any, Any]


class MailboxServicer(mailbox_service_pb2_grpc.MailboxServiceServicer):
    """Refuses each RPC with UNIMPLEMENTED `NOT_IMPLEMENTED`."""

    async def ListFolders(self, request: pb.ListFoldersRequest, context: Context) -> pb.ListFoldersResponse:
        raise not_yet("ListFolders")

    async def ListMessages(self, request: pb.ListMessagesRequest, context: Context) -> pb.ListMessagesResponse:
        raise not_yet("ListMessages")

    def GetMessage(self, request: pb.GetMessageRequest, context: Context) -> AsyncIterator[pb.GetMessageResponse]:
        return not_yet_streamed("GetMessage")

    def WatchMailbox(self, request: pb.WatchMailboxRequest, context: Context) -> AsyncIterator[pb.WatchMailboxResponse]:
        return not_yet_streamed("WatchMailbox")

    async def SetFlags(self, request: pb.SetFlagsRequest, context: Context) -> pb.SetFlagsResponse:
        raise not_yet("SetFlags")

    async def MoveMessage(self, request: pb.MoveMessageRequest, context: Context) -> pb.MoveMessageResponse:
        raise not_yet("MoveMessage")
