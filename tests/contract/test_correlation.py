"""What every Correlation does (domain.ports.correlation)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from domain.bounce import MOST_BOUNCES, Bounce
from domain.delivery import Delivery
from domain.mime.compose import make_message_id
from domain.reading.model import BounceAction
from tests.builders import NOW, OTHER_TENANT, TENANT, a_delivery, an_address
from tests.contract.conftest import Storage
from tests.storing import accept_one

MINUTE: Final = timedelta(minutes=1)
CHOSEN: Final = "<order-17@example.com>"


def a_bounce(delivery: Delivery, **changes: Any) -> Bounce:
    valid = Bounce(
        delivery_id=delivery.delivery_id,
        address="anna@example.com",
        action=BounceAction.FAILED,
        status="5.1.1",
        diagnostic="smtp; 550 5.1.1 no such user",
        reporting_server="mx.example.com",
        report_time=NOW,
    )
    return replace(valid, **changes)


async def stored(storage: Storage, **changes: Any) -> Delivery:
    """Stores a delivery, by default one whose Message-ID mailport made."""
    delivery = a_delivery(now=storage.now())
    own = make_message_id(delivery.delivery_id, an_address("robot@example.com"))
    delivery = replace(delivery, **{"message_id": own, **changes})
    async with storage.uow() as work:
        await accept_one(work, delivery)
        await work.commit()
    return delivery


async def found(storage: Storage, *message_ids: str, tenant: str = TENANT) -> dict[str, str]:
    async with storage.uow() as work:
        return dict(await work.correlation.deliveries_of(tenant, message_ids))


async def recorded(storage: Storage, *bounces: Bounce, tenant: str = TENANT) -> int:
    async with storage.uow() as work:
        count = await work.correlation.record(tenant, bounces)
        await work.commit()
    return count


async def kept(storage: Storage, delivery: Delivery, *, tenant: str = TENANT) -> tuple[Bounce, ...]:
    async with storage.uow() as work:
        return await work.correlation.bounces(tenant, delivery.delivery_id)


async def test_given_deliveries_with_made_and_chosen_ids_when_looked_up_then_both_are_found(storage: Storage) -> None:
    made, chosen = await stored(storage), await stored(storage, message_id=CHOSEN)

    answers = await found(storage, made.message_id, CHOSEN, "<unknown@example.com>")

    assert answers == {made.message_id: made.delivery_id, CHOSEN: chosen.delivery_id}


@pytest.mark.parametrize("message_ids", [(), ("",), ("<>",), ("<a\0b@example.com>",), ("\ud800",), (CHOSEN.upper(),)])
async def test_given_what_no_delivery_carries_when_looked_up_then_nothing_is_found(
    storage: Storage, message_ids: tuple[str, ...]
) -> None:
    await stored(storage, message_id=CHOSEN)

    assert await found(storage, *message_ids) == {}


async def test_given_the_id_of_a_delivery_at_another_domain_when_looked_up_then_it_is_not_taken_for_it(
    storage: Storage,
) -> None:
    delivery = await stored(storage)

    assert await found(storage, make_message_id(delivery.delivery_id, an_address("robot@evil.example"))) == {}


async def test_given_a_chosen_id_that_names_another_delivery_when_looked_up_then_its_own_delivery_is_found(
    storage: Storage,
) -> None:
    first = await stored(storage, message_id=CHOSEN)
    second = await stored(storage, message_id=f"<{first.delivery_id}@example.com>")

    assert await found(storage, second.message_id) == {second.message_id: second.delivery_id}


async def test_given_other_tenants_mail_when_looked_up_then_it_is_not_there(storage: Storage) -> None:
    made, chosen = await stored(storage), await stored(storage, message_id=CHOSEN)

    assert await found(storage, made.message_id, chosen.message_id, tenant=OTHER_TENANT) == {}


async def test_given_two_deliveries_of_one_chosen_id_when_looked_up_then_the_newest_is_meant(storage: Storage) -> None:
    newer = await stored(storage, message_id=CHOSEN, create_time=storage.now() + MINUTE)
    await stored(storage, message_id=CHOSEN, create_time=storage.now())

    assert await found(storage, CHOSEN) == {CHOSEN: newer.delivery_id}


async def test_given_a_thousand_ids_when_looked_up_then_the_one_that_is_ours_is_found(storage: Storage) -> None:
    delivery = await stored(storage)

    answers = await found(storage, *(f"<{number}@example.com>" for number in range(1000)), delivery.message_id)

    assert answers == {delivery.message_id: delivery.delivery_id}


async def test_given_a_report_when_recorded_again_then_nothing_changes(storage: Storage) -> None:
    delivery = await stored(storage)
    bounce = a_bounce(delivery)

    counts = [await recorded(storage, bounce), await recorded(storage, bounce), await recorded(storage, bounce, bounce)]

    assert counts == [1, 0, 0]
    assert await kept(storage, delivery) == (bounce,)


async def test_given_reports_of_one_address_when_read_in_any_order_then_the_latest_stays(storage: Storage) -> None:
    delivery = await stored(storage)
    delayed = a_bounce(delivery, action=BounceAction.DELAYED, status="4.4.1", report_time=NOW - MINUTE)
    failed = a_bounce(delivery, address="Anna@Example.com")

    counts = [await recorded(storage, delayed), await recorded(storage, failed), await recorded(storage, delayed)]

    assert counts == [1, 1, 0]
    assert await kept(storage, delivery) == (failed,)


async def test_given_reports_of_several_addresses_when_read_then_the_newest_comes_first(storage: Storage) -> None:
    delivery = await stored(storage)
    old = a_bounce(delivery, address="old@example.com", report_time=NOW - MINUTE)
    first, second = a_bounce(delivery, address="a@example.com"), a_bounce(delivery, address="b@example.com")

    await recorded(storage, old, second, first)

    assert await kept(storage, delivery) == (first, second, old)


async def test_given_a_report_that_says_little_when_recorded_then_it_is_kept_as_it_is(storage: Storage) -> None:
    delivery = await stored(storage)
    bounce = a_bounce(delivery, action=BounceAction.UNKNOWN, status="", diagnostic="", reporting_server="")

    assert await recorded(storage, bounce) == 1
    assert await kept(storage, delivery) == (bounce,)


async def test_given_a_delivery_that_is_not_there_when_recorded_then_nothing_is_and_the_unit_can_go_on(
    storage: Storage,
) -> None:
    delivery = await stored(storage)
    strange = [a_bounce(delivery, delivery_id=name) for name in ("", "no id", "0190a5f0-0000-7000-8000-00000000ffff")]

    assert await recorded(storage, *strange, a_bounce(delivery)) == 1
    assert await recorded(storage, a_bounce(delivery, report_time=NOW + MINUTE), tenant=OTHER_TENANT) == 0
    assert await kept(storage, delivery) == (a_bounce(delivery),)
    assert await kept(storage, delivery, tenant=OTHER_TENANT) == ()


async def test_given_reports_of_ever_new_addresses_when_recorded_then_their_number_is_bounded(storage: Storage) -> None:
    delivery = await stored(storage)

    many = [a_bounce(delivery, address=f"{number:03}@example.com") for number in range(MOST_BOUNCES + 5)]
    count = await recorded(storage, *many)
    later = await recorded(storage, a_bounce(delivery, address="000@example.com", report_time=NOW + MINUTE))

    assert (count, later) == (MOST_BOUNCES, 1)
    assert len(await kept(storage, delivery)) == MOST_BOUNCES


async def test_given_eight_readers_of_one_report_when_all_record_it_then_it_is_news_once(storage: Storage) -> None:
    delivery = await stored(storage)

    counts = await asyncio.gather(*(recorded(storage, a_bounce(delivery)) for _ in range(8)))

    assert sum(counts) == 1


async def test_given_bounces_when_the_delivery_is_forgotten_then_they_go_with_it(storage: Storage) -> None:
    ended = storage.now() - timedelta(days=100)
    delivery = await stored(storage, final_time=ended, next_attempt_time=None)
    await recorded(storage, a_bounce(delivery))

    async with storage.uow() as work:
        await work.leftovers.shred_contents(storage.now(), limit=10)
        await work.leftovers.forget_deliveries(storage.now(), limit=10)
        await work.commit()

    assert await kept(storage, delivery) == ()
    assert await recorded(storage, a_bounce(delivery)) == 0
