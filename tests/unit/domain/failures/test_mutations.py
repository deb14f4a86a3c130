"""The same refusal, worded, folded and numbered otherwise, keeps its reason."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.failures.evidence import Surface
from tests.unit.domain.failures.rows import Row, catalogue_rows

ROWS = catalogue_rows()
_REPLY = re.compile(r"^(\d{3})[ -]?(\d\.\d{1,3}\.\d{1,3})?\s*(.*)$")
_WORDED = frozenset({Surface.SMTP, Surface.IMAP, Surface.TLS, Surface.DNS, Surface.CONNECT})

Mutation = Callable[[Row, random.Random], str]


def _other_ids(row: Row, chance: random.Random) -> str:
    """Changes queue ids, host numbers, GUIDs and times; words with fewer than two digits stay."""
    if "334 " in row.answer:
        return row.answer

    def other(found: re.Match[str]) -> str:
        return "".join(chance.choice("0123456789") if letter.isdigit() else letter for letter in found[0])

    words = re.compile(
        r"\[[A-Z0-9]{8,}[^\]]*\]|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b(?=[a-z0-9-]*[a-z][a-z0-9-]*\d)[a-z0-9-]{12,}\b"
    )
    return words.sub(other, row.answer)


def _other_case(row: Row, chance: random.Random) -> str:
    if row.surface not in _WORDED or "334 " in row.answer:
        return row.answer
    if row.surface is Surface.IMAP:
        head, text = re.match(r"^(\S+ (?:NO|BAD|BYE)\b(?: \[[^\]]*\])?)(.*)$", row.answer, re.DOTALL).groups()  # type: ignore[union-attr]
        return head + chance.choice((text.upper, text.lower))() if "\n" not in row.answer else row.answer
    return chance.choice((row.answer.upper, row.answer.lower))()


def _folded(row: Row, chance: random.Random) -> str:
    """Breaks a reply into several lines at any blank, or makes one line of several."""
    if row.surface is not Surface.SMTP or "334 " in row.answer:
        return row.answer
    lines = [found for line in row.answer.splitlines() if (found := _REPLY.match(line))]
    if not lines:
        return row.answer
    code, enhanced = lines[0][1], lines[0][2]
    words = " ".join(line[3] for line in lines).split()
    prefix = f"{enhanced} " if enhanced else ""
    if chance.random() < 0.5 or len(words) < 2:
        return f"{code} {prefix}{' '.join(words)}"
    cut = chance.randrange(1, len(words))
    end = chance.choice(("\r\n", "\n", "\\r\\n"))
    return f"{code}-{prefix}{' '.join(words[:cut])}{end}{code} {prefix}{' '.join(words[cut:])}"


def _more_lines(row: Row, chance: random.Random) -> str:
    if row.surface is Surface.SMTP:
        before = chance.choice(("", "\n\n", "S: 220 mx.example.com ESMTP ready\n", "Error sending mail:\n", "  "))
        after = chance.choice(("", "\n", "\n221 2.0.0 Bye", "\r\n"))
        return f"{before}{row.answer}{after}"
    if row.answer.startswith("{"):
        return (
            chance.choice(("HTTP/1.1 {} X\ncontent-type: application/json\n\n", "body: ", "")).format(
                row.http_status or 400
            )
            + row.answer
        )
    return chance.choice(("", "\n", "  ")) + row.answer + chance.choice(("", "\n", "  "))


def _without_enhanced(row: Row, chance: random.Random) -> str:
    if row.surface is not Surface.SMTP:
        return row.answer
    return "\n".join(
        f"{found[1]} {found[3]}" if (found := _REPLY.match(line)) else line for line in row.answer.splitlines()
    )


def _other_json(row: Row, chance: random.Random) -> str:
    try:
        fields = json.loads(row.answer)
    except ValueError:
        return row.answer
    shuffled = list(fields.items())
    chance.shuffle(shuffled)
    return json.dumps(dict(shuffled), indent=chance.choice((None, 2)), ensure_ascii=chance.random() < 0.5)


MUTATIONS: tuple[Mutation, ...] = (_other_ids, _other_case, _folded, _more_lines, _without_enhanced, _other_json)


@given(st.integers(min_value=0, max_value=2**32), st.sets(st.sampled_from(MUTATIONS), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_given_every_row_mutated_when_explained_then_the_reason_stays_in_99_of_100(
    seed: int, mutations: set[Mutation]
) -> None:
    chance, lost = random.Random(seed), []
    for row in ROWS:
        answer = row.answer
        for mutate in sorted(mutations, key=MUTATIONS.index):
            answer = mutate(replace(row, answer=answer), chance)
        if row.explained(answer).failure.reason != row.reason:
            lost.append((row.name, answer, row.explained(answer).failure.reason))

    assert len(lost) <= len(ROWS) / 100, lost
