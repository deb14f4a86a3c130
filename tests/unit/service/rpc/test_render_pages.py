"""Pages of lists: what fits, and where the next one begins."""

from __future__ import annotations

from datetime import timedelta

from domain.address import EmailAddress
from domain.delivery import Recipient
from domain.ports.deliveries import DeliveryFilter, DeliveryPosition
from service.rpc.page_tokens import read_configurations_token, read_deliveries_token
from service.rpc.render import render_configurations_page, render_deliveries_page
from service.rpc.render.values import LARGEST_ANSWER_BYTES
from service.usecases.paging import Page
from service.usecases.views import ConfigurationView, DeliveryView
from tests.unit.service.rpc.builders import (
    NOW,
    a_configuration_view,
    a_delivery_view,
    a_failure,
    a_revision,
    a_transport,
    settings,
)

ANY = DeliveryFilter()
PEM = "-----BEGIN CERTIFICATE-----\n" + "A" * 64_000 + "\n-----END CERTIFICATE-----\n"


def configurations(count: int, ca_certificates: str = "") -> tuple[ConfigurationView, ...]:
    large = a_revision(settings=settings(transport=a_transport(ca_certificates=ca_certificates)))
    return tuple(a_configuration_view(configuration_id=f"c{n:03}", active=large, draft=large) for n in range(count))


def deliveries(count: int, recipients: int = 1) -> tuple[DeliveryView, ...]:
    to = tuple(
        Recipient(EmailAddress(f"r{n}", "example.org"), failure=a_failure(provider_reply="ß" * 1024))
        for n in range(recipients)
    )
    return tuple(
        a_delivery_view(
            delivery_id=f"0190f3c2-7b3a-7cc1-8f00-{n:012}", recipients=to, create_time=NOW - timedelta(seconds=n)
        )
        for n in range(count)
    )


def test_given_the_last_page_when_rendered_then_it_has_no_token() -> None:
    assert render_configurations_page(Page(configurations(3), has_more=False)).next_page_token == ""
    assert render_deliveries_page(Page(deliveries(3), has_more=False), ANY).next_page_token == ""


def test_given_an_empty_page_when_rendered_then_it_is_the_last() -> None:
    response = render_configurations_page(Page((), has_more=False))

    assert (list(response.configurations), response.next_page_token) == ([], "")


def test_given_more_behind_the_page_when_rendered_then_the_token_goes_on_behind_its_last_item() -> None:
    response = render_deliveries_page(Page(deliveries(3), has_more=True), ANY)

    position = read_deliveries_token(response.next_page_token, ANY)
    assert position == DeliveryPosition(NOW - timedelta(seconds=2), response.deliveries[2].delivery_id)


def test_given_configurations_above_what_a_client_takes_when_rendered_then_the_page_is_cut_and_goes_on_f43() -> None:
    response = render_configurations_page(Page(configurations(100, PEM), has_more=False))

    shown = len(response.configurations)
    assert response.ByteSize() < 4 * 1024 * 1024
    assert 1 < shown < 100
    assert read_configurations_token(response.next_page_token) == f"c{shown - 1:03}"


def test_given_deliveries_above_what_a_client_takes_when_every_page_is_read_then_none_is_missing_or_twice_f43() -> None:
    everything = deliveries(60, recipients=100)
    seen: list[str] = []
    token, rest = "", everything

    while True:
        after = read_deliveries_token(token, ANY)
        if after is not None:
            rest = tuple(view for view in everything if view.delivery.create_time < after.create_time)
        response = render_deliveries_page(Page(rest, has_more=False), ANY)
        assert response.ByteSize() < 4 * 1024 * 1024
        seen += [each.delivery_id for each in response.deliveries]
        token = response.next_page_token
        if not token:
            break

    assert seen == [view.delivery.delivery_id for view in everything]


def test_given_one_item_above_the_bound_when_rendered_then_it_is_shown_alone_so_that_the_list_ends() -> None:
    pem = "A" * LARGEST_ANSWER_BYTES

    response = render_configurations_page(Page(configurations(2, pem), has_more=False))

    assert len(response.configurations) == 1
    assert read_configurations_token(response.next_page_token) == "c000"
