"""Every request that came, so that a proof can hold a client to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from service.sandbox.graph.operations import Operation

_REMEMBERED: Final = 100_000


@dataclass(slots=True, eq=False, kw_only=True)
class RequestRecord:
    """One request, from its headers on."""

    number: int
    """From 1 on, in the order of arrival."""
    operation: Operation
    method: str
    path: str
    """As asked for, without the query: an upload's has a secret."""
    start_time: datetime
    end_time: datetime | None = None
    """When its answer was ready or the client was gone; None: it still runs."""
    mailbox: str = ""
    """Lower case; empty when the token was refused."""
    status: int = 0
    """HTTP status; 0: cut or left without an answer."""
    code: str = ""
    """Microsoft's error code, if it was refused."""
    at_once: int = 0
    """Requests that ran for the mailbox when it came, itself counted."""
    into_retry_after: timedelta | None = None
    """How long after a Retry-After it came while that lasted; None: outside of any."""
    took_effect: bool = False
    is_struck: bool = False
    """Whether a planned fault struck."""
    request_id: str = ""
    """As the answer carries it."""
    client_request_id: str = ""
    content_type: str = ""
    size_bytes: int = 0
    """Octets of the body that was read."""
    has_authorization: bool = False

    def as_json(self) -> dict[str, Any]:
        """Returns the record under the names of its fields; times as ISO 8601, spans in seconds."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: _plain(value) for name, value in found.items()}


class Records:
    """The requests since the start or the last reset; past 100,000 the oldest go."""

    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=_REMEMBERED)
        self._last_number = 0
        self._most_at_once: dict[str, int] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[RequestRecord]:
        return iter(tuple(self._records))

    def begin(self, operation: Operation, *, method: str, path: str, now: datetime) -> RequestRecord:
        """Adds a request and returns its record, to be filled in."""
        self._last_number += 1
        record = RequestRecord(number=self._last_number, operation=operation, method=method, path=path, start_time=now)
        self._records.append(record)
        return record

    def entered(self, record: RequestRecord) -> None:
        """Counts *record*, whose mailbox and `at_once` are known by now."""
        self._most_at_once[record.mailbox] = max(self._most_at_once.get(record.mailbox, 0), record.at_once)
        self.changed()

    def changed(self) -> None:
        """Wakes everybody in `wait_for`."""
        before, self._changed = self._changed, asyncio.Event()
        before.set()

    def most_at_once(self, mailbox: str = "") -> int:
        """Returns the most requests that ran at once for *mailbox*, for the busiest without one."""
        if mailbox:
            return self._most_at_once.get(mailbox.casefold(), 0)
        return max(self._most_at_once.values(), default=0)

    def inside_retry_after(self, *, grace: timedelta = timedelta(0)) -> list[RequestRecord]:
        """
        Returns the requests that came inside a Retry-After.

        *grace*: how long after it was given one may still come, for clients in several processes.
        """
        return [each for each in self if each.into_retry_after is not None and each.into_retry_after >= grace]

    def of(self, operation: Operation) -> list[RequestRecord]:
        """Returns the requests of one kind."""
        return [each for each in self if each.operation is operation]

    async def wait_for(self, matching: Callable[[RequestRecord], bool], within: timedelta) -> RequestRecord:
        """Returns the oldest record that matches, as soon as there is one. Raises TimeoutError."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                while True:
                    found = next((each for each in self if matching(each)), None)
                    if found is not None:
                        return found
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"the sandbox's Graph did not see that within {within}") from None

    def reset(self) -> None:
        """Forgets the requests and begins to count from nought."""
        self._records.clear()
        self._most_at_once.clear()
        self.changed()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value.total_seconds() if isinstance(value, timedelta) else value
