"""P6: a configuration that the server refuses as it is waits as a whole, says so, and goes on once it works."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.delivery import DeliveryState
from domain.failures.failure import Failure, FailureKind, Stage
from domain.pause import Pause
from domain.ports.delivery_queue import Claim
from domain.reasons import Reason
from mailport.v1 import configuration_pb2 as pb
from service.rpc.render.health import render_health
from service.usecases.attempt import LEASE
from tests.builders import CONFIGURATION_ID, NOW, TENANT, a_delivery, a_failure, some_written_settings
from tests.fakes.transport import Answer
from tests.fakes.vault import FakeVault
from tests.unit.service.world import CALLER, World

MINUTE = timedelta(minutes=1)
REFUSED = a_failure(FailureKind.MISCONFIGURED, reason=Reason.AUTH_REJECTED, stage=Stage.AUTH, code="535 5.7.8")
NAME = TENANT, CONFIGURATION_ID


async def refused_world(failure: Failure = REFUSED) -> World:
    """Returns a world with three mails, whose server has just answered the first with *failure*."""
    world = World()
    await world.given()
    for age in (3, 2, 1):
        due = NOW - age * MINUTE
        await world.accepted(a_delivery(next_attempt_time=due))
    world.transport.answers.append(Answer(failure=failure))
    await world.attempted()
    return world


async def claims(world: World) -> tuple[Claim, ...]:
    async with world.uow() as work:
        found = await work.deliveries.claim(worker="w", lease=LEASE, limit=10)
        await work.commit()
    return found


async def health(world: World) -> pb.ConfigurationHealth:
    """Reads the health as GetConfiguration answers it, the same as in ListConfigurations."""
    one = render_health(await world.get_configuration(CALLER, CONFIGURATION_ID))
    (listed,) = (await world.list_configurations(CALLER, size=0, after="")).items
    assert render_health(listed) == one
    return one


async def test_given_a_refused_sign_in_when_recorded_then_nothing_else_is_tried_and_health_says_why() -> None:
    world = await refused_world()

    (first, *_) = world.store.deliveries.values()
    shown = await health(world)

    assert await claims(world) == ()
    assert first.delivery.next_attempt_time is not None
    assert world.store.pauses[NAME] == Pause(revision=1, until=first.delivery.next_attempt_time, failure=REFUSED)
    assert shown.state == pb.HEALTH_STATE_MISCONFIGURED
    assert shown.failure.reason == "AUTH_REJECTED"
    assert shown.failure.provider_code == "535 5.7.8"


@pytest.mark.parametrize(
    "failure",
    [
        a_failure(FailureKind.TRANSIENT, stage=Stage.CONNECT, code=""),
        a_failure(FailureKind.MISCONFIGURED, stage=Stage.MAIL_FROM, code="550 5.7.60"),
        a_failure(stage=Stage.DATA),
    ],
)
async def test_given_another_failure_when_recorded_then_the_others_go_on(failure: Failure) -> None:
    world = await refused_world(failure)

    shown = await health(world)

    assert len(await claims(world)) == 2
    assert shown.state == pb.HEALTH_STATE_HEALTHY


async def test_given_a_pause_that_is_over_when_the_probe_succeeds_then_the_rest_flows_and_health_is_well() -> None:
    world = await refused_world()
    world.clock.set(world.store.pauses[NAME].until)

    (probe,) = await claims(world)
    between = await claims(world)
    await world.attempt(probe)
    shown = await health(world)

    assert between == ()
    assert world.store.delivery(probe.delivery.delivery_id).state is DeliveryState.SENT
    assert shown.state == pb.HEALTH_STATE_HEALTHY
    assert not shown.HasField("failure")
    assert len(await claims(world)) == 2


async def test_given_a_pause_that_is_over_when_the_probe_is_refused_again_then_all_wait_anew() -> None:
    world = await refused_world()
    began = world.store.pauses[NAME].until
    world.clock.set(began)
    world.transport.answers.append(Answer(failure=REFUSED))

    await world.attempted()

    assert world.store.pauses[NAME].until > began
    assert await claims(world) == ()
    assert len(world.transport.submitted) == 2


async def test_given_a_pause_that_is_over_when_the_server_is_away_then_the_pause_stands_with_its_failure() -> None:
    """It shows nothing about the settings: one at a time goes on probing."""
    world = await refused_world()
    world.clock.set(world.store.pauses[NAME].until)
    world.transport.answers.append(Answer(failure=a_failure(FailureKind.TRANSIENT, stage=Stage.CONNECT, code="")))

    await world.attempted()
    shown = await health(world)
    world.clock.set(world.store.pauses[NAME].until)

    assert shown.failure.reason == "AUTH_REJECTED"
    assert len(await claims(world)) == 1


async def test_given_a_pause_when_the_probe_meets_a_refused_recipient_then_the_sign_in_works_and_it_ends() -> None:
    world = await refused_world()
    world.clock.set(world.store.pauses[NAME].until)
    world.transport.answers.append(Answer(failure=a_failure(stage=Stage.RCPT_TO)))

    await world.attempted()

    assert world.store.pauses == {}


@pytest.mark.parametrize("with_code", [False, True])
async def test_given_a_pause_when_corrected_settings_become_active_then_all_are_due_at_once(with_code: bool) -> None:
    world = await refused_world()
    world.entropy.codes = ["12345678"] if with_code else []
    await world.configure(CALLER, CONFIGURATION_ID, some_written_settings(), etag="")

    await world.validated(require_confirmation=with_code)
    if with_code:
        assert await claims(world) == ()
        await world.confirm_validation(CALLER, CONFIGURATION_ID, "12345678")

    assert (await health(world)).state == pb.HEALTH_STATE_HEALTHY
    assert len(await claims(world)) == 3


async def test_given_a_pause_when_the_configuration_is_deleted_then_its_mail_ends_at_once() -> None:
    world = await refused_world()

    await world.delete_configuration(CALLER, CONFIGURATION_ID)
    for claim in await claims(world):
        await world.attempt(claim)

    assert {stored.delivery.state for stored in world.store.deliveries.values()} == {DeliveryState.FAILED}


async def test_given_a_password_that_does_not_open_when_attempted_then_pauses_without_a_connection() -> None:
    world = World()
    await world.given()
    await world.accepted()
    world.store.vault = FakeVault(keys=[2])

    await world.attempted()

    assert world.store.pauses[NAME].failure.reason is Reason.SECRET_UNREADABLE
    assert world.transport.submitted == []


async def test_given_a_database_that_is_away_when_the_refusal_is_recorded_then_it_pauses_once_it_is_back() -> None:
    world = World()
    await world.given()
    await world.accepted()
    world.transport.answers.append(Answer(failure=REFUSED))
    world.store.fail_next("deliveries.record")

    await world.attempted()

    assert world.store.pauses[NAME].failure == REFUSED
