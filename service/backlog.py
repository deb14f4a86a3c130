"""Deliveries that a process has claimed and not begun: what its lanes go on with without asking the store."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

from domain.account import Account
from domain.ports.delivery_queue import Claim


class Backlog:
    """Claims by account, the oldest first; the accounts take turns."""

    def __init__(self) -> None:
        self._claims: OrderedDict[Account, deque[Claim]] = OrderedDict()
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def __iter__(self) -> Iterator[Claim]:
        return (claim for claims in self._claims.values() for claim in claims)

    def count(self, account: Account) -> int:
        """Returns how many of *account* are here."""
        return len(self._claims.get(account, ()))

    def accounts(self) -> tuple[Account, ...]:
        """Returns whose claims are here."""
        return tuple(self._claims)

    def add(self, claim: Claim) -> None:
        """Puts *claim* behind the others of its account."""
        self._claims.setdefault(claim.account, deque()).append(claim)
        self._total += 1

    def take(self, may: Callable[[Account], bool]) -> Claim | None:
        """Returns the oldest claim of the account whose turn it is, of those that *may*; None when there is none."""
        account = next((each for each in self._claims if may(each)), None)
        if account is None:
            return None
        claims = self._claims[account]
        claim = claims.popleft()
        self._total -= 1
        if claims:
            self._claims.move_to_end(account)
        else:
            del self._claims[account]
        return claim

    def remove(self, claim: Claim) -> None:
        """Forgets *claim*, if it is still here."""
        claims = self._claims.get(claim.account)
        if claims is None or claim not in claims:
            return
        claims.remove(claim)
        self._total -= 1
        if not claims:
            del self._claims[claim.account]

    def drop(self, account: Account | None = None) -> tuple[Claim, ...]:
        """Returns all claims of *account*, or of everybody, and forgets them."""
        dropped = tuple(claim for claim in self if account in (None, claim.account))
        for claim in dropped:
            self.remove(claim)
        return dropped
