from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse

from mailport.v1 import configuration_pb2 as configuration
from mailport.v1 import mail_service_pb2 as api
from tests.unit.service.cli.conftest import Run
from tests.unit.service.cli.samples import a_configuration, a_revision, a_warning
from tests.unit.service.cli.servicer import FakeMailport

SMTP = ("configure", "alerts", "--from", "alerts@example.com", "--smtp", "smtp.example.com:587")


@pytest.fixture(autouse=True)
def accepting(mailport: FakeMailport) -> None:
    mailport.answers["Configure"] = api.ConfigureResponse(configuration=a_configuration(), warnings=[a_warning()])


def test_given_flags_for_an_smtp_account_when_configured_then_each_setting_goes_over(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("hunter two\n")
    (tmp_path / "ca.pem").write_text("PEM")
    arguments = ("--from-name", "Alerts", "--allow-from", "a@example.com", "--allow-from", "b@example.com",
                 "--security", "implicit-tls", "--min-tls", "1.1", "--ca-file", str(tmp_path / "ca.pem"),
                 "--ehlo-name", "relay.example.com", "--username", "robot", "--password-file",
                 str(tmp_path / "password"), "--data-center", "eu", "--data-center-policy", "strict",
                 "--etag", "W7")  # fmt: skip

    result = run(*SMTP, *arguments)

    assert result.exit_code == 0
    assert mailport.requests == [
        api.ConfigureRequest(
            configuration_id="alerts",
            etag="W7",
            settings=configuration.Settings(
                from_address="alerts@example.com",
                from_name="Alerts",
                allowed_from=["a@example.com", "b@example.com"],
                smtp=configuration.SmtpTransport(
                    host="smtp.example.com",
                    port=587,
                    security=configuration.CONNECTION_SECURITY_IMPLICIT_TLS,
                    minimum_tls_version=configuration.TLS_VERSION_1_1,
                    ca_certificates="PEM",
                    ehlo_name="relay.example.com",
                ),
                basic=configuration.BasicAuthentication(username="robot", password="hunter two"),
                data_center="eu",
                data_center_policy=configuration.DATA_CENTER_POLICY_STRICT,
            ),
        )
    ]


def test_given_limits_when_configured_then_they_go_over_and_the_others_are_the_providers(
    run: Run, mailport: FakeMailport
) -> None:
    result = run(*SMTP, "--max-connections", "2", "--messages-per-minute", "20", "--recipients-per-day", "500")
    run(*SMTP)
    refused = run(*SMTP, "--messages-per-day", "99999999999")

    assert result.exit_code == 0
    limits = configuration.SendingLimits(max_connections=2, messages_per_minute=20, recipients_per_day=500)
    assert [each.settings.limits for each in mailport.requests] == [limits, configuration.SendingLimits()]
    assert not mailport.requests[1].settings.HasField("limits")
    assert refused.exit_code != 0


def test_given_host_and_port_apart_when_configured_then_they_are_the_mail_server(
    run: Run, mailport: FakeMailport
) -> None:
    result = run("configure", "alerts", "--host", "2001:db8::1", "--port", "25")

    assert result.exit_code == 0
    smtp = mailport.requests[0].settings.smtp
    assert (smtp.host, smtp.port, smtp.security) == ("2001:db8::1", 25, configuration.CONNECTION_SECURITY_UNSPECIFIED)


def test_given_an_ipv6_literal_when_configured_then_the_brackets_are_not_part_of_it(
    run: Run, mailport: FakeMailport
) -> None:
    run("configure", "alerts", "--smtp", "[2001:db8::1]:587")

    assert mailport.requests[0].settings.smtp.host == "2001:db8::1"


def test_given_a_graph_account_with_oauth_when_configured_then_each_setting_goes_over(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("s3cret")
    arguments = ("--graph", "--graph-mailbox", "team@example.com", "--no-save-to-sent-items", "--oauth", "microsoft",
                 "--client-id", "c1", "--client-secret-file", str(tmp_path / "secret"), "--client-secret-expires",
                 "2027-01-01", "--directory-tenant", "common", "--scope", "a", "--scope", "b", "--username",
                 "me@x.example",
                 "--mailbox", "me@x.example", "--mailbox-server", "imap.x.example:993", "--mailbox-oauth",
                 "--mailbox-min-tls", "1.3", "--mailbox-ca-file", str(tmp_path / "secret"))  # fmt: skip

    result = run("configure", "alerts", *arguments)

    assert result.exit_code == 0
    settings = mailport.requests[0].settings
    expected = Parse(
        json.dumps(
            {
                "graph": {"mailbox": "team@example.com", "saveToSentItems": False},
                "oauth": {
                    "provider": "OAUTH_PROVIDER_MICROSOFT",
                    "clientId": "c1",
                    "clientSecret": "s3cret",
                    "clientSecretExpireTime": "2027-01-01T00:00:00Z",
                    "directoryTenant": "common",
                    "scopes": ["a", "b"],
                    "username": "me@x.example",
                },
                "mailbox": {
                    "email": "me@x.example",
                    "host": "imap.x.example",
                    "port": 993,
                    "useOauth": True,
                    "minimumTlsVersion": "TLS_VERSION_1_3",
                    "caCertificates": "s3cret",
                },
            }
        ),
        configuration.Settings(),
    )
    assert settings == expected


def test_given_a_service_account_when_configured_then_its_key_goes_over_with_all_its_lines(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    (tmp_path / "key.json").write_text('{\n  "type": "service_account"\n}\n')

    result = run("configure", "alerts", "--oauth", "google", "--grant-type", "jwt-bearer", "--client-secret-file",
                 str(tmp_path / "key.json"), "--username", "me@x.example")  # fmt: skip

    assert result.exit_code == 0
    assert mailport.requests[0].settings.oauth == configuration.OAuthAuthentication(
        provider=configuration.OAUTH_PROVIDER_GOOGLE,
        client_secret='{\n  "type": "service_account"\n}',
        username="me@x.example",
        grant_type=configuration.OAUTH_GRANT_TYPE_JWT_BEARER,
    )
    assert "service_account" not in result.output


def test_given_an_app_when_configured_then_the_grant_type_goes_over(run: Run, mailport: FakeMailport) -> None:
    run("configure", "alerts", "--oauth", "microsoft", "--grant-type", "client-credentials")

    assert mailport.requests[0].settings.oauth.grant_type == configuration.OAUTH_GRANT_TYPE_CLIENT_CREDENTIALS


def test_given_a_password_on_standard_input_when_configured_then_its_first_line_is_used(
    run: Run, mailport: FakeMailport
) -> None:
    run(*SMTP, "--username", "robot", "--password-stdin", input=" blanks kept \n")

    assert mailport.requests[0].settings.basic.password == " blanks kept "


def test_given_no_password_and_no_terminal_when_configured_then_nobody_is_asked_and_the_stored_one_is_kept(
    run: Run, mailport: FakeMailport
) -> None:
    result = run(*SMTP, "--username", "robot", input="not a password\n")

    assert result.exit_code == 0
    assert mailport.requests[0].settings.basic == configuration.BasicAuthentication(username="robot")


def test_given_settings_as_json_when_configured_then_they_go_over_as_they_are(run: Run, mailport: FakeMailport) -> None:
    result = run("configure", "alerts", "--settings", "-", input='{"fromAddress": "a@b.example", "from_name": "A"}')

    assert result.exit_code == 0
    assert mailport.requests[0].settings == configuration.Settings(from_address="a@b.example", from_name="A")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--settings", "-", "--from", "a@b.example"),
        ("--smtp", "smtp.example.com"),
        ("--smtp", "smtp.example.com:587", "--port", "25"),
        ("--smtp", "smtp.example.com:99999999999"),
        ("--smtp", "smtp.example.com:587", "--graph"),
        ("--security", "ssl"),
        ("--oauth", "google", "--password-stdin"),
        ("--username", "robot", "--password-file", "/nonexistent/password"),
        ("--oauth", "google", "--client-secret-expires", "soon"),
    ],
)
def test_given_options_that_cannot_be_meant_when_configured_then_is_wrong_usage_and_nothing_is_called(
    run: Run, mailport: FakeMailport, wrong: tuple[str, ...]
) -> None:
    result = run("configure", "alerts", *wrong, input="{}")

    assert result.exit_code == 2
    assert mailport.requests == []


def test_given_no_password_option_when_help_is_read_then_none_takes_a_secret_as_its_value(run: Run) -> None:
    """P15: a password on the command line is in the process list and in the shell's history."""
    shown = run("configure", "--help").output

    assert "--password " not in shown
    assert "--client-secret " not in shown
    assert "--mailbox-password " not in shown


@pytest.mark.parametrize(
    "text",
    ['{"basic": {"password": ["hunter2"]}}', '{"smtp": {"port": "hunter2"}}', '{"basic": {"password": "hunter2}'],
)
def test_given_settings_that_do_not_parse_when_configured_then_their_values_are_not_printed(
    run: Run, text: str
) -> None:
    """P15."""
    result = run("configure", "alerts", "--settings", "-", input=text)

    assert result.exit_code == 2
    assert "is no mailport.v1.Settings" in " ".join(result.output.split())
    assert "hunter2" not in result.output


def test_given_a_secret_in_a_file_when_configured_then_it_is_in_no_output(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    """P15."""
    (tmp_path / "password").write_text("hunter2")

    outputs = [
        run(*SMTP, "--username", "robot", "--password-file", str(tmp_path / "password"), *more).output
        for more in ((), ("--json",))
    ]

    assert [request.settings.basic.password for request in mailport.requests] == ["hunter2", "hunter2"]
    assert all("hunter2" not in output for output in outputs)


def test_given_warnings_of_a_draft_beside_an_active_revision_when_configured_then_they_are_shown_with_remedy(
    run: Run, mailport: FakeMailport
) -> None:
    mailport.answers["Configure"] = api.ConfigureResponse(
        configuration=a_configuration(active=a_revision(), draft=a_revision(2)), warnings=[a_warning()]
    )

    result = run(*SMTP)

    assert "! settings.smtp.minimum_tls_version: TLS 1.0 is deprecated." in result.output
    assert "Use 1.2 or higher." in result.output


def test_given_warnings_that_health_tells_too_when_configured_then_they_are_shown_once(
    run: Run, mailport: FakeMailport
) -> None:
    health = configuration.ConfigurationHealth(state=configuration.HEALTH_STATE_NOT_CONFIGURED, warnings=[a_warning()])
    mailport.answers["Configure"] = api.ConfigureResponse(
        configuration=a_configuration(health=health), warnings=[a_warning()]
    )

    result = run(*SMTP)

    assert result.output.count("TLS 1.0 is deprecated.") == 1
