"""A failure leads to its provider's page, whatever was put into its words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.failures.catalogue import CATALOGUE
from domain.failures.help import help_url_of
from tests.builders import a_failure
from tests.unit.domain.failures.rows import Row, catalogue_rows, further_rows

ROWS = [row for row in catalogue_rows() + further_rows() if row.explained().help_url]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_given_an_answer_with_a_page_when_its_failure_is_looked_up_then_that_page_is_found(row: Row) -> None:
    explanation = row.explained()

    assert help_url_of(explanation.failure) == explanation.help_url


def test_given_every_answer_when_looked_up_then_no_page_is_made_up() -> None:
    pages = {entry.help_url for entry in CATALOGUE}
    plain = [row for row in catalogue_rows() + further_rows() if not row.explained().help_url]

    found = {help_url_of(row.explained().failure) for row in plain}

    assert len(ROWS) > 10
    assert found <= pages
    assert len([row for row in plain if help_url_of(row.explained().failure)]) < len(plain) / 20


def test_given_places_in_the_words_when_filled_with_anything_then_the_page_is_found_all_the_same() -> None:
    entry = next(each for each in CATALOGUE if each.help_url and "{" in each.cause)
    filled = entry.cause.format_map({"server": "(.*", "because": " (a\nb)", "reply": ': "c"'})

    failure = replace(a_failure(), reason=entry.reason, cause=filled, remedy=entry.remedy)

    assert help_url_of(failure) == entry.help_url
    assert help_url_of(replace(failure, remedy=f"{entry.remedy} Then call Authorize again.")) == entry.help_url
    assert help_url_of(replace(failure, cause="Another thing.")) == ""
    assert help_url_of(replace(failure, remedy="Another thing.")) == ""
