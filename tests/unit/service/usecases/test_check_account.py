"""CheckAccount: signs in, sends nothing, and says what will bite later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.configuration import Configuration
from domain.connection import ConnectionSecurity
from domain.errors import MailportError, NotFound, NotReady, ProviderRefused
from domain.failures.failure import FailureKind, Fix, Stage
from domain.ports.probe import Offer
from domain.reasons import Reason
from service.usecases import send_test
from tests.builders import (
    CONFIGURATION_ID,
    OTHER_TENANT,
    a_caller,
    a_configuration,
    a_draft,
    a_graph_transport,
    a_revision,
    a_warning,
    an_address,
    an_oauth_authentication,
    an_smtp_transport,
    some_settings,
)
from tests.fakes.transport import Answer, a_failure
from tests.unit.service.world import CALLER, MINUTE, World

CORP = some_settings(from_address=an_address("robot@corp.de"), authentication=None)


@pytest.mark.parametrize(
    ("configuration", "tested"),
    [
        (a_configuration(), send_test.Tested.ACTIVE),
        (a_draft(), send_test.Tested.DRAFT),
        (a_configuration(draft=a_revision(number=2), last_revision=2), send_test.Tested.DRAFT),
    ],
)
async def test_given_settings_when_checked_then_nothing_is_sent_and_nothing_stored(
    configuration: Configuration, tested: send_test.Tested
) -> None:
    world = World()
    await world.given(configuration)
    before = world.snapshot()

    checked = await world.check_account(CALLER, CONFIGURATION_ID, time_left=MINUTE)

    assert checked.tested is tested
    assert checked.trace.steps
    assert world.transport.submitted == []
    assert world.snapshot() == before


async def test_given_what_will_bite_when_checked_then_stored_warnings_and_the_dns_both_tell() -> None:
    world = World()
    world.records.zone["corp.de", "NS"] = ["ns.corp.de"]
    await world.given(a_configuration(active=a_revision(settings=CORP, warnings=(a_warning(),))))

    checked = await world.check_account(CALLER, CONFIGURATION_ID, time_left=MINUTE)

    reasons = [warning.reason for warning in checked.warnings]
    assert reasons == [a_warning().reason, Reason.SPF_NOT_COVERING, Reason.DMARC_MISSING]


async def test_given_a_dns_that_does_not_know_the_domain_when_checked_then_that_is_told_in_place_of_warnings() -> None:
    world = World()
    await world.given(a_configuration(settings=CORP))

    checked = await world.check_account(CALLER, CONFIGURATION_ID, time_left=MINUTE)

    assert checked.warnings == ()
    assert len(checked.unchecked) == 1
    assert "does not know corp.de" in checked.unchecked[0]


async def test_given_a_test_mail_when_sent_then_it_warns_as_the_check_does() -> None:
    world = World()
    world.records.zone["corp.de", "NS"] = ["ns.corp.de"]
    await world.given(a_configuration(settings=CORP))

    sent = await world.send_test(CALLER, CONFIGURATION_ID, to="anna@example.com", unsaved=None, time_left=MINUTE)

    assert [warning.reason for warning in sent.warnings] == [Reason.SPF_NOT_COVERING, Reason.DMARC_MISSING]


async def test_given_a_server_that_says_no_when_checked_then_failure_trace_and_fix_are_told() -> None:
    world = World()
    transport = an_smtp_transport(port=2525, security=ConnectionSecurity.IMPLICIT_TLS)
    await world.given(a_configuration(settings=some_settings(transport=transport)))
    mismatch = a_failure(FailureKind.MISCONFIGURED, reason=Reason.TLS_MODE_MISMATCH, stage=Stage.TLS, code="")
    world.transport.answers.append(Answer(mismatch))
    world.probe.offers[2525, ConnectionSecurity.STARTTLS] = Offer(mechanisms=("PLAIN",))

    with pytest.raises(ProviderRefused) as refused:
        await world.check_account(CALLER, CONFIGURATION_ID, time_left=MINUTE)

    assert refused.value.failure.fixes == (Fix("settings.smtp.security", "STARTTLS"),)
    assert refused.value.trace is not None
    assert refused.value.metadata == {"configuration_id": CONFIGURATION_ID}


@pytest.mark.parametrize(
    ("caller", "configuration", "error", "reason"),
    [
        (CALLER, None, NotFound, Reason.NOT_FOUND),
        (a_caller(tenant=OTHER_TENANT), a_configuration(), NotFound, Reason.NOT_FOUND),
        (
            CALLER,
            a_draft(settings=some_settings(authentication=an_oauth_authentication())),
            MailportError,
            Reason.NEEDS_AUTHORIZATION,
        ),
        (
            CALLER,
            a_draft(settings=some_settings(transport=a_graph_transport(), authentication=an_oauth_authentication())),
            MailportError,
            Reason.NEEDS_AUTHORIZATION,
        ),
    ],
)
async def test_given_nothing_to_check_when_checked_then_refused_by_name(
    caller: object, configuration: Configuration | None, error: type[MailportError], reason: Reason
) -> None:
    world = World()
    if configuration is not None:
        await world.given(configuration)

    with pytest.raises(error) as refused:
        await world.check_account(caller, CONFIGURATION_ID, time_left=MINUTE)  # type: ignore[arg-type]

    assert refused.value.reason is reason


async def test_given_no_time_when_checked_then_nothing_is_tried() -> None:
    world = World()
    await world.given(a_configuration())

    with pytest.raises(MailportError) as refused:
        await world.check_account(CALLER, CONFIGURATION_ID, time_left=timedelta(milliseconds=1))

    assert not isinstance(refused.value, NotReady)
    assert refused.value.reason is Reason.DEADLINE_TOO_SHORT
