"""SendStream: many Sends on one stream, in work side by side and bounded, each answered for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from domain.errors import MailportError, Violation
from domain.ports.environment import Entropy
from domain.reasons import Reason
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.call import Call, current_call
from service.rpc.ending import Ending, shutting_down
from service.rpc.errors import render_send_error, render_send_fault
from service.rpc.log_lines import Line
from service.rpc.parse import keep_id, parse_id, parse_message
from service.rpc.render import render_delivery
from service.usecases.send import Send

MOST_IN_WORK: Final = 64
"""Messages of one stream that are read and not answered yet; what is above waits in the client (HTTP/2)."""
MOST_BYTES_IN_WORK: Final = 32 * 1024 * 1024
"""The same in bytes; a larger message is in work alone."""
_MOST_OF_ALL: Final = 64
"""Messages of all streams that are being stored at once: no more than the store takes without refusing."""
_LONGEST_REFERENCE: Final = 255
_METHOD: Final = "/mailport.v1.MailService/SendStream"


class SendStream:
    """Takes the messages of streams; one for the whole process."""

    def __init__(self, *, send: Send, entropy: Entropy) -> None:
        self._send = send
        self._entropy = entropy
        self._at_once = asyncio.Semaphore(_MOST_OF_ALL)

    async def __call__(
        self, requests: AsyncIterator[pb.SendStreamRequest], *, ending: Ending
    ) -> AsyncIterator[pb.SendStreamResponse]:
        """
        Yields an answer for each of *requests* as soon as it is durable or refused, in any order.

        Ends when the requests do, or when *ending* begins; what was read by then is answered first. Raises what
        reading a request raises, and Unavailable when *ending* began.
        """
        stream = _Stream()
        reading = asyncio.create_task(self._read(requests, stream, current_call(), ending), name="send stream")
        try:
            while (answered := await stream.answers.get()) is not None:
                response, size = answered
                yield response
                stream.give_back(size)
            await reading
        finally:
            await _ended(reading, *stream.work)

    async def _read(
        self, requests: AsyncIterator[pb.SendStreamRequest], stream: _Stream, call: Call, ending: Ending
    ) -> None:
        """Reads as long as there is room, and lets what was read come to its end, whatever reading ended with."""
        ended = asyncio.ensure_future(ending.wait())
        coming: asyncio.Future[pb.SendStreamRequest] | None = None
        try:
            while True:
                await _room(stream, ended)
                coming = asyncio.ensure_future(anext(requests))
                await asyncio.wait([coming, ended], return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    raise shutting_down()
                try:
                    request = coming.result()
                except StopAsyncIteration:
                    return
                size = request.ByteSize()
                stream.take(size)
                work = asyncio.create_task(self._work(request, size, stream, call), name="send stream message")
                stream.work.add(work)
                work.add_done_callback(stream.work.discard)
        finally:
            try:
                if stream.work:
                    await asyncio.wait(stream.work)
            finally:  # a stream that is cancelled may be so twice, and leaves nothing that waits for the process's end
                stream.answers.put_nowait(None)
                await _ended(ended, *([coming] if coming is not None else []))

    async def _work(self, request: pb.SendStreamRequest, size: int, stream: _Stream, call: Call) -> None:
        async with self._at_once:
            response = await self._answer(request, call)
        stream.answers.put_nowait((response, size))

    async def _answer(self, request: pb.SendStreamRequest, call: Call) -> pb.SendStreamResponse:
        response = pb.SendStreamResponse(client_reference=request.client_reference[:_LONGEST_REFERENCE])
        found = _wrong_reference(request.client_reference)
        configuration_id = keep_id(parse_id, request.configuration_id, field="configuration_id", found=found)
        written, of_message = parse_message(request.message)
        try:
            sent = await self._send(
                call.caller,
                configuration_id,
                written,
                key=request.idempotency_key,
                wait=False,
                time_left=call.time_left(),
                found=(*found, *of_message),
            )
        except MailportError as error:
            response.error.CopyFrom(render_send_error(error, now=call.clock.now()))
        except Exception as fault:
            # One poisoned message must not end the stream for the others.
            incident_id = str(self._entropy.uuid())
            Line(_METHOD, tenant=call.caller.tenant).write_fault(fault, incident_id)
            response.error.CopyFrom(render_send_fault(incident_id))
        else:
            response.delivery.CopyFrom(render_delivery(sent.view))
            response.replayed = sent.is_replay
        return response


class _Stream:
    """What of one stream is in work, and what waits to be written."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[tuple[pb.SendStreamResponse, int] | None] = asyncio.Queue()
        """Bounded by what is in work; None is the end."""
        self.work: set[asyncio.Task[None]] = set()
        self._count = 0
        self._bytes = 0
        self._freed = asyncio.Event()

    async def room(self) -> None:
        """Returns when another message may be read."""
        while self._count >= MOST_IN_WORK or self._bytes >= MOST_BYTES_IN_WORK:
            self._freed.clear()
            await self._freed.wait()

    def take(self, size: int) -> None:
        self._count += 1
        self._bytes += size

    def give_back(self, size: int) -> None:
        self._count -= 1
        self._bytes -= size
        self._freed.set()


async def _room(stream: _Stream, ended: asyncio.Future[None]) -> None:
    """Waits until another message may be read. Raises Unavailable when the process ends."""
    waiting = asyncio.ensure_future(stream.room())
    try:
        await asyncio.wait([waiting, ended], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if ended.done():
        raise shutting_down()


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    """Cancels what still runs, and waits until it has ended."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)


def _wrong_reference(reference: str) -> list[Violation]:
    if 1 <= len(reference) <= _LONGEST_REFERENCE:
        return []
    reason = Reason.VALUE_TOO_LONG if reference else Reason.FIELD_REQUIRED
    message = "The reference is missing." if not reference else f"The reference has {len(reference)} characters."
    remedy = f"Name the message on this stream with 1 to {_LONGEST_REFERENCE} characters; mailport gives them back."
    return [Violation("client_reference", reason, message, remedy)]
