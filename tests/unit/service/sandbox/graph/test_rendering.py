from __future__ import annotations

import pytest

from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.item import Fields, Item
from service.sandbox.graph.mailboxes import Mailboxes
from service.sandbox.graph.rendering import read_filter, read_select, read_skip, read_top, render
from tests.unit.service.sandbox.identity.client import Clock


def an_item() -> Item:
    fields = Fields(internet_message_id="<o'neil@x.test>", subject="a")
    return Mailboxes(now=Clock().now).add("robot@sandbox.example", fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("internetMessageId eq '<o''neil@x.test>'", True),
        ("internetMessageId eq '<other@x.test>'", False),
        ("internetMessageId eq '<o''neil@x.test>' and isDraft eq true", True),
        ("isDraft ne true", False),
        ("subject eq 'a' and internetMessageId eq ''", False),
    ],
)
def test_given_a_filter_when_applied_then_lets_through_what_it_names(text: str, expected: bool) -> None:
    assert read_filter(text)(an_item()) is expected


@pytest.mark.parametrize("text", ["internetMessageId eq <a@x>", "body eq 'x'", "contains(subject,'x')", "a", "'"])
def test_given_a_filter_that_graph_does_not_take_when_read_then_refused(text: str) -> None:
    with pytest.raises(GraphError) as raised:
        read_filter(text)

    assert raised.value.status == 400


def test_given_a_selection_when_rendered_then_it_has_those_and_the_id() -> None:
    item = an_item()

    shown = render(item, selected=read_select("isDraft, internetMessageId"), immutable=True, context="c")
    usual = render(item, selected=frozenset(), immutable=False, context="c")

    assert {name for name in shown if not name.startswith("@")} == {"id", "isDraft", "internetMessageId"}
    assert shown["id"] == item.immutable_id != usual["id"]
    assert "internetMessageHeaders" not in usual
    with pytest.raises(GraphError, match="Could not find a property named 'x'"):
        render(item, selected=frozenset({"x"}), immutable=False, context="c")


@pytest.mark.parametrize("text", ["0", "1001", "x", "-1", "9" * 5_000, "٣"])
def test_given_a_wrong_page_size_when_read_then_refused(text: str) -> None:
    with pytest.raises(GraphError, match=r"\$top"):
        read_top(text)


@pytest.mark.parametrize("text", ["x", "-1", "9" * 5_000])
def test_given_a_wrong_start_of_a_page_when_read_then_refused(text: str) -> None:
    with pytest.raises(GraphError, match=r"\$skip"):
        read_skip(text)
