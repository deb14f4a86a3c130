"""The way of every request: recorded, its token checked, throttled, struck by a fault, carried out, answered."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from service.sandbox.graph.access import Need
from service.sandbox.graph.connection import MOST_DRAINED, Cut, cut, drain, gone
from service.sandbox.graph.errors import GraphError, error_body, request_too_large
from service.sandbox.graph.faults import Fault
from service.sandbox.graph.operations import Operation
from service.sandbox.graph.records import RequestRecord
from service.sandbox.graph.simulator import GraphSimulator
from service.sandbox.graph.tokens import Caller

_DIAGNOSTIC: Final = (
    '{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"1","ScaleUnit":"001","RoleInstance":"SB"}}'
)
_NONE: Final = timedelta(0)


@dataclass(slots=True, kw_only=True)
class Call:
    """One admitted request."""

    request: Request
    caller: Caller
    mailbox: str
    """Lower case."""
    body: bytes = b""
    copy_delay: timedelta = _NONE

    @property
    def is_immutable(self) -> bool:
        """Tells whether the answer is to carry ids that survive a move."""
        preferred = self.request.headers.get("prefer", "").replace(" ", "").replace('"', "").lower()
        return "idtype=immutableid" in preferred

    @property
    def root(self) -> str:
        """The simulator's address as this client reaches it."""
        url = self.request.url
        return f"{url.scheme}://{url.netloc}{self.request.scope.get('root_path', '')}"


Handler = Callable[[Call], Awaitable[Response]]
Identify = Callable[[Request], tuple[Caller, str]]
"""Returns who asks for which mailbox. Raises GraphError."""


class Gateway:
    """Wraps handlers into endpoints."""

    def __init__(self, simulator: GraphSimulator) -> None:
        self._simulator = simulator

    def by_token(self, operation: Operation, need: Need, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Returns an endpoint below ``/me`` or ``/users/{user}``, for callers who may do *need*."""
        simulator = self._simulator

        def identify(request: Request) -> tuple[Caller, str]:
            caller = simulator.tokens.check(request.headers.get("authorization", ""))
            return caller, simulator.access.mailbox(caller, request.path_params.get("user"))

        async def checked(call: Call) -> Response:
            simulator.access.require(call.caller, call.mailbox, need)
            return await handler(call)

        return self.endpoint(operation, identify, checked)

    def endpoint(
        self, operation: Operation, identify: Identify, handler: Handler
    ) -> Callable[[Request], Awaitable[Response]]:
        """Returns an endpoint; *handler* runs for a request that was admitted."""

        async def answer(request: Request) -> Response:
            return await self._answer(request, operation, identify, handler)

        return answer

    async def _answer(self, request: Request, operation: Operation, identify: Identify, handler: Handler) -> Response:
        simulator = self._simulator
        record = simulator.records.begin(operation, method=request.method, path=request.url.path, now=simulator.now())
        record.client_request_id = request.headers.get("client-request-id", "")
        record.content_type = request.headers.get("content-type", "")
        record.has_authorization = "authorization" in request.headers
        record.request_id, is_cut = str(uuid.uuid4()), False
        response = Response(status_code=500)
        try:
            response = await self._attempt(request, record, identify, handler)
        except GraphError as error:
            record.code = error.code
            response = self._refusal(error, record)
            await drain(request)
        except (ClientDisconnect, Cut):
            is_cut = True
        finally:
            record.status = 0 if is_cut else response.status_code
            self._ended(record, response)
        if is_cut:
            return Response(status_code=204)  # nobody hears it
        response.headers["request-id"] = record.request_id
        response.headers["x-ms-ags-diagnostic"] = _DIAGNOSTIC
        if request.headers.get("return-client-request-id", "").lower() == "true":
            response.headers["client-request-id"] = record.client_request_id or record.request_id
        return response

    async def _attempt(self, request: Request, record: RequestRecord, identify: Identify, handler: Handler) -> Response:
        simulator = self._simulator
        caller, mailbox = identify(request)
        now = simulator.now()
        record.mailbox = mailbox
        record.at_once = simulator.throttle.enter(mailbox)
        record.into_retry_after = simulator.throttle.into_quiet(mailbox, now=now)
        simulator.records.entered(record)
        simulator.throttle.admit(mailbox, now=now)
        fault = simulator.faults.take(record.operation, mailbox)
        record.is_struck = fault is not None
        if fault is not None and fault.unread:
            await cut(request)
        call = Call(request=request, caller=caller, mailbox=mailbox)
        call.body = await self._read(request, record)
        if fault is None:
            return await self._carried_out(call, record, handler)
        call.copy_delay = fault.copy_delay
        response = await self._carried_out(call, record, handler) if fault.is_carried_out else Response()
        return await self._strike(fault, response, request, record)

    async def _carried_out(self, call: Call, record: RequestRecord, handler: Handler) -> Response:
        response = await handler(call)
        record.took_effect = response.status_code < 300
        return response

    async def _read(self, request: Request, record: RequestRecord) -> bytes:
        limits = self._simulator.limits
        limit = limits.range_bytes if record.operation is Operation.UPLOAD_RANGE else limits.request_bytes
        body = bytearray()
        async for chunk in request.stream():
            record.size_bytes += len(chunk)
            if record.size_bytes <= limit:
                body += chunk
            elif record.size_bytes > MOST_DRAINED:
                break
        if record.size_bytes > limit:
            raise request_too_large()
        return bytes(body)

    async def _strike(self, fault: Fault, response: Response, request: Request, record: RequestRecord) -> Response:
        await gone(request, fault.delay)
        if fault.silent:
            await gone(request, self._simulator.silence)
        if fault.cut or fault.silent:
            await cut(request)
        if fault.status >= 400 and fault.body is None:
            error = fault.error()
            record.code = error.code
            response = self._refusal(error, record)
        elif fault.status:
            response = Response(fault.body or "", status_code=fault.status, media_type=fault.content_type)
        for name, value in fault.headers:
            response.headers[name] = value
        if fault.retry_after is not None:
            response.headers["Retry-After"] = self._retry_after(fault, fault.retry_after)
        return response

    def _retry_after(self, fault: Fault, wait: timedelta) -> str:
        if fault.retry_after_as_date:
            return format_datetime(self._simulator.now() + wait, usegmt=True)
        return str(int(wait.total_seconds()))

    def _refusal(self, error: GraphError, record: RequestRecord) -> Response:
        body = error_body(
            error,
            request_id=record.request_id,
            client_request_id=record.client_request_id,
            now=self._simulator.now(),
        )
        return JSONResponse(body, status_code=error.status, headers=error.headers)

    def _ended(self, record: RequestRecord, response: Response) -> None:
        simulator = self._simulator
        record.end_time = now = simulator.now()
        if record.mailbox:
            simulator.throttle.leave(record.mailbox)
            wait = _wait(response.headers.get("retry-after", ""), now) if record.status else _NONE
            if wait > _NONE:
                simulator.throttle.told_to_wait(record.mailbox, wait, now=now)
        simulator.records.changed()


def _wait(retry_after: str, now: datetime) -> timedelta:
    if retry_after.isdigit():
        return timedelta(seconds=int(retry_after))
    try:
        return parsedate_to_datetime(retry_after) - now
    except ValueError:
        return _NONE
