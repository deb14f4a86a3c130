"""Every row of the catalogue exactly, and how well the rule does on answers that it was not made for."""

from __future__ import annotations

import sys

import pytest

from domain.failures.explain import explain_fully
from domain.failures.reading import read_answer
from tests.unit.domain.failures.rows import Row, catalogue_rows, further_rows


@pytest.mark.parametrize("row", catalogue_rows(), ids=lambda row: row.name)
def test_given_a_row_of_the_catalogue_when_explained_then_reason_and_kind_are_exact(row: Row) -> None:
    explanation = row.explained()

    assert (explanation.failure.reason, explanation.failure.kind) == (row.reason, row.kind)
    assert explanation.failure.stage is row.stage


@pytest.mark.parametrize("rows", [catalogue_rows(), further_rows()], ids=["catalogue", "further"])
def test_given_real_answers_with_their_surroundings_when_explained_then_kind_and_reason_are_right(
    rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    told = [(row, row.explained().failure) for row in rows]

    kinds = sum(failure.kind == row.kind for row, failure in told) / len(told)
    reasons = sum(failure.reason == row.reason for row, failure in told) / len(told)

    with capsys.disabled():
        sys.stdout.write(f"\n{len(told)} answers: kind {kinds:.1%}, reason {reasons:.1%}\n")
    assert len(told) >= 130
    assert kinds >= 0.97
    assert reasons >= 0.95


@pytest.mark.parametrize("rows", [catalogue_rows(), further_rows()], ids=["catalogue", "further"])
def test_given_real_answers_alone_when_explained_then_what_is_missing_is_guessed_well(
    rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    told = [(row, explain_fully(read_answer(row.answer)).failure) for row in rows]

    kinds = sum(failure.kind == row.kind for row, failure in told) / len(told)
    reasons = sum(failure.reason == row.reason for row, failure in told) / len(told)

    with capsys.disabled():
        sys.stdout.write(f"\n{len(told)} bare answers: kind {kinds:.1%}, reason {reasons:.1%}\n")
    assert kinds >= 0.96
    assert reasons >= 0.93
