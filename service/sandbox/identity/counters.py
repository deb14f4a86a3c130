"""What happened at the identity provider, counted, so that tests can hold a client to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from service.sandbox.identity.behaviour import Behaviour


@dataclass(slots=True)
class Counters:
    """Counts of one behaviour since the start or the last reset."""

    authorizations: int = 0
    """Requests at the authorization endpoint that were sound."""
    consents: int = 0
    """Codes given out."""
    denials: int = 0
    """Consents that a person, or the account's magic, refused."""
    token_calls: Counter[str] = field(default_factory=Counter)
    """Requests at the token endpoint by ``grant_type``, whatever their outcome; "" for those without one."""
    token_answers: Counter[str] = field(default_factory=Counter)
    """Their outcomes: ``ok``, an OAuth error, or the name of the fault that struck."""
    reuse_detected: int = 0
    """Refresh tokens used again after they were replaced, at a provider that minds."""
    grants_ended: int = 0
    """Grants that ended by revocation, by reuse, or by the user."""
    revocations: int = 0
    """Requests at the revocation endpoint."""
    mail_sign_ins: Counter[str] = field(default_factory=Counter)
    """Tokens checked for the mail server, by outcome: ``ok``, or why not."""

    def as_json(self) -> dict[str, Any]:
        """Returns the counts under their names."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in found.items()}


class Statistics:
    """The counters of all behaviours, and a way to wait for one to change."""

    def __init__(self) -> None:
        self._by_behaviour = {behaviour: Counters() for behaviour in Behaviour}
        self._changed = asyncio.Event()

    def __getitem__(self, behaviour: Behaviour) -> Counters:
        """Returns the live counters; whoever changes them calls `changed`."""
        return self._by_behaviour[behaviour]

    def changed(self) -> None:
        """Wakes everybody in `wait_for`."""
        before, self._changed = self._changed, asyncio.Event()
        before.set()

    def reset(self) -> None:
        """Begins to count from nought."""
        self._by_behaviour.update({behaviour: Counters() for behaviour in Behaviour})
        self.changed()

    async def wait_for(self, behaviour: Behaviour, matching: Callable[[Counters], bool], within: timedelta) -> Counters:
        """Returns the counters as soon as they match. Raises TimeoutError if they do not *within* the time."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                while not matching(self[behaviour]):
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"the sandbox's identity provider did not see that within {within}") from None
        return self[behaviour]
