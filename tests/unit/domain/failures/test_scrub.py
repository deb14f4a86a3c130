"""Secrets that a peer repeats are taken out of its words, also where its lines were broken within them."""

from __future__ import annotations

import base64
import quopri
import textwrap
from collections.abc import Callable

import pytest

from domain.failures.scrub import Scrubber, forms_of
from tests.canary import Scanner

SHORT = "4/0A-01234/+5678="
LONG = "eyJ0=" + "AbCdEfGh12_-" * 150 + ".sig/+="


def in_lines(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False))


DISGUISES: dict[str, Callable[[str], str]] = {
    "raw": lambda secret: in_lines(secret, 400),
    "raw at once": lambda secret: secret,
    "narrow": lambda secret: in_lines(secret, 12),
    "base64": lambda secret: base64.encodebytes(secret.encode()).decode(),
    "base64 within": lambda secret: base64.encodebytes(b"Bearer " + secret.encode() + b"\1\1").decode(),
    "hex": lambda secret: in_lines(secret.encode().hex(), 64),
    "quoted-printable": lambda secret: quopri.encodestring(secret.encode()).decode(),
    "quoted-printable within": lambda secret: quopri.encodestring(b"not with token " + secret.encode()).decode(),
}


@pytest.mark.parametrize("secret", [SHORT, LONG])
@pytest.mark.parametrize("disguise", DISGUISES)
def test_given_a_secret_that_lines_are_broken_within_when_cleaned_then_none_of_it_is_left(
    disguise: str, secret: str
) -> None:
    """P15: a line of a reply holds 512 octets, and a token may have thousands."""
    scrubber = Scrubber(forms_of(secret))

    cleaned = scrubber.clean(f"before\n{DISGUISES[disguise](secret)}\nbehind")

    assert Scanner({"secret": secret}).hits(cleaned.encode(), "") == []
    assert cleaned.startswith("before ")
    assert "***" in cleaned
    assert cleaned.endswith("behind")
    assert len(cleaned) < 60


@pytest.mark.parametrize("stale", ["ya29.a0AbCdEf-12345_x", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"])
def test_given_a_token_that_nobody_remembers_when_cleaned_then_its_look_gives_it_away(stale: str) -> None:
    """A server may repeat one that it was shown earlier, and that is still good."""
    assert Scrubber(forms_of(SHORT)).clean(f"the last was {stale}, now {SHORT}") == "the last was ***, now ***"


def test_given_a_short_secret_when_words_make_it_up_together_then_they_stay() -> None:
    assert Scrubber(forms_of("thecat")).clean("the cat sat, thecat sat") == "the cat sat, *** sat"


def test_given_secrets_beside_each_other_when_cleaned_then_what_stands_between_stays() -> None:
    told = f"a {SHORT[:5]}\n{SHORT[5:]} b {SHORT[:9]}\n{SHORT[9:]} c {SHORT}"

    assert Scrubber(forms_of(SHORT)).clean(told) == "a *** b *** c ***"
