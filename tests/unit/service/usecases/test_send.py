"""Send: durable before it answers, one message for a key, and an answer before the deadline."""

from __future__ import annotations

import asyncio
import email
from dataclasses import replace
from datetime import timedelta
from email.policy import default

import pytest

from domain.configuration import activated, with_draft
from domain.delivery import DeliveryState
from domain.errors import (
    AlreadyExists,
    InputInvalid,
    MailportError,
    NotFound,
    NotReady,
    Unavailable,
    Violation,
)
from domain.message import InDoubtPolicy, WrittenAddress, WrittenAttachment, WrittenMessage
from domain.reasons import Reason
from service.commit_together import CommitTogether
from service.in_flow import InFlow
from service.usecases.send import Send
from tests.builders import (
    CONFIGURATION_ID,
    NOW,
    OTHER_TENANT,
    TENANT,
    a_caller,
    a_configuration,
    a_draft,
    a_message,
    an_address,
    some_settings,
)
from tests.fakes.signals import FakeSignals
from tests.fakes.storage import FakeUnitOfWork
from tests.fakes.vault import FakeVault
from tests.storing import pass_no_return
from tests.unit.service.world import CALLER, MINUTE, World, until

OTHER = a_message(subject="Other")


async def a_world() -> World:
    world = World()
    await world.given()
    return world


async def test_given_an_active_configuration_when_sent_then_it_is_stored_composed_before_the_answer() -> None:
    """P1, F11: what is stored is what every attempt sends."""
    world = await a_world()
    message = a_message(bcc=(WrittenAddress("bert@example.com"),))

    sent = await world.sent(message, key="k1")

    delivery = sent.view.delivery
    mail = email.message_from_bytes(world.store.content(delivery.delivery_id), policy=default)
    assert world.store.delivery(delivery.delivery_id) == delivery
    assert delivery.state is DeliveryState.QUEUED
    assert [str(r.address) for r in delivery.recipients] == ["anna@example.com", "bert@example.com"]
    assert mail.get_all("Message-ID") == [delivery.message_id]
    assert len(mail.get_all("Date", [])) == 1
    assert mail["Bcc"] is None
    assert not sent.is_replay


async def test_given_two_messages_when_sent_then_each_has_its_own_id_on_the_senders_domain() -> None:
    """F11: never a host's name, never twice the same."""
    world = World()
    await world.given(a_configuration(settings=some_settings(from_address=an_address("robot@xn--mller-kva.example"))))

    ids = [(await world.sent()).view.delivery.message_id for _ in range(3)]

    assert len(set(ids)) == 3
    assert all(each.endswith("@xn--mller-kva.example>") for each in ids)


async def test_given_a_valid_message_id_of_the_callers_when_sent_then_is_kept() -> None:
    """F11."""
    world = await a_world()

    sent = await world.sent(a_message(message_id="<order-1@shop.example.com>"))

    assert sent.view.delivery.message_id == "<order-1@shop.example.com>"
    assert b"Message-ID: <order-1@shop.example.com>" in world.store.content(sent.view.delivery.delivery_id)


async def test_given_wishes_when_sent_then_the_delivery_has_them() -> None:
    world = await a_world()
    later = NOW + timedelta(hours=2)

    sent = await world.sent(a_message(send_time=later, expire_after=timedelta(hours=1), in_doubt_policy="HOLD"))

    delivery = sent.view.delivery
    assert delivery.next_attempt_time == later
    assert delivery.expire_time == later + timedelta(hours=1)
    assert delivery.in_doubt_policy is InDoubtPolicy.HOLD


async def test_given_a_large_message_when_sent_then_is_stored_whole() -> None:
    world = await a_world()
    content = bytes(range(256)) * 4096
    message = a_message(attachments=(WrittenAttachment(file_name="a.bin", content=content),))

    sent = await world.sent(message, key="large")

    mail = email.message_from_bytes(world.store.content(sent.view.delivery.delivery_id), policy=default)
    assert [part.get_content() for part in mail.iter_attachments()] == [content]


async def test_given_the_same_key_and_content_when_sent_again_then_the_first_delivery_comes_back() -> None:
    world = await a_world()
    first = await world.sent(key="k1")

    again = await world.sent(key="k1")

    assert again.is_replay
    assert again.view.delivery == first.view.delivery
    assert len(world.store.deliveries) == 1


async def test_given_a_replay_after_delivery_when_sent_then_tells_how_it_went() -> None:
    world = await a_world()
    await world.sent(key="k1")
    await world.attempted()

    again = await world.sent(key="k1", wait=True)

    assert again.is_replay
    assert again.view.delivery.state is DeliveryState.SENT
    assert len(world.transport.accepted) == 1


async def test_given_the_configuration_deleted_when_a_call_is_repeated_then_is_answered_as_at_first() -> None:
    world = await a_world()
    first = await world.sent(key="k1")
    await world.delete_configuration(CALLER, CONFIGURATION_ID)

    again = await world.sent(key="k1")

    assert again.is_replay
    assert again.view.delivery.delivery_id == first.view.delivery.delivery_id


async def test_given_settings_that_would_refuse_it_now_when_a_call_is_repeated_then_is_answered_as_at_first() -> None:
    world = World()
    allowing = some_settings(allowed_from=(an_address("sales@example.com"),))
    configuration = await world.given(a_configuration(settings=allowing))
    message = a_message(sender=WrittenAddress("sales@example.com"))
    first = await world.sent(message, key="k1")
    narrowed = activated(with_draft(configuration, some_settings(), (), at=NOW), at=NOW)
    async with world.uow() as work:
        await work.configurations.save(narrowed, expected_version=configuration.version)
        await work.commit()

    again = await world.sent(message, key="k1")
    with pytest.raises(InputInvalid):
        await world.sent(message, key="k2")

    assert again.view.delivery.delivery_id == first.view.delivery.delivery_id


@pytest.mark.parametrize(
    "changed",
    [
        OTHER,
        a_message(text_body="Hello!\n"),
        a_message(to=(WrittenAddress("bert@example.com"),)),
        a_message(expire_after=timedelta(hours=1)),
        a_message(headers=(("X-Order", "1"),)),
        a_message(subject="Hi\r\nBcc: eve@example.net"),
    ],
    ids=["subject", "body", "recipient", "lifetime", "headers", "invalid"],
)
async def test_given_a_key_used_for_other_content_when_sent_then_is_refused_and_nothing_stored(
    changed: WrittenMessage,
) -> None:
    """P9, F47."""
    world = await a_world()
    first = await world.sent(key="k1")
    before = world.snapshot()

    with pytest.raises(AlreadyExists) as refused:
        await world.sent(changed, key="k1")

    assert refused.value.reason is Reason.IDEMPOTENCY_KEY_REUSED
    assert refused.value.metadata == {"delivery_id": first.view.delivery.delivery_id}
    assert world.snapshot() == before


async def test_given_a_key_of_another_tenant_when_sent_then_they_do_not_meet() -> None:
    """F47: another account is independent."""
    world = await a_world()
    await world.given(a_configuration(tenant=OTHER_TENANT))
    first = await world.sent(key="k1")

    other = await world.send(
        a_caller(tenant=OTHER_TENANT), CONFIGURATION_ID, OTHER, key="k1", wait=False, time_left=MINUTE
    )

    assert not other.is_replay
    assert other.view.delivery.delivery_id != first.view.delivery.delivery_id


async def test_given_no_key_when_sent_twice_then_there_are_two_deliveries() -> None:
    world = await a_world()

    await world.sent()
    await world.sent()

    assert len(world.store.deliveries) == 2
    assert world.store.keys == {}


@pytest.mark.parametrize(
    "wrong",
    [
        a_message(subject="Hi\r\nBcc: eve@example.net"),
        a_message(to=(WrittenAddress("a@example.com\r\nRCPT TO:<eve@example.net>"),)),
        a_message(headers=(("X-A:\r\nBcc", "eve@example.net"),)),
        a_message(sender=WrittenAddress("robot@example.com", "Bob\nX-A: 1")),
        a_message(to=()),
        a_message(sender=WrittenAddress("somebody@example.org")),
    ],
    ids=["subject", "recipient", "header", "name", "nobody", "sender"],
)
async def test_given_a_message_that_breaks_a_rule_when_sent_then_nothing_is_stored_and_the_key_is_free(
    wrong: WrittenMessage,
) -> None:
    """F04, P9."""
    world = await a_world()
    before = world.snapshot()

    with pytest.raises(InputInvalid):
        await world.sent(wrong, key="k1")
    after = world.snapshot()
    sent = await world.sent(key="k1")

    assert after == before
    assert not sent.is_replay


@pytest.mark.parametrize("key", ["a" * 256, "käse", "a\nb", "a\x7f"])
async def test_given_a_key_that_is_none_when_sent_then_is_refused(key: str) -> None:
    world = await a_world()

    with pytest.raises(InputInvalid) as refused:
        await world.sent(key=key)

    assert refused.value.violations[0].field == "idempotency_key"
    assert world.store.deliveries == {}


async def test_given_several_things_wrong_when_sent_then_all_are_named_at_once_and_nothing_is_stored() -> None:
    world = await a_world()
    before = world.snapshot()
    already = Violation("message.send_time", Reason.VALUE_OUT_OF_RANGE, "no", "yes")
    message = a_message(to=(WrittenAddress("nobody"),), subject="a\nb")

    with pytest.raises(InputInvalid) as refused:
        await world.send(CALLER, CONFIGURATION_ID, message, key="a\nb", wait=False, time_left=MINUTE, found=[already])

    assert [violation.field for violation in refused.value.violations] == [
        "message.send_time",
        "idempotency_key",
        "message.to[0].address",
        "message.subject",
    ]
    assert world.snapshot() == before


@pytest.mark.parametrize("is_away", [False, True])
async def test_given_no_settings_to_judge_a_message_with_when_sent_then_what_is_wrong_all_the_same_is_named(
    is_away: bool,
) -> None:
    world = World()
    if is_away:
        world.store.fail_next("enter")
    already = Violation("configuration_id", Reason.FIELD_REQUIRED, "no", "yes")

    with pytest.raises(InputInvalid) as refused:
        await world.send(CALLER, "", a_message(to=()), key="\n", wait=False, time_left=MINUTE, found=[already])

    assert [violation.field for violation in refused.value.violations] == ["configuration_id", "idempotency_key"]


@pytest.mark.parametrize(
    ("world_of", "family", "reason"),
    [
        (None, NotFound, Reason.NOT_FOUND),
        (a_configuration(tenant=OTHER_TENANT), NotFound, Reason.NOT_FOUND),
        (a_draft(), NotReady, Reason.NOT_CONFIGURED),
    ],
    ids=["none", "foreign", "draft alone"],
)
async def test_given_nothing_active_when_sent_then_says_so_and_stores_nothing(
    world_of: object, family: type[MailportError], reason: Reason
) -> None:
    world = World()
    if world_of is not None:
        await world.given(world_of)  # type: ignore[arg-type]

    with pytest.raises(family) as refused:
        await world.sent(key="k1")

    assert refused.value.reason is reason
    assert world.store.deliveries == {}
    assert world.store.keys == {}


async def test_given_twenty_calls_at_once_with_one_key_when_sent_then_there_is_one_message_and_all_get_it() -> None:
    """F47."""
    world = await a_world()

    results = await asyncio.gather(*(world.sent(key="k1") for _ in range(20)))

    assert len(world.store.deliveries) == 1
    assert {result.view.delivery.delivery_id for result in results} == {
        delivery_id for _, delivery_id in world.store.deliveries
    }
    assert [result.is_replay for result in results].count(False) == 1


async def test_given_a_commit_that_fails_when_the_call_is_repeated_then_it_is_the_first() -> None:
    """F47: a call failing before commit, then retried."""
    world = await a_world()
    world.store.fail_next("commit")

    with pytest.raises(Unavailable):
        await world.sent(key="k1")
    stored = dict(world.store.deliveries)
    again = await world.sent(key="k1")

    assert stored == {}
    assert not again.is_replay


async def test_given_a_commit_whose_answer_is_lost_when_the_call_is_repeated_then_there_is_still_one_message() -> None:
    """P1: a retry with the same key tells whether it was stored."""
    world = await a_world()
    world.store.fail_next("commit", afterwards=True)

    with pytest.raises(Unavailable):
        await world.sent(key="k1")
    again = await world.sent(key="k1")

    assert again.is_replay
    assert len(world.store.deliveries) == 1


async def test_given_a_store_that_is_away_when_sent_then_it_is_asked_once_and_no_more() -> None:
    """P28: UNAVAILABLE within two seconds; each further question to the store could take two more."""
    world = await a_world()
    entered = 0

    def counted() -> FakeUnitOfWork:
        nonlocal entered
        entered += 1
        return world.uow()

    send = Send(
        uow=counted,
        commit=CommitTogether(uow=counted, apply=lambda work, batch: work.deliveries.accept_all(batch)),
        known=world.known,
        clock=world.clock,
        entropy=world.entropy,
        vault=FakeVault(),
        signals=world.signals,
        entering=InFlow().entering,
    )
    world.store.away = True

    with pytest.raises(Unavailable):
        await send(CALLER, CONFIGURATION_ID, a_message(), key="k1", wait=False, time_left=MINUTE)

    assert entered == 1


class RecordingSignals(FakeSignals):
    """Tells how each wait for news ended."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[bool] = []

    async def wait(self, event: asyncio.Event, within: timedelta) -> bool:
        came = await super().wait(event, within)
        self.came.append(came)
        return came


async def test_given_wait_when_the_delivery_settles_then_the_answer_comes_with_the_news() -> None:
    world = await a_world()
    signals = world.store.also_signals(RecordingSignals())
    assert isinstance(signals, RecordingSignals)
    send = Send(
        uow=world.uow,
        commit=world.accept,
        known=world.known,
        clock=world.clock,
        entropy=world.entropy,
        vault=world.vault,
        signals=signals,
        entering=InFlow().entering,
    )

    async def work() -> None:
        await until(lambda: world.signals.due_count > 0)
        await world.attempted()

    worker = asyncio.create_task(work())
    sent = await send(CALLER, CONFIGURATION_ID, a_message(), key="", wait=True, time_left=MINUTE)
    await worker

    assert sent.view.delivery.state is DeliveryState.SENT
    assert not sent.is_replay
    assert False not in signals.came, "it waited for a poll instead of the news"


async def test_given_wait_when_nothing_happens_then_the_answer_comes_shortly_before_the_deadline() -> None:
    world = await a_world()
    start = world.clock.monotonic()

    sent = await world.sent(wait=True, time_left=timedelta(seconds=5))

    assert sent.view.delivery.state is DeliveryState.QUEUED
    assert timedelta(seconds=4) <= world.clock.monotonic() - start < timedelta(seconds=5)


async def test_given_wait_with_no_time_when_sent_then_it_is_accepted_all_the_same() -> None:
    world = await a_world()

    sent = await world.sent(wait=True, time_left=timedelta(milliseconds=200))

    assert sent.view.delivery.state is DeliveryState.QUEUED
    assert len(world.store.deliveries) == 1


async def test_given_wait_when_the_store_is_away_meanwhile_then_the_accepted_message_is_not_called_refused() -> None:
    """P1: without a key, a caller who is told UNAVAILABLE would send a second mail."""
    world = await a_world()
    world.store.fail_next("deliveries.find")

    sent = await world.sent(wait=True, time_left=timedelta(seconds=5))

    assert sent.view.delivery == replace(world.store.delivery(sent.view.delivery.delivery_id))


async def test_given_a_delivery_held_in_doubt_when_waited_for_then_that_is_an_answer() -> None:
    world = await a_world()
    sent = await world.sent(a_message(in_doubt_policy="HOLD"), key="k1")
    claim = await world.claim()
    async with world.uow() as work:
        await pass_no_return(work, claim)
        await work.commit()
    world.clock.advance(timedelta(seconds=61))
    await world.reap()
    start = world.clock.monotonic()

    again = await world.sent(a_message(in_doubt_policy="HOLD"), key="k1", wait=True)

    assert again.view.delivery.delivery_id == sent.view.delivery.delivery_id
    assert again.view.delivery.state is DeliveryState.IN_DOUBT
    assert world.clock.monotonic() == start


async def test_given_a_key_when_stored_then_it_lives_as_long_as_the_message_and_a_day_at_least() -> None:
    """P9."""
    world = await a_world()

    await world.sent(key="short")
    await world.sent(a_message(expire_after=timedelta(days=7), send_time=NOW + timedelta(days=1)), key="long")

    assert world.store.keys[TENANT, "short"].record.expire_time == NOW + timedelta(days=1)
    assert world.store.keys[TENANT, "long"].record.expire_time == NOW + timedelta(days=8)
