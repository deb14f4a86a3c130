"""What happens around every call: load, deadline, identity, role, tenant's share, one log line, errors by the table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from domain.errors import DeadlineTooShort, InputInvalid, MailportError, Violation
from domain.ports.environment import Clock, Entropy
from domain.reasons import Reason
from service.rpc.call import DEFAULT_TIME, LONGEST_TIME, Call, begin
from service.rpc.errors import grpc_code, render_error, render_internal
from service.rpc.identity import Identity
from service.rpc.load import LoadBound
from service.rpc.log_lines import Line
from service.rpc.roles import require_role
from service.rpc.turning_away import TurningAway
from service.usecases.prove import LEAST_TIME

MOST_WATCHES: Final = 500
"""Watches of mailboxes at once, beside all other calls: they last for days and do next to nothing."""
MOST_WATCHES_PER_TENANT: Final = 250
_WATCH: Final = "/mailport.v1.MailboxService/WatchMailbox"
_OURS: Final = "/mailport."
"""Health and reflection take neither identity nor load, so that they answer when nothing else does."""

Context = grpc.aio.ServicerContext[Any, Any]


class EdgeInterceptor(grpc.aio.ServerInterceptor):
    """
    Stands around all methods of mailport's own services, of all four kinds.

    In this order: whether the process ends, the bound on all calls, the deadline (30 seconds where none is set, 120 at
    most, refused below 100 ms; a stream ends by itself), who calls, whether the role suffices, the tenant's share of
    the load. Then the request is read and the method runs with `current_call` set. Every error is answered by the
    table of `service.rpc.errors`.
    """

    def __init__(self, *, identity: Identity, clock: Clock, entropy: Entropy, load: LoadBound | None = None) -> None:
        self._identity = identity
        self._clock = clock
        self._entropy = entropy
        self._load = load or LoadBound(clock=clock)
        self._watches = LoadBound(clock=clock, in_all=MOST_WATCHES, per_tenant=MOST_WATCHES_PER_TENANT)
        self._turning_away = TurningAway()

    async def turn_away(self) -> None:
        """Answers calls that come from now on with Unavailable; returns when no more come, within seconds."""
        await self._turning_away.until_quiet()

    async def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Wraps the method's handler; a method that does not exist, and others' services, are left alone."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(_OURS):
            return handler
        requests = "stream" if handler.request_streaming else "unary"
        responses = "stream" if handler.response_streaming else "unary"
        inner = getattr(handler, f"{requests}_{responses}")
        # Requests come raw and are read inside, behind identity and load, where a broken one gets an explained answer.
        read = handler.request_deserializer
        read_all = _read_each if handler.request_streaming else _read

        if handler.response_streaming:

            async def wrapped_stream(raw: Any, context: Context) -> AsyncIterator[Any]:
                async with self._around(method, context, is_stream=True):
                    async for response in inner(read_all(read, raw), context):
                        yield response

            wrapped: Any = wrapped_stream
        else:

            async def wrapped_unary(raw: Any, context: Context) -> Any:
                async with self._around(method, context, is_stream=handler.request_streaming):
                    return await inner(read_all(read, raw), context)

            wrapped = wrapped_unary
        make = getattr(grpc, f"{requests}_{responses}_rpc_method_handler")
        return make(wrapped, request_deserializer=None, response_serializer=handler.response_serializer)

    @asynccontextmanager
    async def _around(self, method: str, context: Context, *, is_stream: bool) -> AsyncIterator[None]:
        """Answers errors and writes the log line."""
        began = self._clock.monotonic()
        line = Line(method)
        try:
            async with self._admitted(line, context, is_stream=is_stream):
                yield
        except (asyncio.CancelledError, GeneratorExit):
            line.code = grpc.StatusCode.CANCELLED
            raise
        except MailportError as error:
            line.reason = error.reason.value
            await self._abort(context, line, render_error(error, now=self._clock.now()))
        except Exception as fault:
            incident_id = str(self._entropy.uuid())
            line.reason = Reason.INTERNAL.value
            line.write_fault(fault, incident_id)
            await self._abort(context, line, render_internal(incident_id))
        finally:
            line.write(self._clock.monotonic() - began)

    async def _abort(self, context: Context, line: Line, status: Status) -> None:
        line.code = grpc_code(status)
        await context.abort_with_status(rpc_status.to_status(status))

    @asynccontextmanager
    async def _admitted(self, line: Line, context: Context, *, is_stream: bool) -> AsyncIterator[None]:
        """Runs the call if it may run, for as long as it may."""
        load = self._watches if line.method == _WATCH else self._load
        with self._turning_away.a_call(), load.a_call():
            began = self._clock.monotonic()
            allowed = None if is_stream else _time_allowed(context)
            limit = asyncio.timeout(allowed.total_seconds() if allowed is not None else None)
            try:
                async with limit:
                    caller = await self._identity.caller(context)
                    line.tenant = caller.tenant
                    require_role(caller, line.method)
                    with load.of_tenant(caller.tenant):
                        deadline = None if allowed is None else began + allowed
                        begin(Call(caller=caller, clock=self._clock, deadline=deadline))
                        yield
            except TimeoutError as error:
                if not limit.expired():
                    raise
                raise _too_slow() from error


def _time_allowed(context: Context) -> timedelta:
    """Returns how long the call may take. Raises DeadlineTooShort when that is not worth beginning."""
    remaining: float | None = context.time_remaining()
    if remaining is None:
        return DEFAULT_TIME
    if remaining < LEAST_TIME.total_seconds():
        raise DeadlineTooShort(
            "The call's deadline leaves no time to do anything.",
            remedy="Give the call a deadline of at least some seconds; 30 are usual.",
        )
    return timedelta(seconds=min(remaining, LONGEST_TIME.total_seconds()))


def _too_slow() -> DeadlineTooShort:
    return DeadlineTooShort(
        "The call took longer than it may.",
        remedy="Call again with a longer deadline; what was stored before is found under the same ids and keys.",
    )


def _read(read: Any, raw: bytes) -> Any:
    """Returns the request. Raises InputInvalid when its bytes are no message of the method's kind."""
    try:
        return read(raw)
    except DecodeError:
        raise InputInvalid(
            [
                Violation(
                    field="",
                    reason=Reason.VALUE_MALFORMED,
                    message="The request cannot be read: it is broken, or a text in it is not UTF-8.",
                    remedy="Make it with the protobuf library of your language from mailport's proto files.",
                )
            ]
        ) from None


async def _read_each(read: Any, raws: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for raw in raws:
        yield _read(read, raw)
