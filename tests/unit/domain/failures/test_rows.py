"""Every row of the catalogue exactly, and how well the rule does on answers that it was not made for."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from domain.failures.explain import explain, explain_fully
from domain.failures.failure import FailureKind, Stage
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


KEPT_OUT = [
    row
    for row in catalogue_rows() + further_rows()
    if row.stage is Stage.AUTH
    and row.reason in ("ACCOUNT_LOCKED", "CLIENT_ADDRESS_REFUSED", "SIGN_IN_BLOCKED", "SMTP_AUTH_DISABLED")
]


@pytest.mark.parametrize("with_token", [True, False], ids=["token", "password"])
@pytest.mark.parametrize("row", KEPT_OUT, ids=lambda row: row.name)
def test_given_what_keeps_anybody_out_when_signed_in_then_a_token_is_told_the_same_as_a_password(
    row: Row, with_token: bool
) -> None:
    """No other token and no new consent would help, though servers say it with the code of a refused token."""
    evidence = read_answer(row.answer, surface=row.surface, provider=row.provider, stage=row.stage)

    failure = explain(replace(evidence, with_token=with_token))

    assert (failure.reason, failure.kind) == (row.reason, FailureKind.MISCONFIGURED)
