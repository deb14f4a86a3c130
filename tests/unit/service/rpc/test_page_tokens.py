"""Page tokens: read back by their own list alone."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.delivery import DeliveryState
from domain.errors import InputInvalid, NotReady
from domain.ports.deliveries import DeliveryFilter, DeliveryPosition
from domain.reasons import Reason
from service.rpc.page_tokens import (
    change_cursor,
    configurations_token,
    deliveries_token,
    read_change_cursor,
    read_configurations_token,
    read_deliveries_token,
)

ANY = DeliveryFilter()
POSITION = DeliveryPosition(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), "0190f3c2-7b3a-7cc1-8f00-000000000001")
SENT = DeliveryFilter(
    configuration_id="alerts",
    states=frozenset({DeliveryState.SENT, DeliveryState.FAILED}),
    created_from=datetime(2026, 1, 1, tzinfo=UTC),
)


def forged(**members: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode()


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True))
def test_given_a_configurations_token_when_read_then_it_is_what_was_written(configuration_id: str) -> None:
    assert read_configurations_token(configurations_token(configuration_id)) == configuration_id


@given(
    time=st.datetimes(timezones=st.just(UTC)),
    delivery_id=st.uuids().map(str),
    states=st.frozensets(st.sampled_from(DeliveryState)),
)
def test_given_a_deliveries_token_when_read_with_its_filter_then_it_is_what_was_written(
    time: datetime, delivery_id: str, states: frozenset[DeliveryState]
) -> None:
    position, where = DeliveryPosition(time, delivery_id), DeliveryFilter(states=states)

    assert read_deliveries_token(deliveries_token(position, where), where) == position


def test_given_no_token_when_read_then_it_is_the_first_page() -> None:
    assert read_configurations_token("") == ""
    assert read_deliveries_token("", SENT) is None


@given(
    st.text(st.characters(codec="utf-8"), min_size=1)
    | st.binary(min_size=1).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_given_any_text_when_read_then_it_is_refused_as_a_page_token(token: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        read_configurations_token(token)
    with pytest.raises(InputInvalid):
        read_deliveries_token(token, ANY)

    (violation,) = refused.value.violations
    assert (violation.field, violation.reason) == ("page_token", Reason.PAGE_TOKEN_INVALID)


@pytest.mark.parametrize(
    "other",
    [
        ANY,
        DeliveryFilter(configuration_id="reports", states=SENT.states, created_from=SENT.created_from),
        DeliveryFilter(configuration_id="alerts", states=SENT.states),
        DeliveryFilter(configuration_id="alerts", states=SENT.states, created_before=SENT.created_from),
        DeliveryFilter(
            configuration_id="alerts", states=frozenset({DeliveryState.SENT}), created_from=SENT.created_from
        ),
    ],
)
def test_given_a_token_when_the_filters_changed_then_it_is_refused(other: DeliveryFilter) -> None:
    with pytest.raises(InputInvalid):
        read_deliveries_token(deliveries_token(POSITION, SENT), other)


def test_given_a_token_when_the_same_instants_come_in_another_zone_then_it_is_taken() -> None:
    elsewhere = DeliveryFilter(
        configuration_id="alerts",
        states=SENT.states,
        created_from=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    )

    assert read_deliveries_token(deliveries_token(POSITION, SENT), elsewhere) == POSITION


def test_given_a_token_of_the_other_list_when_read_then_it_is_refused() -> None:
    with pytest.raises(InputInvalid):
        read_configurations_token(deliveries_token(POSITION, ANY))
    with pytest.raises(InputInvalid):
        read_deliveries_token(configurations_token("alerts"), ANY)


@pytest.mark.parametrize(
    "token",
    [
        forged(v=2, k="configurations", q="", p=["a"]),
        forged(v=1, k="configurations", q="", p=[]),
        forged(v=1, k="configurations", q="", p=["a", "b"]),
        forged(v=1, k="configurations", q="", p=[7]),
        forged(v=1, k="configurations", q="", p=["a\0b"]),
        forged(v=1, k="configurations", q="", p=["\ud800"]),
        base64.urlsafe_b64encode(b"[" * 760).decode(),
        "A" * 2000,
    ],
)
def test_given_a_forged_token_when_read_then_it_is_refused(token: str) -> None:
    with pytest.raises(InputInvalid):
        read_configurations_token(token)


@pytest.mark.parametrize(
    "position",
    [
        ["2026-01-02T03:04:05", POSITION.delivery_id],
        ["yesterday", POSITION.delivery_id],
        ["0001-01-01T00:00:00+14:00", POSITION.delivery_id],
        ["2026-01-02T03:04:05+00:00", "not one of ours"],
        ["2026-01-02T03:04:05+00:00", POSITION.delivery_id.upper()],
    ],
)
def test_given_a_forged_position_when_read_then_it_is_refused(position: list[str]) -> None:
    written = json.loads(base64.urlsafe_b64decode(deliveries_token(POSITION, ANY) + "=="))

    with pytest.raises(InputInvalid):
        read_deliveries_token(forged(**written | {"p": position}), ANY)


@given(number=st.integers(0, 2**59), tenant=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_given_a_cursor_when_read_by_its_tenant_then_it_is_what_was_written(number: int, tenant: str) -> None:
    assert read_change_cursor(change_cursor(number, tenant), tenant) == number


def test_given_no_cursor_when_read_then_a_watch_begins_now() -> None:
    assert read_change_cursor("", "acme") is None


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "é",
        "x" * 2000,
        change_cursor(7, "globex"),
        configurations_token("alerts"),
        forged(v=1, k="changes", q="", p=["7"]),
        *(
            forged(v=1, k="changes", q=hashlib.sha256(b"acme").hexdigest()[:32], p=[number])
            for number in ("-1", "1.5", "٣", "x", "9" * 19)
        ),
    ],
)
def test_given_what_is_no_cursor_of_the_tenant_when_read_then_is_refused_as_one_that_is_not_kept(cursor: str) -> None:
    with pytest.raises(NotReady) as refused:
        read_change_cursor(cursor, "acme")

    assert refused.value.reason is Reason.CURSOR_INVALID
