"""The samples on docs/failures.md are answers, never the patterns that recognise them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from domain.failures.catalogue import CATALOGUE, OUTCOME_UNKNOWN, Entry
from mailport.v1 import configuration_pb2
from scripts.failure_samples import first_word, sample_of
from service.cli.fixes import apply_change, split_fix
from tests.unit.domain.failures.rows import catalogue_rows, further_rows

PAGE = Path(__file__).parents[3] / "docs" / "failures.md"
ENTRIES = (*CATALOGUE, OUTCOME_UNKNOWN)
PATTERN = re.compile(
    r"\\[dwsb.]"  # escapes
    r"|\.[*+]|\(\?|\)[?*+]|[)\]]\{\d"  # anything, groups, repetitions
    r"|\w\[[\w-]+\]"  # a class within a word
    r"|\b\d(?:\.\.|xx\b)"  # a class of reply codes
    r"|\d or \d|\w+_\w+ or \w+_\w+"  # alternatives
    r"|\w\|\w"
)


def samples() -> list[str]:
    """Returns the last cell of each of the page's rows, without its backticks."""
    rows = re.findall(r"^\| [A-Z_]+ \|.* \| ([^|]*(?:\\\|[^|]*)*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [row.replace("\\|", "|").strip("`") for row in rows]


def test_given_the_page_when_read_then_no_sample_is_a_pattern() -> None:
    told = samples()

    assert len(told) > 300
    assert [sample for sample in told if PATTERN.search(sample)] == []
    assert "" not in told
    assert told.count("–") < len(told) / 8


@pytest.mark.parametrize(
    "remains",
    ["AADSTS 5007[4689] or 500111", ".+", "5xx", "5..", "504 or 50[02]", "invalid_client(_secret or _id)?", r"5\.7\.3",
     "invalid_scope or invalid_target", "a|b", "AADSTS\\d+", "(?:a)"],
)  # fmt: skip
def test_given_remains_of_a_pattern_when_looked_for_then_they_are_seen(remains: str) -> None:
    assert PATTERN.search(remains)


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("504|50[02]", "504"),
        ("5007[4689]|500111", "50074"),
        ("AADSTS(7000229|700027)", "AADSTS7000229"),
        ("invalid_client(_secret|_id)?", "invalid_client"),
        (r"5\.7\.3", "5.7.3"),
        (r"535 (?:a|b)", "535 a"),
        ("colou?r", "color"),
        (r"(5\.(7\.(0|1)|0\.0))?", ""),
        (".+", None),
        ("5..", None),
        (r"AADSTS\d+", None),
        ("[^a]b", None),
        ("(?=a)b", None),
        ("a{2}", None),
    ],
)
def test_given_a_pattern_when_its_first_word_is_asked_for_then_nothing_in_it_is_open(
    pattern: str, word: str | None
) -> None:
    assert first_word(pattern) == word
    assert word is None or re.fullmatch(pattern, word)


def test_given_every_entry_when_a_sample_is_named_then_it_was_met_or_has_the_marks() -> None:
    met = {row.answer for row in (*catalogue_rows(), *further_rows())}

    unlike = [entry for entry in ENTRIES if (sample := sample_of(entry)) not in met and not _has_marks(entry, sample)]

    assert unlike == []


def _has_marks(entry: Entry, sample: str) -> bool:
    if entry.sample or entry.symptom or not sample:
        return True
    marks = (entry.code, entry.enhanced, entry.error, entry.subcode, entry.text)
    return all(re.search(mark, sample, re.IGNORECASE) for mark in marks)


def test_given_every_fix_on_the_page_when_pasted_then_settings_take_it() -> None:
    told = re.findall(r"`(--apply-fix [^`]*)`", PAGE.read_text(encoding="utf-8"))
    settings = configuration_pb2.Settings(
        smtp=configuration_pb2.SmtpTransport(host="a"),
        oauth=configuration_pb2.OAuthAuthentication(username="a"),
    )
    settings.mailbox.email = "a@b.de"

    for fixes in told:
        words, fixed = shlex.split(fixes), configuration_pb2.Settings()
        fixed.CopyFrom(settings)
        assert set(words[::2]) == {"--apply-fix"}
        for word in words[1::2]:
            apply_change(fixed, split_fix(word))
        assert fixed != settings, fixes

    assert len(told) > 10
