"""The staged trace of every proof and attempt, as callers get it and as the command line draws it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import pytest_asyncio

from mailport.v1 import delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.terminal.style import Style
from service.terminal.traces import draw_trace
from tests.end_to_end.replaying import (
    IMPLICIT_TLS,
    OWN,
    STARTTLS,
    Replay,
    a_replay,
    accepting,
    letting_in,
    told_by_call,
)
from tests.end_to_end.scripted import refusal, tokens
from tests.peers.ca import TestCA
from tests.peers.line_server import LineServer
from tests.peers.script import Item, close, ehlo, expect, mail, send, tls

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUBMITTING: Final = ["AUTH", "MAIL_FROM", "RCPT_TO", "DATA"]
OVER_STARTTLS: Final = ["DNS", "CONNECT", "EHLO", "TLS", "EHLO", *SUBMITTING]
OVER_IMPLICIT_TLS: Final = ["DNS", "CONNECT", "TLS", "EHLO", *SUBMITTING]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replay(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, _template: str, ca: TestCA
) -> AsyncIterator[Replay]:
    folder = tmp_path_factory.mktemp("traces")
    async with a_replay(folder, server=postgres_server, template=_template, ca=ca) as running:
        yield running


def stages(trace: failure_pb2.Trace) -> list[str]:
    return [failure_pb2.FailureStage.Name(step.stage).removeprefix("FAILURE_STAGE_") for step in trace.steps]


def step_at(trace: failure_pb2.Trace, stage: failure_pb2.FailureStage.ValueType) -> failure_pb2.TraceStep:
    return [step for step in trace.steps if step.stage == stage][-1]


def implicit(replay: Replay) -> list[Item]:
    opening = (tls(replay.context), send("220 mx.example.com ESMTP"), ehlo("AUTH PLAIN"))
    return [opening, expect("AUTH PLAIN .*"), send("235 2.7.0 Accepted"), mail(), close()]


def with_starttls(replay: Replay) -> list[Item]:
    return accepting(replay.context, signs_in="password")


@pytest.mark.parametrize(
    ("security", "script", "expected"),
    [(STARTTLS, with_starttls, OVER_STARTTLS), (IMPLICIT_TLS, implicit, OVER_IMPLICIT_TLS)],
    ids=["STARTTLS", "implicit TLS"],
)
async def test_given_a_mail_that_is_taken_when_proven_tested_and_sent_then_each_tells_all_of_its_stages(
    replay: Replay,
    security: int,
    script: Callable[[Replay], list[Item]],
    expected: list[str],
) -> None:
    name = replay.new_name()
    async with LineServer(script(replay), repeat=True) as server:
        peer = f"127.0.0.1:{server.port}"
        await replay.configure(name, replay.settings(server.port, host=OWN, security=security))  # type: ignore[arg-type]
        proven = await replay.validate(name)
        tested = await replay.test(name)
        delivery = await replay.delivery(name)

    assert isinstance(proven, api.ValidateAndSaveResponse)
    assert isinstance(tested, api.SendTestResponse)
    assert delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    for trace in (proven.trace, tested.trace, delivery.attempts[0].trace):
        assert stages(trace) == expected
        assert all(step.succeeded and step.duration.ToTimedelta() > timedelta(0) for step in trace.steps)
        assert abs(trace.start_time.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)
        assert step_at(trace, failure_pb2.FAILURE_STAGE_DNS).detail == "127.0.0.1"
        assert step_at(trace, failure_pb2.FAILURE_STAGE_CONNECT).peer == peer
        secured = step_at(trace, failure_pb2.FAILURE_STAGE_TLS).tls
        assert secured.version == "TLSv1.3"
        assert secured.cipher.startswith("TLS_")
        assert secured.certificate_subject.startswith("replay_")
        assert secured.certificate_issuer == "mailport test CA"
        assert secured.certificate_expire_time.ToDatetime(UTC) > datetime.now(UTC)
        greeted = next(step for step in trace.steps if step.stage == failure_pb2.FAILURE_STAGE_EHLO)
        assert greeted.detail.startswith("220 mx.example.com ESMTP; greeted as ")
        assert greeted.reply.startswith("250 ")
        signed_in = step_at(trace, failure_pb2.FAILURE_STAGE_AUTH)
        assert (signed_in.detail, signed_in.reply) == ("PLAIN", "235 2.7.0 Accepted")
        assert step_at(trace, failure_pb2.FAILURE_STAGE_DATA).reply.startswith("250 2.0.0")


async def test_given_an_account_with_a_consent_when_proven_tested_and_sent_then_the_token_is_a_stage_too(
    replay: Replay,
) -> None:
    name = replay.new_name()
    yes = accepting(replay.context, signs_in="token")
    async with LineServer(letting_in(replay.context, signs_in="token"), yes, yes, yes) as server:
        await replay.configure(name, replay.settings(server.port, signs_in="token"))
        await replay.consent(name, save=False)
        proven = await replay.validate(name)
        tested = await replay.test(name)
        delivery = await replay.delivery(name)

    assert isinstance(proven, api.ValidateAndSaveResponse)
    assert isinstance(tested, api.SendTestResponse)
    assert stages(proven.trace) == ["TOKEN", "TOKEN", *OVER_STARTTLS]
    assert stages(tested.trace) == stages(delivery.attempts[0].trace) == ["TOKEN", *OVER_STARTTLS]
    assert step_at(tested.trace, failure_pb2.FAILURE_STAGE_AUTH).detail == "XOAUTH2"


async def test_given_a_dead_consent_when_tested_and_sent_then_the_trace_tells_what_the_endpoint_said(
    replay: Replay,
) -> None:
    """The second time nobody is asked any more, and the trace still says why."""
    name = replay.new_name()
    async with LineServer(letting_in(replay.context, signs_in="token")) as server:
        await replay.configure(name, replay.settings(server.port, signs_in="token"))
        await replay.consent(name, answer=tokens(1, expires_in=0))
    replay.endpoint.answers[:] = [refusal("invalid_grant", error_description="Token has been revoked.")]

    first, second = await told_by_call("SendTest", replay.test(name)), await told_by_call("SendTest", replay.test(name))
    delivery = await replay.delivery(name)

    assert delivery.state == delivery_pb2.DELIVERY_STATE_HELD
    for trace in (first.trace, second.trace, delivery.attempts[0].trace):
        (step,) = trace.steps
        assert (stages(trace), step.succeeded) == (["TOKEN"], False)
        assert step.reply == "400 invalid_grant Token has been revoked."
        assert step.detail == first.failure.cause


async def test_given_a_name_with_a_dead_address_when_sent_then_each_address_is_a_step_and_the_tree_shows_it(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F13: a broken first address costs nothing but its line."""
    monkeypatch.setitem(replay.names.addresses, OWN, ("127.0.0.2", "127.0.0.1"))
    name = replay.new_name()
    async with LineServer(with_starttls(replay), repeat=True) as server:
        await replay.configure(name, replay.settings(server.port, host=OWN))
        tested = await replay.test(name)

    assert isinstance(tested, api.SendTestResponse)
    refused, reached = (step for step in tested.trace.steps if step.stage == failure_pb2.FAILURE_STAGE_CONNECT)
    assert (refused.succeeded, refused.peer) == (False, f"127.0.0.2:{server.port}")
    assert (reached.succeeded, reached.peer) == (True, f"127.0.0.1:{server.port}")
    drawn = [line.split() for line in draw_trace(tested.trace, Style(is_unicode=True), indent="")]
    assert [(branch, sign, stage) for branch, sign, stage, *_ in drawn] == [
        ("├", "✓", "DNS"),
        ("├", "✗", "CONNECT"),
        ("├", "✓", "CONNECT"),
        ("├", "✓", "EHLO"),
        ("├", "✓", "TLS"),
        ("├", "✓", "EHLO"),
        ("├", "✓", "AUTH"),
        ("├", "✓", "MAIL_FROM"),
        ("├", "✓", "RCPT_TO"),
        ("└", "✓", "DATA"),
    ]
