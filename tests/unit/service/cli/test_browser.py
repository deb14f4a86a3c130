from __future__ import annotations

import webbrowser

import pytest

from service.cli.browser import open_browser

URL = "https://accounts.example.com/authorize"


class Window(webbrowser.BaseBrowser):
    """A browser with a window of its own."""

    def __init__(self, *, breaks: bool = False) -> None:
        super().__init__("window")
        self.opened: list[str] = []
        self._breaks = breaks

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        if self._breaks:
            raise OSError("no display")
        self.opened.append(url)
        return True


def found(monkeypatch: pytest.MonkeyPatch, browser: webbrowser.BaseBrowser | None) -> None:
    def get() -> webbrowser.BaseBrowser:
        if browser is None:
            raise webbrowser.Error("could not locate runnable browser")
        return browser

    monkeypatch.setattr(webbrowser, "get", get)


def test_given_a_browser_when_opened_then_it_has_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Window()
    found(monkeypatch, browser)

    assert open_browser(URL)
    assert browser.opened == [URL]


@pytest.mark.parametrize("browser", [None, Window(breaks=True)], ids=["none", "broken"])
def test_given_no_browser_when_opened_then_nothing_is_raised(
    monkeypatch: pytest.MonkeyPatch, browser: webbrowser.BaseBrowser | None
) -> None:
    found(monkeypatch, browser)

    assert not open_browser(URL)


@pytest.mark.parametrize("wanted", [False, True])
def test_given_a_browser_inside_the_terminal_when_opened_then_only_if_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    monkeypatch.delenv("BROWSER", raising=False)
    if wanted:
        monkeypatch.setenv("BROWSER", "true")
    found(monkeypatch, webbrowser.GenericBrowser("true"))  # the command of that name, which ends well at once

    assert open_browser(URL) is wanted
