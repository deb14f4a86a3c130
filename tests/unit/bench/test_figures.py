"""The arithmetic of the bench, and the page that it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.contest import Contestant, Run, ratio
from tests.bench.measure import number, percentile, spread
from tests.bench.plan import SIZE_BYTES, TEXT
from tests.bench.table import Section, write_page


async def never(count: int) -> Run:
    raise AssertionError(count)


def a_contestant(*seconds: float) -> Contestant:
    return Contestant("one", never, 100, runs=[Run(100, each) for each in seconds])


def a_section(title: str, figure: str) -> Section:
    return Section(title, "About it.", ("", "figure"), [["one", figure]], ["A note."])


def test_given_samples_when_summed_up_then_the_median_comes_with_its_spread() -> None:
    found = spread([3, 1, 1_234.4, 2, 4])

    assert (found.median, found.lowest, found.highest) == (3, 1, 1_234.4)
    assert str(found) == "3.00 (1.00–1,234)"


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_given_a_hundred_samples_when_asked_for_a_percentile_then_returns_the_nearest_rank(
    percent: float, expected: int
) -> None:
    assert percentile([float(each) for each in range(100, 0, -1)], percent) == expected


@pytest.mark.parametrize("summary", [spread, lambda samples: percentile(samples, 50)])
def test_given_no_samples_when_summed_up_then_says_so(summary: type[ValueError]) -> None:
    with pytest.raises(ValueError, match="no"):
        summary([])


@pytest.mark.parametrize(("value", "text"), [(0.256, "0.26"), (12.34, "12.3"), (123.4, "123"), (12_345.6, "12,346")])
def test_given_a_figure_when_written_then_three_digits_count(value: float, text: str) -> None:
    assert number(value) == text


def test_given_a_machine_that_slowed_down_when_compared_then_each_round_is_compared_with_its_own() -> None:
    assert ratio(a_contestant(1, 2, 10), a_contestant(2, 4, 20)) == 2


def test_given_an_older_page_when_a_part_is_written_then_the_other_sections_stay(tmp_path: Path) -> None:
    page = tmp_path / "bench.md"
    write_page(page, head="# Bench\n\nOld.\n", sections=[a_section("Send", "1"), a_section("Claim", "2")])

    write_page(page, head="# Bench\n\nNew.\n", sections=[a_section("Claim", "3")])

    written = page.read_text()
    assert written.startswith(
        "# Bench\n\nNew.\n\n## Claim\n\nAbout it.\n\n|  | figure |\n| --- | ---: |\n| one | 3 |\n"
    )
    assert written.count("## Claim") == 1
    assert "## Send" in written
    assert "| one | 1 |" in written
    assert "Old." not in written


def test_given_the_text_of_each_mail_when_measured_then_it_has_the_size_that_the_tables_name() -> None:
    assert len(TEXT) == SIZE_BYTES
    assert TEXT.isascii()
