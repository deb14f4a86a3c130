"""A number is a reply's code only where it can be nothing else, and the refusal that ended the session counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.explain import explain
from domain.failures.reading import read_answer
from domain.failures.replies import without_ports_and_times
from domain.reasons import Reason

REFUSED, LATE = Reason.CONNECTION_REFUSED, Reason.CONNECTION_TIMED_OUT


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Error: connect ECONNREFUSED 127.0.0.1:587 at TCPConnectWrap.afterConnect", REFUSED),
        ("connect to smtp.example.com:465 - Connection timed out", LATE),
        ("smtp.example.com, port: 587 - Connection refused", REFUSED),
        ("Couldn't connect to host, port: smtp.example.com, 587; timeout 5000", LATE),
        ("dial tcp [2001:db8::1]:587 - connection refused", REFUSED),
        ("connect mail.example.com:550 - connection refused", REFUSED),
        ("localhost:553 - connection refused", REFUSED),
        ("smtp:465 - connection refused", REFUSED),
        ("2026-11-25 10:11:12:451 [main] ERROR connection refused", REFUSED),
        ("10:11:12,451 - connect timed out", LATE),
        ("got error 111 after (512 ms): Connection refused", REFUSED),
    ],
)
def test_given_a_port_or_a_time_when_read_then_it_is_no_reply(text: str, reason: Reason) -> None:
    failure = explain(read_answer(text))

    assert (failure.reason, failure.provider_code) == (reason, "")


@pytest.mark.parametrize(
    ("text", "provider_code"),
    [
        ("Delivery to smtp.example.com:587 failed with 550 5.1.1 user unknown", "550 5.1.1"),
        ("Delivery to smtp.example.com:587 failed with 550 user unknown", "550"),
        ("2026-11-25 10:11:12:451 [main] INFO hello 535 5.7.8 Authentication failed", "535 5.7.8"),
        ("2026-11-25 10:11:12.451 <<< 535 Authentication failed", "535"),
        ("Error:550 No such user", "550"),
        ("Error:535 5.7.8 Bad credentials", "535 5.7.8"),
        ("(connection to mx.example.com:587 timed out before) 451 4.7.1 Greylisted", "451 4.7.1"),
        ('(535, b"5.7.139 Authentication unsuccessful, the user credentials were incorrect.")', "535 5.7.139"),
        ("smtplib.SMTPAuthenticationError: (535, b'5.7.8 Error: authentication failed')", "535 5.7.8"),
        ("{'bob@example.org': (550, b'5.1.1 User unknown')}", "550 5.1.1"),
        ("smtplib.SMTPDataError: (554, b'Rejected')", "554"),
        ("5.1.1", "5.1.1"),
        ("4.7.1", "4.7.1"),
        ("status: 5.1.1 (bad destination mailbox address)", "5.1.1"),
    ],
)
def test_given_a_reply_among_other_numbers_when_explained_then_its_own_code_is_told(
    text: str, provider_code: str
) -> None:
    assert explain(read_answer(text)).provider_code == provider_code


@pytest.mark.parametrize(
    ("text", "provider_code"),
    [
        ("451 Greylisted\n550 5.1.1 User unknown", "550 5.1.1"),
        ("550 5.1.1 User unknown\n250 OK\n550 5.7.1 Spam", "550 5.7.1"),
        ("550-5.1.1 The account\n550 5.1.1 does not exist\n221 2.0.0 Bye", "550 5.1.1"),
        ("first 451 4.7.1 Greylisted, then 550 5.1.1 User unknown", "550 5.1.1"),
        ("550 5.1.1 User unknown\n554 5.5.1 Error: no valid recipients", "550 5.1.1"),
        ("550 5.1.1 User unknown\n503 5.5.1 Error: need RCPT command", "550 5.1.1"),
        ("535 5.7.8 Bad credentials\n421 4.7.0 Too many errors, closing connection", "535 5.7.8"),
        ("503 5.5.1 Error: need MAIL command", "503 5.5.1"),
    ],
)
def test_given_several_refusals_when_explained_then_the_one_that_ended_it_counts(text: str, provider_code: str) -> None:
    assert explain(read_answer(text)).provider_code == provider_code


def test_given_an_enhanced_code_alone_when_explained_then_it_is_as_final_as_its_class() -> None:
    assert explain(read_answer("5.1.1")).reason is explain(read_answer("550 5.1.1")).reason
    assert explain(read_answer("4.1.1")).kind is explain(read_answer("450 4.1.1")).kind


@given(st.text(max_size=300))
def test_given_any_text_when_ports_and_times_are_taken_out_then_its_length_stays(text: str) -> None:
    assert len(without_ports_and_times(text)) == len(text)


@given(st.integers(min_value=400, max_value=599), st.sampled_from(["192.0.2.7", "smtp.example.com", "[2001:db8::1]"]))
def test_given_any_port_when_the_connection_is_refused_then_no_code_is_told(port: int, host: str) -> None:
    failure = explain(read_answer(f"{host}:{port} - Connection refused"))

    assert (failure.reason, failure.provider_code) == (REFUSED, "")


@pytest.mark.parametrize("text", ["responseCode: 535,", '"responseCode": 535', "smtp code=535;", "error code 535 - no"])
def test_given_the_fields_of_a_library_when_explained_then_the_code_is_told(text: str) -> None:
    assert explain(read_answer(text)).provider_code == "535"


@pytest.mark.parametrize(
    "text", ["to smtp.example.com:550 - odd", "at 10:11:12:451 - odd", "to [2001:db8::1]:553 - odd"]
)
def test_given_nothing_but_a_port_or_a_time_when_explained_then_no_code_is_told(text: str) -> None:
    assert explain(read_answer(text)).provider_code == ""
