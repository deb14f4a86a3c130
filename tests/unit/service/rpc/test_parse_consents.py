"""A callback as a caller hands it over is let through as it is: the domain judges it."""

from __future__ import annotations

import pytest
from hypothesis import given

from domain.consent_callback import WrittenCallback
from domain.secret import Secret
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.parse import parse_callback
from tests.unit.service.rpc.protobuf_messages import messages

CODE = "4/0AbC+dE%2F!x* "


@pytest.mark.parametrize(
    ("request_", "written"),
    [
        (
            pb.CompleteAuthRequest(state="S1", code=CODE, iss="https://id.example.com"),
            WrittenCallback(state="S1", code=Secret(CODE), iss="https://id.example.com"),
        ),
        (
            pb.CompleteAuthRequest(state="S1", error="access_denied", error_description="No."),
            WrittenCallback(state="S1", error="access_denied", error_description="No."),
        ),
        (
            pb.CompleteAuthRequest(callback_url="https://x.example/?code=a%2Fb&state=S1"),
            WrittenCallback(callback_url=Secret("https://x.example/?code=a%2Fb&state=S1")),
        ),
        (pb.CompleteAuthRequest(), WrittenCallback()),
    ],
    ids=["code", "error", "address", "nothing"],
)
def test_given_a_callback_when_parsed_then_nothing_is_decoded_or_trimmed(
    request_: pb.CompleteAuthRequest, written: WrittenCallback
) -> None:
    assert parse_callback(request_) == written


@given(messages(pb.CompleteAuthRequest))
def test_given_any_callback_when_parsed_then_code_and_address_are_shown_nowhere(
    request_: pb.CompleteAuthRequest,
) -> None:
    parsed = parse_callback(request_)

    assert (parsed.code.reveal(), parsed.callback_url.reveal()) == (request_.code, request_.callback_url)
    assert repr(WrittenCallback(code=Secret("CANARY"), callback_url=Secret("CANARY"))).count("CANARY") == 0
