"""Deliveries, failures and traces as callers see them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from domain.address import EmailAddress
from domain.connection import ConnectionSecurity, TlsVersion
from domain.delivery import DeliveryState, Recipient, RecipientState
from domain.failures.failure import FailureKind, Fix, Stage
from domain.reasons import Reason
from domain.settings.model import DataCenterPolicy
from mailport.v1 import configuration_pb2, failure_pb2
from mailport.v1 import delivery_pb2 as pb
from service.rpc.render import render_delivery, render_failure, render_trace
from service.rpc.render.values import LARGEST_ANSWER_BYTES, duration
from tests.unit.service.rpc.builders import NOW, a_delivery_view, a_failure, a_trace, an_attempt

JANE, JOE = EmailAddress("jane", "example.org"), EmailAddress("joe", "example.org")


def test_given_a_delivery_when_rendered_then_recipients_failure_and_times_are_told() -> None:
    recipients = (
        Recipient(JANE, RecipientState.SENT, reply="250 2.0.0 OK", accept_time=NOW),
        Recipient(JOE, RecipientState.REJECTED, failure=a_failure(reason=Reason.RECIPIENT_UNKNOWN), reply="550 no"),
    )
    view = a_delivery_view(
        an_attempt(1, data_center="eu-1"),
        an_attempt(2, in_doubt=True, end_time=None, failure=None, trace=None),
        recipients=recipients,
        state=DeliveryState.PARTIALLY_SENT,
        attempt_count=2,
        next_attempt_time=None,
        final_time=NOW,
        data_center="us-1",
        attempted_from="eu-1",
    )

    rendered = render_delivery(view)

    assert rendered.state == pb.DELIVERY_STATE_PARTIALLY_SENT
    assert [(each.address, each.state) for each in rendered.recipients] == [
        ("jane@example.org", pb.RECIPIENT_STATE_SENT),
        ("joe@example.org", pb.RECIPIENT_STATE_REJECTED),
    ]
    assert rendered.recipients[0].HasField("accept_time")
    assert rendered.recipients[1].failure.reason == "RECIPIENT_UNKNOWN"
    assert not rendered.HasField("next_attempt_time")
    assert rendered.final_time.seconds == int(NOW.timestamp())
    assert rendered.data_center == "eu-1"
    assert [(each.number, each.in_doubt, each.data_center) for each in rendered.attempts] == [
        (1, False, "eu-1"),
        (2, True, ""),
    ]
    assert rendered.attempts[0].trace.steps[0].peer == "192.0.2.10:587"
    assert not rendered.attempts[1].HasField("end_time")
    assert not rendered.attempts[1].HasField("trace")


@pytest.mark.parametrize("state", list(DeliveryState))
def test_given_each_state_when_rendered_then_it_has_its_own_number(state: DeliveryState) -> None:
    rendered = render_delivery(a_delivery_view(state=state))

    assert pb.DeliveryState.Name(rendered.state) == f"DELIVERY_STATE_{state}"


@pytest.mark.parametrize("state", list(RecipientState))
def test_given_each_recipient_state_when_rendered_then_it_has_its_own_number(state: RecipientState) -> None:
    rendered = render_delivery(a_delivery_view(recipients=(Recipient(JANE, state),)))

    assert pb.RecipientState.Name(rendered.recipients[0].state) == f"RECIPIENT_STATE_{state}"


@pytest.mark.parametrize("kind", list(FailureKind))
@pytest.mark.parametrize("stage", list(Stage))
def test_given_each_kind_and_stage_when_rendered_then_they_have_their_own_numbers(
    kind: FailureKind, stage: Stage
) -> None:
    rendered = render_failure(a_failure(kind=kind, stage=stage))

    assert failure_pb2.FailureKind.Name(rendered.kind) == f"FAILURE_KIND_{kind}"
    assert failure_pb2.FailureStage.Name(rendered.stage) == f"FAILURE_STAGE_{stage}"


def test_given_a_fix_of_several_fields_when_rendered_then_each_has_the_apis_value() -> None:
    fix = Fix("settings.smtp.port", "465", also=(Fix("settings.smtp.security", ConnectionSecurity.IMPLICIT_TLS),))
    emptied = Fix("settings.oauth.directory_tenant", "common", also=(Fix("settings.oauth.token_endpoint", ""),))

    first, second = render_failure(replace(a_failure(), fixes=(fix, emptied))).fixes

    (also,) = first.also
    assert (also.field, also.value) == ("settings.smtp.security", "CONNECTION_SECURITY_IMPLICIT_TLS")
    assert [each.value for each in second.also] == [""]


@pytest.mark.parametrize(
    ("fix", "value"),
    [
        *((Fix("settings.smtp.minimum_tls_version", version), f"TLS_VERSION_{version[4:]}") for version in TlsVersion),
        *((Fix("settings.smtp.security", mode), f"CONNECTION_SECURITY_{mode}") for mode in ConnectionSecurity),
        *((Fix("settings.data_center_policy", p), f"DATA_CENTER_POLICY_{p}") for p in DataCenterPolicy),
        (Fix("settings.smtp.port", "465"), "465"),
    ],
)
def test_given_a_fix_when_rendered_then_its_value_is_one_that_the_field_takes(fix: Fix, value: str) -> None:
    rendered = render_failure(replace(a_failure(), fixes=(fix,)))

    assert (rendered.fixes[0].field, rendered.fixes[0].value) == (fix.field, value)
    if not value.isdigit():
        smtp = fix.field.startswith("settings.smtp.")
        settings = configuration_pb2.SmtpTransport() if smtp else configuration_pb2.Settings()
        json_format.ParseDict({fix.field.rpartition(".")[2]: value}, settings)
        assert settings.ListFields()


def test_given_attempts_above_what_a_client_takes_when_rendered_then_the_oldest_give_way_f43() -> None:
    trace = a_trace(steps=300, reply="x" * 512)
    view = a_delivery_view(*(an_attempt(number, trace=trace) for number in range(1, 51)))

    rendered = render_delivery(view)

    numbers = [each.number for each in rendered.attempts]
    assert rendered.ByteSize() <= LARGEST_ANSWER_BYTES
    assert numbers == list(range(51 - len(numbers), 51))
    assert 0 < len(numbers) < 50


def test_given_half_a_surrogate_pair_in_a_peers_words_when_rendered_then_it_is_replaced() -> None:
    failure = a_failure(provider_reply="bad \ud800 text", cause="\udfff", remedy="\udc80")
    trace = a_trace(steps=3, reply="\ud800", detail="\udcff")

    assert render_failure(failure).provider_reply == "bad ? text"
    assert render_trace(trace).steps[2].reply == "?"


def test_given_a_recipients_reply_that_is_no_unicode_when_rendered_then_the_delivery_is_shown() -> None:
    view = a_delivery_view(recipients=(replace(Recipient(JANE), reply="\udcff"),))

    assert render_delivery(view).recipients[0].provider_reply == "?"


@given(st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)))
def test_given_a_span_when_rendered_then_protobuf_reads_the_same(span: timedelta) -> None:
    assert duration(span).ToTimedelta() == span
