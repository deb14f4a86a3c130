"""Limits of sending: bounds of what is set, and the provider's where nothing is."""

from __future__ import annotations

import pytest

from domain.host import Host
from domain.limits import AccountLimits
from domain.reasons import Reason
from domain.settings.limits import limits_of
from domain.settings.written import WrittenLimits
from tests.builders import a_graph_transport, an_smtp_transport, some_settings
from tests.unit.domain.settings.samples import parse, refusals, written


def test_given_limits_when_parsing_then_zero_is_left_to_the_provider() -> None:
    limits = parse(written(limits=WrittenLimits(max_connections=2, recipients_per_day=500))).settings.limits

    assert limits == AccountLimits(connections=2, recipients_per_day=500)


@pytest.mark.parametrize("limits", [None, WrittenLimits()])
def test_given_no_limits_when_parsing_then_none_is_set(limits: WrittenLimits | None) -> None:
    assert parse(written(limits=limits)).settings.limits.are_none


def test_given_the_highest_limits_when_parsing_then_they_are_taken() -> None:
    limits = WrittenLimits(
        max_connections=100, messages_per_minute=100_000, messages_per_day=10_000_000, recipients_per_day=10_000_000
    )

    assert parse(written(limits=limits)).settings.limits.messages_per_minute == 100_000


def test_given_limits_out_of_bounds_when_parsing_then_each_is_named_at_once() -> None:
    limits = WrittenLimits(
        max_connections=101, messages_per_minute=-1, messages_per_day=10_000_001, recipients_per_day=-5
    )

    assert refusals(written(from_address="", limits=limits)) == {
        ("settings.from_address", Reason.FIELD_REQUIRED),
        ("settings.limits.max_connections", Reason.VALUE_OUT_OF_RANGE),
        ("settings.limits.messages_per_minute", Reason.VALUE_OUT_OF_RANGE),
        ("settings.limits.messages_per_day", Reason.VALUE_OUT_OF_RANGE),
        ("settings.limits.recipients_per_day", Reason.VALUE_OUT_OF_RANGE),
    }


@pytest.mark.parametrize(
    ("host", "limits"),
    [
        ("smtp.office365.com", AccountLimits(connections=3, messages_per_minute=30, recipients_per_day=10_000)),
        ("smtp.gmail.com", AccountLimits(messages_per_day=500, recipients_per_day=500)),
        ("smtp.mail.me.com", AccountLimits(messages_per_day=1_000)),
        ("smtp.example.com", AccountLimits()),
    ],
)
def test_given_nothing_set_when_asked_then_the_presets_limits_hold(host: str, limits: AccountLimits) -> None:
    assert limits_of(some_settings(transport=an_smtp_transport(host=Host(host)))) == limits


def test_given_some_limits_set_when_asked_then_the_others_are_the_presets() -> None:
    own = AccountLimits(messages_per_day=2_000, recipients_per_day=10_000, messages_per_minute=100)

    settings = some_settings(transport=an_smtp_transport(host=Host("smtp.gmail.com")), limits=own)

    assert limits_of(settings) == own


def test_given_graph_when_asked_then_the_clouds_limits_hold() -> None:
    assert limits_of(some_settings(transport=a_graph_transport())).messages_per_minute == 30
    assert limits_of(some_settings(transport=a_graph_transport(base_url="https://graph.example.com"))) == AccountLimits(
        connections=4
    )


@pytest.mark.parametrize(("set_to", "holds"), [(None, 4), (1, 1), (4, 4), (100, 4)])
def test_given_graph_when_connections_are_set_then_a_mailbox_never_has_more_than_four(
    set_to: int | None, holds: int
) -> None:
    settings = some_settings(transport=a_graph_transport(), limits=AccountLimits(connections=set_to))

    assert limits_of(settings).connections == holds
