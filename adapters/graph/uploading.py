"""One file of a draft: added by a request, or uploaded in ordered ranges that are resumed where they broke off."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.graph.failures import NoAnswer
from adapters.graph.session import JSON, Ask, Session, is_url
from adapters.graph.timing import Timer
from adapters.graph.tracing import Step, Stopped, TraceLog
from domain.failures.evidence import Symptom
from domain.failures.failure import Failure, Stage
from domain.graph.answers import GraphAnswer, silence_of
from domain.graph.files import FilePart, pieces_of
from domain.graph.json_form import file_request, session_request
from domain.graph.routes import RANGE_BYTES, SESSION_BYTES, goes_in_one_request
from domain.ports.environment import Clock

MOST_BREAKS: Final = 3
"""Ranges in a row that may break without one coming through."""
_PAUSES: Final = (0.0, 0.5, 2.0)
"""Seconds before each question what is there of a file."""


class Uploader:
    """Adds files to one draft. Raises Stopped when one cannot be added."""

    def __init__(
        self, *, session: Session, trace: TraceLog, timer: Timer, clock: Clock, draft_url: str, content: bytes
    ) -> None:
        self._session = session
        self._trace = trace
        self._timer = timer
        self._clock = clock
        self._draft_url = draft_url
        self._content = content

    async def add(self, file: FilePart) -> None:
        """Adds *file* by what its size asks for; the other way when Graph's megabytes turn out to be others."""
        if not goes_in_one_request(file):
            if not await self._upload(file):
                await self._post(file)
        elif not await self._post(file, may_be_too_large=file.size >= SESSION_BYTES * 0.95) and not await self._upload(
            file
        ):
            raise Stopped(self._nothing_of_it())

    async def _post(self, file: FilePart, *, may_be_too_large: bool = False) -> bool:
        ask = Ask(
            method="POST",
            url=f"{self._draft_url}/attachments",
            label=f"a file of {file.size} octets",
            body=file_request(self._content, file),
            content_type=JSON,
        )
        answer = await self._tried(ask)
        if answer.is_success:
            return True
        if answer.status == 413 and may_be_too_large:
            return False
        raise Stopped(self._session.failure(answer, ask))

    async def _upload(self, file: FilePart) -> bool:
        """Uploads *file*; False when Graph finds it too small for a session."""
        with self._trace.step(Stage.API, f"upload of {file.size} octets") as step:
            ask = Ask(
                method="POST",
                url=f"{self._draft_url}/attachments/createUploadSession",
                label="an upload session",
                body=session_request(file),
                content_type=JSON,
            )
            answer = await self._tried(ask)
            if answer.says("ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"):
                step.note("too small for an upload session")
                step.succeeded = False
                return False
            url = answer.body.get("uploadUrl")
            if not answer.is_success:
                raise Stopped(self._session.failure(answer, ask))
            if not isinstance(url, str) or not is_url(url):
                raise Stopped(self._nothing_of_it())
            self._session.never_repeat(url)
            await self._send_ranges(step, file, url)
            return True

    async def _send_ranges(self, step: Step, file: FilePart, url: str) -> None:
        """
        Sends all ranges in order.

        A session that has ended is not begun again: nobody can tell whether the file is there already, and it would be
        there twice.
        """
        first, sent, breaks = 0, 0, 0
        pieces = self._pieces(file, first)
        while True:
            # In a thread: a resumed file is decoded anew up to where it goes on.
            piece = await asyncio.to_thread(next, pieces, b"")
            if not piece:
                raise Stopped(self._nothing_of_it())  # all is there, and Graph never said so
            answer = await self._range(file, url, first, piece)
            if answer is not None and answer.status == 201:
                step.note(f"{sent + 1} ranges")
                return
            wanted = _wanted(answer.body) if answer is not None and answer.is_success else None
            if wanted == first + len(piece):
                first, sent, breaks = wanted, sent + 1, 0
                continue
            breaks += 1
            if breaks > MOST_BREAKS or not _passes(answer):
                raise Stopped(self._why(answer))
            if wanted is None:
                step.note(f"broken at {first}")
                wanted = await self._resumed(url, answer)
            first = wanted
            pieces = self._pieces(file, first)

    async def _range(self, file: FilePart, url: str, first: int, piece: bytes) -> GraphAnswer | None:
        """Sends one range; None when no answer came."""
        ask = Ask(
            method="PUT",
            url=url,
            label="a range",
            body=piece,
            content_type="application/octet-stream",
            range=f"bytes {first}-{first + len(piece) - 1}/{file.size}",
            is_authorized=False,
        )
        return await self._unseen(ask)

    async def _resumed(self, url: str, answer: GraphAnswer | None) -> int:
        """Returns from where on to go on, as Graph tells it; raises Stopped when it does not."""
        await self._wait(answer)
        for pause in _PAUSES:
            await asyncio.sleep(min(pause, self._timer.for_file()))
            told = await self._unseen(Ask(method="GET", url=url, label="what is there of it", is_authorized=False))
            wanted = _wanted(told.body) if told is not None and told.is_success else None
            if wanted is not None:
                return wanted
            if told is not None and not _passes(told):
                break
            await self._wait(told)
        raise Stopped(self._why(answer))

    async def _wait(self, answer: GraphAnswer | None) -> None:
        """Waits as long as *answer* asks for, if there is that much time; raises Stopped if not."""
        if answer is None or answer.retry_time is None:
            return
        seconds = (answer.retry_time - self._clock.now()).total_seconds()
        if seconds > self._timer.for_file():
            raise Stopped(self._why(answer))
        await asyncio.sleep(max(0.0, seconds))
        self._timer.spent(seconds, on_files=True)

    async def _tried(self, ask: Ask) -> GraphAnswer:
        """Asks; raises Stopped when no answer comes."""
        seconds, begin = self._timer.for_file(), self._clock.monotonic()
        try:
            return await self._session.ask(ask, seconds)
        except NoAnswer as silence:
            raise Stopped(self._session.silence(silence, ask)) from silence
        finally:
            self._timer.spent((self._clock.monotonic() - begin).total_seconds(), on_files=True)

    async def _unseen(self, ask: Ask) -> GraphAnswer | None:
        """Asks without a step of its own in the trace, where hundreds of ranges would hide all else."""
        seconds, begin = self._timer.for_file(), self._clock.monotonic()
        if seconds <= 0:
            raise Stopped(self._silence(Symptom.TOO_SLOW))
        try:
            return await self._session.ask_within(Step(), ask, seconds)
        except NoAnswer:
            return None
        finally:
            self._timer.spent((self._clock.monotonic() - begin).total_seconds(), on_files=True)

    def _pieces(self, file: FilePart, first: int) -> Iterator[bytes]:
        return pieces_of(self._content, file, first=first, largest=RANGE_BYTES)

    def _why(self, answer: GraphAnswer | None) -> Failure:
        if answer is None:
            return self._silence(Symptom.LOST)
        return self._session.failure(answer, Ask(method="PUT", url=self._draft_url, label=""))

    def _silence(self, symptom: Symptom) -> Failure:
        host = urlsplit(self._draft_url).hostname or ""
        detail = "in the midst of an upload"
        return silence_of(symptom, detail, stage=Stage.API, host=host, met_time=self._clock.now(), sends=False)

    def _nothing_of_it(self) -> Failure:
        return self._silence(Symptom.GARBAGE)


def _passes(answer: GraphAnswer | None) -> bool:
    """Tells whether another try may fare better: no answer came, or one that has nothing against the file."""
    return answer is None or answer.is_success or answer.status in (408, 409, 416, 429) or answer.status >= 500


def _wanted(body: Mapping[str, Any]) -> int | None:
    """Returns where the next range begins by ``nextExpectedRanges``; None when that is not said."""
    ranges = next((value for name, value in body.items() if name.lower() == "nextexpectedranges"), None)
    first = ranges[0] if isinstance(ranges, list) and ranges else ranges
    number = str(first).partition("-")[0].strip() if first is not None else ""
    return int(number) if number.isascii() and number.isdigit() else None
