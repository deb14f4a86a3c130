"""What Explain is asked."""

from __future__ import annotations

import pytest
from hypothesis import given

from domain.errors import InputInvalid
from domain.failures.evidence import Surface
from domain.failures.failure import Stage
from domain.providers import PROVIDERS, ProviderPreset
from domain.reasons import Reason
from mailport.v1 import failure_pb2
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.parse import parse_question
from service.usecases.explain import Question
from tests.unit.service.rpc.protobuf_messages import messages


@given(messages(pb.ExplainRequest))
def test_given_any_request_when_parsed_then_nothing_but_input_invalid_is_raised(request: pb.ExplainRequest) -> None:
    fields: list[str] = []
    try:
        parse_question(request)
    except InputInvalid as refused:
        fields = [violation.field for violation in refused.violations]

    assert set(fields) <= {"text", "provider", "http_status", "surface", "stage"}


def test_given_everything_when_parsed_then_each_arrives() -> None:
    request = pb.ExplainRequest(
        text="535 no",
        surface=pb.SURFACE_OAUTH_TOKEN,
        provider=" Google ",
        stage=failure_pb2.FAILURE_STAGE_MAIL_FROM,
        http_status=401,
    )

    assert parse_question(request) == Question(
        text="535 no", surface=Surface.OAUTH_TOKEN, provider="google", stage=Stage.MAIL_FROM, http_status=401
    )


@pytest.mark.parametrize("number", [each for each in pb.Surface.values() if each])
def test_given_any_surface_of_the_api_when_parsed_then_the_domain_has_it(number: int) -> None:
    assert parse_question(pb.ExplainRequest(text="x", surface=number)).surface is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "field", "reason"),
    [
        (pb.ExplainRequest(), "text", Reason.FIELD_REQUIRED),
        (pb.ExplainRequest(text="\n \t"), "text", Reason.FIELD_REQUIRED),
        (pb.ExplainRequest(text="é" * 16_385), "text", Reason.VALUE_TOO_LONG),
        (pb.ExplainRequest(text="x", provider="p" * 64), "provider", Reason.VALUE_TOO_LONG),
        (pb.ExplainRequest(text="x", provider="nobody"), "provider", Reason.VALUE_MALFORMED),
        (pb.ExplainRequest(text="x", http_status=-1), "http_status", Reason.VALUE_OUT_OF_RANGE),
        (pb.ExplainRequest(text="x", http_status=99), "http_status", Reason.VALUE_OUT_OF_RANGE),
        (pb.ExplainRequest(text="x", http_status=600), "http_status", Reason.VALUE_OUT_OF_RANGE),
        (pb.ExplainRequest(text="x", surface=77), "surface", Reason.VALUE_MALFORMED),  # type: ignore[arg-type]
        (pb.ExplainRequest(text="x", stage=77), "stage", Reason.VALUE_MALFORMED),  # type: ignore[arg-type]
    ],
)
def test_given_a_wrong_field_when_parsed_then_it_is_named(
    request_: pb.ExplainRequest, field: str, reason: Reason
) -> None:
    with pytest.raises(InputInvalid) as refused:
        parse_question(request_)

    assert [(each.field, each.reason) for each in refused.value.violations] == [(field, reason)]


def test_given_the_longest_text_when_parsed_then_it_is_taken() -> None:
    assert len(parse_question(pb.ExplainRequest(text="x" * 32_768)).text) == 32_768


@pytest.mark.parametrize("preset", PROVIDERS, ids=lambda preset: preset.provider_id)
def test_given_any_provider_of_get_options_when_parsed_then_it_is_taken(preset: ProviderPreset) -> None:
    question = parse_question(pb.ExplainRequest(text="x", provider=preset.provider_id.upper()))

    assert question.provider == preset.provider_id


def test_given_an_unknown_provider_when_parsed_then_the_known_ones_are_named() -> None:
    with pytest.raises(InputInvalid) as refused:
        parse_question(pb.ExplainRequest(text="x", provider="nobody"))

    (violation,) = refused.value.violations
    assert all(preset.provider_id in violation.remedy for preset in PROVIDERS)
