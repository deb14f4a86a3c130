from __future__ import annotations

import asyncio

import pytest

from tests.faults.kill_points import EveryWait


async def _wait_three_times() -> str:
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await asyncio.to_thread(lambda: None)
    await asyncio.sleep(0)
    return "done"


async def test_given_a_coroutine_when_it_is_awaited_then_both_ends_of_each_of_its_waits_are_reached() -> None:
    reached: list[int] = []

    result = await EveryWait(_wait_three_times(), reached.append)

    assert result == "done"
    assert reached == [1, 2, 3, 4, 5, 6]


async def test_given_a_coroutine_that_is_cancelled_when_it_waits_then_it_hears_of_it() -> None:
    never = asyncio.Event()
    reached: list[int] = []

    async def wait() -> None:
        await EveryWait(never.wait(), reached.append)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert reached == [1, 2]
