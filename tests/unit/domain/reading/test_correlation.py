"""Which earlier mail a message may belong to."""

from __future__ import annotations

from domain.reading import BounceReport, MessageHeader, candidate_ids


def test_given_a_reply_when_asked_then_in_reply_to_comes_first_and_references_newest_first() -> None:
    header = MessageHeader(in_reply_to=("<c@x>",), references=("<a@x>", "<b@x>", "<c@x>"))

    assert candidate_ids(header) == ("<c@x>", "<b@x>", "<a@x>")


def test_given_a_report_when_asked_then_what_it_reports_on_comes_first() -> None:
    header = MessageHeader(in_reply_to=("<b@x>",))

    assert candidate_ids(header, BounceReport(reported_message_id="<a@x>")) == ("<a@x>", "<b@x>")


def test_given_ids_that_mailport_cannot_have_sent_when_asked_then_they_are_left_out() -> None:
    header = MessageHeader(
        message_id="<self@x>", in_reply_to=("<nö@x>", "<no-at>", "<a b@x>", "<self@x>", "<ok@x>", f"<{'x' * 998}@x>")
    )

    assert candidate_ids(header, BounceReport()) == ("<ok@x>",)


def test_given_a_long_thread_when_asked_then_twenty_are_to_be_looked_up() -> None:
    header = MessageHeader(references=tuple(f"<{number}@x>" for number in range(100)))

    assert candidate_ids(header) == tuple(f"<{number}@x>" for number in range(99, 79, -1))
