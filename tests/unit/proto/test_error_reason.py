"""The reasons of the API are those of the domain, each explained (error_reason.proto)."""

from __future__ import annotations

from domain.reasons import Reason
from mailport.v1 import error_reason_pb2
from tests.unit.proto.comments import read_comments

PREFIX = "ERROR_REASON_"


def declared_values() -> list[str]:
    return [name for name in error_reason_pb2.ErrorReason.keys() if name != f"{PREFIX}UNSPECIFIED"]  # noqa: SIM118


def test_given_the_domains_reasons_when_compared_with_the_api_then_each_is_declared_and_nothing_else() -> None:
    reasons = {f"{PREFIX}{reason.value}" for reason in Reason}

    declared = declared_values()

    assert set(declared) == reasons
    assert len(declared) == len(set(declared))


def test_given_a_reason_when_its_comment_is_read_then_it_tells_remedy_and_sample() -> None:
    comments = read_comments()

    lacking = [
        value
        for value in declared_values()
        for word in (" Remedy: ", " Sample: ")
        if word not in comments[f"mailport.v1.ErrorReason.{value}"]
    ]

    assert lacking == []
