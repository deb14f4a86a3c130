from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.unit.service.cli.conftest import Run
from tests.unit.service.cli.samples import a_configuration, a_delivery, a_revision, a_trace, a_warning, at
from tests.unit.service.cli.servicer import FakeMailport


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_given_a_configuration_when_got_then_its_revisions_are_shown_without_a_secret(
    run: Run, mailport: FakeMailport
) -> None:
    active = a_revision(3, state=configuration_pb2.REVISION_STATE_ACTIVE, validate_time=at())
    health = configuration_pb2.ConfigurationHealth(state=configuration_pb2.HEALTH_STATE_AT_RISK)
    mailport.answers["GetConfiguration"] = api.GetConfigurationResponse(
        configuration=a_configuration(active=active, health=health)
    )

    result = run("get", "alerts")

    assert result.exit_code == 0
    assert mailport.requests == [api.GetConfigurationRequest(configuration_id="alerts")]
    first, second, third, *_ = result.output.splitlines()
    assert first == "alerts  at risk"
    assert (
        squeezed(second) == "active revision 3, active · Alerts <alerts@example.com> · smtp.example.com:587 starttls"
        " · robot@example.com with a password · proven 2026-03-01 12:00:00Z"
    )
    assert third.startswith("  draft    revision 1, ready to validate")


def test_given_json_when_got_then_it_is_the_api_s_own_with_every_field(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["ListConfigurations"] = api.ListConfigurationsResponse()
    mailport.answers["GetConfiguration"] = api.GetConfigurationResponse(configuration=a_configuration())

    listed, got = run("list", "--json"), run("get", "alerts", "--json")

    assert json.loads(listed.stdout) == {"configurations": [], "nextPageToken": ""}
    draft = json.loads(got.stdout)["configuration"]["draft"]
    assert draft["settings"]["basic"] == {"username": "robot@example.com", "password": "", "passwordSet": True}
    assert draft["state"] == "REVISION_STATE_READY_TO_VALIDATE"
    assert draft["number"] == "1"


def test_given_two_pages_when_listed_then_says_how_to_go_on(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["ListConfigurations"] = api.ListConfigurationsResponse(
        configurations=[a_configuration()], next_page_token="p2"
    )

    result = run("list", "--page-size", "1", "--page-token", "p1")

    assert mailport.requests == [api.ListConfigurationsRequest(page_size=1, page_token="p1")]
    assert squeezed(result.output.splitlines()[1]) == (
        "alerts not in use yet alerts@example.com smtp.example.com:587 starttls draft 1"
    )
    assert result.output.splitlines()[-1] == "More: --page-token p2"


def test_given_no_terminal_when_deleted_then_nobody_is_asked(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["DeleteConfiguration"] = api.DeleteConfigurationResponse(
        grant_revocation=configuration_pb2.GRANT_REVOCATION_NO_GRANT
    )

    result = run("delete", "alerts", "--etag", "W7")

    assert mailport.requests == [api.DeleteConfigurationRequest(configuration_id="alerts", etag="W7")]
    assert result.exit_code == 0
    assert result.output.splitlines() == ["✓ alerts is deleted.", "✓ There was no consent to give up."]


def test_given_options_when_asked_then_providers_and_versions_are_a_table(run: Run, mailport: FakeMailport) -> None:
    provider = configuration_pb2.ProviderPreset(
        provider_id="google",
        display_name="Google",
        smtp_endpoints=[
            configuration_pb2.MailServerEndpoint(
                host="smtp.gmail.com", port=465, security=configuration_pb2.CONNECTION_SECURITY_IMPLICIT_TLS
            )
        ],
        password_kind=configuration_pb2.PASSWORD_KIND_APP,
        oauth=configuration_pb2.OAuthPreset(),
    )
    versions = [
        configuration_pb2.TlsVersionOption(display_name="TLS 1.1"),
        configuration_pb2.TlsVersionOption(display_name="TLS 1.2", recommended=True),
    ]
    mailport.answers["GetOptions"] = api.GetOptionsResponse(providers=[provider], tls_versions=versions)

    result = run("options")

    assert squeezed(result.output.splitlines()[1]) == "google Google smtp.gmail.com:465 implicit tls app yes"
    assert "TLS 1.1 (old), TLS 1.2\n" in result.output


def test_given_a_draft_when_validated_then_the_trace_is_a_tree_and_the_settings_are_in_use(
    run: Run, mailport: FakeMailport
) -> None:
    mailport.answers["ValidateAndSave"] = api.ValidateAndSaveResponse(
        configuration=a_configuration(), trace=a_trace(), validation_recipient="you@example.com"
    )

    result = run("validate", "alerts", "--user-email", "you@example.com", "--etag", "W7")

    assert mailport.requests == [
        api.ValidateAndSaveRequest(configuration_id="alerts", user_email="you@example.com", etag="W7")
    ]
    assert result.exit_code == 0
    assert "✓ The server took the validation mail to you@example.com." in result.output
    assert "└ ✓ AUTH      2.5 s  PLAIN · 235 2.7.0 Welcome" in result.output
    assert "✓ alerts is proven and in use." in result.output


def test_given_a_code_is_wanted_when_validated_then_says_how_to_bring_it_back(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["ValidateAndSave"] = api.ValidateAndSaveResponse(
        configuration=a_configuration(), confirmation_expire_time=at()
    )

    result = run("validate", "alerts", "--require-confirmation")

    assert mailport.requests[0].require_confirmation
    assert "awaits confirmation until 2026-03-01 12:00:00Z" in result.output
    assert "mailport confirm alerts CODE" in result.output


def test_given_a_code_when_confirmed_then_it_goes_over(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["ConfirmValidation"] = api.ConfirmValidationResponse(configuration=a_configuration())

    result = run("confirm", "alerts", "1234 5678")

    assert result.exit_code == 0
    assert mailport.requests == [api.ConfirmValidationRequest(configuration_id="alerts", code="1234 5678")]


def test_given_unsaved_settings_when_tested_then_they_go_over_and_the_verdict_is_shown(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    (tmp_path / "settings.json").write_text('{"fromAddress": "a@b.example"}')
    mailport.answers["SendTest"] = api.SendTestResponse(
        trace=a_trace(), tested=api.TESTED_SETTINGS_UNSAVED, provider_reply="250 2.0.0 queued as 7"
    )

    result = run("send-test", "alerts", "--to", "you@example.com", "--settings", str(tmp_path / "settings.json"))

    assert mailport.requests[0].settings.from_address == "a@b.example"
    assert mailport.requests[0].to == "you@example.com"
    assert "sent with the unsaved settings" in result.output
    assert "250 2.0.0 queued as 7" in result.output


def test_given_an_account_when_checked_then_what_will_bite_is_shown_or_that_nothing_is_known(
    run: Run, mailport: FakeMailport
) -> None:
    mailport.answers["CheckAccount"] = api.CheckAccountResponse(
        trace=a_trace(), tested=api.TESTED_SETTINGS_ACTIVE, warnings=[a_warning()]
    )

    warned = run("check-account", "alerts")
    mailport.answers["CheckAccount"] = api.CheckAccountResponse(trace=a_trace(), tested=api.TESTED_SETTINGS_DRAFT)
    good = run("check-account", "alerts")

    assert mailport.requests == [api.CheckAccountRequest(configuration_id="alerts")] * 2
    assert "let the account in, with the active settings" in warned.output
    assert a_warning().message in warned.output
    assert "Nothing is known that would end that." in good.output


def test_given_what_could_not_be_found_out_when_an_account_is_checked_then_that_is_said_and_not_that_all_is_well(
    run: Run, mailport: FakeMailport
) -> None:
    mailport.answers["CheckAccount"] = api.CheckAccountResponse(
        trace=a_trace(), tested=api.TESTED_SETTINGS_ACTIVE, unchecked=["The DNS is away.", "Nobody\x1b[31m knows."]
    )

    result = run("check-account", "alerts")

    assert "Not checked: The DNS is away." in result.output
    assert "\x1b[31m" not in result.output
    assert "Nothing is known" not in result.output


def test_given_filters_when_deliveries_are_listed_then_they_go_over(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["ListDeliveries"] = api.ListDeliveriesResponse(deliveries=[a_delivery()])
    filters = ("--configuration", "alerts", "--state", "sent", "--state", "in-doubt", "--since", "2026-03-01T12:00Z",
               "--until", "2026-03-01T13:00+01:00")  # fmt: skip

    result = run("deliveries", "list", *filters)

    assert mailport.requests == [
        api.ListDeliveriesRequest(
            configuration_id="alerts",
            states=[delivery_pb2.DELIVERY_STATE_SENT, delivery_pb2.DELIVERY_STATE_IN_DOUBT],
            start_create_time=at(),
            end_create_time=at(),
            page_size=50,
        )
    ]
    assert squeezed(result.output.splitlines()[1]) == "d-1 sent alerts 2026-03-01 12:00:00Z 1 anna@example.com"


def test_given_a_delivery_when_got_then_recipients_and_attempts_are_shown(run: Run, mailport: FakeMailport) -> None:
    mailport.answers["GetDelivery"] = api.GetDeliveryResponse(delivery=a_delivery())

    result = run("deliveries", "get", "d-1")

    assert mailport.requests == [api.GetDeliveryRequest(delivery_id="d-1")]
    assert result.output.splitlines()[0] == "✓ d-1  sent"
    assert "  ✓ anna@example.com  sent  250 2.0.0 Ok" in result.output
    assert "  attempt 1  2026-03-01 12:00:00Z" in result.output


def test_given_a_time_that_is_none_when_deliveries_are_listed_then_is_wrong_usage(
    run: Run, mailport: FakeMailport
) -> None:
    result = run("deliveries", "list", "--since", "yesterday")

    assert result.exit_code == 2
    assert mailport.requests == []


@pytest.mark.parametrize(("arguments", "seconds"), [((), 30), (("--timeout", "7"), 7)])
def test_given_a_timeout_when_called_then_it_is_the_call_s_deadline(
    run: Run, mailport: FakeMailport, arguments: tuple[str, ...], seconds: float
) -> None:
    mailport.answers["ListConfigurations"] = api.ListConfigurationsResponse()

    run("list", *arguments)

    assert mailport.deadlines[0] == pytest.approx(seconds, abs=3)
