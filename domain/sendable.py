"""By which transports this version can send: the one place that a transport's coming changes."""

from __future__ import annotations

from typing import Final

SENDS_BY_GRAPH: Final[bool] = False
"""Settings for Microsoft Graph can be drafted and are checked; as long as this is so they are not proven or advised."""


def can_send_by_graph() -> bool:
    """Tells whether settings for Microsoft Graph can be put into use, so that advice to use it leads somewhere."""
    return SENDS_BY_GRAPH
