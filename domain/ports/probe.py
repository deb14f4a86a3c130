"""The port that looks at a mail server without using it: what it offers on a way that nobody has configured yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from domain.settings.model import SmtpTransport


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers before anybody signs in."""

    mechanisms: tuple[str, ...] = ()
    """SASL mechanisms, upper case, as EHLO lists them once the connection is secured."""
    is_trusted: bool = True
    """Whether its certificate passes; else nothing more is known of it than that it speaks the mode."""


class ServerProbe(Protocol):
    """Looks at servers."""

    async def look(self, smtp: SmtpTransport, *, time_left: timedelta) -> Offer | None:
        """
        Reaches and secures a connection as *smtp* says, and returns what the server offers on it.

        None: it does not come that far, or not within *time_left*. Neither a credential nor mail leaves, and only hosts
        are dialled that mail may go to. Raises only CancelledError.
        """
        ...
