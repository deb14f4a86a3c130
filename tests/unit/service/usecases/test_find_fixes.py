"""What cures a failure is looked for while a person waits, and only while there is time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.connection import ConnectionSecurity
from domain.errors import ProviderRefused
from domain.failures.failure import Failure, FailureKind, Fix, Stage
from domain.ports.probe import Offer
from domain.reasons import Reason
from service.usecases.find_fixes import FindFixes
from tests.builders import CONFIGURATION_ID, a_draft, an_smtp_transport, some_settings
from tests.fakes.probe import FakeProbe
from tests.fakes.transport import Answer
from tests.unit.service.world import World

STARTTLS, IMPLICIT = ConnectionSecurity.STARTTLS, ConnectionSecurity.IMPLICIT_TLS
GUESS = Fix("settings.smtp.security", "IMPLICIT_TLS")
MISMATCH = Failure(
    reason=Reason.TLS_MODE_MISMATCH,
    kind=FailureKind.MISCONFIGURED,
    stage=Stage.EHLO,
    cause="It expects TLS.",
    remedy="Change it.",
    fixes=(GUESS,),
)
SETTINGS = some_settings(transport=an_smtp_transport(port=2525, security=STARTTLS))
SECOND = timedelta(seconds=1)


async def test_given_a_way_that_serves_when_looked_for_then_it_is_the_fix() -> None:
    probe = FakeProbe({(587, STARTTLS): Offer(mechanisms=("LOGIN",))})

    failure = await FindFixes(probe=probe)(SETTINGS, MISMATCH, time_left=10 * SECOND)

    assert failure.fixes == (Fix("settings.smtp.port", "587"),)
    assert probe.looked == [(2525, IMPLICIT), (587, STARTTLS), (465, IMPLICIT)]


async def test_given_no_time_when_looked_for_then_the_catalogues_word_stands_and_nothing_is_dialled() -> None:
    probe = FakeProbe()

    failure = await FindFixes(probe=probe)(SETTINGS, MISMATCH, time_left=timedelta(milliseconds=600))

    assert failure.fixes == (GUESS,)
    assert probe.looked == []


async def test_given_a_refusal_of_the_account_when_looked_for_then_nothing_is_dialled() -> None:
    probe = FakeProbe()
    refused = Failure(
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        stage=Stage.AUTH,
        cause="No.",
        remedy="Check it.",
        fixes=(Fix("settings.graph", "{}"),),
    )

    failure = await FindFixes(probe=probe)(SETTINGS, refused, time_left=10 * SECOND)

    assert failure.fixes == ()
    assert probe.looked == []


async def test_given_a_draft_with_the_wrong_mode_when_validated_then_the_refusal_has_the_fix_and_whose_it_is() -> None:
    world = World()
    await world.given(a_draft(settings=SETTINGS))
    world.transport.answers.append(Answer(MISMATCH))
    world.probe.offers[2525, IMPLICIT] = Offer(mechanisms=("PLAIN",))

    with pytest.raises(ProviderRefused) as refused:
        await world.validated()

    assert refused.value.failure.fixes == (GUESS,)
    assert refused.value.trace is not None
    assert refused.value.metadata == {"configuration_id": CONFIGURATION_ID}
