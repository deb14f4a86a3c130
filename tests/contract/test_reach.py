"""Whose work a claim takes by data center, and how waiting work moves (domain.ports.delivery_queue)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from domain.account import Account
from domain.data_center import Reach
from domain.delivery import Delivery, DeliveryState
from domain.settings.model import DataCenterPolicy
from tests.builders import CONFIGURATION_ID, OTHER_TENANT, TENANT, a_delivery, an_attempt
from tests.contract.conftest import Storage
from tests.contract.test_delivery_queue import accept, attempts, claim, find, record, sent

PREFERRED, STRICT = DataCenterPolicy.PREFERRED, DataCenterPolicy.STRICT
MINUTE: Final = timedelta(minutes=1)
ALL: Final = [("", PREFERRED), *((site, policy) for site in ("eu-1", "us-1", "ap-1") for policy in DataCenterPolicy)]


async def waiting(storage: Storage) -> dict[str, tuple[str, DataCenterPolicy]]:
    """Stores a delivery of each kind; returns what each is by id."""
    now = storage.now()
    made = {(site, policy): a_delivery(now=now, data_center=site, data_center_policy=policy) for site, policy in ALL}
    await accept(storage, *made.values())
    return {delivery.delivery_id: kind for kind, delivery in made.items()}


@pytest.mark.parametrize("only", [None, Account(TENANT, CONFIGURATION_ID)])
@pytest.mark.parametrize(
    ("reach", "expected"),
    [
        (Reach("eu-1"), {("", PREFERRED), ("eu-1", PREFERRED), ("eu-1", STRICT)}),
        (Reach(), {("", PREFERRED)}),
        (
            Reach("eu-1", frozenset({"eu-1", "us-1"})),
            {("", PREFERRED), ("eu-1", PREFERRED), ("eu-1", STRICT), ("ap-1", PREFERRED)},
        ),
        (Reach("", frozenset()), {("", PREFERRED), ("eu-1", PREFERRED), ("us-1", PREFERRED), ("ap-1", PREFERRED)}),
    ],
)
async def test_given_a_reach_when_claimed_then_strict_work_is_left_to_its_site_and_preferred_taken_over_where_told(
    storage: Storage, reach: Reach, expected: set[tuple[str, DataCenterPolicy]], only: Account | None
) -> None:
    kinds = await waiting(storage)

    taken = await claim(storage, reach=reach, only=only)

    assert {kinds[each.delivery.delivery_id] for each in taken} == expected
    assert {each.delivery.data_center_policy for each in taken} == {policy for _, policy in expected}


async def test_given_a_site_when_it_claims_for_another_then_delivery_and_attempt_say_where_it_was_made(
    storage: Storage,
) -> None:
    await accept(storage, a_delivery(now=storage.now(), data_center="eu-1"))

    (claimed,) = await claim(storage, reach=Reach("us-1", frozenset({"us-1"})))

    stored = await find(storage, claimed.delivery)
    (attempt,) = await attempts(storage, claimed.delivery)
    assert stored == claimed.delivery
    assert (stored.data_center, stored.attempted_from, attempt.data_center) == ("eu-1", "us-1", "us-1")


async def test_given_the_attempt_of_a_site_when_recorded_then_it_still_says_where_it_was_made(storage: Storage) -> None:
    await accept(storage, a_delivery(now=storage.now()))
    (claimed,) = await claim(storage, reach=Reach("us-1"))
    now = storage.now()

    await record(storage, claimed, sent(claimed, at=now), an_attempt(number=1, start_time=now, end_time=now))

    (attempt,) = await attempts(storage, claimed.delivery)
    stored = await find(storage, claimed.delivery)
    assert attempt.data_center == "us-1"
    assert stored is not None
    assert stored.attempted_from == "us-1"


async def moved(storage: Storage, site: str = "us-1", policy: DataCenterPolicy = STRICT) -> int:
    async with storage.uow() as work:
        count = await work.deliveries.move(TENANT, CONFIGURATION_ID, site, policy)
        await work.commit()
    return count


@pytest.mark.parametrize(
    "state", [DeliveryState.QUEUED, DeliveryState.RETRYING, DeliveryState.HELD, DeliveryState.IN_DOUBT]
)
async def test_given_waiting_work_when_moved_then_the_new_site_takes_it(storage: Storage, state: DeliveryState) -> None:
    delivery = a_delivery(now=storage.now(), state=state, data_center="eu-1")
    await accept(storage, delivery)

    count = await moved(storage)

    stored = await find(storage, delivery)
    assert stored is not None
    assert (count, stored.data_center, stored.data_center_policy) == (1, "us-1", STRICT)
    assert stored.state is state


async def test_given_work_that_is_there_already_or_of_others_or_done_when_moved_then_it_is_left(
    storage: Storage,
) -> None:
    now = storage.now()
    there = a_delivery(now=now, data_center="us-1", data_center_policy=STRICT)
    others = [
        a_delivery(now=now, tenant=OTHER_TENANT),
        a_delivery(now=now, configuration_id="other"),
        a_delivery(now=now, state=DeliveryState.SENT, next_attempt_time=None, final_time=now),
    ]
    await accept(storage, there, *others)

    count = await moved(storage)

    assert count == 0
    assert [await find(storage, each) for each in others] == others


async def test_given_work_of_a_dead_site_when_moved_then_whoever_waits_for_work_is_told(storage: Storage) -> None:
    delivery: Delivery = a_delivery(now=storage.now(), data_center="eu-1", data_center_policy=STRICT)
    await accept(storage, delivery)
    async with storage.signals() as signals:
        await signals.work_due(MINUTE / 100)

        await moved(storage, site="")

        begun = storage.now()
        await signals.work_due(MINUTE)
        assert storage.now() - begun < MINUTE / 2
