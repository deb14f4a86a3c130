"""What one account may send: as its provider documents it, as a configuration sets it, and as it holds just now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.providers.preset import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """
    Bounds of one configuration's sending, held by all processes together; None: no bound.

    Recipients of one message and its size are bounds of the message, see `domain.message_rules`.
    """

    connections: int | None = None
    """Connections that submit at once; where set, 1 to `domain.settings.limits.MOST_CONNECTIONS`."""
    messages_per_minute: int | None = None
    """In any minute; where set, 1 to `MOST_A_MINUTE`."""
    messages_per_day: int | None = None
    """In any 24 hours; where set, 1 to `MOST_A_DAY`."""
    recipients_per_day: int | None = None
    """In any 24 hours; one message to three people is three. Where set, 1 to `MOST_A_DAY`."""

    @property
    def are_none(self) -> bool:
        """Tells whether nothing is bounded, so that nothing needs to be counted."""
        return self == _NONE

    def over(self, limits: Limits) -> AccountLimits:
        """Returns these, and where one is None, the provider's of the same name."""
        return replace(
            self,
            connections=self.connections or limits.connections,
            messages_per_minute=self.messages_per_minute or limits.messages_per_minute,
            messages_per_day=self.messages_per_day or limits.messages_per_day,
            recipients_per_day=self.recipients_per_day or limits.recipients_per_day,
        )


_NONE = AccountLimits()
