"""Which worker takes whose mail: each site its own, and who stands in for a site without a live worker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.errors import Warning
from domain.failures.failure import Failure, FailureKind, Fix, Stage
from domain.reasons import Reason
from domain.settings.model import DataCenterPolicy

SEEN_EVERY: Final = timedelta(seconds=5)
"""How often a worker says that it lives."""
LIVES_FOR: Final = timedelta(seconds=15)
"""How long what it said holds: two signs of life may be late or lost."""
TAKEN_OVER_AFTER: Final = timedelta(seconds=15)
"""How long a site is without a live worker before others take its mail, so that a restart moves nothing."""


@dataclass(frozen=True, slots=True)
class Presence:
    """The workers of one site, as the store has them."""

    data_center: str
    """Empty: the workers that are at no named site."""
    live: int
    """How many of them live; 0: there were some within a day."""
    away: timedelta = timedelta(0)
    """How long the last of them has been gone; zero while one lives."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose mail one worker takes. What may go from anywhere is everybody's."""

    data_center: str = ""
    """Where it is; empty: at no named site."""
    stands_in_except: frozenset[str] | None = None
    """It takes PREFERRED mail of all sites but these; None: of no other site."""

    def takes(self, data_center: str, policy: DataCenterPolicy) -> bool:
        """Tells whether mail for *data_center* (empty: any) is the worker's."""
        if data_center in ("", self.data_center):
            return True
        is_free = self.stands_in_except is not None and data_center not in self.stands_in_except
        return is_free and policy is DataCenterPolicy.PREFERRED


def reach_of(here: str, present: Iterable[Presence], *, order: Sequence[str]) -> Reach:
    """
    Returns whose mail a worker at *here* takes while *present* are known, its own site among them.

    One site stands in for all that are gone: the first in *order* with a live worker, then any other by name, at last
    the workers of no named site. A site that was never seen is gone.
    """
    known = tuple(present)
    live = [each.data_center for each in known if each.live]
    if not live or min(live, key=lambda name: _rank(name, order)) != here:
        return Reach(here)
    kept = {each.data_center for each in known if each.live or each.away < TAKEN_OVER_AFTER}
    return Reach(here, frozenset(kept - {""}))


def _rank(name: str, order: Sequence[str]) -> tuple[bool, int, str]:
    return not name, order.index(name) if name in order else len(order), name


def is_served(data_center: str, policy: DataCenterPolicy, present: Iterable[Presence]) -> bool:
    """Tells whether a worker lives that takes, or will take, mail for *data_center* (empty: any)."""
    live = {each.data_center for each in present if each.live}
    return data_center in live if data_center and policy is DataCenterPolicy.STRICT else bool(live)


def proven_elsewhere(data_center: str, *, here: str) -> tuple[Warning, ...]:
    """Returns the warning that a proof of settings for *data_center* was made *here* (empty: at no named site)."""
    if data_center in ("", here):
        return ()
    place = f"the data center {here}" if here else "no named data center"
    return (
        Warning(
            field="settings.data_center",
            reason=Reason.PROVEN_ELSEWHERE,
            message=f"The connection was made by a process at {place}; mail will go out from {data_center}, where "
            "firewalls may differ.",
            remedy=f"Call the API of a process with MAILPORT_DATA_CENTER={data_center} to prove it from there.",
        ),
    )


def nobody_there(data_center: str, policy: DataCenterPolicy) -> Failure:
    """Returns what mail shows that waits for a site without a live worker."""
    is_strict = policy is DataCenterPolicy.STRICT
    return Failure(
        reason=Reason.DATA_CENTER_AWAY,
        kind=FailureKind.TRANSIENT,
        stage=Stage.CONNECT,
        cause=f"No worker of the data center {data_center} is alive, and its policy is STRICT: no other may send."
        if is_strict
        else f"No worker is alive, neither of the data center {data_center} nor of another one.",
        remedy=f"Start a process with the role worker and MAILPORT_DATA_CENTER={data_center}, or prove settings "
        "with the policy PREFERRED or another data center: what waits goes along."
        if is_strict
        else "Start a process with the role worker.",
        fixes=(Fix("settings.data_center_policy", DataCenterPolicy.PREFERRED),) if is_strict else (),
    )
