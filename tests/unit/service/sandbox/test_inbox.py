from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from service.sandbox.inbox import Inbox, ReceivedMessage

SOON = timedelta(seconds=5)


async def put(inbox: Inbox, subject: str, *, size_bytes: int = 0) -> ReceivedMessage:
    raw = f"Subject: {subject}\r\n\r\n".encode()
    return await inbox.add(
        receive_time=datetime(2026, 1, 2, tzinfo=UTC),
        sender="robot@sandbox.example",
        recipients=("ann@example.test",),
        raw=raw + b"x" * max(0, size_bytes - len(raw)),
    )


def has_subject(subject: str, message: ReceivedMessage) -> bool:
    return message.subject == subject


def subjects(inbox: Inbox) -> list[str]:
    return [message.subject for message in inbox.newest()]


async def test_given_more_messages_than_allowed_when_adding_then_the_oldest_are_dropped() -> None:
    inbox = Inbox(max_messages=3)

    for number in range(5):
        await put(inbox, f"message {number}")

    assert subjects(inbox) == ["message 4", "message 3", "message 2"]
    assert inbox.get("1") is None
    assert inbox.get("5") is not None


async def test_given_more_octets_than_allowed_when_adding_then_the_oldest_are_dropped() -> None:
    inbox = Inbox(max_bytes=1_000)

    for number in range(5):
        await put(inbox, f"message {number}", size_bytes=400)

    assert subjects(inbox) == ["message 4", "message 3"]
    assert inbox.size_bytes == 800


async def test_given_a_message_larger_than_the_bound_when_adding_then_it_alone_is_kept() -> None:
    inbox = Inbox(max_bytes=1_000)
    await put(inbox, "small")

    await put(inbox, "large", size_bytes=5_000)

    assert subjects(inbox) == ["large"]
    assert inbox.size_bytes == 5_000


async def test_given_a_cleared_inbox_when_adding_then_ids_go_on() -> None:
    inbox = Inbox()
    first = await put(inbox, "before")

    dropped = inbox.clear()
    second = await put(inbox, "after")

    assert dropped == 1
    assert subjects(inbox) == ["after"]
    assert int(second.id) > int(first.id)
    assert inbox.size_bytes == len(second.raw)


async def test_given_a_message_that_is_there_when_waiting_then_it_is_returned_at_once() -> None:
    inbox = Inbox()
    await put(inbox, "other")
    wanted = await put(inbox, "wanted")

    found = await inbox.wait_for(partial(has_subject, "wanted"), SOON)

    assert found is wanted


async def test_given_a_message_that_comes_later_when_waiting_then_it_is_returned() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.wait_for(partial(has_subject, "wanted"), SOON))

    await put(inbox, "other")
    wanted = await put(inbox, "wanted")

    assert await waiting is wanted


async def test_given_several_waiters_when_their_messages_come_then_each_gets_its_own() -> None:
    inbox = Inbox(max_messages=1)
    waiting = [asyncio.create_task(inbox.wait_for(partial(has_subject, name), SOON)) for name in ("a", "b", "c")]
    await asyncio.sleep(0)

    for name in ("c", "a", "b"):
        await put(inbox, name)
        await asyncio.wait([waiting["abc".index(name)]])

    assert [(await task).subject for task in waiting] == ["a", "b", "c"]


async def test_given_no_such_message_when_waiting_then_times_out_in_words() -> None:
    inbox = Inbox()
    await put(inbox, "other")

    with pytest.raises(TimeoutError, match="no such message"):
        await inbox.wait_for(partial(has_subject, "wanted"), timedelta(milliseconds=20))
