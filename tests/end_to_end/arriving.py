"""A mailbox at a scripted IMAP server: mail arrives in it while its connections behave as the test says."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.end_to_end.mailboxes import raw
from tests.peers.conversation import Conversation, ScriptFailed
from tests.peers.imap_script import Answer, Words, answer, answering, fetched, greeting, selected
from tests.peers.script import Item, Step, hang, tls

_NUMBER: Final = re.compile(r"\d+")
IDLES: Final = ("IMAP4rev1", "AUTH=PLAIN", "SASL-IR", "IDLE")
LACKS_IDLE: Final = ("IMAP4rev1", "AUTH=PLAIN", "SASL-IR")


@dataclass
class Inbox:
    """What all connections to the server show: messages with the subjects 1, 2, 3 …, which are their UIDs as well."""

    context: ssl.SSLContext
    count: int = 0
    connect_times: list[float] = field(default_factory=list)
    """When each connection began, in seconds of the monotonic clock."""
    idle_times: list[float] = field(default_factory=list)
    """When each IDLE was asked for."""
    arrival: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at each arrival, for connections that tell of them."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever NOOP asks for news."""

    @property
    def subjects(self) -> list[str]:
        return [str(number) for number in range(1, self.count + 1)]

    def arrive(self) -> None:
        """Lets one more message be there."""
        self.count += 1
        self.arrival.set()

    def serving(self, *, idle: Answer, capabilities: Sequence[str] = IDLES, fetch: Sequence[Answer] = ()) -> list[Item]:
        """Returns the script of one connection; *fetch* answers the first of its FETCHes, before they are as usual."""
        table: dict[str, Answer | Sequence[Answer]] = {
            "LOGIN .*|AUTHENTICATE .*": answer(f"* CAPABILITY {' '.join(capabilities)}"),
            "CAPABILITY": answer(f"* CAPABILITY {' '.join(capabilities)}"),
            "EXAMINE .*": Answer(lambda _: selected(exists=self.count)),
            r"UID SEARCH .*UID \d+:\*": Answer(self._above),
            "UID FETCH .*": [*fetch, self.whole()],
            "NOOP": Answer(self._news),
            "IDLE": idle,
        }
        return [tls(self.context), Step("note the time", self._note), greeting(*capabilities), answering(table)]

    def telling(self) -> Answer:
        """Answers IDLE, and tells of each arrival at once, until the client says DONE."""

        return Answer(self._idling, None, Step("idle and tell", self._until_done))

    def announcing(self) -> Answer:
        """Answers IDLE and tells of one message that comes then."""

        async def run(conversation: Conversation) -> bool:
            self.arrive()
            return await self._until_done(conversation)

        return Answer(self._idling, None, Step("idle and announce", run))

    def dying(self, end: Step, *, says: str = "+ idling", arrivals: int = 0) -> Answer:
        """Answers IDLE with *says*; then, without a word, *arrivals* messages come and the connection ends."""

        async def run(conversation: Conversation) -> bool:
            for _ in range(arrivals):
                self.arrive()
            return await end.run(conversation)

        return Answer(lambda said: [*self._idling(said)[:-1], says], None, Step("idle and die", run))

    def silent(self, *, arrivals: int) -> Answer:
        """Answers IDLE; *arrivals* messages come, and nothing is heard of this connection any more."""
        return self.dying(hang(), arrivals=arrivals)

    def whole(self) -> Answer:
        """Answers FETCH as usual."""
        return Answer(self._metas)

    def torn(self, end: Step) -> Answer:
        """Answers FETCH with half of a message, and ends the connection."""

        def half(said: str) -> Sequence[Words]:
            # Bytes go out as they are, so that the line ends where it is cut.
            return [line[: len(line) // 2] for line in self._metas(said)]

        return Answer(half, None, end)

    async def _until_done(self, conversation: Conversation) -> bool:
        done = asyncio.ensure_future(conversation.read_through(b"\n"))
        told = -1
        try:
            while not done.done():
                if told != self.count:
                    told = self.count
                    conversation.write(f"* {told} EXISTS\r\n".encode())
                self.arrival.clear()
                arriving = asyncio.ensure_future(self.arrival.wait())
                await asyncio.wait([done, arriving], return_when=asyncio.FIRST_COMPLETED)
                arriving.cancel()
            said = done.result()
        except ScriptFailed:  # the client went away while it idled, as clients do
            return False
        finally:
            done.cancel()
        if said.strip().upper() != b"DONE":
            raise ScriptFailed(f"the client said {said!r} instead of DONE")
        conversation.write(f"{conversation.tag} OK idle ended\r\n".encode())
        return True

    async def _note(self, _: Conversation) -> bool:
        self.connect_times.append(time.monotonic())
        return True

    def _idling(self, _: str) -> list[Words]:
        self.idle_times.append(time.monotonic())
        return ["+ idling"]

    def _news(self, _: str) -> list[Words]:
        self.asked.set()
        return [f"* {self.count} EXISTS"]

    def _above(self, said: str) -> list[Words]:
        lowest = int(_NUMBER.findall(said)[-1])
        # The last message is always within n:* (RFC 3501 section 6.4.8).
        found = range(min(lowest, self.count), self.count + 1) if self.count else ()
        return [f"* SEARCH {' '.join(map(str, found))}".rstrip()]

    def _metas(self, said: str) -> list[bytes]:
        return [_meta(int(uid)) for uid in said.split()[2].split(",")]


def _meta(uid: int) -> bytes:
    source = raw(uid)
    head = source.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    more = f'INTERNALDATE "01-Mar-2026 12:00:00 +0000" RFC822.SIZE {len(source)}'
    return fetched(uid, uid=uid, raw=head, item="BODY[HEADER]<0>", more=more)
