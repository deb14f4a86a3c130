from __future__ import annotations

import io

import pytest

from service.terminal.style import Style


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str, *, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("is_terminal", "environment", "expected"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_given_a_stream_when_a_style_is_chosen_then_only_a_terminal_that_wants_them_gets_colours(
    is_terminal: bool, environment: dict[str, str], expected: bool
) -> None:
    style = Style.of(Terminal("utf-8", is_terminal=is_terminal), environment)

    assert style.is_coloured is expected
    assert ("\x1b[" in style.tick) is expected


@pytest.mark.parametrize(("encoding", "signs"), [("utf-8", "✓✗└"), ("ascii", "+x`"), ("latin-1", "+x`")])
def test_given_an_encoding_when_a_style_is_chosen_then_its_signs_can_be_written(encoding: str, signs: str) -> None:
    style = Style.of(Terminal(encoding, is_terminal=False), {})

    shown = style.tick + style.cross + style.branch(is_last=True)

    assert shown == signs
    assert shown.encode(encoding)
