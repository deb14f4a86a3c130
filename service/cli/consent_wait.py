"""Waiting until a person has consented, which happens elsewhere: in a browser, at a provider."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import grpc

from mailport.v1 import configuration_pb2, mail_service_pb2
from service.cli.session import CallRefused
from service.terminal.refusals import Refusal
from service.terminal.words import instant

POLL_INTERVAL: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=10, seconds=30)
"""A session lasts ten minutes by mailport's clock; measured by this machine's, which the wait must not hang on."""
_PASSING: Final = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


def await_consent(
    started: mail_service_pb2.AuthorizeResponse,
    read: Callable[[], configuration_pb2.Configuration],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> configuration_pb2.Configuration:
    """
    Returns the configuration once the session that *started* tells of has ended with a grant.

    *read* asks mailport for the configuration; that it does not answer for a while ends nothing, since the person
    consents meanwhile. Raises CallRefused with the session's failure when it was refused or has expired, or when
    another session has taken its place.
    """
    give_up = clock() + LONGEST_WAIT.total_seconds()
    while True:
        try:
            configuration = read()
        except CallRefused as refused:
            if refused.refusal.code not in _PASSING or clock() >= give_up:
                raise
        else:
            session = configuration.consent
            if not configuration.HasField("consent") or session.expire_time != started.expire_time:
                raise CallRefused(_replaced(configuration))
            if session.state == configuration_pb2.CONSENT_STATE_AUTHORIZED:
                return configuration
            if session.state != configuration_pb2.CONSENT_STATE_PENDING or clock() >= give_up:
                raise CallRefused(_refused(session))
        sleep(POLL_INTERVAL.total_seconds())


def _refused(session: configuration_pb2.ConsentSession) -> Refusal:
    if session.HasField("failure"):
        failure = session.failure
        return Refusal(
            code=grpc.StatusCode.FAILED_PRECONDITION,
            message=f"{failure.cause} {failure.remedy}".strip(),
            reason=failure.reason,
            failure=failure,
        )
    return Refusal(
        code=grpc.StatusCode.FAILED_PRECONDITION,
        message=f"Nobody consented until {instant(session.expire_time)}. Call `mailport authorize` again.",
        reason="STATE_EXPIRED",
    )


def _replaced(configuration: configuration_pb2.Configuration) -> Refusal:
    return Refusal(
        code=grpc.StatusCode.ABORTED,
        message="This consent session is gone: another one has taken its place, or the consent was given up. "
        f"`mailport get {configuration.configuration_id}` shows where that stands.",
        metadata={"configuration_id": configuration.configuration_id},
    )
