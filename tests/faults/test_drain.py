"""T8: a process that is told to stop stores what was answered before it ends (P11, P26)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace

from service.sandbox.identity.behaviour import Behaviour
from tests.faults.cuttable import Way, cuttable_database
from tests.faults.forks import Forks
from tests.faults.provider import Provider
from tests.faults.sizes import SIZES
from tests.faults.wiring import Accounts, Place, account_of, ask, wired


async def test_given_an_answer_and_no_database_when_the_process_is_told_to_stop_then_it_stores_the_pair_before_it_ends(
    accounts: Accounts, provider: Provider, forks: Forks, place: Place, figures: Callable[[str], None]
) -> None:
    name = await accounts.consented(Behaviour.STRICT)
    await accounts.expire(name)
    async with cuttable_database(place.database_url) as database:
        await provider.hold()
        process = await forks.start("serving", replace(place, database_url=database.url), configuration_id=name)
        await provider.held(1)
        database.become(Way.CUT)
        os.kill(process.pid, signal.SIGTERM)
        assert await process.hear() == {"stopping": True}
        await provider.release()
        await asyncio.sleep(SIZES.drain_outage.total_seconds())
        before = await accounts.grant(name)
        database.become(Way.OPEN)
        begin = time.perf_counter()
        code = await process.ended()
        seconds = time.perf_counter() - begin

    after = await accounts.grant(name)
    figures(f"T8 drain, {SIZES.drain_outage.total_seconds():.0f} s without a database: ended {seconds:.1f} s after it")
    assert code == 0
    assert (before.generation, after.generation) == (1, 2)
    async with wired(place) as other:
        await accounts.expire(name)
        await ask(other, name)
    given = (await provider.grants())[account_of(name)]
    assert (given.refreshes, given.reuse_detected) == (2, 0)
