"""What is handed in to be accepted, and what stands afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.delivery import Claimed, Delivery, advance
from domain.ports.delivery_queue import LARGEST_AT_HAND, Claim, Lease


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What a key stands for (rule 10)."""

    key: str
    """1 to 255 printable ASCII characters, unique within the tenant."""
    content_digest: bytes
    """Keyed hash over the named fields of the request."""
    expire_time: datetime
    """From then on, by the store's own clock, the key is free again; see `domain.delivery.minimum_retention`."""


@dataclass(frozen=True, slots=True)
class Take:
    """Asks for a lease together with the acceptance: the worker named will make the first attempt."""

    token: str
    """Of the lease; drawn at random for this delivery alone."""
    worker: str
    """Its name, as it claims with it."""
    lease: timedelta
    """From the acceptance on, by the store's own clock."""
    data_center: str = ""
    """Where the worker is; empty: at no named site."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What is to be accepted."""

    delivery: Delivery
    """As it is to be stored where it has no `take`; its id is new."""
    content: bytes
    """The flattened message, not sealed yet."""
    key: IdempotencyRecord | None = None
    """None: stored whatever stands already."""
    version: int | None = None
    """Of the configuration that it was made for; None: not to be compared."""
    take: Take | None = None
    """None: it waits until it is claimed."""
    is_awaited: bool = False
    """Whether the worker of this process claims it as soon as it can: nobody else has to be told that it is due."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The delivery that stands under an idempotency key, or was stored without one."""

    delivery: Delivery
    """As it is stored; a replay's as it has become since."""
    content_digest: bytes
    """Of the request that was accepted first; empty: it had no key."""
    is_replay: bool
    """True: it was there before."""
    claim: Claim | None = None
    """Set when it was stored under the lease that `NewDelivery.take` asked for: its first attempt is the caller's."""


def claim_at_once(new: NewDelivery) -> Claim:
    """Returns the claim on what was stored under the lease that its `take` asked for, which there is."""
    assert new.take is not None
    delivery = advance(new.delivery, Claimed(new.take.data_center), at=new.delivery.update_time)
    lease = Lease(token=new.take.token, attempt=delivery.attempt_count)
    content = new.content if len(new.content) <= LARGEST_AT_HAND else None
    return Claim(delivery, lease, version=new.version, content=content)
