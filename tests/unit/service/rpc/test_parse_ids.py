"""Ids are let through to be looked up, as far as anything could be found under them."""

from __future__ import annotations

import pytest

from domain.errors import InputInvalid
from domain.reasons import Reason
from service.rpc.parse import parse_id, parse_optional_id


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.FIELD_REQUIRED),
        ("a\0b", Reason.CONTROL_CHARACTER),
        ("a\n", Reason.CONTROL_CHARACTER),
        ("x" * 256, Reason.VALUE_TOO_LONG),
    ],
)
def test_given_an_id_that_nothing_can_have_when_parsed_then_its_field_is_named(text: str, reason: Reason) -> None:
    with pytest.raises(InputInvalid) as refused:
        parse_id(text, field="delivery_id")

    (violation,) = refused.value.violations
    assert (violation.field, violation.reason) == ("delivery_id", reason)


@pytest.mark.parametrize("text", ["alerts", "No Such Id!", "é", "x" * 255])
def test_given_any_other_id_when_parsed_then_it_is_looked_up_as_it_is(text: str) -> None:
    assert parse_id(text, field="configuration_id") == text


def test_given_no_id_where_none_is_needed_when_parsed_then_it_is_empty() -> None:
    assert parse_optional_id("", field="configuration_id") == ""
