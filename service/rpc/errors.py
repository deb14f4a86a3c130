"""The one table: domain error to google.rpc.Status, with the details that programs branch on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import grpc
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status

from domain.errors import (
    AlreadyExists,
    AuthorizationRequired,
    ConcurrentChange,
    ConfigInvalid,
    DeadlineTooShort,
    InputInvalid,
    MailportError,
    NotFound,
    NotReady,
    Overloaded,
    PermissionDenied,
    ProviderRefused,
    SecretUnreadable,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    Violation,
)
from domain.failures.failure import HEALS_BY_WAITING, Failure, FailureKind
from domain.failures.help import help_url_of
from domain.reasons import Reason
from mailport.v1 import failure_pb2 as failure_pb
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.fitting import cut, cut_message, first_that_fits, shortened_failure, shortened_trace
from service.rpc.render.failures import render_failure, render_trace
from service.rpc.render.values import duration, text

DOMAIN: Final = "mailport"
_LONGEST_TEXT: Final = 1024
_SHORTER_TEXTS: Final = (512, 256, 128, 64)
_MOST_METADATA: Final = 8
_MOST_VIOLATIONS: Final = 500
_THEIR_PAGE: Final = "The provider's own page about it"

CODES: Final[dict[type[MailportError], Code.ValueType]] = {
    InputInvalid: Code.INVALID_ARGUMENT,
    ConfigInvalid: Code.INVALID_ARGUMENT,
    NotFound: Code.NOT_FOUND,
    AlreadyExists: Code.ALREADY_EXISTS,
    ConcurrentChange: Code.ABORTED,
    NotReady: Code.FAILED_PRECONDITION,
    AuthorizationRequired: Code.FAILED_PRECONDITION,
    SecretUnreadable: Code.FAILED_PRECONDITION,
    Unavailable: Code.UNAVAILABLE,
    Overloaded: Code.RESOURCE_EXHAUSTED,
    TooLarge: Code.RESOURCE_EXHAUSTED,
    DeadlineTooShort: Code.DEADLINE_EXCEEDED,
    Unauthenticated: Code.UNAUTHENTICATED,
    PermissionDenied: Code.PERMISSION_DENIED,
    Unimplemented: Code.UNIMPLEMENTED,
}
"""Every family but ProviderRefused, whose code goes by its failure's kind."""

CODES_BY_KIND: Final[dict[FailureKind, Code.ValueType]] = {
    FailureKind.PERMANENT: Code.FAILED_PRECONDITION,
    FailureKind.MISCONFIGURED: Code.FAILED_PRECONDITION,
    FailureKind.REAUTHORIZE: Code.FAILED_PRECONDITION,
    FailureKind.TRANSIENT: Code.UNAVAILABLE,
    FailureKind.THROTTLED: Code.RESOURCE_EXHAUSTED,
    # Repeating the call may bring a second copy, so it is never said when to.
    FailureKind.IN_DOUBT: Code.UNAVAILABLE,
}

_GRPC_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


def grpc_code(status: Status) -> grpc.StatusCode:
    """Returns the code of *status* in gRPC's own words."""
    return _GRPC_CODES[status.code]


def render_error(error: MailportError, *, now: datetime) -> Status:
    """
    Returns the status that answers *error*, small enough for the trailers of any client.

    ErrorInfo is always there. Where it would be too large, first the trace gives way (its texts, then all of it), then
    the texts of the failure, then violations from the last one on; ErrorInfo's metadata `violations` then tells their
    number. Never raises, whatever a server or caller wrote.
    """
    return first_that_fits(_statuses(error, now))


def render_internal(incident_id: str) -> Status:
    """Returns the status that answers a fault of mailport: a fixed text, and the id under which the log has more."""
    status = Status(code=Code.INTERNAL, message=f"internal error {incident_id}. Give this id to mailport's operator.")
    info = ErrorInfo(reason=Reason.INTERNAL.value, domain=DOMAIN, metadata={"incident_id": incident_id})
    status.details.add().Pack(info)
    return status


def render_send_error(error: MailportError, *, now: datetime) -> pb.SendError:
    """Returns what `render_error` tells of a refused Send, as the answer to one message of a stream."""
    delay = _retry_delay(error, now)
    violations = error.violations[:_MOST_VIOLATIONS] if isinstance(error, InputInvalid) else ()
    return pb.SendError(
        code=code_of(error),
        reason=error.reason.value,
        message=cut(text(error.message), _LONGEST_TEXT),
        remedy=cut(text(error.remedy), _LONGEST_TEXT),
        violations=[
            failure_pb.FieldViolation(
                field=cut(text(each.field), _SHORTER_TEXTS[0]),
                reason=each.reason.value,
                message=cut(text(each.message), _LONGEST_TEXT),
                remedy=cut(text(each.remedy), _LONGEST_TEXT),
            )
            for each in violations
        ],
        retry_delay=duration(delay) if delay is not None else None,
    )


def render_send_fault(incident_id: str) -> pb.SendError:
    """Returns what `render_internal` tells, as the answer to one message of a stream."""
    status = render_internal(incident_id)
    return pb.SendError(code=status.code, reason=Reason.INTERNAL.value, message=status.message)


def code_of(error: MailportError) -> Code.ValueType:
    """
    Returns the status code of *error*: its own family's, else that of the nearest one above.

    Input that is too large and nothing else is answered as any message too large is, RESOURCE_EXHAUSTED.
    """
    if isinstance(error, ProviderRefused):
        return CODES_BY_KIND[error.failure.kind]
    if isinstance(error, InputInvalid) and {v.reason for v in error.violations} == {Reason.MESSAGE_TOO_LARGE}:
        return CODES[TooLarge]
    return next((CODES[family] for family in type(error).__mro__ if family in CODES), Code.INTERNAL)


def _statuses(error: MailportError, now: datetime) -> Iterator[Status]:
    """Yields ever smaller statuses; the last one has next to nothing and always fits."""
    code = code_of(error)
    message = cut_message(text(f"{error.message} {error.remedy}".strip()))
    info = _error_info(error)
    hints = list(_hints(error, now))

    def status(*details: Message) -> Status:
        made = Status(code=code, message=message)
        for detail in (info, *details):
            made.details.add().Pack(detail)
        return made

    if isinstance(error, ProviderRefused):
        yield from (status(*hints, *told) for told in _told_by_provider(error))
    if isinstance(error, InputInvalid):
        yield from (status(_shown_violations(error, shown, info)) for shown in _ever_fewer(error.violations))
    yield status(*hints)
    yield status()
    info.metadata.clear()
    yield status()


def _error_info(error: MailportError) -> ErrorInfo:
    metadata = {
        cut(text(key), _SHORTER_TEXTS[-1]): cut(text(value), _SHORTER_TEXTS[1])
        for key, value in list(error.metadata.items())[:_MOST_METADATA]
    }
    return ErrorInfo(reason=error.reason.value, domain=DOMAIN, metadata=metadata)


def _hints(error: MailportError, now: datetime) -> Iterator[Message]:
    if isinstance(error, NotReady):
        subject = next(iter(error.metadata.values()), "")
        what = cut(text(f"{error.message} {error.remedy}".strip()), _LONGEST_TEXT)
        violation = PreconditionFailure.Violation(
            type=error.reason.value, subject=cut(text(subject), _SHORTER_TEXTS[1]), description=what
        )
        yield PreconditionFailure(violations=[violation])
    if (delay := _retry_delay(error, now)) is not None:
        yield RetryInfo(retry_delay=duration(delay))
    if isinstance(error, ProviderRefused) and (url := help_url_of(error.failure)):
        yield Help(links=[Help.Link(description=_THEIR_PAGE, url=url)])


def _retry_delay(error: MailportError, now: datetime) -> timedelta | None:
    if isinstance(error, Unavailable):
        return max(error.retry_after, timedelta(0))
    if isinstance(error, ProviderRefused) and error.failure.kind in HEALS_BY_WAITING and error.failure.retry_time:
        return max(error.failure.retry_time - now, timedelta(0))
    return None


def _told_by_provider(error: ProviderRefused) -> Iterator[Sequence[Message]]:
    failure = render_failure(error.failure)
    if error.trace is not None:
        trace = render_trace(error.trace)
        yield [failure, trace]
        yield from ([failure, shortened_trace(trace, longest)] for longest in _SHORTER_TEXTS)
    yield [failure]
    yield from ([shortened_failure(failure, longest)] for longest in (_LONGEST_TEXT, *_SHORTER_TEXTS))
    yield [_bare(error.failure)]


def _bare(failure: Failure) -> Message:
    rendered = render_failure(failure)
    rendered.ClearField("fixes")
    return shortened_failure(rendered, _SHORTER_TEXTS[-1])


@dataclass(frozen=True, slots=True)
class _Shown:
    violations: tuple[Violation, ...]
    longest: int


def _ever_fewer(violations: tuple[Violation, ...]) -> Iterator[_Shown]:
    for longest in (_LONGEST_TEXT, *_SHORTER_TEXTS[:2]):
        yield _Shown(violations, longest)
    count = min(len(violations), 256)
    while count > 1:
        count = count * 3 // 4
        yield _Shown(violations[:count], _SHORTER_TEXTS[1])
    yield _Shown(violations[:1], _SHORTER_TEXTS[-1])


def _shown_violations(error: InputInvalid, shown: _Shown, info: ErrorInfo) -> BadRequest:
    if len(shown.violations) < len(error.violations):
        info.metadata["violations"] = str(len(error.violations))
    return BadRequest(
        field_violations=[
            BadRequest.FieldViolation(
                field=cut(text(each.field), _SHORTER_TEXTS[0]),
                description=cut(text(f"{each.message} {each.remedy}".strip()), shown.longest),
                reason=each.reason.value,
            )
            for each in shown.violations
        ]
    )
