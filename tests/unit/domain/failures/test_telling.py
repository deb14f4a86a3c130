"""A long log is read where it tells what went wrong, not where it begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.explain import explain
from domain.failures.reading import LONGEST_ANSWER, read_answer
from domain.failures.telling import telling_lines
from domain.reasons import Reason

NOISE = "2026-11-25 10:11:12:451 [main] DEBUG opening pool of 535 threads on 127.0.0.1:587\n" * 1000


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("550 5.1.1 User unknown", Reason.RECIPIENT_UNKNOWN),
        ("S: 535-5.7.8 Username and Password not accepted.", Reason.AUTH_REJECTED),
        ("2026-11-25 10:11:12:451 [main] WARN 550 5.1.1 User unknown", Reason.RECIPIENT_UNKNOWN),
        ("smtplib.SMTPDataError: (550, b'5.1.1 User unknown')", Reason.RECIPIENT_UNKNOWN),
        ("Error: connect ECONNREFUSED 127.0.0.1:587 at TCPConnectWrap.afterConnect", Reason.CONNECTION_REFUSED),
        ("AADSTS50173: the provided grant has expired", Reason.REAUTH_REQUIRED),
    ],
)
def test_given_a_log_longer_than_is_read_when_explained_then_its_refusal_is_found_wherever_it_is(
    line: str, reason: Reason
) -> None:
    assert len(NOISE) > LONGEST_ANSWER

    found = [explain(read_answer(text)).reason for text in (NOISE + line, f"{NOISE}{line}\n{NOISE}")]

    assert found == [reason, reason]


def test_given_a_long_log_with_two_refusals_when_explained_then_the_last_one_counts() -> None:
    text = f"451 4.7.1 Greylisted\n{NOISE}550 5.1.1 User unknown\n{NOISE}"

    assert explain(read_answer(text)).provider_code == "550 5.1.1"


def test_given_a_long_text_of_one_line_or_without_signs_when_read_then_its_beginning_counts() -> None:
    assert explain(read_answer("550 5.1.1 User unknown" + " x" * LONGEST_ANSWER)).provider_code == "550 5.1.1"
    assert telling_lines("a\nb\nc\n" * 10, 6) == "a\nb\nc\n"


@given(st.text(max_size=300), st.integers(min_value=1, max_value=200))
def test_given_any_text_when_cut_then_it_is_within_its_bound(text: str, longest: int) -> None:
    assert len(telling_lines(text, longest)) <= longest
