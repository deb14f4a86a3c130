"""User name and password, of the account and of the mailbox: what is refused, what is warned of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import BasicAuthentication
from tests.unit.domain.settings.samples import basic, google, mailbox, parse, refusals, smtp, warnings, written


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"username": ""}, "settings.basic.username", Reason.FIELD_REQUIRED),
        ({"username": "  "}, "settings.basic.username", Reason.FIELD_REQUIRED),
        ({"username": "alerts\r\n"}, "settings.basic.username", Reason.CONTROL_CHARACTER),
        ({"username": " alerts"}, "settings.basic.username", Reason.VALUE_MALFORMED),
        ({"username": "a" * 513}, "settings.basic.username", Reason.VALUE_TOO_LONG),
        ({"password": None}, "settings.basic.password", Reason.FIELD_REQUIRED),
        ({"password": Secret("")}, "settings.basic.password", Reason.FIELD_REQUIRED),
        ({"password": Secret("a\0b")}, "settings.basic.password", Reason.CONTROL_CHARACTER),
        ({"password": Secret("a\n")}, "settings.basic.password", Reason.CONTROL_CHARACTER),
        ({"password": Secret("a" * 4097)}, "settings.basic.password", Reason.VALUE_TOO_LONG),
    ],
)
def test_given_one_wrong_value_when_parsing_then_it_alone_is_named(
    change: dict[str, Any], field: str, reason: Reason
) -> None:
    assert refusals(written(authentication=basic(**change))) == {(field, reason)}


@pytest.mark.parametrize("password", [" spaces kept ", "pässwörd", "a" * 4096])
def test_given_a_password_when_parsing_then_it_is_never_altered(password: str) -> None:
    authentication = parse(written(authentication=basic(password=Secret(password)))).settings.authentication

    assert authentication == BasicAuthentication("alerts@example.com", Secret(password))


@pytest.mark.parametrize("host", ["smtp.office365.com", "smtp-mail.outlook.com", "smtp.office365.us"])
def test_given_a_password_for_microsoft_when_parsing_then_its_end_is_a_warning(host: str) -> None:
    found = warnings(written(transport=smtp(host=host)))

    assert found == {("settings.basic", Reason.BASIC_AUTHENTICATION_RETIRED)}


@pytest.mark.parametrize(
    ("host", "now", "words"),
    [
        ("smtp.office365.com", datetime(2026, 12, 31, tzinfo=UTC), "switches passwords for SMTP off"),
        ("smtp.office365.com", datetime(2027, 1, 1, tzinfo=UTC), "since the end of December 2026"),
        ("smtp-mail.outlook.com", datetime(2026, 12, 1, tzinfo=UTC), "16 September 2024"),
    ],
)
def test_given_a_password_for_microsoft_when_time_passes_then_the_warning_says_where_it_stands(
    host: str, now: datetime, words: str
) -> None:
    (warning,) = parse(written(transport=smtp(host=host)), now=now).warnings

    assert words in warning.message


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("hunter2", "This is none"),
        ("abcd efgh ijkl mnop", "the blanks they are shown with are not part"),
        ("abcdefghijklmnop", "ends when the account's password is changed"),
    ],
)
def test_given_a_password_for_google_when_parsing_then_the_warning_judges_its_shape(password: str, words: str) -> None:
    parsed = parse(written(transport=smtp(host="smtp.gmail.com"), authentication=basic(password=Secret(password))))

    (warning,) = parsed.warnings
    assert (warning.field, warning.reason) == ("settings.basic.password", Reason.APP_PASSWORD_NEEDED)
    assert words in warning.message
    assert password not in warning.message
    assert parsed.settings.authentication == BasicAuthentication("alerts@example.com", Secret(password))


@pytest.mark.parametrize("host", ["smtp.mail.me.com", "smtp.mail.yahoo.com"])
def test_given_a_password_for_a_provider_of_app_passwords_when_parsing_then_it_is_a_warning(host: str) -> None:
    assert ("settings.basic.password", Reason.APP_PASSWORD_NEEDED) in warnings(written(transport=smtp(host=host)))


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"email": "Team <a@example.com>"}, "settings.mailbox.email", Reason.ADDRESS_INVALID),
        ({"email": ""}, "settings.mailbox.email", Reason.FIELD_REQUIRED),
        ({"host": ""}, "settings.mailbox.host", Reason.FIELD_REQUIRED),
        ({"host": "imap.example.com:993"}, "settings.mailbox.host", Reason.HOST_INVALID),
        ({"port": 0}, "settings.mailbox.port", Reason.FIELD_REQUIRED),
        ({"port": 70000}, "settings.mailbox.port", Reason.PORT_OUT_OF_RANGE),
        ({"security": "TLS"}, "settings.mailbox.security", Reason.VALUE_MALFORMED),
        ({"security": "NONE"}, "settings.mailbox.security", Reason.CREDENTIALS_OVER_PLAINTEXT),
        ({"password": None}, "settings.mailbox.password", Reason.FIELD_REQUIRED),
        ({"minimum_tls_version": "SSL_3"}, "settings.mailbox.minimum_tls_version", Reason.VALUE_MALFORMED),
        ({"ca_certificates": "x"}, "settings.mailbox.ca_certificates", Reason.CA_CERTIFICATES_INVALID),
        ({"password": None, "use_oauth": True}, "settings.mailbox.use_oauth", Reason.FIELD_NOT_APPLICABLE),
    ],
)
def test_given_one_wrong_value_of_the_mailbox_when_parsing_then_it_alone_is_named(
    change: dict[str, Any], field: str, reason: Reason
) -> None:
    assert refusals(written(mailbox=mailbox(**change))) == {(field, reason)}


@pytest.mark.parametrize("version", ["TLS_1_0", "TLS_1_1"])
def test_given_an_old_tls_version_of_the_mailbox_when_parsing_then_it_is_a_warning(version: str) -> None:
    settings = written(mailbox=mailbox(minimum_tls_version=version))

    assert ("settings.mailbox.minimum_tls_version", Reason.TLS_VERSION_OLD) in warnings(settings)


def test_given_a_mailbox_without_a_word_on_tls_when_parsing_then_it_is_1_2_and_the_systems_authorities() -> None:
    box = parse(written(mailbox=mailbox())).settings.mailbox

    assert box is not None
    assert (box.minimum_tls_version, box.ca_certificates) == ("TLS_1_2", "")


def test_given_a_mailbox_with_oauth_and_a_password_when_parsing_then_the_password_is_refused() -> None:
    settings = written(
        transport=smtp(host="smtp.gmail.com"),
        authentication=google(),
        mailbox=mailbox(host="imap.gmail.com", use_oauth=True),
    )

    assert refusals(settings) == {("settings.mailbox.password", Reason.FIELD_NOT_APPLICABLE)}


@pytest.mark.parametrize(("port", "security"), [(993, "IMPLICIT_TLS"), (143, "STARTTLS"), (1143, "STARTTLS")])
def test_given_no_security_of_the_mailbox_when_parsing_then_the_port_suggests_it(port: int, security: str) -> None:
    box = parse(written(mailbox=mailbox(port=port))).settings.mailbox

    assert box is not None
    assert box.security == security


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"host": "outlook.office365.com"}, "settings.mailbox.password", Reason.BASIC_AUTHENTICATION_RETIRED),
        ({"host": "imap.gmail.com"}, "settings.mailbox.password", Reason.APP_PASSWORD_NEEDED),
        ({"port": 993, "security": "STARTTLS"}, "settings.mailbox.security", Reason.PORT_SECURITY_UNUSUAL),
        ({"port": 143, "security": "IMPLICIT_TLS"}, "settings.mailbox.security", Reason.PORT_SECURITY_UNUSUAL),
        (
            {"host": "relay.internal", "port": 143, "security": "NONE"},
            "settings.mailbox.security",
            Reason.TRANSPORT_NOT_ENCRYPTED,
        ),
    ],
)
def test_given_a_mailbox_that_may_bite_when_parsing_then_it_is_a_warning(
    change: dict[str, Any], field: str, reason: Reason
) -> None:
    assert warnings(written(mailbox=mailbox(**change))) == {(field, reason)}
