from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor

from mailport.v1 import configuration_pb2 as configuration
from mailport.v1 import mail_service_pb2 as api
from service.cli.exits import ExitCode
from service.cli.fixes import SECRET_OPTIONS
from tests.unit.service.cli.conftest import Run
from tests.unit.service.cli.samples import a_configuration, a_revision
from tests.unit.service.cli.servicer import FakeMailport

STORED = configuration.Settings(
    from_address="alerts@example.com",
    smtp=configuration.SmtpTransport(host="smtp.example.com", port=587, ca_certificates="PEM"),
    oauth=configuration.OAuthAuthentication(
        client_id="c1", username="me@example.com", scopes=["a", "b"], token_endpoint="https://id.example.com/token"
    ),
)


@pytest.fixture(autouse=True)
def stored(mailport: FakeMailport) -> None:
    answer = a_configuration()
    answer.etag = "W9"
    answer.ClearField("draft")
    answer.active.settings.CopyFrom(STORED)
    mailport.answers["GetConfiguration"] = api.GetConfigurationResponse(configuration=answer)
    mailport.answers["Configure"] = api.ConfigureResponse(configuration=answer)


def configured(mailport: FakeMailport) -> api.ConfigureRequest:
    _, request = mailport.requests
    assert isinstance(request, api.ConfigureRequest)
    return request


def test_given_fixes_when_applied_then_the_stored_settings_change_in_those_fields_alone(
    run: Run, mailport: FakeMailport
) -> None:
    security = "settings.smtp.security=CONNECTION_SECURITY_IMPLICIT_TLS"

    result = run("configure", "alerts", "--apply-fix", "settings.smtp.port=465", "--apply-fix", security)

    assert result.exit_code == 0
    expected = configuration.Settings()
    expected.CopyFrom(STORED)
    expected.smtp.port = 465
    expected.smtp.security = configuration.CONNECTION_SECURITY_IMPLICIT_TLS
    assert configured(mailport) == api.ConfigureRequest(configuration_id="alerts", settings=expected, etag="W9")


def test_given_a_draft_when_a_fix_is_applied_then_it_is_the_draft_that_changes(
    run: Run, mailport: FakeMailport
) -> None:
    answer = mailport.answers["GetConfiguration"]
    assert isinstance(answer, api.GetConfigurationResponse)
    answer.configuration.draft.settings.smtp.host = "draft.example.com"

    run("configure", "alerts", "--apply-fix", "settings.smtp.port=465", "--etag", "W1")

    request = configured(mailport)
    assert (request.settings.smtp.host, request.settings.smtp.port, request.etag) == ("draft.example.com", 465, "W1")


def test_given_graph_instead_of_smtp_when_applied_then_the_other_transport_goes_and_lists_are_replaced(
    run: Run, mailport: FakeMailport
) -> None:
    run("configure", "alerts", "--apply-fix", "settings.graph={}", "--apply-fix", "settings.oauth.scopes=c d e")

    settings = configured(mailport).settings
    assert settings.WhichOneof("transport") == "graph"
    assert settings.oauth.scopes == ["c", "d", "e"]


def test_given_an_empty_value_and_a_secret_when_applied_then_the_field_is_cleared_and_the_secret_goes_along(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("s3cret")
    arguments = ("--apply-fix", "settings.oauth.directory_tenant=consumers", "--apply-fix",
                 "settings.oauth.token_endpoint=", "--client-secret-file", str(tmp_path / "secret"))  # fmt: skip

    run("configure", "alerts", *arguments)

    oauth = configured(mailport).settings.oauth
    assert (oauth.directory_tenant, oauth.token_endpoint, oauth.client_secret) == ("consumers", "", "s3cret")


def test_given_a_fix_and_a_password_of_the_mailbox_when_applied_then_both_go_over(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    stored = a_revision()
    stored.settings.mailbox.email = "robot@example.com"
    stored.settings.mailbox.port = 143
    mailport.answers["GetConfiguration"] = api.GetConfigurationResponse(configuration=a_configuration(draft=stored))

    run(
        *("configure", "alerts", "--apply-fix", "settings.mailbox.port=993"),
        *("--mailbox-password-file", str(tmp_path / "password")),
    )

    mailbox = configured(mailport).settings.mailbox
    assert (mailbox.email, mailbox.port, mailbox.password) == ("robot@example.com", 993, "s3cret")


@pytest.mark.parametrize(
    "arguments",
    [
        ("settings.smtp.port",),
        ("smtp.port=465",),
        ("settings.smtp.prot=465",),
        ("settings.mailbox.port=993",),
        ("settings.smtp.port.x=1",),
        ("settings.smtp.security=SAFE",),
        ("settings.graph={",),
        ("settings.smtp.port=465", "--host", "smtp.example.com"),
        ("settings.smtp.port=465", "--settings", "-"),
    ],
)
def test_given_what_is_no_fix_of_these_settings_when_applied_then_nothing_is_changed(
    run: Run, mailport: FakeMailport, arguments: tuple[str, ...]
) -> None:
    result = run("configure", "alerts", "--apply-fix", *arguments)

    assert result.exit_code == ExitCode.USAGE
    assert "--apply-fix" in result.stderr
    assert not [request for request in mailport.requests if isinstance(request, api.ConfigureRequest)]


@pytest.mark.parametrize(
    "fix",
    [
        "settings.basic.password=hunter2",
        "settings.mailbox.password=hunter2",
        "settings.oauth.client_secret=hunter2",
        'settings.basic={"username":"bob","password":"hunter2"}',
        'settings.oauth={"clientId":"c","clientSecret":"hunter2"}',
        'settings.oauth={"client_id":"c","client_secret":"hunter2"}',
        'settings.mailbox={"host":"imap.example.com","password":"hunter2"}',
        "basic.password=hunter2",
        "settings.basic.pasword=hunter2",
    ],
)
def test_given_a_secret_on_the_command_line_when_applied_then_it_is_refused_untold_and_nothing_is_changed(
    run: Run, mailport: FakeMailport, fix: str
) -> None:
    answer = mailport.answers["GetConfiguration"]
    assert isinstance(answer, api.GetConfigurationResponse)
    settings = answer.configuration.active.settings
    settings.mailbox.host = "imap.example.com"
    if "basic" in fix:
        settings.basic.username = "bob"

    result = run("configure", "alerts", "--apply-fix", fix)

    assert result.exit_code == ExitCode.USAGE
    assert "hunter2" not in result.output + result.stderr
    assert not [request for request in mailport.requests if isinstance(request, api.ConfigureRequest)]


def test_given_every_field_of_the_settings_when_looked_at_then_those_that_hold_secrets_are_known() -> None:
    """A field that is said to be stored by a `…_set` beside it holds a secret, now and in later versions."""
    seen: set[str] = set()
    held: set[str] = set()

    def walk(descriptor: Descriptor) -> None:
        if descriptor.full_name in seen:
            return
        seen.add(descriptor.full_name)
        held.update(name.removesuffix("_set") for name in descriptor.fields_by_name if name.endswith("_set"))
        for field in descriptor.fields:
            if field.message_type is not None:
                walk(field.message_type)

    walk(configuration.Settings.DESCRIPTOR)

    assert held == set(SECRET_OPTIONS)
