"""T8: the database goes away between a token endpoint's answer and its commit; the answer is kept until it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from domain.grant import GrantState
from service.container import Container
from service.sandbox.identity.behaviour import Behaviour
from tests.faults.cuttable import CuttableDatabase, Way, cuttable_database
from tests.faults.provider import Provider
from tests.faults.sizes import SIZES
from tests.faults.wiring import Accounts, Place, account_of, ask, wired

_GRANTS: Final = 6
_SOON_BACK: Final = timedelta(seconds=15)


@asynccontextmanager
async def _along_the_way(place: Place) -> AsyncIterator[tuple[CuttableDatabase, Container]]:
    """Gives another process's parts, and the way by which they reach the database."""
    async with (
        cuttable_database(place.database_url) as database,
        wired(replace(place, database_url=database.url)) as parts,
    ):
        yield database, parts


async def _answered_into_the_outage(
    way: Way, database: CuttableDatabase, provider: Provider, begin: Callable[[], list[asyncio.Task[str]]]
) -> list[asyncio.Task[str]]:
    """Lets callers ask, and the provider answer when the database has gone."""
    await provider.hold()
    asking = begin()
    await provider.held(len(asking))
    database.become(way)
    await provider.release()
    return asking


@pytest.mark.parametrize("way", [Way.CUT, Way.FROZEN, Way.CUT_AFTER_COMMIT])
async def test_given_rotating_grants_when_the_database_goes_away_before_the_commit_then_the_answers_are_stored_later(
    way: Way, accounts: Accounts, provider: Provider, place: Place, figures: Callable[[str], None]
) -> None:
    names = [await _expired(accounts) for _ in range(_GRANTS)]
    async with _along_the_way(place) as (database, parts):
        asking = await _answered_into_the_outage(
            way, database, provider, lambda: [asyncio.create_task(ask(parts, name)) for name in names]
        )
        await asyncio.sleep(SIZES.outage.total_seconds())  # what is waited for is that nothing happens
        waiting = sum(not task.done() for task in asking)
        database.become(Way.OPEN)
        back = time.perf_counter()
        async with asyncio.timeout(_SOON_BACK.total_seconds()):
            tokens = await asyncio.gather(*asking)
        seconds = time.perf_counter() - back

    calls = await provider.refresh_calls(Behaviour.STRICT)
    figures(
        f"T8 outage of {SIZES.outage.total_seconds():.0f} s, {way}: {_GRANTS} grants, {waiting} waited, {calls} calls, "
        f"all stored {seconds:.1f} s after it"
    )
    assert waiting == _GRANTS
    assert calls == _GRANTS
    for name, token in zip(names, tokens, strict=True):
        stored = await accounts.grant(name)
        assert (stored.generation, stored.state) == (2, GrantState.AUTHORIZED)
        assert stored.access_tokens[0].token.reveal() == token
    await _all_hold_the_newest(names, accounts, provider, place)


async def test_given_an_outage_beyond_the_lease_when_the_database_is_back_then_others_let_the_holder_store(
    accounts: Accounts, provider: Provider, place: Place, figures: Callable[[str], None]
) -> None:
    names = [await _expired(accounts) for _ in range(_GRANTS)]
    async with _along_the_way(place) as (database, holder), wired(place) as other:
        holder.refresh_grant.add_kwargs(lease=timedelta(seconds=1))
        asking = await _answered_into_the_outage(
            Way.CUT, database, provider, lambda: [asyncio.create_task(ask(holder, name)) for name in names]
        )
        await asyncio.sleep(SIZES.outage.total_seconds())
        database.become(Way.OPEN)
        # Its database is back before the holder has noticed, and the leases are over: it takes each refresh upon it.
        waiting = [asyncio.create_task(ask(other, name)) for name in names]
        async with asyncio.timeout(2 * _SOON_BACK.total_seconds()):
            tokens = await asyncio.gather(*asking, *waiting, return_exceptions=True)

    calls = await provider.refresh_calls(Behaviour.STRICT)
    grants = await provider.grants()
    reuses = sum(grants[account_of(name)].reuse_detected for name in names)
    figures(f"T8 outage beyond the lease: {_GRANTS} grants, {calls} calls, {reuses} reuses")
    assert [token for token in tokens if isinstance(token, BaseException)] == []
    assert reuses == 0
    assert calls == _GRANTS
    assert tokens[:_GRANTS] == tokens[_GRANTS:]


async def _expired(accounts: Accounts) -> str:
    name = await accounts.consented(Behaviour.STRICT)
    await accounts.expire(name)
    return name


async def _all_hold_the_newest(names: list[str], accounts: Accounts, provider: Provider, place: Place) -> None:
    """Refreshes each once more: at this provider only the newest refresh token does that."""
    async with wired(place) as fresh:
        for name in names:
            await accounts.expire(name)
            await ask(fresh, name)
            assert (await accounts.grant(name)).generation == 3
    grants = await provider.grants()
    assert [name for name in names if grants[account_of(name)].reuse_detected] == []
