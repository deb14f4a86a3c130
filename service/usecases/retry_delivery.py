"""RetryDelivery: tries a delivery again at once, because its caller decided so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from domain.caller import Caller
from domain.delivery import minimum_retention
from domain.errors import InputInvalid, Violation
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.steering import parse_retry_life, tried_again
from service.usecases.lookup import locked_delivery_of
from service.usecases.sites import follow_active
from service.usecases.views import DeliveryView


class RetryDelivery:
    """Puts one delivery back into the queue for every recipient that does not have it."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def __call__(
        self, caller: Caller, delivery_id: str, *, expire_after: timedelta | None, found: Sequence[Violation] = ()
    ) -> DeliveryView:
        """
        Returns the delivery, queued and due, with its attempts. *found*: what is wrong with the request already.

        Raises InputInvalid, NotFound, NotReady DELIVERY_UNDER_WAY and DELIVERY_FINAL; nothing changes then.
        """
        life = parse_retry_life(expire_after, field="expire_after")
        if found or isinstance(life, Violation):
            raise InputInvalid([*found, *([life] if isinstance(life, Violation) else [])])
        async with self._uow() as work:
            delivery = await locked_delivery_of(work, caller.tenant, delivery_id)
            now = self._clock.now()
            has_content = await work.deliveries.has_content(delivery)
            after = tried_again(delivery, life=life, has_content=has_content, at=now)
            await work.deliveries.save(after)
            # Never shorter than the delivery lives (rule 10): a repeated Send must not make a second one of it.
            await work.deliveries.keep_key(after, now + minimum_retention(after.expire_time, now))
            await follow_active(work, after)
            attempts = await work.deliveries.attempts(caller.tenant, delivery_id)
            await work.commit()
        return DeliveryView(delivery=after, attempts=attempts)
