"""`domain.ports.deliveries.Deliveries` in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from domain.account import Account
from domain.data_center import Reach
from domain.delivery import Attempt, Claimed, Delivery, DeliveryState, advance
from domain.errors import LeaseLost, NotFound, SecretUnreadable
from domain.failures.failure import Failure
from domain.pause import Pause
from domain.ports.acceptance import Accepted, IdempotencyRecord, NewDelivery, Take, claim_at_once
from domain.ports.changes import Change
from domain.ports.deliveries import DeliveryFilter, DeliveryPosition
from domain.ports.delivery_queue import LARGEST_AT_HAND, Abandoned, Admit, Claim, Lease, Outcome
from domain.settings.model import DataCenterPolicy
from tests.fakes.store import Name, StoredDelivery, StoredKey, StoredLease, content_place

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork

_ATTEMPTS_SHOWN: Final = 50
_RELEASED: Final = frozenset({DeliveryState.HELD, DeliveryState.RETRYING})
_OPEN: Final = frozenset({DeliveryState.QUEUED, DeliveryState.RETRYING, DeliveryState.HELD})
_WAITING: Final = _OPEN | {DeliveryState.IN_DOUBT}


class FakeDeliveries:
    """Judged by the store's clock; what another unit of work has locked is skipped or waited for, as in PostgreSQL."""

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def _accept(self, delivery: Delivery, content: bytes, key: IdempotencyRecord | None) -> Accepted:
        if key is not None:
            await self._unit.lock(("key", delivery.tenant, key.key))
            if (standing := self._standing(delivery.tenant, key.key)) is not None:
                return standing
            self._unit.key_rows[delivery.tenant, key.key] = StoredKey(key, delivery.delivery_id)
        name = _name(delivery)
        await self._unit.lock(name)
        sealed = self._unit.store.vault.seal(content, place=content_place(delivery))
        self._put(StoredDelivery(delivery, sealed))
        return Accepted(delivery=delivery, content_digest=key.content_digest if key else b"", is_replay=False)

    async def accept_all(self, batch: Sequence[NewDelivery]) -> Sequence[Accepted | None]:
        await self._unit.begin("deliveries.accept")
        # In one order everywhere, as the real one does, so that two units never wait for each other's keys.
        for name in sorted({(each.delivery.tenant, each.key.key) for each in batch if each.key is not None}):
            await self._unit.lock(("key", *name))
        results: list[Accepted | None] = []
        for each in batch:
            configuration = self._unit.configuration_rows.get((each.delivery.tenant, each.delivery.configuration_id))
            is_other = each.version is not None and (
                configuration is None or configuration.configuration.version != each.version
            )
            standing = self._standing(each.delivery.tenant, each.key.key) if each.key else None
            if is_other and standing is None:
                results.append(None)
            elif each.take is None or standing is not None or not self._may_take(each.delivery):
                accepted = await self._accept(each.delivery, each.content, each.key)
                is_news = not accepted.is_replay and self._is_due(each.delivery) and not each.is_awaited
                self._unit.due = self._unit.due or is_news
                results.append(accepted)
            else:
                results.append(await self._accept_taken(each, each.take))
        return results

    def _is_due(self, delivery: Delivery) -> bool:
        return delivery.next_attempt_time is not None and delivery.next_attempt_time <= self._now

    def _may_take(self, delivery: Delivery) -> bool:
        return self._is_due(delivery) and _account(delivery) not in self._unit.pause_rows

    async def _accept_taken(self, new: NewDelivery, take: Take) -> Accepted:
        claim = claim_at_once(new)
        accepted = await self._accept(claim.delivery, new.content, new.key)
        if accepted.is_replay:
            return accepted
        stored = self._unit.delivery_rows[_name(claim.delivery)]
        held = StoredLease(token=take.token, worker=take.worker, until=self._now + take.lease)
        attempt = Attempt(number=claim.lease.attempt, start_time=claim.delivery.update_time)
        self._put(replace(stored, attempts=(attempt,), lease=held))
        return replace(accepted, claim=claim)

    async def accepted(self, tenant: str, key: str) -> Accepted | None:
        await self._unit.begin("deliveries.accepted")
        return self._standing(tenant, key)

    async def find(self, tenant: str, delivery_id: str) -> Delivery | None:
        await self._unit.begin("deliveries.find")
        stored = self._unit.delivery_rows.get((tenant, delivery_id))
        return stored.delivery if stored else None

    async def lock(self, tenant: str, delivery_id: str) -> Delivery | None:
        await self._unit.begin("deliveries.lock")
        stored = await self._locked((tenant, delivery_id))
        return stored.delivery if stored else None

    async def attempts(self, tenant: str, delivery_id: str) -> tuple[Attempt, ...]:
        await self._unit.begin("deliveries.attempts")
        stored = self._unit.delivery_rows.get((tenant, delivery_id))
        return stored.attempts[-_ATTEMPTS_SHOWN:] if stored else ()

    async def page(
        self, tenant: str, where: DeliveryFilter, *, after: DeliveryPosition | None, limit: int
    ) -> tuple[Delivery, ...]:
        await self._unit.begin("deliveries.page")
        found = [
            (delivery.create_time, delivery.delivery_id, delivery)
            for stored in self._unit.delivery_rows.values()
            if (delivery := stored.delivery).tenant == tenant and _fits(delivery, where)
        ]
        if after is not None:
            found = [each for each in found if each[:2] < (after.create_time, after.delivery_id)]
        return tuple(delivery for _, _, delivery in sorted(found, key=lambda each: each[:2], reverse=True)[:limit])

    async def content(self, delivery: Delivery) -> bytes:
        await self._unit.begin("deliveries.content")
        stored = self._unit.delivery_rows.get(_name(delivery))
        if stored is None or stored.content is None:
            raise NotFound("The message's content is no longer stored.", metadata={"delivery_id": delivery.delivery_id})
        return self._unit.store.vault.open(stored.content, place=content_place(delivery))

    async def has_content(self, delivery: Delivery) -> bool:
        await self._unit.begin("deliveries.has_content")
        stored = self._unit.delivery_rows.get(_name(delivery))
        return stored is not None and stored.content is not None

    async def keep_key(self, delivery: Delivery, until: datetime) -> None:
        await self._unit.begin("deliveries.keep_key")
        for name, stored in list(self._unit.key_rows.items()):
            is_its = (name[0], stored.delivery_id) == _name(delivery)
            if is_its and self._now < stored.record.expire_time < until:
                self._unit.key_rows[name] = replace(stored, record=replace(stored.record, expire_time=until))

    async def claim(
        self,
        *,
        worker: str,
        lease: timedelta,
        limit: int,
        passing_over: frozenset[Account] = frozenset(),
        only: Account | None = None,
        reach: Reach | None = None,
        tenants_passed_over: frozenset[str] = frozenset(),
        admit: Admit | None = None,
    ) -> tuple[Claim, ...]:
        await self._unit.begin("deliveries.claim")
        now = self._now
        found = [
            (delivery.next_attempt_time, stored)
            for stored in self._free_rows()
            if (delivery := stored.delivery).next_attempt_time is not None
            and delivery.next_attempt_time <= now < delivery.expire_time
            and (reach is None or reach.takes(delivery.data_center, delivery.data_center_policy))
            and (account := Account(delivery.tenant, delivery.configuration_id)) not in passing_over
            and only in (None, account)
            and delivery.tenant not in tenants_passed_over
            and not self._unit.allowances.is_waiting(_account(delivery))
        ]
        paused = [(at, stored) for at, stored in found if _account(stored.delivery) in self._unit.pause_rows]
        probes = self._probes(paused, limit) if only is None else []
        for stored in probes:
            await self._unit.lock(("pause", *_account(stored.delivery)))
        due = [(at, stored) for at, stored in found if _account(stored.delivery) not in self._unit.pause_rows]
        here = reach.data_center if reach is not None else ""
        taken: list[StoredDelivery] = [*probes, *_in_order(due, limit - len(probes))]
        for stored in taken:
            await self._unit.lock(_name(stored.delivery))
        if admit is not None and taken:
            admitted = await admit([self._may_be_claimed(stored) for stored in taken])
            names = {_name(claim.delivery) for claim in admitted}
            taken = [stored for stored in taken if _name(stored.delivery) in names]
        for stored in probes:
            name = _account(stored.delivery)
            if stored in taken:
                self._unit.pause_rows[name] = replace(self._unit.pause_rows[name], until=now + lease)
        return tuple([await self._claimed(stored, worker, lease, here) for stored in taken])

    async def renew(self, claim: Claim, *, lease: timedelta) -> None:
        await self._unit.begin("deliveries.renew")
        stored, held = await self._held(claim)
        self._put(replace(stored, lease=replace(held, until=self._now + lease)))

    async def renew_all(self, claims: Sequence[Claim], *, lease: timedelta) -> Sequence[bool]:
        return [
            self._unit.may_lock(_name(claim.delivery)) and await _holds(self.renew(claim, lease=lease))
            for claim in claims
        ]

    async def put_back(self, claims: Sequence[Claim]) -> Sequence[bool]:
        return [await _holds(self._put_back(claim)) for claim in claims]

    async def _put_back(self, claim: Claim) -> None:
        await self._unit.begin("deliveries.put_back")
        stored, held = await self._held(claim)
        if held.past_no_return:
            raise LeaseLost
        now = self._now
        delivery = replace(
            stored.delivery,
            state=DeliveryState.QUEUED,
            attempt_count=stored.delivery.attempt_count - 1,
            update_time=now,
            next_attempt_time=now,
        )
        attempts = tuple(each for each in stored.attempts if each.number != claim.lease.attempt)
        self._put(replace(stored, delivery=delivery, attempts=attempts, lease=None))
        self._unit.due = True

    async def _pass_no_return(self, claim: Claim) -> None:
        await self._unit.begin("deliveries.pass_no_return")
        stored, held = await self._held(claim)
        self._put(replace(stored, lease=replace(held, past_no_return=True)))

    async def progress_all(self, steps: Sequence[Claim | Outcome]) -> Sequence[bool]:
        done = [await _holds(self._step(step)) for step in steps]
        recorded = [step for step, is_done in zip(steps, done, strict=True) if is_done and isinstance(step, Outcome)]
        usable = {(each.claim.account, each.usable_revision) for each in recorded}
        for each in recorded:
            if each.pause is not None and (each.claim.account, each.pause.revision) not in usable:
                self._pause(_account(each.delivery), each.pause)
        return done

    async def _step(self, step: Claim | Outcome) -> None:
        if isinstance(step, Claim):
            await self._pass_no_return(step)
        else:
            await self.record(step.claim, step.delivery, step.attempt, usable_revision=step.usable_revision)

    async def record(
        self,
        claim: Claim,
        delivery: Delivery,
        attempt: Attempt,
        *,
        pause: Pause | None = None,
        usable_revision: int | None = None,
    ) -> None:
        await self._unit.begin("deliveries.record")
        stored, _ = await self._held(claim)
        number = claim.lease.attempt
        attempts = tuple(
            replace(attempt, number=number, data_center=a.data_center) if a.number == number else a
            for a in stored.attempts
        )
        self._put(replace(stored, delivery=delivery, attempts=attempts, lease=None))
        self._changed(delivery)
        name = _account(delivery)
        if pause is not None:
            self._pause(name, pause)
        standing = self._unit.pause_rows.get(name)
        if standing is not None and usable_revision is not None and standing.revision <= usable_revision:
            del self._unit.pause_rows[name]
            self._unit.due = True

    async def abandoned(self, limit: int) -> tuple[Abandoned, ...]:
        await self._unit.begin("deliveries.abandoned")
        ended = [
            (stored.lease.until, stored)
            for stored in self._free_rows()
            if stored.lease is not None and stored.lease.until <= self._now
        ]
        taken = _in_order(ended, limit)
        for stored in taken:
            await self._unit.lock(_name(stored.delivery))
        return tuple(Abandoned(s.delivery, s.lease is not None and s.lease.past_no_return) for s in taken)

    async def end_leases(self) -> int:
        await self._unit.begin("deliveries.end_leases")
        held = [stored for stored in self._unit.delivery_rows.values() if stored.lease is not None]
        for each in held:
            stored = await self._locked(_name(each.delivery))
            if stored is not None and stored.lease is not None:
                self._put(replace(stored, lease=replace(stored.lease, until=self._now)))
        return len(held)

    async def overdue(self, limit: int) -> tuple[Delivery, ...]:
        await self._unit.begin("deliveries.overdue")
        over = [
            (stored.delivery.expire_time, stored)
            for stored in self._free_rows()
            if stored.delivery.expire_time <= self._now and _is_waiting(stored.delivery)
        ]
        taken = [stored.delivery for stored in _in_order(over, limit)]
        for delivery in taken:
            await self._unit.lock(_name(delivery))
        return tuple(taken)

    async def save(self, delivery: Delivery) -> None:
        await self._unit.begin("deliveries.save")
        stored = await self._locked(_name(delivery))
        if stored is not None:
            self._put(replace(stored, delivery=delivery, lease=None))
        self._changed(delivery)

    async def close_attempt(
        self, delivery: Delivery, *, at: datetime, in_doubt: bool, failure: Failure | None = None
    ) -> None:
        await self._unit.begin("deliveries.close_attempt")
        stored = await self._locked(_name(delivery))
        if stored is None:
            return
        attempts = tuple(
            replace(a, end_time=at, in_doubt=in_doubt, failure=failure)
            if a.number == delivery.attempt_count and a.end_time is None
            else a
            for a in stored.attempts
        )
        self._put(replace(stored, attempts=attempts))

    async def release(self, tenant: str, configuration_id: str) -> int:
        await self._unit.begin("deliveries.release")
        waiting = [
            stored.delivery
            for stored in self._unit.delivery_rows.values()
            if (stored.delivery.tenant, stored.delivery.configuration_id) == (tenant, configuration_id)
            and stored.delivery.state in _RELEASED
        ]
        for delivery in waiting:
            await self._release(_name(delivery))
        was_paused = self._unit.pause_rows.pop((tenant, configuration_id), None) is not None
        waited = self._unit.allowances.wait_no_more((tenant, configuration_id))
        self._unit.due = self._unit.due or was_paused or waited or bool(waiting)
        return len(waiting)

    async def move(self, tenant: str, configuration_id: str, data_center: str, policy: DataCenterPolicy) -> int:
        await self._unit.begin("deliveries.move")
        moved = 0
        for name in list(self._unit.delivery_rows):
            stored = await self._locked(name)
            if stored is None or _account(stored.delivery) != (tenant, configuration_id):
                continue
            if stored.delivery.state not in _WAITING:
                continue
            after = replace(stored.delivery, data_center=data_center, data_center_policy=policy)
            moved += after != stored.delivery
            self._put(replace(stored, delivery=after))
        self._unit.due = self._unit.due or moved > 0
        return moved

    async def catch_up(self) -> int:
        await self._unit.begin("deliveries.catch_up")
        return 0  # nothing is ever left here

    @property
    def _now(self) -> datetime:
        return self._unit.store.clock.now()

    def _standing(self, tenant: str, key: str) -> Accepted | None:
        stored = self._unit.key_rows.get((tenant, key))
        if stored is None or stored.record.expire_time <= self._now:
            return None
        delivery = self._unit.delivery_rows[tenant, stored.delivery_id].delivery
        return Accepted(delivery=delivery, content_digest=stored.record.content_digest, is_replay=True)

    def _probes(self, paused: list[tuple[datetime, StoredDelivery]], limit: int) -> list[StoredDelivery]:
        """Picks the oldest due delivery of each configuration whose pause is over and has nothing under way."""
        under_way = {_account(s.delivery) for s in self._unit.delivery_rows.values() if s.lease is not None}
        oldest: dict[Name, StoredDelivery] = {}
        for stored in _in_order(paused, len(paused)):
            name = _account(stored.delivery)
            is_over = self._unit.pause_rows[name].until <= self._now
            if is_over and name not in under_way and self._unit.may_lock(("pause", *name)):
                oldest.setdefault(name, stored)
        return list(oldest.values())[:limit]

    def _pause(self, name: Name, pause: Pause) -> None:
        if self._is_active(name, pause.revision):
            self._unit.pause_rows[name] = pause

    def _is_active(self, name: Name, revision: int) -> bool:
        stored = self._unit.configuration_rows.get(name)
        return (
            stored is not None
            and stored.configuration.active is not None
            and (stored.configuration.active.number == revision)
        )

    def _free_rows(self) -> list[StoredDelivery]:
        return [stored for name, stored in self._unit.delivery_rows.items() if self._unit.may_lock(name)]

    async def _locked(self, name: Name) -> StoredDelivery | None:
        await self._unit.lock(name)
        return self._unit.delivery_rows.get(name)

    async def _held(self, claim: Claim) -> tuple[StoredDelivery, StoredLease]:
        stored = await self._locked(_name(claim.delivery))
        if stored is None or stored.lease is None:
            raise LeaseLost
        if stored.lease.token != claim.lease.token or stored.lease.until <= self._now:
            raise LeaseLost
        return stored, stored.lease

    def _may_be_claimed(self, stored: StoredDelivery) -> Claim:
        delivery = advance(stored.delivery, Claimed(), at=self._now)
        configuration = self._unit.configuration_rows.get(_account(delivery))
        return Claim(
            delivery,
            Lease(token="", attempt=delivery.attempt_count),
            version=configuration.configuration.version if configuration is not None else None,
        )

    async def _claimed(self, stored: StoredDelivery, worker: str, lease: timedelta, here: str) -> Claim:
        await self._unit.lock(_name(stored.delivery))
        delivery = advance(stored.delivery, Claimed(here), at=self._now)
        self._unit.store.leases_given += 1
        held = StoredLease(token=f"lease {self._unit.store.leases_given}", worker=worker, until=self._now + lease)
        attempt = Attempt(number=delivery.attempt_count, start_time=self._now, data_center=here)
        self._put(replace(stored, delivery=delivery, attempts=(*stored.attempts, attempt), lease=held))
        configuration = self._unit.configuration_rows.get(_account(delivery))
        return Claim(
            delivery,
            Lease(token=held.token, attempt=attempt.number),
            version=configuration.configuration.version if configuration is not None else None,
            content=self._opened(stored),
        )

    def _opened(self, stored: StoredDelivery) -> bytes | None:
        if stored.content is None or len(stored.content) > LARGEST_AT_HAND:
            return None
        try:
            return self._unit.store.vault.open(stored.content, place=content_place(stored.delivery))
        except SecretUnreadable:
            return None

    async def _release(self, name: Name) -> None:
        stored = await self._locked(name)
        if stored is None or stored.delivery.state not in _RELEASED:
            return
        now = self._now
        queued = replace(
            stored.delivery,
            state=DeliveryState.QUEUED,
            update_time=now,
            next_attempt_time=min(now, stored.delivery.create_time),
        )
        self._put(replace(stored, delivery=queued))

    def _put(self, stored: StoredDelivery) -> None:
        name = _name(stored.delivery)
        before = self._unit.delivery_rows.get(name)
        state = before.delivery.state if before is not None else None
        if stored.delivery.state is not state:
            self._unit.logged.append(Change(0, stored.delivery, state))
        self._unit.delivery_rows[name] = stored

    def _changed(self, delivery: Delivery) -> None:
        self._unit.due = self._unit.due or delivery.state is DeliveryState.QUEUED
        self._unit.changed.append(delivery.delivery_id)


def _name(delivery: Delivery) -> Name:
    return delivery.tenant, delivery.delivery_id


def _account(delivery: Delivery) -> Name:
    return delivery.tenant, delivery.configuration_id


def _in_order(rows: list[tuple[datetime, StoredDelivery]], limit: int) -> list[StoredDelivery]:
    return [stored for _, stored in sorted(rows, key=lambda row: (row[0], row[1].delivery.delivery_id))[:limit]]


def _is_waiting(delivery: Delivery) -> bool:
    return delivery.state in _OPEN or (
        delivery.state is DeliveryState.IN_DOUBT and delivery.next_attempt_time is not None
    )


def _fits(delivery: Delivery, where: DeliveryFilter) -> bool:
    return (
        where.configuration_id in ("", delivery.configuration_id)
        and (not where.states or delivery.state in where.states)
        and (where.created_from is None or delivery.create_time >= where.created_from)
        and (where.created_before is None or delivery.create_time < where.created_before)
    )


async def _holds(change: Awaitable[None]) -> bool:
    try:
        await change
    except LeaseLost:
        return False
    return True
