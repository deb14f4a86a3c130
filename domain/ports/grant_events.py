"""The port behind which operators are told what happens to grants: log lines and metrics."""

from __future__ import annotations

from typing import Protocol

from domain.consent import ConsentSession
from domain.failures.failure import Failure
from domain.grant import Grant
from domain.token import TokenAnswer, TokenRefusal


class GrantEvents(Protocol):
    """Told after the fact, and at once; never raises, never waits, never says a secret."""

    def asked(self, grant: Grant, told: TokenAnswer | TokenRefusal) -> None:
        """A token endpoint was asked for new tokens of *grant*."""
        ...

    def died(self, grant: Grant) -> None:
        """The provider no longer accepts *grant*, and that is stored: only a new consent helps."""
        ...

    def consented(self, session: ConsentSession, failure: Failure | None) -> None:
        """A consent session came to its end; None: the grant is stored."""
        ...
