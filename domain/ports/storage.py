"""One unit of work over all that is kept: all or nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from domain.ports.allowances import Allowances
from domain.ports.announcements import Announcements
from domain.ports.changes import Changes
from domain.ports.configurations import Configurations
from domain.ports.consents import Consents
from domain.ports.correlation import Correlation
from domain.ports.deliveries import Deliveries
from domain.ports.grants import Grants
from domain.ports.retention import Leftovers
from domain.ports.turns import TurnBook
from domain.ports.workers import Workers


class UnitOfWork(Protocol):
    """
    One transaction over all repositories.

    ``async with uow() as work:``; leaving without `commit` rolls back. A fresh unit for each use. A store that is away
    raises Unavailable, from any call, within two seconds.
    """

    @property
    def configurations(self) -> Configurations: ...

    @property
    def consents(self) -> Consents: ...

    @property
    def grants(self) -> Grants: ...

    @property
    def announcements(self) -> Announcements: ...

    @property
    def allowances(self) -> Allowances: ...

    @property
    def turns(self) -> TurnBook: ...

    @property
    def deliveries(self) -> Deliveries: ...

    @property
    def changes(self) -> Changes: ...

    @property
    def correlation(self) -> Correlation: ...

    @property
    def leftovers(self) -> Leftovers: ...

    @property
    def workers(self) -> Workers: ...

    async def commit(self) -> None:
        """Makes everything durable, then lets the signals out."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
