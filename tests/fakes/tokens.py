"""A source of access tokens that gives what a test says."""

from __future__ import annotations

from domain.errors import MailportError
from domain.secret import Secret


class FakeTokens:
    """`domain.ports.transport.TokenSource`: *given* are used up one a call, the last again and again; errors raise."""

    def __init__(self, *given: str | MailportError) -> None:
        self.given = list(given)
        self.rejected: list[str | None] = []
        """What each call named as refused."""

    async def token(self, *, rejected: Secret | None) -> Secret:
        self.rejected.append(None if rejected is None else rejected.reveal())
        told = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        if isinstance(told, MailportError):
            raise told
        return Secret(told)
