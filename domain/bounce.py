"""What delivery reports say of a delivery after the server has taken it (RFC 3464)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.reading.model import BounceAction

MOST_BOUNCES: Final = 100
"""Addresses of one delivery whose reports are kept; a message has no more recipients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """A delivery report's latest word on one address of a delivery. A report is mail: anybody may have written it."""

    delivery_id: str
    address: str
    """As the report names it; not a recipient's own where the mail was forwarded."""
    action: BounceAction
    report_time: datetime
    """When the report came into the mailbox, to the second."""
    status: str = ""
    """Enhanced status code (RFC 3463), e.g. ``5.1.1``."""
    diagnostic: str = ""
    """The remote server's own words, scrubbed, at most 1,024 characters."""
    reporting_server: str = ""


def is_news(bounce: Bounce, known: Bounce | None) -> bool:
    """
    Tells whether *bounce* is to replace what is *known* of the same address: only a report that came later is.

    So a report that is read again, by whatever call and in whatever order, changes nothing.
    """
    return known is None or bounce.report_time > known.report_time
