"""The judge finds each planted fault, and nothing in a run that is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proofs.history import Arrival, Fate, Submitted, judge

GIVEN = Submitted(key="k", delivery_ids=frozenset({"d"}))
HELD = replace(GIVEN, holds_doubt=True)
UNANSWERED = replace(GIVEN, delivery_ids=frozenset())
COPY = Arrival(
    key="k", message_id="<1@example.com>", digest="abc", sender="a@example.com", recipients=("b@example.com",)
)
SENT = Fate(key="k", delivery_id="d", state="SENT")
DOUBTFUL = replace(SENT, state="IN_DOUBT", doubts=1)
RETRIED = replace(SENT, doubts=1, attempts=2)


@pytest.mark.parametrize(
    ("submitted", "arrivals", "fates"),
    [
        pytest.param([GIVEN], [COPY], [SENT], id="sent"),
        pytest.param([GIVEN], [], [DOUBTFUL], id="in doubt without a copy"),
        pytest.param([GIVEN], [COPY], [DOUBTFUL], id="in doubt with a copy"),
        pytest.param([GIVEN], [COPY, COPY], [RETRIED], id="a second copy that a doubt pays for"),
        pytest.param([GIVEN], [], [replace(SENT, state="FAILED")], id="refused"),
        pytest.param([UNANSWERED], [], [], id="not stored and not answered"),
        pytest.param([UNANSWERED], [COPY], [SENT], id="stored, the answer lost"),
        pytest.param([HELD], [COPY], [DOUBTFUL], id="held"),
    ],
)
def test_given_a_run_that_is_well_when_judged_then_has_no_faults(
    submitted: Sequence[Submitted], arrivals: Sequence[Arrival], fates: Sequence[Fate]
) -> None:
    assert not judge(submitted, arrivals, fates).faults


@pytest.mark.parametrize(
    ("fault", "submitted", "arrivals", "fates"),
    [
        pytest.param("lost", [GIVEN], [], [], id="acknowledged and not there"),
        pytest.param("lost", [GIVEN], [], [SENT], id="said to be sent"),
        pytest.param("lost", [UNANSWERED], [], [SENT], id="said to be sent, the answer lost"),
        pytest.param("unended", [GIVEN], [], [replace(SENT, state="QUEUED")], id="still queued"),
        pytest.param("unended", [GIVEN], [COPY], [replace(SENT, state="SENDING")], id="still under way"),
        pytest.param("unexpected", [], [COPY], [SENT], id="nobody gave it"),
        pytest.param("unexpected", [], [], [SENT], id="stored out of nothing"),
        pytest.param("unexpected", [UNANSWERED], [COPY], [], id="sent without being stored"),
        pytest.param("duplicated", [GIVEN], [COPY, COPY], [SENT], id="two copies, no doubt"),
        pytest.param("duplicated", [GIVEN], [COPY, COPY, COPY], [RETRIED], id="three copies, one doubt"),
        pytest.param("duplicated", [HELD], [COPY, COPY], [RETRIED], id="two copies in spite of HOLD"),
        pytest.param("split", [GIVEN], [COPY], [SENT, replace(SENT, delivery_id="e")], id="two deliveries"),
        pytest.param("split", [replace(GIVEN, delivery_ids=frozenset({"d", "e"}))], [COPY], [SENT], id="told two ids"),
        pytest.param("altered", [GIVEN], [COPY, replace(COPY, digest="x")], [RETRIED], id="another octet"),
        pytest.param("altered", [GIVEN], [COPY, replace(COPY, message_id="x")], [RETRIED], id="another Message-ID"),
        pytest.param("altered", [GIVEN], [COPY, replace(COPY, recipients=())], [RETRIED], id="another envelope"),
        pytest.param("contradicted", [GIVEN], [COPY], [replace(SENT, state="FAILED")], id="failed, and it arrived"),
        pytest.param("contradicted", [GIVEN], [COPY], [replace(SENT, state="CANCELLED")], id="cancelled, and arrived"),
    ],
)
def test_given_a_planted_fault_when_judged_then_is_found_and_nothing_else(
    fault: str, submitted: Sequence[Submitted], arrivals: Sequence[Arrival], fates: Sequence[Fate]
) -> None:
    assert judge(submitted, arrivals, fates).faults == {fault: ("k",)}


@given(st.integers(min_value=1, max_value=30), st.data())
def test_given_one_fault_among_many_messages_that_are_well_when_judged_then_is_the_one_found(
    count: int, data: st.DataObject
) -> None:
    keys = [f"k{number}" for number in range(count)]
    submitted = [Submitted(key=key, delivery_ids=frozenset({key})) for key in keys]
    arrivals = [replace(COPY, key=key) for key in keys]
    fates = [replace(SENT, key=key, delivery_id=key) for key in keys]
    victim = data.draw(st.sampled_from(keys))

    verdict = judge(submitted, [each for each in arrivals if each.key != victim], fates)

    assert verdict.faults == {"lost": (victim,)}


def test_given_doubts_and_recoveries_when_judged_then_are_told_and_are_no_faults() -> None:
    other = replace(GIVEN, key="l", delivery_ids=frozenset({"e"}))
    doubtful = replace(DOUBTFUL, key="l", delivery_id="e")

    verdict = judge([GIVEN, other], [COPY, COPY], [RETRIED, doubtful])

    assert (verdict.faults, verdict.doubts) == ({}, 2)
    assert (verdict.copied, verdict.recovered, verdict.in_doubt) == (("k",), ("k",), ("l",))
