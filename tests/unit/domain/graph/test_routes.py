"""Which way a message goes: by what it holds, its encoded total, and then by file (F35)."""

from __future__ import annotations

import base64

import pytest

from domain.graph.json_form import send_request
from domain.graph.routes import (
    MIME_REQUEST_BYTES,
    RANGE_BYTES,
    REQUEST_BYTES,
    Plan,
    Route,
    draft_mime,
    goes_in_one_request,
    plan,
)
from domain.message import Envelope
from tests.graph_builders import ANN, ROBOT, a_file, a_message

TO_ANN = Envelope(sender=ROBOT, recipients=(ANN,))


def planned(content: bytes, *, saves: bool = True) -> Plan:
    return plan(content, TO_ANN, saves=saves)


@pytest.mark.parametrize(
    ("sizes", "routes", "ways"),
    [
        ((), [Route.MIME], []),
        ((1_200_000,), [Route.MIME], []),
        ((2_500_000,), [Route.JSON], []),
        ((2_900_000,), [Route.JSON], []),
        ((3_100_000,), [Route.DRAFT], [True]),
        ((3_800_000,), [Route.DRAFT], [False]),
        ((2_000_000, 2_000_000, 2_000_000), [Route.DRAFT], [True, True, True]),
        ((20_000_000, 10_000), [Route.DRAFT], [False, True]),
    ],
    ids=["none", "small", "F35a", "2.9 MB", "3.1 MB", "F35b", "F35c", "F35d"],
)
def test_given_files_when_planned_then_the_total_and_then_each_file_decides(
    sizes: tuple[int, ...], routes: list[Route], ways: list[bool]
) -> None:
    content = a_message(*(a_file(size) for size in sizes))

    way = planned(content)

    assert list(way.routes) == routes
    assert [goes_in_one_request(file) for file in way.files] == ways
    if routes == [Route.JSON]:
        assert way.form is not None
        assert len(send_request(way.form, content, saves=True)) <= REQUEST_BYTES


def test_given_more_and_more_when_planned_then_no_mime_request_is_as_large_as_those_that_got_lost() -> None:
    contents = [a_message(a_file(size)) for size in range(1_100_000, 1_300_000, 20_000)]
    ways = [planned(content) for content in contents]

    sizes = [
        len(base64.b64encode(draft_mime(content, way)))
        for content, way in zip(contents, ways, strict=True)
        if way.routes == (Route.MIME,)
    ]
    assert max(sizes) <= MIME_REQUEST_BYTES
    assert {way.routes for way in ways} == {(Route.MIME,), (Route.JSON,)}


def test_given_text_and_html_too_large_for_mime_when_planned_then_a_draft_keeps_both_and_json_is_the_way_out() -> None:
    way = planned(a_message(a_file(2_500_000), html_body="<b>hi</b>"))

    assert way.routes == (Route.DRAFT, Route.JSON)
    assert way.form is not None
    assert way.form.lost == ("the text beside the HTML",)


def test_given_headers_that_json_has_not_when_too_large_for_mime_then_there_is_no_way_but_a_draft() -> None:
    way = planned(a_message(a_file(2_500_000), headers=(("In-Reply-To", "<a@b>"),)))

    assert way.routes == (Route.DRAFT,)


def test_given_no_copy_wanted_when_planned_then_json_says_so_and_what_it_loses_is_told() -> None:
    way = planned(a_message(headers=(("Auto-Submitted", "auto-generated"), ("X-Case", "7"))), saves=False)

    assert way.routes == (Route.JSON,)
    assert way.form is not None
    assert way.form.lost == ("the header Auto-Submitted",)
    assert way.form.message["internetMessageHeaders"] == [{"name": "X-Case", "value": "7"}]


def test_given_no_copy_wanted_and_a_signed_message_when_planned_then_it_goes_whole() -> None:
    signed = (
        b"From: robot@sandbox.example\r\nTo: ann@customer.example\r\nMessage-ID: <1@x>\r\n"
        b'Content-Type: multipart/signed; boundary="b"\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n\r\nsig\r\n--b--\r\n'
    )

    assert planned(signed, saves=False).routes == (Route.MIME,)


def test_given_a_large_message_when_its_draft_is_made_then_it_is_all_but_the_files() -> None:
    content = a_message(
        a_file(4_000_000), html_body="<b>hi</b>", headers=(("List-Unsubscribe", "<https://x.example>"),)
    )

    mime = draft_mime(content, planned(content))

    assert len(mime) < 3000
    assert b"List-Unsubscribe" in mime
    assert b"<b>hi</b>" in mime
    assert b"data.bin" not in mime


def test_given_a_text_that_no_request_holds_when_planned_then_there_is_no_way_and_it_is_said_why() -> None:
    way = planned(a_message(text="ä" * 3_000_000))

    assert way.routes == ()
    assert "Graph takes 4000000 at once" in way.too_large


def test_given_ranges_when_sized_then_they_fit_outlook_and_onedrive() -> None:
    assert RANGE_BYTES <= 4_000_000
    assert RANGE_BYTES % (320 * 1024) == 0
