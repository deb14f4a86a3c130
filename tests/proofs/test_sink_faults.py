"""T3: every fault of a mail server at every step, through the whole product, and what rule 9 owes the mail then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from mailport.v1 import delivery_pb2, failure_pb2
from tests.peers.ca import TestCA
from tests.proofs.fault_cases import CASES, EVERY_CASE, REJECTED, Case
from tests.proofs.fault_runs import SIDE_BY_SIDE, Outcome, play_all

FEWEST = 70
"""What T3 asks for."""


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: str,
    _template: str,
    ca: TestCA,
) -> Mapping[str, Outcome | Exception]:
    """What became of the cases that tests were chosen for; all are played here, side by side."""
    chosen: dict[str, Case] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.path == request.path and hasattr(item, "callspec"):
            case = item.callspec.params["case"]
            assert isinstance(case, Case)
            chosen[case.name] = case
    name = "sink_faults"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        statement = sql.SQL("create database {} template {} strategy file_copy")
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(_template)))
    folder = tmp_path_factory.mktemp(name)
    return asyncio.run(play_all(list(chosen.values()), folder, make_conninfo(postgres_server, dbname=name), ca))


@pytest.fixture
def outcome(case: Case, outcomes: Mapping[str, Outcome | Exception]) -> Outcome:
    found = outcomes[case.name]
    if isinstance(found, Exception):
        raise found
    return found


def state_of(delivery: delivery_pb2.Delivery) -> str:
    return delivery_pb2.DeliveryState.Name(delivery.state).removeprefix("DELIVERY_STATE_")


def recipients_of(delivery: delivery_pb2.Delivery) -> tuple[str, ...]:
    names = (delivery_pb2.RecipientState.Name(each.state) for each in delivery.recipients)
    return tuple(name.removeprefix("RECIPIENT_STATE_") for name in names)


def kind_and_stage(failure: failure_pb2.Failure) -> tuple[str, str]:
    kind, stage = failure_pb2.FailureKind.Name(failure.kind), failure_pb2.FailureStage.Name(failure.stage)
    return kind.removeprefix("FAILURE_KIND_"), stage.removeprefix("FAILURE_STAGE_")


every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
def test_given_a_fault_at_a_step_when_attempted_then_the_mail_stands_where_rule_9_puts_it(
    case: Case, outcome: Outcome
) -> None:
    expected, first = case.expected, outcome.first

    assert state_of(first) == expected.state, first
    assert recipients_of(first) == expected.recipients
    assert outcome.doubts == expected.doubts
    assert [each.in_doubt for each in first.attempts] == [bool(expected.doubts)]
    assert first.HasField("final_time") == (expected.pause is None)
    failures = [kind_and_stage(each.failure) for each in (first, first.attempts[0]) if each.HasField("failure")]
    assert failures == ([(expected.kind, expected.stage)] * 2 if expected.kind else [])


@every_case
def test_given_a_fault_when_attempted_then_the_sink_has_what_it_may_deliver_and_content_left_only_past_the_mark(
    case: Case, outcome: Outcome
) -> None:
    states = recipients_of(outcome.first)

    counts = tuple(outcome.copies.values())

    taken = tuple(0 if state in ("PENDING", "REJECTED") else case.expected.copies for state in states)
    assert counts == taken
    assert outcome.has_content_left == case.lets_content_leave


@every_case
def test_given_a_fault_when_attempted_then_the_next_attempt_is_neither_too_soon_nor_too_late(
    case: Case, outcome: Outcome
) -> None:
    first = outcome.first

    pause = case.expected.pause
    assert first.HasField("next_attempt_time") == (pause is not None)
    if pause is not None:
        waits = first.next_attempt_time.ToDatetime(UTC) - first.attempts[0].end_time.ToDatetime(UTC)
        assert pause[0] <= waits <= pause[1]


@every_case
def test_given_a_fault_that_is_over_when_tried_again_then_the_mail_ends_well_and_copies_stay_below_the_doubts(
    case: Case, outcome: Outcome
) -> None:
    rejected = [state == REJECTED for state in recipients_of(outcome.first)]
    ends = "FAILED" if all(rejected) else "PARTIALLY_SENT" if any(rejected) else "SENT"

    assert state_of(outcome.last) == ends
    assert recipients_of(outcome.last) == tuple("REJECTED" if each else "SENT" for each in rejected)
    for recipient, is_rejected in zip(case.recipients, rejected, strict=True):
        assert (not is_rejected) <= outcome.last_copies[recipient] <= 1 + outcome.last_doubts
        assert not (is_rejected and outcome.last_copies[recipient])
    assert outcome.last_doubts == outcome.doubts
    assert state_of(outcome.following) == "SENT"


def test_given_the_matrix_when_counted_then_it_is_as_large_as_promised(figures: Callable[[str], None]) -> None:
    figures(f"T3: {len(CASES)} of {len(EVERY_CASE)} cases, {SIDE_BY_SIDE} side by side")
    assert len(CASES) >= FEWEST
    assert len({case.name for case in CASES}) == len(CASES)
