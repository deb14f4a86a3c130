"""The drafts of one message: made, looked for, removed; and what became of one that was sent."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote

from adapters.graph.failures import NoAnswer
from adapters.graph.session import MIME, Ask, Session
from adapters.graph.timing import Timer
from adapters.graph.tracing import Stopped
from domain.failures.evidence import Symptom
from domain.failures.failure import Stage
from domain.graph.answers import GraphAnswer, silence_of
from domain.ports.environment import Clock

LOOK_AGAIN: Final = tuple(timedelta(seconds=pause) for pause in (0, 1, 2, 4, 8))
"""Before each look for a message that was perhaps sent: a copy takes seconds to show up in Sent Items."""
_DRAFTS: Final = "drafts"
_SENT: Final = "sentitems"
_MOST_FOUND: Final = 10
_LOOK: Final = "a look into"


class Fate(StrEnum):
    """What became of a message."""

    SENT = "SENT"
    DRAFT = "DRAFT"
    """It is still a draft, so nothing was sent."""
    UNKNOWN = "UNKNOWN"


class Drafts:
    """Asks about one message's drafts and copies in one mailbox."""

    def __init__(
        self,
        *,
        session: Session,
        timer: Timer,
        clock: Clock,
        root: str,
        message_id: str,
        look_again: Sequence[timedelta] = LOOK_AGAIN,
    ) -> None:
        self._session = session
        self._timer = timer
        self._clock = clock
        self._root = root
        self._message_id = message_id
        self._look_again = look_again

    def url(self, draft_id: str) -> str:
        """Returns where a draft is."""
        return f"{self._root}/messages/{quote(draft_id, safe='')}"

    async def create(self, mime: bytes) -> str | tuple[GraphAnswer, Ask]:
        """Makes a draft of *mime* and returns its id, which survives its sending; else the answer that refused it."""
        ask = Ask(
            method="POST",
            url=f"{self._root}/messages",
            label="a draft as MIME",
            body=base64.b64encode(mime),
            content_type=MIME,
            is_immutable=True,
        )
        answer = await self._session.ask(ask, self._timer.for_file())
        draft_id = answer.body.get("id")
        if answer.is_success and isinstance(draft_id, str) and draft_id:
            return draft_id
        return answer, ask

    async def left(self) -> tuple[str, ...]:
        """Returns the ids of drafts of this message. Raises Stopped and NoAnswer; `Unreadable` without permission."""
        found = await self._listed(_DRAFTS, self._timer.for_request())
        return tuple(str(item["id"]) for item in found if item.get("isDraft") is not False)

    async def is_sent(self) -> bool:
        """Tells whether a copy is in Sent Items. Raises as `left` does."""
        return bool(await self._listed(_SENT, self._timer.for_request()))

    async def remove(self, draft_id: str, seconds: float) -> bool:
        """
        Removes a draft; True when there is none of that id any more. Raises Stopped, NoAnswer and Unreadable.

        Looks first: its id survives its sending, and the copy in Sent Items is the proof that it was sent.
        """
        if await self._state(draft_id, seconds) is not Fate.DRAFT:
            return True
        ask = Ask(method="DELETE", url=self.url(draft_id), label="the draft removed", is_immutable=True)
        answer = await self._session.ask(ask, seconds)
        return answer.is_success or answer.status == 404

    async def fate(self, draft_id: str = "") -> Fate:
        """
        Returns what became of a message after the call that sends it got no definite answer.

        Looks a few times within the attempt's patience; never raises but CancelledError. With *draft_id* the draft
        itself tells, since its id survives the sending; while it is nowhere, it is looked for in Sent Items.
        """
        try:
            async with asyncio.timeout(self._timer.for_looking()):
                return await self._looked(draft_id)
        except TimeoutError:
            return Fate.UNKNOWN

    async def _looked(self, draft_id: str) -> Fate:
        fate = Fate.UNKNOWN
        for pause in self._look_again:
            await asyncio.sleep(pause.total_seconds())
            await self._session.rested()
            try:
                fate = await self._state(draft_id, self._timer.for_looking()) if draft_id else Fate.UNKNOWN
                if fate is Fate.UNKNOWN and await self.is_sent():
                    fate = Fate.SENT
            except Unreadable:
                return Fate.UNKNOWN
            except (NoAnswer, Stopped):
                continue
            if fate is Fate.SENT:
                return fate
        return fate

    async def _state(self, draft_id: str, seconds: float) -> Fate:
        """Returns what the message of that id is; UNKNOWN when there is none, as while it is on its way."""
        ask = Ask(
            method="GET",
            url=f"{self.url(draft_id)}?$select=isDraft",
            label="a look at the draft",
            is_immutable=True,
        )
        answer = await self._session.ask(ask, seconds)
        if answer.status == 403:
            raise Unreadable
        if answer.status == 404:
            return Fate.UNKNOWN
        is_draft = answer.body.get("isDraft")
        if not answer.is_success or not isinstance(is_draft, bool):
            raise Stopped(self._session.failure(answer, ask))
        return Fate.DRAFT if is_draft else Fate.SENT

    async def _listed(self, folder: str, seconds: float) -> Sequence[dict[str, Any]]:
        if not self._message_id:
            return ()
        wanted = quote(self._message_id.replace("'", "''"), safe="")
        ask = Ask(
            method="GET",
            url=f"{self._root}/mailFolders/{folder}/messages?$filter=internetMessageId%20eq%20'{wanted}'"
            f"&$select=id,isDraft&$top={_MOST_FOUND}",
            label=f"{_LOOK} {'Sent Items' if folder == _SENT else 'Drafts'}",
            is_immutable=True,
        )
        answer = await self._session.ask(ask, seconds)
        if answer.status == 403:
            raise Unreadable
        found = answer.body.get("value")
        if not answer.is_success:
            raise Stopped(self._session.failure(answer, ask))
        if not isinstance(found, list):
            host = self._root.partition("://")[2].partition("/")[0]
            raise Stopped(
                silence_of(Symptom.GARBAGE, "", stage=Stage.API, host=host, met_time=self._clock.now(), sends=False)
            )
        return [item for item in found if isinstance(item, dict) and item.get("id")]


class Unreadable(Exception):
    """The token has no permission to look into the mailbox."""
