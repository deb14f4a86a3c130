"""A refused call, read from its gRPC status: everything that mailport said about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from mailport.v1 import failure_pb2

_DETAILS_KEY: Final = "grpc-status-details-bin"
_M = TypeVar("_M", bound=Message)


class CallError(Protocol):
    """What a failed call tells, in grpc and grpc.aio alike."""

    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...
    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None: ...


@dataclass(frozen=True, slots=True)
class Flaw:
    """One field that is wrong."""

    field: str
    reason: str
    message: str
    """What is wrong, and how to put it right."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was refused. What the server did not say is empty."""

    code: grpc.StatusCode
    message: str
    """What is the matter, and what to do."""
    reason: str = ""
    """Empty where no mailport answered."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    flaws: tuple[Flaw, ...] = ()
    preconditions: tuple[str, ...] = ()
    failure: failure_pb2.Failure | None = None
    trace: failure_pb2.Trace | None = None
    retry_delay: Duration | None = None
    links: tuple[tuple[str, str], ...] = ()
    """Description and address of pages about it."""

    def to_json(self) -> dict[str, Any]:
        """Returns the refusal as JSON values, always with all keys; `failure` and `trace` as in the API's JSON."""
        return {
            "code": self.code.name,
            "reason": self.reason,
            "message": self.message,
            "metadata": dict(self.metadata),
            "violations": [
                {"field": flaw.field, "reason": flaw.reason, "message": flaw.message} for flaw in self.flaws
            ],
            "preconditions": list(self.preconditions),
            "failure": MessageToDict(self.failure) if self.failure is not None else None,
            "trace": MessageToDict(self.trace) if self.trace is not None else None,
            "retryDelay": self.retry_delay.ToJsonString() if self.retry_delay is not None else None,
            "help": [{"description": description, "url": url} for description, url in self.links],
        }


def read_refusal(error: CallError) -> Refusal:
    """Returns what *error* tells. Details that this client does not know are passed over."""
    details = _details(error)
    info = _first(details, error_details_pb2.ErrorInfo) or error_details_pb2.ErrorInfo()
    retry = _first(details, error_details_pb2.RetryInfo)
    return Refusal(
        code=error.code(),
        message=error.details() or "",
        reason=info.reason,
        metadata=dict(info.metadata),
        flaws=tuple(_flaws(_first(details, error_details_pb2.BadRequest))),
        preconditions=tuple(_preconditions(_first(details, error_details_pb2.PreconditionFailure))),
        failure=_first(details, failure_pb2.Failure),
        trace=_first(details, failure_pb2.Trace),
        retry_delay=retry.retry_delay if retry is not None else None,
        links=tuple(_links(_first(details, error_details_pb2.Help))),
    )


def _details(error: CallError) -> list[AnyMessage]:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return []
    return []


def _first(details: Iterable[AnyMessage], kind: type[_M]) -> _M | None:
    for detail in details:
        message = kind()
        try:
            if detail.Unpack(message):
                return message
        except DecodeError:
            continue
    return None


def _flaws(bad_request: error_details_pb2.BadRequest | None) -> Iterable[Flaw]:
    for violation in bad_request.field_violations if bad_request is not None else ():
        yield Flaw(field=violation.field, reason=violation.reason, message=violation.description)


def _preconditions(failure: error_details_pb2.PreconditionFailure | None) -> Iterable[str]:
    for violation in failure.violations if failure is not None else ():
        yield violation.description or violation.type


def _links(page: error_details_pb2.Help | None) -> Iterable[tuple[str, str]]:
    for link in page.links if page is not None else ():
        yield link.description, link.url
