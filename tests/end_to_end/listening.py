"""Calls of which everything that came back is kept, octet by octet: answers, statuses, metadata, pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Any, TypeVar

import grpc
import httpx2
from google.protobuf import json_format
from google.protobuf.message import Message

from mailport.v1 import mail_service_pb2 as api
from mailport.v1 import mail_service_pb2_grpc, mailbox_service_pb2, mailbox_service_pb2_grpc
from tests.end_to_end.test_journey import reason

_T = TypeVar("_T")
_WITHIN = timedelta(seconds=40)


def all_methods() -> dict[str, Any]:
    """Returns the descriptors of every RPC of the contract by name."""
    files = (api.DESCRIPTOR, mailbox_service_pb2.DESCRIPTOR)
    return {
        method.name: method
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    }


class Listener:
    """Makes calls by their names; `heard` holds all that came back, by place."""

    def __init__(self, *, grpc_address: str, web_url: str, credential: str) -> None:
        """*credential* goes along with each call, and is no more to be repeated than anything else."""
        self.heard: dict[str, list[bytes]] = {}
        self.driven: set[str] = set()
        self.succeeded: set[str] = set()
        self.fields_set: set[str] = set()
        """Full names of all fields that any answer had set."""
        self.web_url = web_url
        self._metadata = (("authorization", f"Bearer {credential}"),)
        self._channel = grpc.aio.insecure_channel(grpc_address)
        stubs = (
            mail_service_pb2_grpc.MailServiceStub(self._channel),
            mailbox_service_pb2_grpc.MailboxServiceStub(self._channel),
        )
        self._calls = {name: next(s for s in stubs if hasattr(s, name)) for name in all_methods()}
        # No proxy of the environment: it cannot reach this machine's own loopback.
        self._browser = httpx2.AsyncClient(trust_env=False, timeout=_WITHIN.total_seconds())

    async def close(self) -> None:
        await self._browser.aclose()
        await self._channel.close()

    async def ok(self, name: str, request: Message, *, of: type[_T], at_most: int = 1_000) -> _T:
        """Returns the answer, of a stream the last one, reading *at_most* so many."""
        answers = [answer async for answer in self._answers(name, request, at_most)]
        self.succeeded.add(name)
        assert isinstance(answers[-1], of)
        return answers[-1]

    async def refused(self, name: str, request: Message) -> str:
        """Returns the reason of the refusal that comes instead of an answer."""
        try:
            answers = [answer async for answer in self._answers(name, request, 1_000)]
        except grpc.aio.AioRpcError as error:
            return reason(error)
        raise AssertionError(f"{name} was not refused: {answers}")

    async def page(self, url: str, *, method: str = "GET", **headers: str) -> int:
        """Opens *url* as a browser does, and returns the status."""
        response = await self._browser.request(method, url, headers=headers)
        text = "\n".join(f"{name}: {value}" for name, value in response.headers.multi_items())
        path = response.url.path
        self._keep(f"page {path}", response.content)
        self._keep(f"headers of {path}", text.encode())
        return response.status_code

    async def _answers(self, name: str, request: Message, at_most: int) -> AsyncIterator[Message]:
        method = all_methods()[name]
        self.driven.add(name)
        sent: Any = iter([request]) if method.client_streaming else request
        call = getattr(self._calls[name], name)(sent, metadata=self._metadata, timeout=_WITHIN.total_seconds())
        try:
            if method.server_streaming:
                count = 0
                async for answer in call:
                    self._keep_answer(name, answer)
                    yield answer
                    if (count := count + 1) == at_most:
                        call.cancel()
                        break
            else:
                answer = await call
                self._keep_answer(name, answer)
                yield answer
        except grpc.aio.AioRpcError as error:
            self._keep(f"status of {name}", repr(error).encode())
            self._keep(f"status of {name}", (error.details() or "").encode())
            self._keep_metadata(name, error.initial_metadata())
            self._keep_metadata(name, error.trailing_metadata())
            raise
        else:
            if not method.server_streaming:
                self._keep_metadata(name, await call.initial_metadata())
                self._keep_metadata(name, await call.trailing_metadata())

    def _keep_answer(self, name: str, answer: Message) -> None:
        self.fields_set |= _fields_set(answer)
        if isinstance(answer, api.AuthorizeResponse):
            # It and the address are for the user's browser; the state is nowhere else.
            kept = api.AuthorizeResponse()
            kept.CopyFrom(answer)
            kept.authorization_url = answer.authorization_url.replace(answer.state, "")
            kept.state = ""
            answer = kept
        self._keep(f"answer of {name}", answer.SerializeToString())
        self._keep(f"answer of {name}", json_format.MessageToJson(answer).encode())

    def _keep_metadata(self, name: str, metadata: Iterable[tuple[str, Any]] | None) -> None:
        for key, value in metadata or ():
            self._keep(f"metadata of {name}", key.encode())
            self._keep(f"metadata of {name}", value if isinstance(value, bytes) else str(value).encode())

    def _keep(self, place: str, data: bytes) -> None:
        self.heard.setdefault(place, []).append(data)


def _fields_set(message: Message) -> set[str]:
    """Returns the full names of the fields set in *message* and in all that is in it; maps are told by name alone."""
    found: set[str] = set()
    for descriptor, value in message.ListFields():
        found.add(descriptor.full_name)
        if descriptor.message_type is not None and not descriptor.message_type.GetOptions().map_entry:
            for each in [value] if isinstance(value, Message) else value:
                found |= _fields_set(each)
    return found
