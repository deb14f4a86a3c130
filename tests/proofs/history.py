"""
Judges what became of a run's mail: what callers were told, what the server got, and what mailport says of it.

Pure: it is given all three and reads nothing. The laws are P1 to P4, P5 and P9 of the promises.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

KEY_HEADER: Final = "X-Proof-Key"
"""Carries the idempotency key of a message, so that a copy can be told at the far end."""
_WAITING: Final = frozenset({"QUEUED", "SENDING", "RETRYING", "HELD"})
_SENT: Final = "SENT"
_IN_DOUBT: Final = "IN_DOUBT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A message that a caller gave, maybe several times, under one key."""

    key: str
    holds_doubt: bool = False
    """Whether its policy is HOLD: what is in doubt is not sent again."""
    delivery_ids: frozenset[str] = frozenset()
    """What the calls that got OK were told; empty: none got OK."""

    @property
    def is_acknowledged(self) -> bool:
        return bool(self.delivery_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A copy that the server took."""

    key: str
    message_id: str
    digest: str
    """Of all its octets."""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    time: float = 0.0
    """Unix time, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What mailport's database says of a delivery at the end."""

    key: str
    delivery_id: str
    state: str
    doubts: int = 0
    """Attempts that are recorded in doubt."""
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found; each name holds keys, sorted. `faults` must be empty, the rest is told."""

    submitted: int
    acknowledged: int
    arrived: int
    """Copies."""
    lost: Sequence[str] = ()
    """Acknowledged, and neither sent with a copy at the server, nor in doubt, nor refused."""
    unended: Sequence[str] = ()
    """Still waiting or under way, with no doubt that explains it."""
    unexpected: Sequence[str] = ()
    """At the server or in the database without having been given."""
    duplicated: Sequence[str] = ()
    """More copies than one and the doubts recorded; with HOLD, than one."""
    split: Sequence[str] = ()
    """One key, several deliveries; or callers were told of others than there is."""
    altered: Sequence[str] = ()
    """Copies that differ, in a single octet or in the envelope."""
    contradicted: Sequence[str] = ()
    """Said to have failed or been cancelled, without a doubt, and there is a copy."""
    in_doubt: Sequence[str] = ()
    """At the end."""
    doubts: int = 0
    """Attempts recorded in doubt, over all."""
    copied: Sequence[str] = ()
    """Arrived more than once, each copy beyond the first paid for by a doubt."""
    recovered: Sequence[str] = ()
    """Sent after an attempt that had broken off."""

    @property
    def faults(self) -> dict[str, Sequence[str]]:
        """Returns what must not be, by its name."""
        named = {
            "lost": self.lost,
            "unended": self.unended,
            "unexpected": self.unexpected,
            "duplicated": self.duplicated,
            "split": self.split,
            "altered": self.altered,
            "contradicted": self.contradicted,
        }
        return {name: keys for name, keys in named.items() if keys}

    def __str__(self) -> str:
        return (
            f"{self.submitted} submitted, {self.acknowledged} acknowledged, {self.arrived} arrived, lost"
            f" {len(self.lost)}, unended {len(self.unended)}, unexpected {len(self.unexpected)}, duplicated"
            f" {len(self.duplicated)}, split {len(self.split)}, altered {len(self.altered)}, contradicted"
            f" {len(self.contradicted)}; doubts {self.doubts}, in doubt at the end {len(self.in_doubt)}, more than one"
            f" copy {len(self.copied)}, recovered {len(self.recovered)}"
        )


def judge(submitted: Iterable[Submitted], arrivals: Iterable[Arrival], fates: Iterable[Fate]) -> Verdict:
    """Returns what is to be said of a run that has ended; nothing may be under way any more."""
    given = {each.key: each for each in submitted}
    copies: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        copies[arrival.key].append(arrival)
    found: dict[str, list[Fate]] = defaultdict(list)
    for fate in fates:
        found[fate.key].append(fate)
    doubts = Counter({key: sum(fate.doubts for fate in each) for key, each in found.items()})
    states = {key: {fate.state for fate in each} for key, each in found.items()}

    def those(keys: Iterable[str]) -> Sequence[str]:
        return tuple(sorted(set(keys)))

    def is_told(key: str) -> bool:
        """Tells whether what mailport says is an end that the copies do not belie."""
        if _SENT in states.get(key, ()):
            return bool(copies[key])
        return bool(states.get(key))

    return Verdict(
        submitted=len(given),
        acknowledged=sum(each.is_acknowledged for each in given.values()),
        arrived=sum(map(len, copies.values())),
        lost=those(key for key, each in given.items() if (each.is_acknowledged or key in found) and not is_told(key)),
        unended=those(key for key, each in states.items() if each & _WAITING),
        unexpected=those(key for key in (*copies, *found) if key not in given or (key in copies and key not in found)),
        duplicated=those(
            key for key, each in copies.items() if len(each) > 1 + (0 if _holds(given, key) else doubts[key])
        ),
        split=those(
            key
            for key, each in given.items()
            if len(found[key]) > 1 or (found[key] and each.delivery_ids - {fate.delivery_id for fate in found[key]})
        ),
        altered=those(
            key
            for key, each in copies.items()
            if len({(copy.digest, copy.message_id, copy.sender, copy.recipients) for copy in each}) > 1
        ),
        contradicted=those(
            key
            for key, each in copies.items()
            if each and states.get(key, set()) & {"FAILED", "EXPIRED", "CANCELLED"} and not doubts[key]
        ),
        in_doubt=those(key for key, each in states.items() if _IN_DOUBT in each),
        doubts=doubts.total(),
        copied=those(key for key, each in copies.items() if len(each) > 1),
        recovered=those(
            fate.key for each in found.values() for fate in each if fate.state == _SENT and fate.attempts > 1
        ),
    )


def _holds(given: Mapping[str, Submitted], key: str) -> bool:
    return key in given and given[key].holds_doubt
