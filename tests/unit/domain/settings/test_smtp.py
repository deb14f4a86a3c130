"""SMTP transport: defaults, host and port, TLS versions, ports and security, credentials in clear."""

from __future__ import annotations

from typing import Any

import pytest

from domain.reasons import Reason
from domain.settings.model import ConnectionSecurity, SmtpTransport, TlsVersion
from tests.unit.domain.settings.samples import basic, custom, parse, refusals, smtp, violations, warnings, written


def transport_of(**changes: Any) -> SmtpTransport:
    transport = parse(written(transport=smtp(**changes))).settings.transport
    assert isinstance(transport, SmtpTransport)
    return transport


@pytest.mark.parametrize(
    ("port", "security"),
    [
        (465, ConnectionSecurity.IMPLICIT_TLS),
        (587, ConnectionSecurity.STARTTLS),
        (25, ConnectionSecurity.STARTTLS),
        (2525, ConnectionSecurity.STARTTLS),
    ],
)
def test_given_no_security_when_parsing_then_the_port_suggests_it(port: int, security: ConnectionSecurity) -> None:
    assert transport_of(port=port).security is security


@pytest.mark.parametrize(
    ("port", "security"),
    [(2525, "STARTTLS"), (5870, "IMPLICIT_TLS"), (465, "STARTTLS"), (587, "IMPLICIT_TLS")],
)
def test_given_a_security_when_parsing_then_the_port_never_changes_it_f14(port: int, security: str) -> None:
    assert transport_of(port=port, security=security).security == security


def test_given_no_minimum_tls_version_when_parsing_then_it_is_1_2() -> None:
    assert transport_of().minimum_tls_version is TlsVersion.TLS_1_2


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"host": ""}, "settings.smtp.host", Reason.FIELD_REQUIRED),
        ({"host": "https://smtp.example.com"}, "settings.smtp.host", Reason.HOST_INVALID),
        ({"port": 0}, "settings.smtp.port", Reason.FIELD_REQUIRED),
        ({"port": 65536}, "settings.smtp.port", Reason.PORT_OUT_OF_RANGE),
        ({"port": -1}, "settings.smtp.port", Reason.PORT_OUT_OF_RANGE),
        ({"security": "SSL"}, "settings.smtp.security", Reason.VALUE_MALFORMED),
        ({"minimum_tls_version": "1.2"}, "settings.smtp.minimum_tls_version", Reason.VALUE_MALFORMED),
        ({"ehlo_name": "15b0717dc4c2"}, "settings.smtp.ehlo_name", Reason.VALUE_MALFORMED),
        ({"ehlo_name": "a_b.example"}, "settings.smtp.ehlo_name", Reason.VALUE_MALFORMED),
        ({"ca_certificates": "nonsense"}, "settings.smtp.ca_certificates", Reason.CA_CERTIFICATES_INVALID),
    ],
)
def test_given_one_wrong_value_when_parsing_then_it_alone_is_named(
    change: dict[str, Any], field: str, reason: Reason
) -> None:
    assert refusals(written(transport=smtp(**change))) == {(field, reason)}


def test_given_many_wrong_values_when_parsing_then_all_are_named_at_once() -> None:
    found = refusals(
        written(
            from_address="no address",
            transport=smtp(host="smtp.example.com:587", port=0, security="SSL"),
            authentication=basic(username="", password=None),
            data_center="nowhere",
        )
    )

    assert {field for field, _ in found} == {
        "settings.from_address",
        "settings.smtp.host",
        "settings.smtp.port",
        "settings.smtp.security",
        "settings.basic.username",
        "settings.basic.password",
        "settings.data_center",
    }


@pytest.mark.parametrize("version", ["TLS_1_0", "TLS_1_1"])
def test_given_an_old_tls_version_when_parsing_then_it_is_a_warning(version: str) -> None:
    settings = written(transport=smtp(minimum_tls_version=version))

    assert warnings(settings) == {("settings.smtp.minimum_tls_version", Reason.TLS_VERSION_OLD)}


@pytest.mark.parametrize("version", ["", "TLS_1_2", "TLS_1_3"])
def test_given_a_recommended_tls_version_when_parsing_then_nothing_is_said(version: str) -> None:
    assert warnings(written(transport=smtp(minimum_tls_version=version))) == set()


@pytest.mark.parametrize(
    ("change", "warned"),
    [
        ({"port": 465, "security": "STARTTLS"}, True),
        ({"port": 587, "security": "IMPLICIT_TLS"}, True),
        ({"port": 465, "security": "IMPLICIT_TLS"}, False),
        ({"port": 587, "security": "STARTTLS"}, False),
        ({"port": 2525, "security": "STARTTLS"}, False),
        ({"host": "smtp.office365.com", "port": 465, "security": "IMPLICIT_TLS"}, True),
        ({"host": "smtp.gmail.com", "port": 465, "security": "IMPLICIT_TLS"}, False),
        ({"host": "smtp.gmail.com", "port": 2525}, True),
    ],
)
def test_given_a_port_when_its_security_is_unusual_then_it_is_a_warning(change: dict[str, Any], warned: bool) -> None:
    found = warnings(written(transport=smtp(**change), authentication=None))

    assert (("settings.smtp.security", Reason.PORT_SECURITY_UNUSUAL) in found) is warned


@pytest.mark.parametrize("authentication", [basic(), custom()])
@pytest.mark.parametrize("host", ["smtp.example.com", "localhost", "::1", "192.0.2.1"])
def test_given_credentials_without_tls_when_the_host_is_not_named_then_refused_f15(
    authentication: Any, host: str
) -> None:
    settings = written(transport=smtp(host=host, security="NONE"), authentication=authentication)

    assert refusals(settings) == {("settings.smtp.security", Reason.CREDENTIALS_OVER_PLAINTEXT)}


@pytest.mark.parametrize("host", ["relay.internal", "RELAY.internal", "127.0.0.1"])
def test_given_credentials_without_tls_when_the_operator_named_the_host_then_it_is_a_warning(host: str) -> None:
    found = warnings(written(transport=smtp(host=host, security="NONE")))

    assert found == {("settings.smtp.security", Reason.TRANSPORT_NOT_ENCRYPTED)}


def test_given_no_credentials_when_there_is_no_tls_then_it_is_a_warning() -> None:
    found = warnings(written(transport=smtp(security="NONE"), authentication=None))

    assert found == {("settings.smtp.security", Reason.TRANSPORT_NOT_ENCRYPTED)}


def test_given_no_transport_when_parsing_then_it_is_asked_for() -> None:
    assert ("settings.transport", Reason.FIELD_REQUIRED) in refusals(written(transport=None))


def test_given_a_user_and_password_in_the_host_when_refused_then_the_password_is_not_repeated() -> None:
    found = violations(written(transport=smtp(host="smtp://u:hunter2@smtp.example.com")))

    assert found
    assert all("hunter2" not in violation.message + violation.remedy for violation in found)
