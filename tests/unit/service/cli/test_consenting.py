from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from mailport.v1 import configuration_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.cli import consenting
from tests.unit.service.cli.conftest import Run
from tests.unit.service.cli.samples import (
    NOON,
    a_configuration,
    a_denial,
    a_grant,
    a_revision,
    a_session,
    a_warning,
    at,
)
from tests.unit.service.cli.servicer import FakeMailport, a_status

ADDRESS = "https://accounts.example.com/authorize?client_id=x&state=in-the-address"
STATE = "secret-of-the-session"


class Browser:
    """Takes addresses, or is none."""

    def __init__(self) -> None:
        self.is_there = True
        self.opened: list[str] = []

    def open(self, url: str) -> bool:
        self.opened.append(url)
        return self.is_there


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    found = Browser()
    monkeypatch.setattr(consenting, "open_browser", found.open)
    return found


@pytest.fixture(autouse=True)
def started(mailport: FakeMailport) -> api.AuthorizeResponse:
    session = a_session()
    response = api.AuthorizeResponse(
        authorization_url=ADDRESS, state=STATE, expire_time=session.expire_time, redirect_url=session.redirect_url
    )
    mailport.answers["Authorize"] = response
    return response


def ends(mailport: FakeMailport, state: configuration_pb2.ConsentState.ValueType, **changes: Any) -> None:
    consent = a_session(state, failure=changes.pop("failure", None))
    mailport.answers["GetConfiguration"] = api.GetConfigurationResponse(
        configuration=a_configuration(consent=consent, **changes)
    )


def test_given_a_person_who_consents_when_authorized_then_the_browser_opens_and_the_grant_is_shown(
    run: Run, mailport: FakeMailport, browser: Browser
) -> None:
    ends(mailport, configuration_pb2.CONSENT_STATE_AUTHORIZED, grant=a_grant())

    result = run(
        "authorize", "alerts", "--save", "--login-hint", "me@example.com", "--redirect-url", "https://a.example/c"
    )

    assert result.exit_code == 0
    assert mailport.requests == [
        api.AuthorizeRequest(
            configuration_id="alerts", save=True, login_hint="me@example.com", redirect_url="https://a.example/c"
        ),
        api.GetConfigurationRequest(configuration_id="alerts"),
    ]
    assert browser.opened == [ADDRESS]
    lines = result.output.splitlines()
    assert lines[0] == "Open this address in a browser and consent, until 2026-03-01 12:10:00Z:"
    assert ADDRESS in lines
    assert lines[lines.index("✓ alerts is authorized.") + 1 :] == [
        "  account       robot@example.com",
        "  scopes        openid https://mail.example.com/",
        "  access token  until 2026-03-01 13:00:00Z, then refreshed",
        "  → mailport validate alerts proves the draft and puts it into use",
    ]


def test_given_what_the_provider_may_show_when_authorized_then_the_person_before_the_page_can_look_it_up(
    run: Run, mailport: FakeMailport, browser: Browser, started: api.AuthorizeResponse
) -> None:
    """Nobody else is told of such a refusal."""
    for shown, remedy in (("redirect_uri_mismatch", "Register https://a.example/c."), ("org_internal", "Sign in.")):
        started.page_refusals.add(shown=shown, failure=failure_pb2.Failure(remedy=remedy))
    ends(mailport, configuration_pb2.CONSENT_STATE_AUTHORIZED, grant=a_grant())

    lines = run("authorize", "alerts").output.splitlines()

    begin = lines.index("→ Where the provider's own page shows an error, nobody but its reader is told:")
    assert lines[begin + 1 : begin + 3] == [
        "  redirect_uri_mismatch  Register https://a.example/c.",
        "  org_internal           Sign in.",
    ]


def test_given_saved_by_the_consent_alone_when_authorized_then_nothing_remains_to_be_validated(
    run: Run, mailport: FakeMailport, browser: Browser
) -> None:
    health = configuration_pb2.ConfigurationHealth(warnings=[a_warning()])
    ends(mailport, configuration_pb2.CONSENT_STATE_AUTHORIZED, grant=a_grant(), draft=None, health=health)

    result = run("authorize", "alerts", "--save")

    assert "  ! settings.smtp.minimum_tls_version: TLS 1.0 is deprecated." in result.output
    assert "mailport validate" not in result.output


def test_given_an_older_grant_in_use_when_authorized_then_it_is_not_taken_for_what_the_consent_gave(
    run: Run, mailport: FakeMailport, browser: Browser
) -> None:
    older = a_grant()
    older.account = "former@example.com"
    older.authorize_time.CopyFrom(at(NOON - timedelta(days=30)))
    active, draft = a_revision(), a_revision()
    active.grant.CopyFrom(older)
    draft.grant.CopyFrom(a_grant())
    ends(mailport, configuration_pb2.CONSENT_STATE_AUTHORIZED, grant=older, active=active, draft=draft)

    result = run("authorize", "alerts")

    lines = result.output.splitlines()
    assert lines[lines.index("✓ alerts is authorized.") + 1 :] == [
        "  account       robot@example.com",
        "  scopes        openid https://mail.example.com/",
        "  access token  until 2026-03-01 13:00:00Z, then refreshed",
        "  → mailport validate alerts proves the draft and puts it into use",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "No browser could be opened; open the address by hand."), (("--no-browser",), None)],
)
def test_given_no_browser_when_authorized_then_the_address_is_for_a_person_to_open(
    run: Run, mailport: FakeMailport, browser: Browser, arguments: tuple[str, ...], said: str | None
) -> None:
    browser.is_there = False
    ends(mailport, configuration_pb2.CONSENT_STATE_AUTHORIZED, grant=a_grant())

    result = run("authorize", "alerts", *arguments)

    assert result.exit_code == 0
    assert ADDRESS in result.output
    assert browser.opened == ([ADDRESS] if said else [])
    assert said is None or said in result.output


@pytest.mark.parametrize(
    "state", [configuration_pb2.CONSENT_STATE_REFUSED, configuration_pb2.CONSENT_STATE_EXPIRED], ids=["refused", "late"]
)
def test_given_no_consent_in_the_end_when_authorized_then_its_failure_is_a_refusal(
    run: Run, mailport: FakeMailport, browser: Browser, state: configuration_pb2.ConsentState.ValueType
) -> None:
    ends(mailport, state, failure=a_denial())

    result = run("authorize", "alerts")

    assert result.exit_code == 7
    assert result.stderr.splitlines() == [
        "✗ AUTHORIZATION_DENIED · at CONSENT · reauthorize",
        "  cause   The user did not consent.",
        "  remedy  Authorize again and consent.",
        "  answer  access_denied",
    ]


def test_given_json_when_authorized_then_standard_output_is_one_object_and_the_address_is_elsewhere(
    run: Run, mailport: FakeMailport, browser: Browser
) -> None:
    ends(mailport, configuration_pb2.CONSENT_STATE_AUTHORIZED, grant=a_grant())

    result = run("authorize", "alerts", "--json")

    assert json.loads(result.stdout)["configuration"]["grant"]["account"] == "robot@example.com"
    assert ADDRESS in result.stderr


def test_given_json_when_consent_is_refused_then_the_failure_is_json_too(
    run: Run, mailport: FakeMailport, browser: Browser
) -> None:
    ends(mailport, configuration_pb2.CONSENT_STATE_REFUSED, failure=a_denial())

    result = run("authorize", "alerts", "--json", "--no-browser")

    assert result.stdout == ""
    error = json.loads(result.stderr[result.stderr.index("{") :])["error"]
    assert (error["reason"], error["failure"]["providerCode"]) == ("AUTHORIZATION_DENIED", "access_denied")


def test_given_no_waiting_when_authorized_then_the_address_is_all_and_nothing_is_polled(
    run: Run, mailport: FakeMailport
) -> None:
    result = run("authorize", "alerts", "--no-wait", "--no-browser", "--json")

    assert json.loads(result.stdout)["authorizationUrl"] == ADDRESS
    assert len(mailport.requests) == 1


def test_given_a_script_that_does_not_wait_when_authorized_then_it_gets_the_state_to_complete_the_session_with(
    run: Run, started: api.AuthorizeResponse
) -> None:
    result = run("authorize", "alerts", "--no-wait", "--no-browser", "--json")

    assert json.loads(result.stdout)["state"] == started.state == STATE


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--no-wait",)])
def test_given_the_state_of_a_session_when_authorized_then_nothing_but_the_address_holds_it(
    run: Run, mailport: FakeMailport, browser: Browser, arguments: tuple[str, ...]
) -> None:
    ends(mailport, configuration_pb2.CONSENT_STATE_AUTHORIZED, grant=a_grant())

    result = run("authorize", "alerts", *arguments)

    assert STATE not in result.stdout + result.stderr


def test_given_a_warning_when_authorized_then_it_stands_above_the_address(
    run: Run, started: api.AuthorizeResponse
) -> None:
    started.warnings.append(a_warning())

    result = run("authorize", "alerts", "--no-wait", "--no-browser")

    assert result.output.startswith("! settings.smtp.minimum_tls_version: TLS 1.0 is deprecated.\n")


def from_standard_input(url: str, _: Path) -> tuple[list[str], dict[str, Any]]:
    return [], {"input": f"{url}\n"}


def from_a_file(url: str, folder: Path) -> tuple[list[str], dict[str, Any]]:
    (folder / "landed").write_text(f"{url}\n")
    return ["--callback-url-file", str(folder / "landed")], {}


@pytest.mark.parametrize("given", [from_standard_input, from_a_file])
def test_given_the_address_the_browser_landed_on_when_completed_then_it_goes_over_as_it_is_and_is_not_shown(
    run: Run, mailport: FakeMailport, tmp_path: Path, given: Callable[[str, Path], tuple[list[str], dict[str, Any]]]
) -> None:
    landed = "http://127.0.0.1:8080/oauth/callback?code=4%2F0AbC&state=s%2B1"
    mailport.answers["CompleteAuth"] = api.CompleteAuthResponse(
        authorized=True,
        granted_scopes=["mail.send"],
        access_token_expire_time=at(),
        warnings=[a_warning()],
        configuration=a_configuration(),
    )
    arguments, more = given(landed, tmp_path)

    result = run("complete-auth", *arguments, **more)

    assert result.exit_code == 0
    assert mailport.requests == [api.CompleteAuthRequest(callback_url=landed)]
    assert result.output.splitlines()[:4] == [
        "✓ alerts is authorized.",
        "  account       not told by the provider",
        "  scopes        mail.send",
        "  access token  until 2026-03-01 12:00:00Z, then refreshed",
    ]
    assert "TLS 1.0 is deprecated." in result.output
    assert "0AbC" not in result.output


def test_given_no_address_when_completed_then_is_wrong_usage(run: Run, mailport: FakeMailport) -> None:
    result = run("complete-auth", input="\n")

    assert result.exit_code == 2
    assert mailport.requests == []


def test_given_a_consent_that_was_not_enough_when_completed_then_the_refusal_is_explained(
    run: Run, mailport: FakeMailport
) -> None:
    mailport.answers["CompleteAuth"] = a_status(
        grpc.StatusCode.FAILED_PRECONDITION, "…", ErrorInfo(reason="AUTHORIZATION_DENIED"), a_denial()
    )

    result = run("complete-auth", input="http://127.0.0.1:8080/oauth/callback?error=access_denied&state=s\n")

    assert result.exit_code == 7
    assert "remedy  Authorize again and consent." in result.stderr


@pytest.mark.parametrize(
    ("revocation", "said"),
    [
        (configuration_pb2.GRANT_REVOCATION_NO_GRANT, "✓ There was no consent to give up.\n"),
        (configuration_pb2.GRANT_REVOCATION_REVOKED, "✓ The provider has revoked the consent.\n"),
        (
            configuration_pb2.GRANT_REVOCATION_NOT_SUPPORTED,
            "the provider offers no way to revoke it from here.\n  → To",
        ),
        (configuration_pb2.GRANT_REVOCATION_FAILED, "could not be reached or refused to revoke it.\n  → To end it"),
        (99, "! The consent is forgotten here; at the provider: 99.\n"),
    ],
)
def test_given_what_the_provider_did_when_revoked_or_deleted_then_both_say_it(
    run: Run, mailport: FakeMailport, revocation: configuration_pb2.GrantRevocation.ValueType, said: str
) -> None:
    mailport.answers["RevokeAuth"] = api.RevokeAuthResponse(grant_revocation=revocation)
    mailport.answers["DeleteConfiguration"] = api.DeleteConfigurationResponse(grant_revocation=revocation)

    revoked, deleted = run("revoke", "alerts"), run("delete", "alerts")

    assert mailport.requests[0] == api.RevokeAuthRequest(configuration_id="alerts")
    assert revoked.exit_code == 0
    assert said in revoked.output
    assert said in deleted.output
