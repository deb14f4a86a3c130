"""GetOptions: what the operator decided, and the presets."""

from __future__ import annotations

from domain.providers import PROVIDERS
from service.usecases.get_options import GetOptions


async def test_given_data_centers_when_asked_then_come_in_the_operators_order_with_every_preset() -> None:
    get_options = GetOptions(data_centers=("us-1", "eu-1"), callback_url="https://mail.example.com/oauth/callback")

    options = await get_options()

    assert options.data_centers == ("us-1", "eu-1")
    assert options.callback_url == "https://mail.example.com/oauth/callback"
    assert options.providers == PROVIDERS
