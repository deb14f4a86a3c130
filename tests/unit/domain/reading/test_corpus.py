"""Five hundred broken messages: each is read, with what is wrong with it, and with what can be read nevertheless."""

from __future__ import annotations

from collections import defaultdict

import pytest

from domain.reading import read_message
from tests.broken_mail.corpus import CATEGORIES, COUNT, BrokenMessage, broken_messages
from tests.unit.domain.reading.laws import check_any, shown_in


def by_category() -> dict[str, list[BrokenMessage]]:
    sorted_out: dict[str, list[BrokenMessage]] = defaultdict(list)
    for broken in broken_messages():
        sorted_out[broken.category].append(broken)
    return sorted_out


@pytest.mark.parametrize("category", CATEGORIES)
def test_given_a_broken_message_when_read_then_its_defects_are_told_and_the_rest_is_there(category: str) -> None:
    messages = by_category()[category]

    for broken in messages:
        read = check_any(broken.octets)
        assert set(read.defects) == broken.defects, broken.octets[:2000]
        for text in broken.readable:
            assert text in shown_in(read), (text, broken.octets[:2000])

    assert messages


def test_given_the_corpus_when_made_twice_then_it_is_the_same_five_hundred_different_messages() -> None:
    first, second = broken_messages(), broken_messages()

    assert first == second
    assert len({broken.octets for broken in first}) == COUNT


def test_given_the_corpus_when_read_as_one_batch_then_nothing_is_missing() -> None:
    batch = [read_message(broken.octets) for broken in broken_messages()]

    assert len(batch) == COUNT
    assert all(read.parts for read in batch)
