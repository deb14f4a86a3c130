from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.scrub import Scrubber
from domain.secret import Secret
from domain.settings.model import BasicAuthentication

PASSWORD = "p&ss wörd/+?s3cr3t!"
SCRUBBER = Scrubber(BasicAuthentication(username="robot@example.com", password=Secret(PASSWORD)))
FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "upper case": str.upper,
    "json": lambda text: json.dumps(text)[1:-1],
    "percent": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "html": escape,
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 url": lambda text: urlsafe_b64encode(text.encode()).decode(),
    "plain": lambda text: b64encode(f"\0robot@example.com\0{text}".encode()).decode(),
    "basic": lambda text: b64encode(f"robot@example.com:{text}".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_given_a_secret_in_a_usual_form_when_cleaned_then_it_is_masked(form: str) -> None:
    """F41."""
    planted = FORMS[form](PASSWORD)

    cleaned = SCRUBBER.clean(f"535 you said {planted}, did you?")

    assert cleaned == "535 you said ***, did you?"


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("after", ["", "z", "zz"])
def test_given_a_secret_inside_of_other_base64_when_cleaned_then_its_own_part_is_masked(
    before: str, after: str
) -> None:
    blob = b64encode(f"{before}{PASSWORD}{after}".encode()).decode()

    assert "***" in SCRUBBER.clean(blob)


@pytest.mark.parametrize("cut", ["\x00", "\x07", "\u200b", "\u202e", "\ufeff", "\x1b"])
def test_given_a_secret_cut_by_what_does_not_show_when_cleaned_then_it_is_masked(cut: str) -> None:
    assert SCRUBBER.clean(f"a {PASSWORD[:6]}{cut}{PASSWORD[6:]} b") == "a *** b"


@given(st.text())
def test_given_any_text_when_cleaned_then_it_prints_and_holds_no_line_break(text: str) -> None:
    cleaned = SCRUBBER.clean(text)

    assert cleaned.isprintable() or all(c.isprintable() or c.isspace() for c in cleaned)
    assert not set(cleaned) & set("\r\n\t\x00\u2028")


@given(st.text(), st.text())
def test_given_any_surroundings_when_cleaned_then_the_secret_is_gone(before: str, after: str) -> None:
    assert PASSWORD not in SCRUBBER.clean(before + PASSWORD + after)


def test_given_a_tiny_secret_when_cleaned_then_only_whole_words_are_masked() -> None:
    scrubber = Scrubber(BasicAuthentication(username="u", password=Secret("a")))

    assert scrubber.clean("a bad password a.") == "*** bad password ***."


def test_given_no_secret_when_cleaned_then_the_text_stays() -> None:
    assert Scrubber().clean("550  5.1.1\tunknown ") == "550 5.1.1 unknown"
    assert Scrubber(BasicAuthentication(username="u", password=Secret(""))).clean("as it was") == "as it was"
