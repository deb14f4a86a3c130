"""Pages of lists, cut where the answer would become too large for a client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from domain.ports.deliveries import DeliveryFilter, DeliveryPosition
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.page_tokens import configurations_token, deliveries_token
from service.rpc.render.configurations import render_configuration
from service.rpc.render.deliveries import render_delivery
from service.rpc.render.values import LARGEST_ANSWER_BYTES
from service.usecases.paging import Page
from service.usecases.views import ConfigurationView, DeliveryView

_Item = TypeVar("_Item")
_Rendered = TypeVar("_Rendered", bound=Message)


def render_configurations_page(page: Page[ConfigurationView]) -> pb.ListConfigurationsResponse:
    """Returns the page; its token goes on behind the last configuration that fits."""
    shown = _fitting(page.items, render_configuration)
    if not _goes_on(page, len(shown)):
        return pb.ListConfigurationsResponse(configurations=shown)
    token = configurations_token(page.items[len(shown) - 1].configuration.configuration_id)
    return pb.ListConfigurationsResponse(configurations=shown, next_page_token=token)


def render_deliveries_page(page: Page[DeliveryView], where: DeliveryFilter) -> pb.ListDeliveriesResponse:
    """Returns the page of what *where* chooses; its token goes on below the last delivery that fits."""
    shown = _fitting(page.items, render_delivery)
    if not _goes_on(page, len(shown)):
        return pb.ListDeliveriesResponse(deliveries=shown)
    last = page.items[len(shown) - 1].delivery
    position = DeliveryPosition(create_time=last.create_time, delivery_id=last.delivery_id)
    return pb.ListDeliveriesResponse(deliveries=shown, next_page_token=deliveries_token(position, where))


def _goes_on(page: Page[_Item], shown: int) -> bool:
    return shown > 0 and (page.has_more or shown < len(page.items))


def _fitting(items: Sequence[_Item], render: Callable[[_Item], _Rendered]) -> list[_Rendered]:
    """Renders the items from the first one on until the answer is full; at least one, so that a list always ends."""
    shown: list[_Rendered] = []
    used = 0
    for item in items:
        rendered = render(item)
        used += rendered.ByteSize() + 8  # 8: the field's tag and the item's length
        if shown and used > LARGEST_ANSWER_BYTES:
            break
        shown.append(rendered)
    return shown
