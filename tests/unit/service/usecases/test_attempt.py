"""The attempt step: what each answer of the server makes of a delivery, and what stands in the way of a try."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.configuration import Configuration
from domain.delivery import DeliveryState, RecipientState
from domain.earlier import Earlier
from domain.failures.failure import FailureKind, Stage
from domain.message import InDoubtPolicy
from domain.ports.transport import Patience
from domain.reasons import Reason
from tests.builders import (
    CONFIGURATION_ID,
    CONTENT,
    NOW,
    a_configuration,
    a_delivery,
    a_draft,
    a_failure,
    a_recipient,
    an_address,
    an_oauth_authentication,
    some_settings,
    some_written_settings,
)
from tests.consent_builders import a_grant
from tests.fakes.transport import Answer
from tests.fakes.vault import FakeVault
from tests.unit.service.processes import oauth_settings
from tests.unit.service.world import CALLER, World


async def a_world(configuration: Configuration | None = None) -> World:
    world = World()
    await world.given(configuration)
    return world


async def test_given_a_server_that_takes_it_when_attempted_then_is_sent_and_recorded() -> None:
    world = await a_world()
    delivery = await world.accepted()

    after = await world.attempted()

    (attempt,) = world.store.attempts(delivery.delivery_id)
    (mail,) = world.transport.accepted
    assert after.state is DeliveryState.SENT
    assert after.recipients[0].reply == "250 2.0.0 queued"
    assert (attempt.number, attempt.failure, attempt.in_doubt) == (1, None, False)
    assert attempt.trace is not None
    assert mail.content == CONTENT
    assert mail.patience == Patience()
    assert world.store.deliveries[delivery.tenant, delivery.delivery_id].lease is None


async def test_given_an_attempt_when_content_is_about_to_leave_then_that_is_committed_first() -> None:
    """P5."""
    world = await a_world()
    delivery = await world.accepted()
    marked: list[bool] = []

    async def look() -> None:
        lease = world.store.deliveries[delivery.tenant, delivery.delivery_id].lease
        marked.append(lease is not None and lease.past_no_return)

    world.transport.while_connecting = look
    world.transport.while_sending = look

    await world.attempted()

    assert marked == [False, True]


async def test_given_one_configuration_when_attempted_then_its_mails_share_a_lane_until_the_consent_is_another() -> (
    None
):
    """A session outlives its token, so that it must not outlive the consent that it was opened with."""
    world = World()
    await world.given(a_configuration(settings=oauth_settings()))
    await world.given_grant()
    for key in ("k1", "k2"):
        await world.accepted(a_delivery(delivery_id=key))
        await world.attempted()
    await world.given_grant(a_grant(grant_id="newer", authorize_time=NOW + timedelta(minutes=1)))
    await world.accepted(a_delivery(delivery_id="k3"))
    await world.attempted()

    first, second, third = (mail.lane for mail in world.transport.accepted)
    assert first == second
    assert CONFIGURATION_ID in first
    assert third not in {first, ""}


async def test_given_some_refused_when_attempted_again_then_only_the_open_one_is_offered() -> None:
    """F20: ok1, gone, later, ok2."""
    world = await a_world()
    names = ("ok1", "gone", "later", "ok2")
    ok1, gone, later, ok2 = (an_address(f"{name}@example.com") for name in names)
    await world.accepted(a_delivery(recipients=tuple(a_recipient(f"{name}@example.com") for name in names)))
    unknown = a_failure(reason=Reason.RECIPIENT_UNKNOWN, stage=Stage.RCPT_TO, code="550 5.1.1")
    busy = a_failure(FailureKind.TRANSIENT, reason=Reason.REFUSED_FOR_NOW, stage=Stage.RCPT_TO, code="450 4.2.1")
    world.transport.answers.append(Answer(refused=((gone, unknown), (later, busy))))

    first = await world.attempted()
    world.clock.set(first.next_attempt_time or NOW)
    second = await world.attempted()

    assert first.state is DeliveryState.RETRYING
    assert [mail.envelope.recipients for mail in world.transport.submitted] == [(ok1, gone, later, ok2), (later,)]
    assert second.state is DeliveryState.PARTIALLY_SENT
    assert {str(r.address): r.state for r in second.recipients} == {
        "ok1@example.com": RecipientState.SENT,
        "gone@example.com": RecipientState.REJECTED,
        "later@example.com": RecipientState.SENT,
        "ok2@example.com": RecipientState.SENT,
    }
    assert second.recipients[1].failure == unknown


async def test_given_all_refused_for_good_when_attempted_then_has_failed_and_no_content_left() -> None:
    world = await a_world()
    await world.accepted()
    world.transport.answers.append(Answer(refused=((an_address(), a_failure(stage=Stage.RCPT_TO)),)))

    after = await world.attempted()

    assert after.state is DeliveryState.FAILED
    assert world.transport.accepted == []


async def test_given_greylisting_when_attempted_three_times_then_the_same_octets_go_out_after_growing_pauses() -> None:
    """F21, F11: one Message-ID throughout."""
    world = await a_world()
    delivery = await world.accepted()
    world.entropy.fractions = [0.5, 0.5, 0.5]
    greylisted = a_failure(FailureKind.TRANSIENT, reason=Reason.GREYLISTED, stage=Stage.RCPT_TO, code="450 4.2.0")
    world.transport.answers.extend([Answer(failure=greylisted), Answer(failure=greylisted)])
    pauses: list[timedelta] = []

    while (after := await world.attempted()).state is DeliveryState.RETRYING:
        assert after.next_attempt_time is not None
        pauses.append(after.next_attempt_time - world.clock.now())
        world.clock.set(after.next_attempt_time)

    assert after.state is DeliveryState.SENT
    assert pauses == [timedelta(minutes=2), timedelta(minutes=4)]
    assert {mail.content for mail in world.transport.submitted} == {CONTENT}
    assert [attempt.failure for attempt in world.store.attempts(delivery.delivery_id)] == [greylisted, greylisted, None]


@pytest.mark.parametrize(
    ("policy", "is_settled"), [(InDoubtPolicy.RETRY, False), (InDoubtPolicy.HOLD, True)], ids=["retry", "hold"]
)
async def test_given_a_connection_lost_after_the_content_when_attempted_then_is_in_doubt(
    policy: InDoubtPolicy, is_settled: bool
) -> None:
    world = await a_world()
    delivery = await world.accepted(a_delivery(in_doubt_policy=policy))
    lost = a_failure(FailureKind.IN_DOUBT, reason=Reason.CONNECTION_LOST)
    world.transport.answers.append(Answer(failure=lost))

    after = await world.attempted()

    assert after.state is DeliveryState.IN_DOUBT
    assert after.is_settled is is_settled
    assert after.doubt_count == 1
    assert world.store.attempts(delivery.delivery_id)[0].in_doubt


async def test_given_a_second_attempt_without_doubt_when_recorded_then_the_first_ones_doubt_is_not_its_own() -> None:
    world = await a_world()
    delivery = await world.accepted()
    world.transport.answers.append(Answer(failure=a_failure(FailureKind.IN_DOUBT, reason=Reason.CONNECTION_LOST)))
    world.transport.answers.append(Answer(failure=a_failure(FailureKind.TRANSIENT, reason=Reason.SERVER_BUSY)))

    first = await world.attempted()
    world.clock.set(first.next_attempt_time or NOW)
    await world.attempted()

    assert [attempt.in_doubt for attempt in world.store.attempts(delivery.delivery_id)] == [True, False]


async def test_given_a_consent_that_is_missing_when_attempted_then_is_held_and_connects_nowhere() -> None:
    world = await a_world(a_configuration(settings=some_settings(authentication=an_oauth_authentication())))
    await world.accepted()

    after = await world.attempted()

    assert after.state is DeliveryState.HELD
    assert after.failure is not None
    assert after.failure.reason is Reason.NEEDS_AUTHORIZATION
    assert world.transport.submitted == []


async def test_given_a_held_delivery_when_working_settings_are_proven_then_it_goes_out() -> None:
    world = await a_world(a_configuration(settings=some_settings(authentication=an_oauth_authentication())))
    held = await world.accepted()
    await world.attempted()

    await world.configure(CALLER, CONFIGURATION_ID, some_written_settings())
    await world.validated()
    after = await world.attempted()

    assert after.delivery_id == held.delivery_id
    assert after.state is DeliveryState.SENT


async def test_given_a_server_that_wants_a_new_consent_when_attempted_then_is_held() -> None:
    world = await a_world()
    await world.accepted()
    refused = a_failure(FailureKind.REAUTHORIZE, reason=Reason.REAUTH_REQUIRED, stage=Stage.AUTH)
    world.transport.answers.append(Answer(failure=refused))

    after = await world.attempted()

    assert after.state is DeliveryState.HELD
    assert after.failure == refused


@pytest.mark.parametrize("configuration", [None, a_draft()], ids=["deleted", "draft alone"])
async def test_given_no_active_configuration_when_attempted_then_has_failed_as_not_configured(
    configuration: Configuration | None,
) -> None:
    world = World()
    if configuration is not None:
        await world.given(configuration)
    await world.accepted()

    after = await world.attempted()

    assert after.state is DeliveryState.FAILED
    assert after.failure is not None
    assert after.failure.reason is Reason.NOT_CONFIGURED
    assert world.transport.submitted == []


async def test_given_a_password_that_does_not_open_when_attempted_then_waits_and_connects_nowhere() -> None:
    """F42: nobody signs in with an empty password; a new one repairs it, and nothing is lost meanwhile."""
    world = await a_world()
    delivery = await world.accepted()
    keys = world.store.vault
    world.store.vault = FakeVault(keys=[2])

    waiting = await world.attempted()
    submitted = list(world.transport.submitted)
    world.store.vault = FakeVault(keys=[*world.vault.keys, 2])
    await world.configure(CALLER, CONFIGURATION_ID, some_written_settings())
    await world.validated()
    after = await world.attempted()

    assert keys is world.vault
    assert waiting.state is DeliveryState.RETRYING
    assert waiting.failure is not None
    assert waiting.failure.reason is Reason.SECRET_UNREADABLE
    assert "settings.basic.password" in waiting.failure.cause
    assert submitted == []
    assert after.delivery_id == delivery.delivery_id
    assert after.state is DeliveryState.SENT


async def test_given_content_that_does_not_open_when_attempted_then_waits_for_its_key() -> None:
    """F42."""
    world = await a_world(a_configuration(settings=some_settings(authentication=None)))
    await world.accepted()
    world.store.vault = FakeVault(keys=[2])

    waiting = await world.attempted()
    submitted = list(world.transport.submitted)
    world.store.vault = world.vault
    world.clock.set(waiting.next_attempt_time or NOW)
    after = await world.attempted()

    assert waiting.state is DeliveryState.RETRYING
    assert waiting.failure is not None
    assert waiting.failure.reason is Reason.SECRET_UNREADABLE
    assert submitted == []
    assert after.state is DeliveryState.SENT


async def test_given_content_that_is_gone_when_attempted_then_has_failed() -> None:
    world = await a_world()
    delivery = await world.accepted()
    world.store.shred(delivery.delivery_id)

    after = await world.attempted()

    assert after.state is DeliveryState.FAILED
    assert world.transport.submitted == []


async def test_given_one_account_that_is_broken_when_others_are_attempted_then_they_are_sent() -> None:
    """P6, F42: an account's trouble is its own."""
    world = await a_world(a_configuration(settings=some_settings(authentication=an_oauth_authentication())))
    await world.given(a_configuration(configuration_id="billing"))
    await world.accepted()
    healthy = await world.accepted(a_delivery(configuration_id="billing"))

    await world.attempted()
    after = await world.attempted()

    assert after == replace(world.store.delivery(healthy.delivery_id))
    assert after.state is DeliveryState.SENT


async def test_given_attempts_before_when_attempted_again_then_the_transport_is_told_what_they_may_have_left() -> None:
    world = await a_world()
    world.transport.answers += [
        Answer(a_failure(kind=FailureKind.TRANSIENT)),
        Answer(a_failure(kind=FailureKind.IN_DOUBT)),
    ]
    await world.accepted()

    for _ in range(3):
        await world.attempted()
        world.clock.advance(timedelta(hours=3))

    assert [each.earlier for each in world.transport.submitted] == [Earlier.NOTHING, Earlier.PARTS, Earlier.COPY]
