"""The browser of the person at the terminal."""

from __future__ import annotations

import os
import webbrowser


def open_browser(url: str) -> bool:
    """
    Opens *url* and tells whether a browser took it; never raises for want of one.

    A browser inside the terminal itself, such as lynx, counts as none unless BROWSER names it: no provider's consent
    page works there, and the command could not go on before it is left.
    """
    try:
        browser = webbrowser.get()
        if type(browser) is webbrowser.GenericBrowser and not os.environ.get("BROWSER"):
            return False
        return browser.open(url)
    except (webbrowser.Error, OSError):
        return False
