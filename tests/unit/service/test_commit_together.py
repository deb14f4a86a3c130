"""Group commit: who waits goes together, who does not is not kept waiting, and nobody pays for another's fault."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import Unavailable
from domain.grant import Grant
from domain.ports.storage import UnitOfWork
from service.commit_together import CommitTogether
from service.logs import STORED_NOT_HEARD
from tests.builders import a_configuration
from tests.consent_builders import a_grant
from tests.fakes.storage import FakeStore, FakeUnitOfWork
from tests.unit.service.world import until

Write = Callable[[UnitOfWork], Awaitable[str]]


class Counted:
    """A store whose units are counted, and whose commits can be held back."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.units = 0
        self.commits: list[int] = []
        """How many changes each commit carried."""
        self.may_commit = asyncio.Event()
        self.may_commit.set()
        self.changes = 0
        self.fails: Exception | None = None
        """What the next commit raises."""

    def uow(self) -> UnitOfWork:
        counted = self
        counted.units += 1

        class Unit(FakeUnitOfWork):
            async def commit(self) -> None:
                carried, counted.changes = counted.changes, 0
                await counted.may_commit.wait()
                if (fault := counted.fails) is not None:
                    counted.fails = None
                    raise fault
                await super().commit()
                counted.commits.append(carried)

        return Unit(self.store)

    async def ready(self) -> None:
        async with FakeUnitOfWork(self.store) as work:
            await work.configurations.add(a_configuration())
            await work.commit()

    def saving(self, name: str) -> Write:
        """Returns a change that stores the grant *name*."""

        async def change(work: UnitOfWork) -> str:
            await work.grants.save(a_grant(grant_id=name), expected_generation=0)
            self.changes += 1
            return name

        return change

    def names(self) -> set[str]:
        return {key.grant_id for key in self.store.grants}


def grouped(counted: Counted, **limits: Any) -> CommitTogether[Write, str]:
    """Returns a group commit of changes that are functions."""

    async def apply(work: UnitOfWork, changes: Sequence[Write]) -> Sequence[str]:
        return [await change(work) for change in changes]

    return CommitTogether(uow=counted.uow, apply=apply, **limits)


async def a_store() -> Counted:
    counted = Counted()
    await counted.ready()
    return counted


async def test_given_nobody_else_when_changed_then_committed_at_once() -> None:
    counted = await a_store()
    commit = grouped(counted)

    assert await commit(counted.saving("a")) == "a"

    assert counted.commits == [1]
    assert counted.names() == {"a"}


async def test_given_one_after_another_when_changed_at_once_then_none_waits_for_ever() -> None:
    counted = await a_store()
    commit = grouped(counted)

    async with asyncio.timeout(5):
        for number in range(5):
            await commit(counted.saving(f"n{number}"))

    assert counted.commits == [1] * 5


async def test_given_a_listener_when_committed_then_it_hears_before_the_callers_and_of_those_who_left() -> None:
    counted = await a_store()
    heard: list[str] = []
    commit = grouped(counted, stored=lambda _, results: heard.extend(results))
    counted.may_commit.clear()
    leaving = asyncio.create_task(commit(counted.saving("left")))
    await until(lambda: counted.units == 1)

    leaving.cancel()
    await asyncio.wait([leaving])
    staying = asyncio.create_task(commit(counted.saving("stayed")))
    counted.may_commit.set()
    name = await staying

    assert leaving.cancelled()
    assert (name, heard) == ("stayed", ["left", "stayed"])


@pytest.mark.parametrize("operation", ["enter", "commit"])
async def test_given_a_listener_when_it_fails_then_it_hears_what_was_in_vain(operation: str) -> None:
    counted = await a_store()
    heard: list[Write] = []
    commit = grouped(counted, failed=heard.extend)
    counted.store.fail_next(operation)
    change = counted.saving("a")

    with pytest.raises(Unavailable):
        await commit(change)

    assert heard == [change]


async def test_given_commits_under_way_when_many_change_then_they_share_the_next_one() -> None:
    counted = await a_store()
    commit = grouped(counted, most=10, at_once=1)
    counted.may_commit.clear()

    first = asyncio.create_task(commit(counted.saving("first")))
    await until(lambda: counted.changes == 1 or counted.units == 1)
    rest = [asyncio.create_task(commit(counted.saving(f"n{number}"))) for number in range(25)]
    await until(lambda: counted.units == 1)
    counted.may_commit.set()
    done = await asyncio.gather(first, *rest)

    assert done == ["first", *(f"n{number}" for number in range(25))]
    assert counted.commits[0] <= 2
    assert max(counted.commits) <= 10
    assert len(counted.commits) <= 4
    assert len(counted.names()) == 26


async def test_given_large_changes_when_committed_then_no_transaction_carries_more_than_its_bytes() -> None:
    counted = await a_store()
    commit = grouped(counted, most_bytes=100, at_once=1)

    await asyncio.gather(*(commit(counted.saving(f"n{number}"), size=60) for number in range(4)))

    assert counted.commits == [1, 1, 1, 1]


async def test_given_one_that_breaks_the_transaction_when_committed_then_the_others_are_done_by_themselves() -> None:
    counted = await a_store()
    commit = grouped(counted, at_once=1)

    async def broken(work: UnitOfWork) -> str:
        raise ValueError("this one")

    outcomes = await asyncio.gather(
        commit(counted.saving("a")), commit(broken), commit(counted.saving("b")), return_exceptions=True
    )

    assert outcomes[0] == "a"
    assert isinstance(outcomes[1], ValueError)
    assert outcomes[2] == "b"
    assert counted.names() == {"a", "b"}


@pytest.mark.parametrize("operation", ["enter", "commit"])
async def test_given_a_store_that_is_away_when_committed_then_all_hear_of_it_and_nothing_is_tried_again(
    operation: str,
) -> None:
    counted = await a_store()
    commit = grouped(counted, at_once=1)
    counted.store.fail_next(operation, afterwards=operation == "commit")

    outcomes = await asyncio.gather(*(commit(counted.saving(name)) for name in "abc"), return_exceptions=True)

    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert counted.units == 1


async def test_given_a_caller_that_is_cancelled_while_it_waits_when_committed_then_nothing_of_it_is_stored() -> None:
    counted = await a_store()
    commit = grouped(counted, at_once=1)
    counted.may_commit.clear()
    first = asyncio.create_task(commit(counted.saving("a")))
    await until(lambda: counted.units == 1)
    second = asyncio.create_task(commit(counted.saving("b")))
    third = asyncio.create_task(commit(counted.saving("c")))
    await asyncio.sleep(0)

    second.cancel()
    counted.may_commit.set()
    await asyncio.gather(first, third)

    assert second.cancelled() or await asyncio.gather(second, return_exceptions=True)
    assert counted.names() == {"a", "c"}


async def test_given_a_grant_that_exists_when_one_of_several_saves_it_again_then_only_that_one_is_refused() -> None:
    counted = await a_store()
    commit = grouped(counted, at_once=1)
    await commit(counted.saving("a"))

    outcomes: list[str | BaseException] = await asyncio.gather(
        *(commit(counted.saving(name)) for name in ("b", "a", "c")), return_exceptions=True
    )

    assert [outcome if isinstance(outcome, str) else type(outcome).__name__ for outcome in outcomes] == [
        "b",
        "ConcurrentChange",
        "c",
    ]
    assert all(isinstance(row.grant, Grant) for row in counted.store.grants.values())
    assert counted.names() == {"a", "b", "c"}


async def _unanswered(counted: Counted, commit: CommitTogether[Write, str]) -> list[str | BaseException]:
    """Lets a change hang in a store that turns out to be away, with another behind it; returns both outcomes."""
    counted.may_commit.clear()
    changes = [asyncio.create_task(commit(counted.saving("under way")))]
    await until(lambda: counted.units == 1)
    changes.append(asyncio.create_task(commit(counted.saving("behind it"))))
    await asyncio.sleep(0.05)
    counted.fails = Unavailable("away")
    counted.may_commit.set()
    return await asyncio.gather(*changes, return_exceptions=True)


async def test_given_a_store_that_hung_before_it_was_away_when_others_stand_behind_then_they_hear_so_at_once() -> None:
    counted = await a_store()

    outcomes = await _unanswered(counted, grouped(counted, hangs_after=timedelta(milliseconds=10)))

    assert [type(each) for each in outcomes] == [Unavailable, Unavailable]
    assert (counted.names(), counted.units) == (set(), 1)


async def test_given_a_store_that_was_away_for_a_moment_when_others_stand_behind_then_they_try_by_themselves() -> None:
    counted = await a_store()

    outcomes = await _unanswered(counted, grouped(counted, hangs_after=timedelta(minutes=1)))

    assert [type(each) for each in outcomes] == [Unavailable, str]
    assert (counted.names(), counted.units) == ({"behind it"}, 2)


async def test_given_a_breath_when_something_waits_after_a_commit_then_what_comes_in_it_goes_along() -> None:
    counted = await a_store()
    commit = grouped(counted, breath=lambda last: timedelta(milliseconds=50))
    counted.may_commit.clear()
    changes = [asyncio.create_task(commit(counted.saving("first")))]
    await until(lambda: counted.units == 1)
    changes.append(asyncio.create_task(commit(counted.saving("second"))))
    await asyncio.sleep(0)

    counted.may_commit.set()
    await changes[0]
    changes.append(asyncio.create_task(commit(counted.saving("third"))))
    await asyncio.gather(*changes)

    assert counted.commits == [1, 2]


async def test_given_a_breath_when_nothing_else_waits_then_nobody_is_kept_waiting() -> None:
    counted = await a_store()
    commit = grouped(counted, breath=lambda last: timedelta(hours=1))

    done = [await commit(counted.saving(name)) for name in "abc"]

    assert done == ["a", "b", "c"]


async def test_given_a_fault_after_the_commit_when_several_changed_then_all_hear_of_success_and_nothing_is_done_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counted = await a_store()

    def stored(changes: object, results: object) -> None:
        raise ZeroDivisionError

    commit = grouped(counted, stored=stored)

    done = await asyncio.gather(*(commit(counted.saving(name)) for name in "abc"))

    assert done == ["a", "b", "c"]
    assert sum(counted.commits) == 3
    assert counted.names() == {"a", "b", "c"}
    assert {record.message for record in caplog.records} == {STORED_NOT_HEARD}


async def test_given_a_process_that_ends_when_others_stand_behind_a_commit_then_nobody_is_left_waiting() -> None:
    counted = await a_store()
    commit = grouped(counted)
    counted.may_commit.clear()
    changes = [asyncio.create_task(commit(counted.saving("under way")))]
    await until(lambda: counted.units == 1)
    changes.append(asyncio.create_task(commit(counted.saving("behind it"))))
    await asyncio.sleep(0)

    for task in asyncio.all_tasks():
        if task.get_name() == "group commit":
            task.cancel()
    outcomes = await asyncio.gather(*changes, return_exceptions=True)

    assert [type(each) for each in outcomes] == [asyncio.CancelledError] * 2
