from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import grpc
import pytest

from mailport.v1 import configuration_pb2 as api
from mailport.v1 import mail_service_pb2
from service.cli.consent_wait import LONGEST_WAIT, POLL_INTERVAL, await_consent
from service.cli.session import CallRefused
from service.terminal.refusals import Refusal
from tests.unit.service.cli.samples import NOON, a_configuration, a_grant, a_session

Answer = api.Configuration | grpc.StatusCode

STARTED = mail_service_pb2.AuthorizeResponse(expire_time=a_session().expire_time)
PENDING = a_configuration(consent=a_session())
AUTHORIZED = a_configuration(consent=a_session(api.CONSENT_STATE_AUTHORIZED), grant=a_grant())


class World:
    """A mailport that answers one after the other, the last one for ever, and a clock that sleeping moves."""

    def __init__(self, *answers: Answer) -> None:
        self._answers: Iterator[Answer] = iter(answers)
        self._last = answers[-1]
        self.asked = 0
        self.seconds = 0.0

    def read(self) -> api.Configuration:
        self.asked += 1
        answer = next(self._answers, self._last)
        if isinstance(answer, grpc.StatusCode):
            raise CallRefused(Refusal(code=answer, message="…"))
        return answer

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def wait(self) -> api.Configuration:
        return await_consent(STARTED, self.read, sleep=self.sleep, clock=lambda: self.seconds)


def test_given_a_person_who_takes_a_while_when_waited_for_then_asks_once_a_second_until_there_is_a_grant() -> None:
    world = World(PENDING, PENDING, AUTHORIZED)

    assert world.wait() == AUTHORIZED
    assert world.asked == 3
    assert world.seconds == 2 * POLL_INTERVAL.total_seconds()


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"])
def test_given_a_mailport_that_restarts_meanwhile_when_waited_for_then_the_wait_goes_on(code: str) -> None:
    assert World(PENDING, grpc.StatusCode[code], AUTHORIZED).wait() == AUTHORIZED


def test_given_a_mailport_that_stays_away_when_waited_for_then_the_wait_ends_with_that() -> None:
    world = World(grpc.StatusCode.UNAVAILABLE)

    with pytest.raises(CallRefused) as refused:
        world.wait()

    assert refused.value.refusal.code is grpc.StatusCode.UNAVAILABLE
    assert world.seconds == pytest.approx(LONGEST_WAIT.total_seconds(), abs=1)


def test_given_a_configuration_that_was_deleted_when_waited_for_then_the_wait_ends_at_once() -> None:
    world = World(PENDING, grpc.StatusCode.NOT_FOUND)

    with pytest.raises(CallRefused) as refused:
        world.wait()

    assert refused.value.refusal.code is grpc.StatusCode.NOT_FOUND
    assert world.asked == 2


@pytest.mark.parametrize(
    "now_there",
    [
        a_configuration(consent=a_session(api.CONSENT_STATE_AUTHORIZED, expire_time=NOON + timedelta(minutes=11))),
        a_configuration(),
    ],
    ids=["another one", "none"],
)
def test_given_a_session_that_gave_way_when_waited_for_then_another_s_outcome_is_not_taken_for_its_own(
    now_there: api.Configuration,
) -> None:
    with pytest.raises(CallRefused, match="This consent session is gone") as refused:
        World(PENDING, now_there).wait()

    assert refused.value.refusal.code is grpc.StatusCode.ABORTED


def test_given_clocks_that_disagree_when_waited_for_then_a_session_that_never_ends_is_given_up() -> None:
    world = World(PENDING)

    with pytest.raises(CallRefused, match="Nobody consented until 2026-03-01 12:10:00Z") as refused:
        world.wait()

    assert refused.value.refusal.reason == "STATE_EXPIRED"
    assert world.seconds == pytest.approx(LONGEST_WAIT.total_seconds(), abs=1)
