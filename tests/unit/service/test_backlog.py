"""The backlog: accounts take turns, the oldest of each first, and nothing is forgotten by chance."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.account import Account
from domain.ports.delivery_queue import Claim, Lease
from service.backlog import Backlog
from tests.builders import TENANT, a_delivery


def a_claim(name: str, number: int) -> Claim:
    return Claim(a_delivery(configuration_id=name), Lease(token=f"{name}{number}", attempt=1))


def a_backlog(*names: str) -> tuple[Backlog, list[Claim]]:
    backlog, claims = Backlog(), [a_claim(name, number) for number, name in enumerate(names)]
    for claim in claims:
        backlog.add(claim)
    return backlog, claims


def tokens(backlog: Backlog) -> list[str]:
    taken = []
    while (claim := backlog.take(lambda _: True)) is not None:
        taken.append(claim.lease.token)
    return taken


def test_given_several_accounts_when_taken_then_they_take_turns_and_each_gives_its_oldest() -> None:
    backlog, _ = a_backlog("a", "a", "a", "b", "c", "c")

    assert tokens(backlog) == ["a0", "b3", "c4", "a1", "c5", "a2"]
    assert len(backlog) == 0


def test_given_an_account_that_may_not_when_taken_then_others_come_first_and_it_keeps_its_claims() -> None:
    backlog, _ = a_backlog("a", "b")

    taken = [backlog.take(lambda account: account.configuration_id != "a") for _ in range(2)]

    assert [claim and claim.lease.token for claim in taken] == ["b1", None]
    assert tokens(backlog) == ["a0"]


def test_given_a_claim_that_is_removed_when_taken_then_is_not_there_and_others_are() -> None:
    backlog, (first, second, other) = a_backlog("a", "a", "b")

    backlog.remove(first)
    backlog.remove(first)
    backlog.remove(other)

    assert list(backlog) == [second]
    assert backlog.accounts() == (second.account,)


def test_given_an_account_when_dropped_then_its_claims_come_in_order_and_others_stay() -> None:
    backlog, claims = a_backlog("a", "b", "a")

    assert backlog.drop(Account(TENANT, "a")) == (claims[0], claims[2])
    assert backlog.drop(Account(TENANT, "a")) == ()
    assert backlog.drop() == (claims[1],)
    assert len(backlog) == 0


@given(st.lists(st.sampled_from("abc")), st.data())
def test_given_any_claims_when_some_leave_then_counts_hold(names: list[str], data: st.DataObject) -> None:
    backlog, claims = a_backlog(*names)
    gone = data.draw(st.lists(st.sampled_from(claims), unique_by=id)) if claims else []

    for claim in gone:
        backlog.remove(claim)

    left = [claim for claim in claims if not any(claim is each for each in gone)]
    assert len(backlog) == len(left)
    for name in "abc":
        account = Account(TENANT, name)
        assert backlog.count(account) == sum(claim.account == account for claim in left)
    assert sorted(tokens(backlog)) == sorted(claim.lease.token for claim in left)
