"""The mails that mailport writes itself: what they say, and that any server takes them."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import default

import pytest

from domain.configuration import CONFIRMATION_DIGITS
from domain.host import Host
from domain.letters import letter_for_test, validation_letter
from domain.message import OutgoingMessage
from domain.mime.compose import compose
from domain.settings.model import MailSettings
from tests.builders import NOW, a_graph_transport, an_address, an_smtp_transport, some_settings

OLGA = an_address("olga@example.com")
CODE = "04711234"


def read(letter: OutgoingMessage) -> EmailMessage:
    content = compose(letter, message_id="<1@example.com>", date=NOW)
    message = email.message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def text(letter: OutgoingMessage) -> str:
    content = read(letter).get_content()
    assert isinstance(content, str)
    return content


@pytest.mark.parametrize(
    "letter",
    [
        validation_letter(some_settings(from_name="Grüße"), OLGA, "alerts", ""),
        validation_letter(some_settings(from_name="Grüße"), OLGA, "alerts", CODE),
        letter_for_test(some_settings(from_name="Grüße"), OLGA, "alerts"),
    ],
    ids=["validation", "confirmation", "test"],
)
def test_given_any_letter_when_composed_then_comes_from_the_configuration_and_asks_for_no_answer_by_machines(
    letter: OutgoingMessage,
) -> None:
    message = read(letter)

    assert message["From"].addresses[0].addr_spec == "robot@example.com"
    assert message["From"].addresses[0].display_name == "Grüße"
    assert message["To"].addresses[0].addr_spec == "olga@example.com"
    assert message["Auto-Submitted"] == "auto-generated"


def test_given_a_code_when_written_then_stands_there_in_one_piece_and_says_how_long_it_is_good() -> None:
    letter = validation_letter(some_settings(), OLGA, "alerts", CODE)

    assert len(CODE) == CONFIRMATION_DIGITS
    assert "confirm with this code: 04711234\r\n" in text(letter)
    assert "valid for 30 minutes" in text(letter)
    assert "confirmation code" in letter.subject
    assert CODE[:4] not in letter.subject, "subjects are shown on locked screens"


def test_given_no_code_when_written_then_nothing_is_asked_of_the_reader() -> None:
    letter = validation_letter(some_settings(), OLGA, "alerts", "")

    assert "alerts" in text(letter)
    assert "code" not in text(letter)
    assert "nothing for you to do" in text(letter)


@pytest.mark.parametrize(
    ("configuration_id", "named"), [("alerts", 'the configuration "alerts"'), ("", "unsaved settings")]
)
def test_given_a_test_mail_when_written_then_names_what_it_was_sent_with(configuration_id: str, named: str) -> None:
    assert named in text(letter_for_test(some_settings(), OLGA, configuration_id))


@pytest.mark.parametrize(
    ("settings", "server"),
    [
        (some_settings(), "smtp.example.com:587"),
        (some_settings(transport=an_smtp_transport(host=Host("2001:db8::1"))), "[2001:db8::1]:587"),
        (some_settings(transport=a_graph_transport()), "https://graph.microsoft.com"),
    ],
    ids=["name", "IPv6", "graph"],
)
def test_given_a_transport_when_written_then_the_letter_names_the_server(settings: MailSettings, server: str) -> None:
    assert f"Sent through {server} by mailport." in text(letter_for_test(settings, OLGA, "alerts"))


def test_given_settings_with_a_password_when_written_then_it_is_in_no_letter() -> None:
    letters = [
        validation_letter(some_settings(), OLGA, "alerts", CODE),
        letter_for_test(some_settings(), OLGA, "alerts"),
    ]

    assert all("correct horse" not in text(letter) for letter in letters)
