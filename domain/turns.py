"""Turns at a mailbox behind an API, whose provider counts requests at once and asks for rests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.failures.failure import Failure, FailureKind, Stage
from domain.providers.microsoft import REQUESTS_AT_ONCE
from domain.reasons import Reason
from domain.settings.model import GraphTransport, MailSettings, OAuthAuthentication

__all__ = ["ALL_TAKEN", "LONGEST_REST", "Place", "Resting", "TurnTold", "not_its_turn", "place_of"]

ALL_TAKEN: Final = timedelta(seconds=5)
"""After which one may come again for whom there was no turn in time."""
LONGEST_REST: Final = timedelta(days=1)
"""Whatever an answer asks for: an account is not forgotten over a number that a broken gateway made up."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    The mailbox, whoever sends from it.

    Of no tenant and no configuration: the provider counts what comes to the mailbox, and two configurations that name
    the same one, also of two tenants, are one to it.
    """

    host: str
    """The API's, lower case, with the port where there is one."""
    mailbox: str
    """Its address or user name, lower case."""


@dataclass(frozen=True, slots=True)
class TurnTold:
    """What the book says to one that waits for its turn."""

    is_given: bool
    """It may make its request now."""
    now: datetime
    """The instant of the book's own clock."""
    rest_until: datetime | None = None
    """Nobody makes a request there before."""

    @property
    def rest(self) -> timedelta:
        """Returns how long the rest lasts yet."""
        return timedelta(0) if self.rest_until is None else max(timedelta(0), self.rest_until - self.now)


class Resting(Exception):
    """
    Nothing may be requested of a mailbox for now, and nothing was: whoever wanted to comes again after `wait`.

    Not of the families of `domain.errors`: it is no failure of anything, and never leaves mailport as it is.
    """

    def __init__(self, wait: timedelta, *, is_told: bool) -> None:
        """*is_told*: the provider asked for the rest; else all turns were taken for too long."""
        super().__init__("the mailbox may not be asked now")
        self.wait = wait
        self.is_told = is_told


def place_of(settings: MailSettings) -> Place | None:
    """Returns where requests of *settings* count; None for settings that do not go through an API."""
    transport, client = settings.transport, settings.authentication
    if not isinstance(transport, GraphTransport):
        return None
    host = transport.base_url.partition("://")[2].lower()
    owner = client.username if isinstance(client, OAuthAuthentication) else str(settings.from_address)
    return Place(host, (str(transport.mailbox) if transport.mailbox else owner).lower())


def not_its_turn(resting: Resting, *, now: datetime) -> Failure:
    """Returns what a person is told for whom nothing could be requested in time."""
    if resting.is_told:
        cause = "The provider asked to leave this mailbox alone for a while, so that nothing was requested of it."
    else:
        cause = f"{REQUESTS_AT_ONCE} requests to this mailbox were under way all the time, and no more are allowed."
    return Failure(
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        stage=Stage.API,
        cause=cause,
        remedy="Try again at the time that is told. Queued mail goes on by itself.",
        retry_time=now + resting.wait,
    )
