"""What every store does about turns at mailboxes (domain.ports.turns.TurnBook)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from domain.turns import LONGEST_REST, Place, TurnTold
from tests.contract.conftest import Storage

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
TEAM = Place("graph.example.com", "team@example.com")
OTHER = Place("graph.example.com", "anna@example.com")


async def ask(
    storage: Storage, ticket: str, *, place: Place = TEAM, most: int = 2, lease: timedelta = MINUTE
) -> TurnTold:
    async with storage.uow() as work:
        told = await work.turns.ask(place, ticket=ticket, most=most, lease=lease)
        await work.commit()
    return told


async def given(storage: Storage, *tickets: str, place: Place = TEAM) -> list[bool]:
    return [(await ask(storage, ticket, place=place)).is_given for ticket in tickets]


async def leave(storage: Storage, ticket: str) -> None:
    async with storage.uow() as work:
        await work.turns.leave(TEAM, ticket=ticket)
        await work.commit()


async def rest(storage: Storage, wait: timedelta) -> None:
    async with storage.uow() as work:
        await work.turns.rest(TEAM, wait=wait)
        await work.commit()


async def test_given_two_turns_when_four_come_then_the_first_two_have_them_until_they_leave(storage: Storage) -> None:
    assert await given(storage, "a", "b", "c", "d") == [True, True, False, False]

    await leave(storage, "a")

    assert await given(storage, "d", "c", "b") == [False, True, True], "in the order of their coming, not of asking"
    assert await given(storage, "a") == [False], "whoever left comes last"


async def test_given_a_place_whose_turns_are_taken_when_another_place_is_asked_then_it_has_its_own(
    storage: Storage,
) -> None:
    await given(storage, "a", "b")

    assert await given(storage, "c", place=OTHER) == [True]
    assert await given(storage, "c") == [False]


async def test_given_eight_processes_when_they_come_at_once_then_two_have_turns(storage: Storage) -> None:
    told = await asyncio.gather(*(ask(storage, f"t{number}") for number in range(8)))

    assert sum(each.is_given for each in told) == 2


async def test_given_a_lease_that_ran_out_when_others_ask_then_its_turn_is_theirs_and_it_comes_last(
    storage: Storage,
) -> None:
    await ask(storage, "a", lease=-SECOND)
    await ask(storage, "b")

    assert await given(storage, "c") == [True]
    assert await given(storage, "a") == [False]


async def test_given_a_turn_when_it_is_asked_for_again_then_its_lease_is_prolonged(storage: Storage) -> None:
    await ask(storage, "a", lease=-SECOND)
    await ask(storage, "a", lease=MINUTE)

    assert await given(storage, "b", "c", "a") == [True, False, True]


async def test_given_a_rest_when_asked_then_nobody_has_a_turn_and_all_keep_their_places(storage: Storage) -> None:
    await given(storage, "a")
    await rest(storage, MINUTE)

    told = await ask(storage, "a")
    later = await ask(storage, "b")

    assert (told.is_given, later.is_given) == (False, False)
    assert told.rest_until == later.rest_until
    assert timedelta(seconds=50) < told.rest <= MINUTE
    assert (await ask(storage, "a", place=OTHER)).rest == timedelta(0)


async def test_given_a_rest_when_asked_how_long_then_it_is_told_to_whoever_asks(storage: Storage) -> None:
    async with storage.uow() as work:
        before = await work.turns.resting(TEAM)
    await rest(storage, MINUTE)

    async with storage.uow() as work:
        here, elsewhere = await work.turns.resting(TEAM), await work.turns.resting(OTHER)

    assert timedelta(seconds=50) < here <= MINUTE
    assert before == elsewhere == timedelta(0)


async def test_given_a_rest_that_is_over_when_asked_then_turns_are_given_again(storage: Storage) -> None:
    await rest(storage, -SECOND)

    told = await ask(storage, "a")

    assert (told.is_given, told.rest_until, told.rest) == (True, None, timedelta(0))
    async with storage.uow() as work:
        assert await work.turns.resting(TEAM) == timedelta(0)


async def test_given_rests_of_different_length_when_heard_then_the_longest_stays_a_day_at_most(
    storage: Storage,
) -> None:
    await rest(storage, timedelta(hours=1))
    await rest(storage, SECOND)
    hour = (await ask(storage, "a")).rest
    await rest(storage, timedelta(days=400))
    most = (await ask(storage, "a")).rest

    assert timedelta(minutes=59) < hour <= timedelta(hours=1)
    assert timedelta(hours=23) < most <= LONGEST_REST


async def test_given_a_unit_that_does_not_commit_when_left_then_the_ticket_is_not_there(storage: Storage) -> None:
    async with storage.uow() as work:
        await work.turns.ask(TEAM, ticket="a", most=1, lease=MINUTE)

    async with storage.uow() as work:
        assert (await work.turns.ask(TEAM, ticket="b", most=1, lease=MINUTE)).is_given
