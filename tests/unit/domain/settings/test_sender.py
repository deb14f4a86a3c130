"""Sender, further senders and data center."""

from __future__ import annotations

from typing import Any

import pytest

from domain.reasons import Reason
from domain.settings.model import DataCenterPolicy
from domain.settings.written import WrittenGraph
from tests.unit.domain.settings.samples import basic, gmail, graph, parse, refusals, smtp, violations, warnings, written


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"from_address": ""}, "settings.from_address", Reason.FIELD_REQUIRED),
        ({"from_address": '"Team" <team@example.com>'}, "settings.from_address", Reason.ADDRESS_INVALID),
        ({"from_address": "team@example.com "}, "settings.from_address", Reason.ADDRESS_INVALID),
        ({"from_name": "Bob\nX-A: 1"}, "settings.from_name", Reason.CONTROL_CHARACTER),
        ({"from_name": "Bob\u2028"}, "settings.from_name", Reason.CONTROL_CHARACTER),
        ({"from_name": "x" * 321}, "settings.from_name", Reason.VALUE_TOO_LONG),
        ({"allowed_from": ("a@example.com", "b")}, "settings.allowed_from[1]", Reason.ADDRESS_INVALID),
        ({"allowed_from": ("",)}, "settings.allowed_from[0]", Reason.FIELD_REQUIRED),
        ({"allowed_from": ("a@example.com",) * 101}, "settings.allowed_from", Reason.VALUE_OUT_OF_RANGE),
        ({"data_center": "moon-1"}, "settings.data_center", Reason.DATA_CENTER_UNKNOWN),
        ({"data_center_policy": "ALWAYS"}, "settings.data_center_policy", Reason.VALUE_MALFORMED),
        ({"data_center_policy": "STRICT"}, "settings.data_center", Reason.FIELD_REQUIRED),
    ],
)
def test_given_one_wrong_value_when_parsing_then_it_alone_is_named(
    change: dict[str, Any], field: str, reason: Reason
) -> None:
    assert refusals(written(**change)) == {(field, reason)}


@pytest.mark.parametrize(
    "name", ["", "Doe, Jane", "Support (Billing)", 'Bob "Bobby" O\'Neil', "Müller, Jörg", "x" * 320]
)
def test_given_a_name_with_special_characters_when_parsing_then_it_is_kept_as_it_is_f01(name: str) -> None:
    assert parse(written(from_name=name)).settings.from_name == name


def test_given_an_unknown_data_center_when_refused_then_the_known_ones_are_listed() -> None:
    (violation,) = violations(written(data_center="moon-1"))

    assert "eu-1, us-1" in violation.remedy


def test_given_a_known_data_center_when_parsing_then_it_is_taken_and_preferred() -> None:
    settings = parse(written(data_center="eu-1")).settings

    assert (settings.data_center, settings.data_center_policy) == ("eu-1", DataCenterPolicy.PREFERRED)


def test_given_a_strict_data_center_when_parsing_then_the_policy_is_kept() -> None:
    settings = parse(written(data_center="us-1", data_center_policy="STRICT")).settings

    assert settings.data_center_policy is DataCenterPolicy.STRICT


def test_given_the_same_sender_twice_when_parsing_then_it_is_allowed_once() -> None:
    settings = parse(written(allowed_from=("a@Example.com", "b@example.com", "a@example.com"))).settings

    assert [str(address) for address in settings.allowed_from] == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize(
    ("change", "warned"),
    [
        ({"from_address": "sales@example.com"}, True),
        ({"from_address": "ALERTS@example.com"}, False),
        ({"from_address": "sales@example.com", "allowed_from": ("news@example.com",)}, False),
        ({"from_address": "sales@example.com", "authentication": basic(username="alerts")}, False),
        ({"from_address": "sales@example.com", "authentication": None}, False),
        ({"from_address": "sales@example.com", "transport": smtp(host="smtp.mailgun.org")}, False),
    ],
)
def test_given_another_sender_than_the_account_when_parsing_then_it_is_a_warning(
    change: dict[str, Any], warned: bool
) -> None:
    found = warnings(written(**change))

    assert (("settings.from_address", Reason.FROM_ADDRESS_NOT_ACCOUNT) in found) is warned


def test_given_oauth_and_another_sender_when_parsing_then_it_is_a_warning() -> None:
    found = warnings(gmail(from_address="sales@example.com"))

    assert found == {("settings.from_address", Reason.FROM_ADDRESS_NOT_ACCOUNT)}


def test_given_a_shared_mailbox_as_sender_when_parsing_then_nothing_is_said() -> None:
    settings = graph(from_address="sales@example.com", transport=WrittenGraph(mailbox="sales@example.com"))

    assert warnings(settings) == set()
