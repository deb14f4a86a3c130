"""SendTest: the right settings, the server's final word, and nothing saved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.configuration import Configuration
from domain.errors import (
    AuthorizationRequired,
    ConfigInvalid,
    InputInvalid,
    MailportError,
    NotFound,
    NotReady,
    ProviderRefused,
    Violation,
)
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from domain.settings.model import BasicAuthentication
from domain.settings.written import WrittenBasic, WrittenSettings, WrittenSmtp
from service.usecases import send_test
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    a_configuration,
    a_draft,
    a_failure,
    a_revision,
    an_oauth_authentication,
    some_settings,
    some_written_settings,
)
from tests.fakes.transport import Answer
from tests.unit.service.world import CALLER, MINUTE, World

TO = "anna@example.com"


async def sent(
    world: World, *, unsaved: WrittenSettings | None = None, to: str = TO, configuration_id: str = CONFIGURATION_ID
) -> send_test.TestSent:
    return await world.send_test(CALLER, configuration_id, to=to, unsaved=unsaved, time_left=MINUTE)


DRAFT = a_revision(number=2, settings=some_settings(from_name="Draft"))


@pytest.mark.parametrize(
    ("configuration", "unsaved", "tested", "from_name"),
    [
        (a_configuration(), None, "ACTIVE", ""),
        (a_configuration(draft=DRAFT, last_revision=2), None, "DRAFT", "Draft"),
        (
            a_configuration(draft=DRAFT, last_revision=2),
            some_written_settings(from_name="Unsaved"),
            "UNSAVED",
            "Unsaved",
        ),
    ],
    ids=["active", "draft", "unsaved"],
)
async def test_given_settings_when_tested_then_those_are_used_and_nothing_is_saved(
    configuration: Configuration, unsaved: WrittenSettings | None, tested: str, from_name: str
) -> None:
    world = World()
    await world.given(configuration)
    before = world.snapshot()

    result = await sent(world, unsaved=unsaved)

    (mail,) = world.transport.accepted
    assert result.tested == tested
    assert mail.settings.from_name == from_name
    assert [str(recipient) for recipient in mail.envelope.recipients] == [TO]
    assert result.proof.reply == "250 2.0.0 queued"
    assert result.proof.message_id.encode() in mail.content
    assert result.proof.trace.steps
    assert world.snapshot() == before


async def test_given_no_configuration_when_unsaved_settings_are_tested_then_it_works_all_the_same() -> None:
    world = World()

    result = await sent(world, unsaved=some_written_settings(), configuration_id="")

    assert result.tested == "UNSAVED"
    assert world.store.configurations == {}


async def test_given_unsaved_settings_without_password_when_tested_then_the_stored_one_is_used() -> None:
    world = World()
    await world.given()
    unsaved = some_written_settings(from_name="Unsaved", authentication=WrittenBasic(username="robot@example.com"))

    await sent(world, unsaved=unsaved)

    authentication = world.transport.accepted[0].settings.authentication
    assert isinstance(authentication, BasicAuthentication)
    assert authentication.password.reveal() == "correct horse"


async def test_given_unsaved_settings_for_another_host_when_tested_then_the_stored_password_does_not_go_there() -> None:
    world = World()
    await world.given()
    unsaved = some_written_settings(
        transport=WrittenSmtp(host="evil.example.net", port=587),
        authentication=WrittenBasic(username="robot@example.com"),
    )

    with pytest.raises(ConfigInvalid) as refused:
        await sent(world, unsaved=unsaved)

    assert [v.field for v in refused.value.violations] == ["settings.basic.password"]
    assert world.transport.submitted == []


async def test_given_a_foreign_configuration_when_unsaved_settings_name_it_then_its_password_is_not_used() -> None:
    world = World()
    await world.given(a_configuration(tenant=OTHER_TENANT))
    unsaved = some_written_settings(authentication=WrittenBasic(username="robot@example.com"))

    with pytest.raises(ConfigInvalid):
        await sent(world, unsaved=unsaved)

    assert world.transport.submitted == []


async def test_given_warnings_when_tested_then_they_come_with_the_answer() -> None:
    world = World()
    unsaved = some_written_settings(transport=WrittenSmtp(host="smtp.example.com", port=465, security="STARTTLS"))

    result = await sent(world, unsaved=unsaved)

    assert Reason.PORT_SECURITY_UNUSUAL in {warning.reason for warning in result.warnings}


async def test_given_a_server_that_refuses_when_tested_then_says_why_with_the_trace_and_saves_nothing() -> None:
    """F21: greylisted is a temporary refusal, not a wrong password."""
    world = World()
    await world.given()
    before = world.snapshot()
    failure = a_failure(FailureKind.TRANSIENT, reason=Reason.GREYLISTED, stage=Stage.RCPT_TO, code="450 4.2.0")
    world.transport.answers.append(Answer(failure=failure))

    with pytest.raises(ProviderRefused) as refused:
        await sent(world)

    assert refused.value.failure is failure
    assert refused.value.reason is Reason.GREYLISTED
    assert refused.value.trace is not None
    assert world.snapshot() == before


@pytest.mark.parametrize("to", ["", "anna", "anna@example.com\r\nRCPT TO:<eve@example.net>", "Anna <anna@example.com>"])
async def test_given_a_recipient_that_is_none_when_tested_then_is_refused(to: str) -> None:
    """F04."""
    world = World()
    await world.given()

    with pytest.raises(InputInvalid) as refused:
        await sent(world, to=to)

    assert refused.value.violations[0].field == "to"
    assert world.transport.submitted == []


@pytest.mark.parametrize(
    ("configuration", "family"),
    [
        (a_configuration(tenant=OTHER_TENANT), NotFound),
        (replace(a_draft(), draft=None), NotReady),
        (a_draft(settings=some_settings(authentication=an_oauth_authentication())), AuthorizationRequired),
    ],
    ids=["foreign", "empty", "oauth"],
)
async def test_given_nothing_to_test_with_when_tested_then_says_so(
    configuration: Configuration, family: type[MailportError]
) -> None:
    world = World()
    await world.given(configuration)

    with pytest.raises(family):
        await sent(world)

    assert world.transport.submitted == []


async def test_given_unsaved_settings_that_break_rules_when_tested_then_all_violations_come_back() -> None:
    world = World()

    with pytest.raises(ConfigInvalid) as refused:
        await sent(world, unsaved=WrittenSettings(transport=WrittenSmtp(port=0)))

    assert {"settings.from_address", "settings.smtp.host"} <= {v.field for v in refused.value.violations}


async def test_given_a_deadline_when_tested_then_the_server_gets_less_than_that() -> None:
    """F25: the explained answer comes before the caller's deadline."""
    world = World()
    await world.given()

    await sent(world)

    assert world.transport.submitted[0].patience.total <= MINUTE - timedelta(milliseconds=500)


@pytest.mark.parametrize("unsaved", [None, WrittenSettings(transport=WrittenSmtp(host="h", port=0))])
async def test_given_several_things_wrong_when_tested_then_all_are_named_at_once(
    unsaved: WrittenSettings | None,
) -> None:
    world = World()
    await world.given()
    already = Violation("settings.oauth.x", Reason.VALUE_OUT_OF_RANGE, "no", "yes")

    with pytest.raises(InputInvalid) as refused:
        await world.send_test(CALLER, "No Id!", to="nobody", unsaved=unsaved, time_left=MINUTE, found=[already])

    fields = {violation.field for violation in refused.value.violations}
    assert {"settings.oauth.x", "to"} <= fields
    assert unsaved is None or {"configuration_id", "settings.from_address", "settings.smtp.port"} <= fields
    assert world.transport.submitted == []


async def test_given_no_recipient_when_unsaved_settings_lean_on_stored_secrets_then_these_are_not_asked_for() -> None:
    world = World()
    await world.given()
    unsaved = some_written_settings(authentication=WrittenBasic(username="robot@example.com"))

    with pytest.raises(InputInvalid) as refused:
        await sent(world, to="nobody", unsaved=unsaved)

    assert [violation.field for violation in refused.value.violations] == ["to"]
