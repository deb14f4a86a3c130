"""A caller of mailport in a process of its own: many Sends at once, or at a steady rate, timed one by one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, cycle
from typing import Any, Final
from uuid import uuid4

import grpc

from mailport.v1 import delivery_pb2, mail_service_pb2, mail_service_pb2_grpc
from tests.bench.answering import answering, given
from tests.bench.echo import METHOD

_CALL_SECONDS: Final = 60
_REFUSED_PAUSE_SECONDS: Final = 0.05
_REFUSED_STREAM: Final = "RST_STREAM with error code 7"


class Caller:
    """Sends to the mailports at *addresses* in turn, from *configurations* in turn."""

    def __init__(self, channels: Sequence[grpc.aio.Channel], configurations: Sequence[str], text: str) -> None:
        self._echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channels[0].unary_unary(METHOD)
        stubs = [mail_service_pb2_grpc.MailServiceStub(channel) for channel in channels]
        self._stubs: Iterator[mail_service_pb2_grpc.MailServiceAsyncStub] = cycle(stubs)
        self._configurations = cycle(configurations)
        self._text = text
        self._refused = 0
        self._took: list[float] = []
        self._sent: dict[str, tuple[float, float]] = {}

    async def answer(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """Runs what is asked for: ``callers`` or ``rate`` (a second), ``messages``, ``keys``, ``echo``, ``note``."""
        self._refused = 0
        self._took, self._sent = [], {}
        begun = time.monotonic()
        call = self._call_echo if question.get("echo") else self._send
        if rate := question.get("rate"):
            await _steadily(call, question, rate)
        else:
            await _at_once(call, question)
        return {
            "begun": begun,
            "ended": time.monotonic(),
            "took": self._took,
            "refused": self._refused,
            "sent": self._sent,
        }

    async def _send(self, question: Mapping[str, Any]) -> None:
        request = mail_service_pb2.SendRequest(
            configuration_id=next(self._configurations),
            message=delivery_pb2.Message(
                to=[delivery_pb2.Address(address="anna@example.com")], subject="Bench", text_body=self._text
            ),
            idempotency_key=str(uuid4()) if question.get("keys") else "",
        )
        stub = next(self._stubs)
        begun = time.perf_counter()
        while True:
            try:
                sent = await stub.Send(request, timeout=_CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                if not _may_repeat(error, request):
                    raise
                self._refused += 1
                await asyncio.sleep(_REFUSED_PAUSE_SECONDS)
                continue
            break
        self._took.append(time.perf_counter() - begun)
        if question.get("note"):
            stored = sent.delivery.create_time
            self._sent[sent.delivery.message_id] = (stored.seconds + stored.nanos / 1e9, time.time())

    async def _call_echo(self, question: Mapping[str, Any]) -> None:
        begun = time.perf_counter()
        await self._echo(b"", timeout=_CALL_SECONDS)
        self._took.append(time.perf_counter() - begun)


def _may_repeat(error: grpc.aio.AioRpcError, request: mail_service_pb2.SendRequest) -> bool:
    """
    Tells whether nothing can be sent twice.

    After UNAVAILABLE the message may be stored or not, and only its key helps; but a stream that was refused has not
    been looked at (RFC 9113 section 8.7).
    """
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return bool(request.idempotency_key) or _REFUSED_STREAM in (error.details() or "")
    return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def _at_once(call: Any, question: Mapping[str, Any]) -> None:
    """Each caller sends the next message as soon as it has its answer."""
    numbers = count()

    async def caller() -> None:
        while next(numbers) < question["messages"]:
            await call(question)

    async with asyncio.TaskGroup() as callers:
        for _ in range(question["callers"]):
            callers.create_task(caller())


async def _steadily(call: Any, question: Mapping[str, Any], rate: float) -> None:
    """A call begins whenever its time has come, whatever became of those before it."""
    begun = time.monotonic()
    async with asyncio.TaskGroup() as calls:
        for number in range(question["messages"]):
            await asyncio.sleep(begun + number / rate - time.monotonic())
            calls.create_task(call(question))


async def main() -> None:
    """Connects, then answers until the input ends."""
    asked = given()
    channels = [grpc.aio.insecure_channel(address) for address in asked["addresses"]]
    for channel in channels:
        await channel.channel_ready()
    caller = Caller(channels, asked["configurations"], asked["text"])
    await answering({}, caller.answer)
    for channel in channels:
        await channel.close()


if __name__ == "__main__":
    asyncio.run(main())
