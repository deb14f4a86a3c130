"""The steps that concern data centers: what waits follows its settings, and says when nobody is there to send it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from domain.configuration import Configuration
from domain.data_center import is_served, nobody_there
from domain.delivery import Delivery
from domain.ports.storage import UnitOfWork
from domain.settings.model import DataCenterPolicy, MailSettings


async def follow_settings(work: UnitOfWork, before: Configuration, after: Configuration) -> None:
    """Takes waiting mail along when other settings are active from now on, and name another data center or policy."""
    if after.active is None:
        return
    now = after.active.settings
    was = before.active.settings if before.active is not None else None
    if was is None or _site(was) != _site(now):
        await work.deliveries.move(after.tenant, after.configuration_id, now.data_center, now.data_center_policy)


async def follow_active(work: UnitOfWork, delivery: Delivery) -> None:
    """Takes a delivery that waits anew along to where the active settings are, and all others that wait with it."""
    configuration = await work.configurations.find(delivery.tenant, delivery.configuration_id)
    if configuration is None or configuration.active is None:
        return
    settings = configuration.active.settings
    if _site(settings) != (delivery.data_center, delivery.data_center_policy):
        await work.deliveries.move(delivery.tenant, delivery.configuration_id, *_site(settings))


async def with_obstacle(work: UnitOfWork, deliveries: Sequence[Delivery], *, now: datetime) -> tuple[Delivery, ...]:
    """Lets each that is due at a named site say so when no worker lives that takes it; it is not stored so."""
    if not any(_is_due_somewhere(each, now) for each in deliveries):
        return tuple(deliveries)
    present = await work.workers.present()
    return tuple(
        replace(each, failure=nobody_there(each.data_center, each.data_center_policy))
        if _is_due_somewhere(each, now) and not is_served(each.data_center, each.data_center_policy, present)
        else each
        for each in deliveries
    )


def _is_due_somewhere(delivery: Delivery, now: datetime) -> bool:
    due = delivery.next_attempt_time
    return delivery.data_center != "" and due is not None and due <= now


def _site(settings: MailSettings) -> tuple[str, DataCenterPolicy]:
    return settings.data_center, settings.data_center_policy
