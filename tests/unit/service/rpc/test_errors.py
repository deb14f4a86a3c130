"""The one table: every domain error has its status, and every status fits into trailers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from domain import errors as domain_errors
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
from domain.failures.explain import explain_fully
from domain.failures.failure import Failure, FailureKind, Fix, Stage
from domain.failures.reading import read_answer
from domain.failures.trace import Trace, TraceStep
from domain.reasons import Reason
from mailport.v1 import error_reason_pb2, failure_pb2
from service.rpc.errors import CODES, CODES_BY_KIND, grpc_code, render_error, render_internal
from service.rpc.fitting import LARGEST_TRAILERS_BYTES, trailers_size
from tests.unit.service.rpc.builders import NOW, a_failure, a_trace

SMTP_AUTH_DISABLED = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
D = TypeVar("D", bound=Message)


def details(status: Status, kind: type[D]) -> list[D]:
    found = []
    for packed in status.details:
        detail = kind()
        if packed.Unpack(detail):
            found.append(detail)
    return found


def info(status: Status) -> ErrorInfo:
    (found,) = details(status, ErrorInfo)
    return found


def families() -> Iterator[type[MailportError]]:
    for each in vars(domain_errors).values():
        if isinstance(each, type) and issubclass(each, MailportError) and each is not MailportError:
            yield each


def a_violation(field: str = "settings.smtp.port", **changes: Any) -> Violation:
    written = {"reason": Reason.PORT_OUT_OF_RANGE, "message": "70000 is not a port.", "remedy": "Use 587."}
    return Violation(field=field, **(written | changes))


def test_given_every_family_of_errors_when_looked_up_then_the_table_has_it() -> None:
    assert set(families()) == set(CODES) | {ProviderRefused}
    assert set(CODES_BY_KIND) == set(FailureKind)


def test_given_every_reason_when_looked_up_in_the_proto_then_both_have_the_same_words() -> None:
    declared = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118

    assert {reason.value for reason in Reason} == declared - {"UNSPECIFIED"}


def test_given_every_code_in_the_table_when_turned_into_grpcs_words_then_it_is_an_error() -> None:
    codes = {grpc_code(Status(code=code)) for code in (*CODES.values(), *CODES_BY_KIND.values())}

    assert grpc.StatusCode.OK not in codes
    assert grpc.StatusCode.UNKNOWN not in codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputInvalid([a_violation()]), Code.INVALID_ARGUMENT),
        (ConfigInvalid([a_violation()]), Code.INVALID_ARGUMENT),
        (InputInvalid([a_violation(reason=Reason.MESSAGE_TOO_LARGE)]), Code.RESOURCE_EXHAUSTED),
        (InputInvalid([a_violation(reason=Reason.MESSAGE_TOO_LARGE)] * 2), Code.RESOURCE_EXHAUSTED),
        (InputInvalid([a_violation(reason=Reason.MESSAGE_TOO_LARGE), a_violation()]), Code.INVALID_ARGUMENT),
        (NotFound("no"), Code.NOT_FOUND),
        (AlreadyExists("no"), Code.ALREADY_EXISTS),
        (ConcurrentChange("no"), Code.ABORTED),
        (NotReady("no"), Code.FAILED_PRECONDITION),
        (AuthorizationRequired("no"), Code.FAILED_PRECONDITION),
        (SecretUnreadable("no"), Code.FAILED_PRECONDITION),
        (Unavailable("no"), Code.UNAVAILABLE),
        (Overloaded("no"), Code.RESOURCE_EXHAUSTED),
        (TooLarge("no"), Code.RESOURCE_EXHAUSTED),
        (DeadlineTooShort("no"), Code.DEADLINE_EXCEEDED),
        (Unauthenticated("no"), Code.UNAUTHENTICATED),
        (PermissionDenied("no"), Code.PERMISSION_DENIED),
        (Unimplemented("no"), Code.UNIMPLEMENTED),
        (ProviderRefused(a_failure(kind=FailureKind.PERMANENT)), Code.FAILED_PRECONDITION),
        (ProviderRefused(a_failure(kind=FailureKind.MISCONFIGURED)), Code.FAILED_PRECONDITION),
        (ProviderRefused(a_failure(kind=FailureKind.REAUTHORIZE)), Code.FAILED_PRECONDITION),
        (ProviderRefused(a_failure(kind=FailureKind.TRANSIENT)), Code.UNAVAILABLE),
        (ProviderRefused(a_failure(kind=FailureKind.THROTTLED)), Code.RESOURCE_EXHAUSTED),
        (ProviderRefused(a_failure(kind=FailureKind.IN_DOUBT)), Code.UNAVAILABLE),
    ],
)
def test_given_an_error_when_rendered_then_its_code_and_error_info_are_told(error: MailportError, code: int) -> None:
    status = render_error(error, now=NOW)

    assert status.code == code
    assert info(status).domain == "mailport"
    assert info(status).reason == error.reason.value


def test_given_a_family_that_came_later_when_rendered_then_it_has_the_code_of_the_one_above() -> None:
    class Narrower(NotFound):
        pass

    assert render_error(Narrower("no"), now=NOW).code == Code.NOT_FOUND


def test_given_message_and_remedy_when_rendered_then_the_status_says_both_and_the_metadata_is_kept() -> None:
    error = NotFound("There is none.", remedy="List them.", metadata={"configuration_id": "alerts"})

    status = render_error(error, now=NOW)

    assert status.message == "There is none. List them."
    assert dict(info(status).metadata) == {"configuration_id": "alerts"}


def test_given_violations_when_rendered_then_each_field_is_told_with_reason_and_remedy() -> None:
    error = ConfigInvalid([a_violation(), a_violation("settings.smtp.host", reason=Reason.HOST_INVALID)])

    (bad,) = details(render_error(error, now=NOW), BadRequest)

    assert [(each.field, each.reason) for each in bad.field_violations] == [
        ("settings.smtp.port", "PORT_OUT_OF_RANGE"),
        ("settings.smtp.host", "HOST_INVALID"),
    ]
    assert bad.field_violations[0].description == "70000 is not a port. Use 587."


def test_given_more_violations_than_fit_when_rendered_then_the_first_are_told_and_their_number() -> None:
    error = InputInvalid([a_violation(f"message.to[{n}].address") for n in range(1000)])

    status = render_error(error, now=NOW)

    (bad,) = details(status, BadRequest)
    assert trailers_size(status) <= LARGEST_TRAILERS_BYTES
    assert len(bad.field_violations) > 10
    assert [each.field for each in bad.field_violations[:2]] == ["message.to[0].address", "message.to[1].address"]
    assert info(status).metadata["violations"] == "1000"


@pytest.mark.parametrize("error", [NotReady, AuthorizationRequired, SecretUnreadable])
def test_given_a_record_that_is_not_ready_when_rendered_then_the_precondition_is_told(error: type[NotReady]) -> None:
    refused = error("Not proven.", reason=Reason.NO_DRAFT, metadata={"configuration_id": "alerts"}, remedy="Configure.")

    (failure,) = details(render_error(refused, now=NOW), PreconditionFailure)

    (violation,) = failure.violations
    assert (violation.type, violation.subject) == ("NO_DRAFT", "alerts")
    assert violation.description == "Not proven. Configure."


@pytest.mark.parametrize("error", [Unavailable, Overloaded])
def test_given_what_heals_by_waiting_when_rendered_then_the_delay_is_told(error: type[Unavailable]) -> None:
    status = render_error(error("Busy.", retry_after=timedelta(seconds=2.5)), now=NOW)

    (retry,) = details(status, RetryInfo)
    assert retry.retry_delay.ToTimedelta() == timedelta(seconds=2.5)


@pytest.mark.parametrize(
    ("kind", "wait", "told"),
    [
        (FailureKind.TRANSIENT, timedelta(seconds=90), [timedelta(seconds=90)]),
        (FailureKind.THROTTLED, timedelta(seconds=90), [timedelta(seconds=90)]),
        (FailureKind.THROTTLED, timedelta(seconds=-90), [timedelta(0)]),
        (FailureKind.TRANSIENT, None, []),
        (FailureKind.IN_DOUBT, timedelta(seconds=90), []),
        (FailureKind.PERMANENT, timedelta(seconds=90), []),
    ],
)
def test_given_a_refusal_with_a_time_to_come_back_when_rendered_then_it_is_told_only_where_waiting_heals(
    kind: FailureKind, wait: timedelta | None, told: list[timedelta]
) -> None:
    failure = a_failure(kind=kind, retry_time=NOW + wait if wait is not None else None)

    status = render_error(ProviderRefused(failure), now=NOW)

    assert [each.retry_delay.ToTimedelta() for each in details(status, RetryInfo)] == told


def test_given_a_refusal_with_a_trace_when_rendered_then_failure_and_trace_are_told_whole() -> None:
    status = render_error(ProviderRefused(a_failure(), trace=a_trace()), now=NOW)

    (failure,) = details(status, failure_pb2.Failure)
    (trace,) = details(status, failure_pb2.Trace)
    assert failure.provider_code == "535 5.7.8"
    assert failure.fixes[0].field == "settings.smtp.port"
    assert [step.stage for step in trace.steps] == [failure_pb2.FAILURE_STAGE_CONNECT, failure_pb2.FAILURE_STAGE_TLS]


def test_given_a_trace_with_long_texts_when_rendered_then_the_texts_give_way_and_the_steps_stay() -> None:
    status = render_error(ProviderRefused(a_failure(), trace=a_trace(steps=20, reply="x" * 512)), now=NOW)

    (trace,) = details(status, failure_pb2.Trace)
    assert len(trace.steps) == 20
    assert 0 < len(trace.steps[-1].reply) < 512
    assert trace.steps[-1].reply.endswith("…")


def test_given_a_trace_that_cannot_fit_when_rendered_then_the_failure_stays_whole() -> None:
    status = render_error(ProviderRefused(a_failure(), trace=a_trace(steps=1000)), now=NOW)

    assert not details(status, failure_pb2.Trace)
    assert details(status, failure_pb2.Failure)[0].remedy == "Enter the password again."


def test_given_a_failure_with_a_page_of_its_provider_when_rendered_then_help_leads_there() -> None:
    explanation = explain_fully(read_answer(SMTP_AUTH_DISABLED))

    (page,) = details(render_error(ProviderRefused(explanation.failure, trace=a_trace()), now=NOW), Help)

    assert [link.url for link in page.links] == [explanation.help_url]
    assert page.links[0].description
    assert explanation.help_url.startswith("https://")


def test_given_a_failure_without_a_page_or_another_error_when_rendered_then_there_is_no_help() -> None:
    for error in (ProviderRefused(a_failure()), NotFound("There is none."), Overloaded("Busy.")):
        assert details(render_error(error, now=NOW), Help) == []


@pytest.mark.parametrize("size", [1, 40, 1000])
def test_given_a_page_and_a_long_trace_when_rendered_then_the_page_stays_and_it_fits(size: int) -> None:
    failure = explain_fully(read_answer(SMTP_AUTH_DISABLED)).failure
    fixes = tuple(Fix(f"settings.{'x' * 200}{number}", "y" * 200) for number in range(40))
    told = replace(failure, fixes=fixes, provider_reply="漢" * 1024)

    status = render_error(ProviderRefused(told, trace=a_trace(steps=size, reply="x" * 512)), now=NOW)

    assert trailers_size(status) <= LARGEST_TRAILERS_BYTES
    assert len(details(status, Help)) == 1
    assert len(details(status, failure_pb2.Failure)) == 1


texts = st.text(max_size=40) | st.sampled_from(["x" * 5000, "漢字" * 2000, "😀" * 1500, "\ud800" * 3000, "%" * 3000])
failures = st.builds(
    Failure,
    reason=st.sampled_from(Reason),
    kind=st.sampled_from(FailureKind),
    stage=st.sampled_from(Stage),
    cause=texts,
    remedy=texts,
    provider_code=texts,
    provider_reply=texts,
    fixes=st.lists(
        st.builds(Fix, field=st.text(st.characters(codec="utf-8")), value=st.text(st.characters(codec="utf-8"))),
        max_size=40,
    ).map(tuple),
)
steps = st.builds(
    TraceStep,
    stage=st.sampled_from(Stage),
    succeeded=st.booleans(),
    duration=st.timedeltas(timedelta(0), timedelta(days=1)),
    detail=texts,
    peer=texts,
    reply=texts,
)
traces = st.none() | st.builds(Trace, start_time=st.just(NOW), steps=st.lists(steps, max_size=60).map(tuple))
violations = st.lists(
    st.builds(Violation, field=texts, reason=st.sampled_from(Reason), message=texts, remedy=texts),
    min_size=1,
    max_size=300,
)
metadata = st.dictionaries(texts, texts, max_size=12)
said = {"message": texts, "remedy": texts, "metadata": metadata}
errors = st.one_of(
    st.builds(ProviderRefused, failures, trace=traces, metadata=metadata),
    st.builds(InputInvalid, violations),
    st.builds(NotReady, **said),
    st.builds(NotFound, **said),
    st.builds(
        Overloaded, message=texts, remedy=texts, retry_after=st.timedeltas(timedelta(days=-1), timedelta(days=9))
    ),
)


@given(errors)
def test_given_any_error_when_rendered_then_it_fits_into_trailers_and_has_its_error_info(error: MailportError) -> None:
    status = render_error(error, now=NOW)

    assert trailers_size(status) <= LARGEST_TRAILERS_BYTES
    assert status.ByteSize() <= 7 * 1024
    assert info(status).reason == error.reason.value
    if isinstance(error, ProviderRefused):
        assert details(status, failure_pb2.Failure)[0].reason == error.failure.reason.value
    if isinstance(error, InputInvalid):
        assert details(status, BadRequest)[0].field_violations


def test_given_a_fault_when_rendered_then_the_text_is_a_fixed_one_with_the_incident_id() -> None:
    status = render_internal("0190f3c2-1")

    assert status.code == Code.INTERNAL
    assert status.message == "internal error 0190f3c2-1. Give this id to mailport's operator."
    assert info(status).reason == "INTERNAL"
    assert dict(info(status).metadata) == {"incident_id": "0190f3c2-1"}
