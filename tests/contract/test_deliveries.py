"""What every Deliveries does with accepted messages (domain.ports.deliveries); the queue has a file of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.configuration import Configuration
from domain.delivery import Delivery, DeliveryState, RecipientState
from domain.errors import NotFound, SecretUnreadable
from domain.failures.failure import FailureKind
from domain.message import InDoubtPolicy
from domain.pause import Pause
from domain.ports.acceptance import Accepted, IdempotencyRecord, NewDelivery, Take
from domain.ports.deliveries import DeliveryFilter, DeliveryPosition
from domain.ports.delivery_queue import Claim, Outcome
from tests.builders import (
    CONFIGURATION_ID,
    CONTENT,
    OTHER_TENANT,
    TENANT,
    a_configuration,
    a_delivery,
    a_delivery_id,
    a_failure,
    a_recipient,
    an_address,
    an_attempt,
    an_idempotency_record,
)
from tests.contract.conftest import Storage
from tests.storing import accept_one

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
_PAGES = 20
NEVER_OURS = ["", "1", "not-a-uuid", "0199D0C0-0000-7000-8000-0000000000FF", "0199d0c0000070008000000000000001", "a\0b"]


async def accept(
    storage: Storage, delivery: Delivery, content: bytes = CONTENT, *, key: IdempotencyRecord | None = None
) -> Accepted:
    async with storage.uow() as work:
        accepted = await accept_one(work, delivery, content, key=key)
        await work.commit()
    return accepted


async def find(storage: Storage, delivery: Delivery) -> Delivery | None:
    async with storage.uow() as work:
        return await work.deliveries.find(delivery.tenant, delivery.delivery_id)


async def standing(storage: Storage, key: str, *, tenant: str = TENANT) -> Accepted | None:
    async with storage.uow() as work:
        return await work.deliveries.accepted(tenant, key)


async def count(storage: Storage) -> int:
    async with storage.uow() as work:
        return len(await work.deliveries.page(TENANT, DeliveryFilter(), after=None, limit=1000))


def a_key(storage: Storage, **changes: Any) -> IdempotencyRecord:
    return an_idempotency_record(now=storage.now(), **changes)


async def test_given_a_delivery_when_accepted_then_it_comes_back_as_it_was(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now())

    accepted = await accept(storage, delivery)

    assert accepted == Accepted(delivery=delivery, content_digest=b"", is_replay=False)
    assert await find(storage, delivery) == delivery


async def test_given_every_field_set_when_accepted_then_each_comes_back(storage: Storage) -> None:
    now = storage.now()
    failure = a_failure(FailureKind.THROTTLED)
    delivery = a_delivery(
        now=now,
        sender=an_address('"r o"@example.com'),
        recipients=(
            a_recipient("anna@example.com", state=RecipientState.SENT, reply="250 ok", accept_time=now),
            a_recipient("börte@example.com", state=RecipientState.REJECTED, failure=failure, reply="550 ✗"),
        ),
        state=DeliveryState.RETRYING,
        in_doubt_policy=InDoubtPolicy.HOLD,
        attempt_count=3,
        doubt_count=1,
        next_attempt_time=now + HOUR,
        final_time=now + SECOND,
        failure=failure,
        data_center="eu-1",
    )

    await accept(storage, delivery)

    assert await find(storage, delivery) == delivery


@pytest.mark.parametrize("delivery_id", NEVER_OURS)
async def test_given_an_id_that_is_not_one_of_ours_when_looked_for_then_none(
    storage: Storage, delivery_id: str
) -> None:
    await accept(storage, a_delivery(now=storage.now()))

    async with storage.uow() as work:
        assert await work.deliveries.find(TENANT, delivery_id) is None
        assert await work.deliveries.lock(TENANT, delivery_id) is None
        assert await work.deliveries.attempts(TENANT, delivery_id) == ()


async def test_given_another_tenant_when_it_looks_then_it_sees_nothing(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now())
    await accept(storage, delivery, key=a_key(storage))
    foreign = replace(delivery, tenant=OTHER_TENANT)

    async with storage.uow() as work:
        assert await work.deliveries.find(OTHER_TENANT, delivery.delivery_id) is None
        assert await work.deliveries.lock(OTHER_TENANT, delivery.delivery_id) is None
        assert await work.deliveries.attempts(OTHER_TENANT, delivery.delivery_id) == ()
        assert await work.deliveries.accepted(OTHER_TENANT, "k1") is None
        assert await work.deliveries.page(OTHER_TENANT, DeliveryFilter(), after=None, limit=10) == ()
        with pytest.raises(NotFound):
            await work.deliveries.content(foreign)


async def test_given_p9_a_key_when_used_again_then_the_first_delivery_stands_and_nothing_is_stored(
    storage: Storage,
) -> None:
    first = a_delivery(now=storage.now())
    key = a_key(storage)
    await accept(storage, first, key=key)

    again = await accept(storage, a_delivery(now=storage.now()), key=key)

    assert again == Accepted(delivery=first, content_digest=key.content_digest, is_replay=True)
    assert await count(storage) == 1
    assert await standing(storage, key.key) == again


async def test_given_p9_a_key_when_used_with_other_content_then_the_callers_can_tell(storage: Storage) -> None:
    first = a_delivery(now=storage.now())
    await accept(storage, first, key=a_key(storage, content_digest=b"\x01" * 32))

    again = await accept(storage, a_delivery(now=storage.now()), key=a_key(storage, content_digest=b"\x02" * 32))

    assert again == Accepted(delivery=first, content_digest=b"\x01" * 32, is_replay=True)
    assert await count(storage) == 1


async def test_given_f47_twenty_callers_at_once_when_accepted_then_there_is_one_delivery_for_all(
    storage: Storage,
) -> None:
    key = a_key(storage)

    accepted = await asyncio.gather(*(accept(storage, a_delivery(now=storage.now()), key=key) for _ in range(20)))

    assert len({each.delivery.delivery_id for each in accepted}) == 1
    assert sorted(each.is_replay for each in accepted) == [False] + [True] * 19
    assert await count(storage) == 1


async def test_given_f47_a_caller_that_ends_before_its_commit_when_others_wait_then_one_of_them_is_first(
    storage: Storage,
) -> None:
    key = a_key(storage)
    lost = a_delivery(now=storage.now())

    async with storage.uow() as work:
        await accept_one(work, lost, key=key)
        waiting = [asyncio.create_task(accept(storage, a_delivery(now=storage.now()), key=key)) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0.05)
        none_is_done = not any(task.done() for task in waiting)

    accepted = [await task for task in waiting]
    assert none_is_done
    assert sorted(each.is_replay for each in accepted) == [False, True, True]
    assert await find(storage, lost) is None


async def test_given_f47_a_unit_that_failed_when_tried_again_then_the_key_is_free(storage: Storage) -> None:
    key = a_key(storage)
    async with storage.uow() as work:
        await accept_one(work, a_delivery(now=storage.now()), key=key)

    free = await standing(storage, key.key)
    again = await accept(storage, a_delivery(now=storage.now()), key=key)

    assert free is None
    assert not again.is_replay


async def test_given_f47_the_same_key_of_two_tenants_when_accepted_then_they_are_independent(storage: Storage) -> None:
    key = a_key(storage)
    ours, theirs = a_delivery(now=storage.now()), a_delivery(now=storage.now(), tenant=OTHER_TENANT)

    await accept(storage, ours, key=key)
    other = await accept(storage, theirs, key=key)

    assert not other.is_replay
    found = [await standing(storage, key.key, tenant=tenant) for tenant in (TENANT, OTHER_TENANT)]
    assert [each.delivery if each else None for each in found] == [ours, theirs]


async def test_given_an_expired_key_when_used_then_it_is_free_again(storage: Storage) -> None:
    first, second = a_delivery(now=storage.now()), a_delivery(now=storage.now())
    await accept(storage, first, key=a_key(storage, expire_time=storage.now() - SECOND))

    expired = await standing(storage, "k1")
    again = await accept(storage, second, key=a_key(storage, content_digest=b"\x02" * 32))

    assert expired is None
    assert again == Accepted(delivery=second, content_digest=b"\x02" * 32, is_replay=False)
    assert await find(storage, first) == first


async def test_given_an_expired_key_when_many_use_it_at_once_then_there_is_one_delivery_for_all(
    storage: Storage,
) -> None:
    await accept(storage, a_delivery(now=storage.now()), key=a_key(storage, expire_time=storage.now() - SECOND))

    accepted = await asyncio.gather(
        *(accept(storage, a_delivery(now=storage.now()), key=a_key(storage)) for _ in range(10))
    )

    assert len({each.delivery.delivery_id for each in accepted}) == 1
    assert await count(storage) == 2


async def test_given_the_same_key_twice_in_one_unit_when_accepted_then_the_second_is_a_replay(
    storage: Storage,
) -> None:
    first, key = a_delivery(now=storage.now()), a_key(storage)

    async with storage.uow() as work:
        await accept_one(work, first, key=key)
        again = await accept_one(work, a_delivery(now=storage.now()), key=key)
        await work.commit()

    assert again == Accepted(delivery=first, content_digest=key.content_digest, is_replay=True)


@pytest.mark.parametrize("key", [" ", "~" * 255, "a'b\"c\\d%s%(x)s"])
async def test_given_an_unusual_key_when_used_again_then_it_is_told_apart(storage: Storage, key: str) -> None:
    first = await accept(storage, a_delivery(now=storage.now()), key=a_key(storage, key=key))

    again = await accept(storage, a_delivery(now=storage.now()), key=a_key(storage, key=key))

    assert again.delivery == first.delivery
    assert await standing(storage, key + "x") is None


@pytest.mark.parametrize("content", [b"", CONTENT, bytes(range(256)), b"\\x00\0\\"], ids=len)
async def test_given_content_when_accepted_then_it_comes_back_byte_for_byte(storage: Storage, content: bytes) -> None:
    delivery = a_delivery(now=storage.now())

    await accept(storage, delivery, content)

    async with storage.uow() as work:
        assert await work.deliveries.content(delivery) == content


async def test_given_content_of_5_mib_when_accepted_then_it_comes_back_byte_for_byte(storage: Storage) -> None:
    delivery, content = a_delivery(now=storage.now()), os.urandom(5 * 1024 * 1024)

    await accept(storage, delivery, content)

    async with storage.uow() as work:
        assert await work.deliveries.content(delivery) == content


@pytest.mark.parametrize("how", ["key_lost", "corrupted"])
async def test_given_f42_content_that_does_not_open_when_read_then_secret_unreadable_and_the_record_is_there(
    storage: Storage, how: str
) -> None:
    delivery = a_delivery(now=storage.now())
    await accept(storage, delivery)
    if how == "key_lost":
        storage.use_keys(2)
    else:
        await storage.corrupt_content(delivery.delivery_id)

    async with storage.uow() as work:
        with pytest.raises(SecretUnreadable):
            await work.deliveries.content(delivery)
        assert await work.deliveries.find(TENANT, delivery.delivery_id) == delivery


async def test_given_shredded_content_when_read_then_not_found_and_the_record_is_there(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now())
    await accept(storage, delivery)
    await storage.shred(delivery.delivery_id)

    async with storage.uow() as work:
        with pytest.raises(NotFound):
            await work.deliveries.content(delivery)
        assert await work.deliveries.find(TENANT, delivery.delivery_id) == delivery


async def pages(storage: Storage, where: DeliveryFilter, *, limit: int) -> AsyncIterator[tuple[Delivery, ...]]:
    after = None
    for _ in range(_PAGES):
        async with storage.uow() as work:
            page = await work.deliveries.page(TENANT, where, after=after, limit=limit)
        if not page:
            return
        yield page
        after = DeliveryPosition(page[-1].create_time, page[-1].delivery_id)
    pytest.fail("the pages do not come to an end")


async def test_given_many_of_the_same_instant_when_paged_then_each_comes_once_newest_first(storage: Storage) -> None:
    now = storage.now()
    times = [now - HOUR, now, now, now, now, now, now + SECOND]
    deliveries = [a_delivery(now=each) for each in times]
    for delivery in deliveries:
        await accept(storage, delivery)
    await accept(storage, a_delivery(now=now, tenant=OTHER_TENANT))

    found = [page async for page in pages(storage, DeliveryFilter(), limit=2)]

    newest_first = sorted(deliveries, key=lambda each: (each.create_time, each.delivery_id), reverse=True)
    assert [len(page) for page in found] == [2, 2, 2, 1]
    assert [each for page in found for each in page] == newest_first


async def test_given_filters_when_paged_then_only_what_fits_all_of_them_comes(storage: Storage) -> None:
    now = storage.now()
    kinds = {
        "alerts, queued": a_delivery(now=now),
        "alerts, held": a_delivery(now=now + SECOND, state=DeliveryState.HELD, next_attempt_time=None),
        "news, queued": a_delivery(now=now + 2 * SECOND, configuration_id="news"),
        "news, sent": a_delivery(now=now + 3 * SECOND, configuration_id="news", state=DeliveryState.SENT),
    }
    for delivery in kinds.values():
        await accept(storage, delivery)
    names = {delivery.delivery_id: name for name, delivery in kinds.items()}

    async def matching(**fields: Any) -> list[str]:
        async with storage.uow() as work:
            found = await work.deliveries.page(TENANT, DeliveryFilter(**fields), after=None, limit=10)
        return [names[each.delivery_id] for each in reversed(found)]

    queued, sent = DeliveryState.QUEUED, DeliveryState.SENT
    assert await matching() == list(kinds)
    assert await matching(configuration_id=CONFIGURATION_ID) == ["alerts, queued", "alerts, held"]
    assert await matching(configuration_id="al\0erts") == []
    assert await matching(states=frozenset({queued})) == ["alerts, queued", "news, queued"]
    assert await matching(states=frozenset({queued, sent}), configuration_id="news") == ["news, queued", "news, sent"]
    assert await matching(created_from=now + SECOND) == ["alerts, held", "news, queued", "news, sent"]
    assert await matching(created_before=now + SECOND) == ["alerts, queued"]
    assert await matching(created_from=now + SECOND, created_before=now + 2 * SECOND) == ["alerts, held"]
    assert await matching(created_from=now + HOUR) == []


async def test_given_filters_and_a_position_when_paged_then_the_rest_of_what_fits_comes(storage: Storage) -> None:
    now = storage.now()
    for number in range(6):
        await accept(storage, a_delivery(now=now, configuration_id="odd" if number % 2 else "even"))

    found = [page async for page in pages(storage, DeliveryFilter(configuration_id="odd"), limit=2)]

    assert [len(page) for page in found] == [2, 1]
    assert {each.configuration_id for page in found for each in page} == {"odd"}


async def test_given_a_position_below_everything_when_paged_then_nothing_comes(storage: Storage) -> None:
    now = storage.now()
    await accept(storage, a_delivery(now=now))

    async with storage.uow() as work:
        position = DeliveryPosition(now - HOUR, a_delivery_id())
        page = await work.deliveries.page(TENANT, DeliveryFilter(), after=position, limit=10)

    assert page == ()


async def test_given_content_when_asked_for_then_it_is_there_until_it_is_shredded(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now())
    await accept(storage, delivery)

    async with storage.uow() as work:
        before = await work.deliveries.has_content(delivery)
    await storage.shred(delivery.delivery_id)

    async with storage.uow() as work:
        assert await work.deliveries.has_content(delivery) is False
    assert before


async def test_given_a_live_key_when_kept_longer_then_it_is_and_never_shorter(storage: Storage) -> None:
    delivery, other = a_delivery(now=storage.now()), a_delivery(now=storage.now())
    await accept(storage, delivery, key=a_key(storage, expire_time=storage.now() + timedelta(milliseconds=300)))
    async with storage.uow() as work:
        await work.deliveries.keep_key(other, storage.now() + timedelta(days=2))
        await work.deliveries.keep_key(delivery, storage.now() + timedelta(days=1))
        await work.deliveries.keep_key(delivery, storage.now() + timedelta(milliseconds=1))
        await work.commit()

    await asyncio.sleep(0.3)  # what it would have lived for: time itself is what is waited for

    assert (await standing(storage, "k1")) is not None


async def test_given_an_expired_key_when_kept_longer_then_it_stays_free(storage: Storage) -> None:
    delivery = a_delivery(now=storage.now())
    await accept(storage, delivery, key=a_key(storage, expire_time=storage.now() - timedelta(seconds=1)))

    async with storage.uow() as work:
        await work.deliveries.keep_key(delivery, storage.now() + timedelta(days=1))
        await work.commit()

    assert await standing(storage, "k1") is None


async def accept_all(storage: Storage, *batch: NewDelivery) -> list[Accepted | None]:
    async with storage.uow() as work:
        accepted = await work.deliveries.accept_all(batch)
        await work.commit()
    return list(accepted)


def a_take(**changes: Any) -> Take:
    return Take(**{"token": os.urandom(16).hex(), "worker": "w1", "lease": HOUR, **changes})


async def given_configuration(storage: Storage, *, is_paused: bool = False) -> Configuration:
    """Stores an active configuration, paused by what an attempt came to."""
    configuration = a_configuration()
    async with storage.uow() as work:
        await work.configurations.add(configuration)
        await work.commit()
    if is_paused:
        await accept(storage, a_delivery(now=storage.now()))
        async with storage.uow() as work:
            (claim,) = await work.deliveries.claim(worker="w1", lease=HOUR, limit=1)
            assert configuration.active is not None
            pause = Pause(revision=configuration.active.number, until=storage.now() + HOUR, failure=a_failure())
            after = replace(claim.delivery, state=DeliveryState.RETRYING, next_attempt_time=storage.now() + HOUR)
            await work.deliveries.record(claim, after, an_attempt(), pause=pause)
            await work.commit()
    return configuration


async def test_given_the_same_keys_in_opposite_order_when_accepted_at_once_then_neither_waits_for_the_other(
    storage: Storage,
) -> None:
    keys = [a_key(storage, key=f"k{number}") for number in range(20)]
    batches = [
        [NewDelivery(a_delivery(now=storage.now(), delivery_id=a_delivery_id()), CONTENT, key) for key in order]
        for order in (keys, keys[::-1])
    ]

    one, other = await asyncio.gather(*(accept_all(storage, *batch) for batch in batches))

    ids = [[each.delivery.delivery_id for each in done if each] for done in (one, other[::-1])]
    assert ids[0] == ids[1]
    assert await count(storage) == len(keys)


async def test_given_several_when_accepted_together_then_each_comes_back_with_its_content(storage: Storage) -> None:
    batch = [
        NewDelivery(a_delivery(now=storage.now()), b"one \0 \xff", a_key(storage, key="k1")),
        NewDelivery(a_delivery(now=storage.now()), b"two"),
    ]

    accepted = await accept_all(storage, *batch)

    assert accepted == [
        Accepted(each.delivery, each.key.content_digest if each.key else b"", is_replay=False) for each in batch
    ]
    for each in batch:
        assert await find(storage, each.delivery) == each.delivery
        async with storage.uow() as work:
            assert await work.deliveries.content(each.delivery) == each.content


async def test_given_a_key_that_is_taken_or_comes_twice_when_accepted_together_then_the_first_one_stands(
    storage: Storage,
) -> None:
    before = a_delivery(now=storage.now())
    await accept(storage, before, key=a_key(storage, key="old"))
    first, second, third = (a_delivery(now=storage.now()) for _ in range(3))

    accepted = await accept_all(
        storage,
        NewDelivery(first, CONTENT, a_key(storage, key="new")),
        NewDelivery(second, CONTENT, a_key(storage, key="new")),
        NewDelivery(third, CONTENT, a_key(storage, key="old"), take=a_take()),
    )

    stands = [(each.delivery.delivery_id, each.is_replay, each.claim) for each in accepted if each is not None]
    assert stands == [
        (first.delivery_id, False, None),
        (first.delivery_id, True, None),
        (before.delivery_id, True, None),
    ]
    assert await count(storage) == 2


async def test_given_another_version_of_the_configuration_when_accepted_together_then_that_one_alone_is_refused(
    storage: Storage,
) -> None:
    configuration = await given_configuration(storage)
    other, same, new = (a_delivery(now=storage.now()) for _ in range(3))
    key = a_key(storage, key="free")

    accepted = await accept_all(
        storage,
        NewDelivery(other, CONTENT, key, version=configuration.version + 1, take=a_take()),
        NewDelivery(same, CONTENT, a_key(storage, key="k2"), version=configuration.version),
    )

    assert [each and each.delivery.delivery_id for each in accepted] == [None, same.delivery_id]
    assert await find(storage, other) is None
    assert await standing(storage, "free") is None
    assert [each and each.is_replay for each in await accept_all(storage, NewDelivery(new, CONTENT, key))] == [False]


async def test_given_a_take_when_accepted_then_it_is_under_way_and_can_be_recorded(storage: Storage) -> None:
    configuration = await given_configuration(storage)
    new = NewDelivery(a_delivery(now=storage.now()), CONTENT, version=configuration.version, take=a_take())

    (accepted,) = await accept_all(storage, new)

    assert accepted is not None
    claim = accepted.claim
    assert claim is not None
    assert (claim.content, claim.version, claim.lease.attempt) == (CONTENT, configuration.version, 1)
    assert accepted.delivery == claim.delivery == await find(storage, new.delivery)
    assert (claim.delivery.state, claim.delivery.attempt_count) == (DeliveryState.SENDING, 1)
    async with storage.uow() as work:
        assert await work.deliveries.claim(worker="w2", lease=HOUR, limit=9) == ()
        assert [each.end_time for each in await work.deliveries.attempts(TENANT, claim.delivery.delivery_id)] == [None]
        assert await work.deliveries.progress_all([claim]) == [True]
        await work.commit()
    sent = replace(claim.delivery, state=DeliveryState.SENT)
    async with storage.uow() as work:
        assert await work.deliveries.progress_all([Outcome(claim, sent, an_attempt())]) == [True]
        await work.commit()
    assert await find(storage, new.delivery) == sent


async def test_given_a_take_when_not_due_or_the_configuration_is_paused_then_it_waits(storage: Storage) -> None:
    await given_configuration(storage, is_paused=True)
    paused = a_delivery(now=storage.now())
    later = a_delivery(now=storage.now(), configuration_id="other", next_attempt_time=storage.now() + HOUR)

    accepted = await accept_all(storage, *(NewDelivery(each, CONTENT, take=a_take()) for each in (paused, later)))

    assert [each and each.claim for each in accepted] == [None, None]
    assert [await find(storage, each) for each in (paused, later)] == [paused, later]


async def test_given_a_take_whose_lease_runs_out_when_looked_for_then_it_is_abandoned_before_content(
    storage: Storage,
) -> None:
    new = NewDelivery(a_delivery(now=storage.now()), CONTENT, take=a_take(lease=timedelta(0)))

    await accept_all(storage, new)

    async with storage.uow() as work:
        found = [(each.delivery.delivery_id, each.past_no_return) for each in await work.deliveries.abandoned(9)]
    assert found == [(new.delivery.delivery_id, False)]


async def claimed(storage: Storage, *, lease: timedelta = HOUR) -> Claim:
    await accept(storage, a_delivery(now=storage.now()))
    async with storage.uow() as work:
        (claim,) = await work.deliveries.claim(worker="w1", lease=lease, limit=1)
        await work.commit()
    return claim


def of_another(claim: Claim) -> Claim:
    return replace(claim, lease=replace(claim.lease, token="another"))


async def test_given_some_lost_leases_when_written_together_then_only_the_held_ones_are(storage: Storage) -> None:
    held, lost, ended = await claimed(storage), await claimed(storage), await claimed(storage, lease=timedelta(0))
    claims = [held, of_another(lost), ended]
    before = [await find(storage, each.delivery) for each in claims]

    async with storage.uow() as work:
        renewed = await work.deliveries.renew_all(claims, lease=HOUR)
        marked = await work.deliveries.progress_all(claims)
        recorded = await work.deliveries.progress_all(
            [Outcome(each, replace(each.delivery, state=DeliveryState.SENT), an_attempt()) for each in claims]
        )
        await work.commit()

    assert (renewed, marked, recorded) == ([True, False, False],) * 3
    after = [await find(storage, each.delivery) for each in claims]
    assert after == [replace(held.delivery, state=DeliveryState.SENT), *before[1:]]


async def test_given_marks_and_outcomes_when_written_together_then_each_goes_by_its_own_lease(storage: Storage) -> None:
    begun, lost, over, gone = [await claimed(storage) for _ in range(4)]
    steps: list[Claim | Outcome] = [
        begun,
        Outcome(over, replace(over.delivery, state=DeliveryState.SENT), an_attempt()),
        of_another(lost),
        Outcome(of_another(gone), replace(gone.delivery, state=DeliveryState.SENT), an_attempt()),
    ]

    async with storage.uow() as work:
        done = await work.deliveries.progress_all(steps)
        await work.commit()

    assert done == [True, True, False, False]
    found = [await find(storage, each.delivery) for each in (begun, over, lost, gone)]
    assert [each.state for each in found if each] == [
        DeliveryState.SENDING,
        DeliveryState.SENT,
        *[DeliveryState.SENDING] * 2,
    ]
    async with storage.uow() as work:
        assert await work.deliveries.put_back([begun, lost]) == [False, True]  # content of the first one may have left


async def test_given_leases_when_renewed_together_then_they_end_later(storage: Storage) -> None:
    claim = await claimed(storage)

    async with storage.uow() as work:
        assert await work.deliveries.renew_all([claim], lease=timedelta(0)) == [True]
        await work.commit()

    async with storage.uow() as work:
        assert [each.delivery.delivery_id for each in await work.deliveries.abandoned(9)] == [
            claim.delivery.delivery_id
        ]


async def test_given_a_delivery_that_somebody_writes_when_renewed_together_then_nobody_waits(storage: Storage) -> None:
    claim, other = await claimed(storage), await claimed(storage)

    async with storage.uow() as writing, storage.uow() as renewing:
        await writing.deliveries.progress_all([claim])
        async with asyncio.timeout(1):
            assert await renewing.deliveries.renew_all([claim, other], lease=HOUR) == [False, True]


async def test_given_claims_that_nobody_began_when_put_back_then_they_are_as_if_never_claimed(storage: Storage) -> None:
    claim, begun, lost = await claimed(storage), await claimed(storage), await claimed(storage)

    async with storage.uow() as work:
        await work.deliveries.progress_all([begun])
        assert await work.deliveries.put_back([claim, begun, of_another(lost)]) == [True, False, False]
        await work.commit()

    back = await find(storage, claim.delivery)
    assert back is not None
    assert (back.state, back.attempt_count) == (DeliveryState.QUEUED, 0)
    async with storage.uow() as work:
        assert await work.deliveries.attempts(TENANT, claim.delivery.delivery_id) == ()
        (again,) = await work.deliveries.claim(worker="w2", lease=HOUR, limit=9)
    assert (again.delivery.delivery_id, again.lease.attempt) == (claim.delivery.delivery_id, 1)
    assert await find(storage, begun.delivery) == begun.delivery
    assert await find(storage, lost.delivery) == lost.delivery
