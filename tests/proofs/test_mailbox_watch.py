"""
A watch of a mailbox whose connections are cut, whose token ends and whose folder is rebuilt, while mail keeps coming.

Every message reaches the stream at least once, with one name as long as the folder is the same; none is missing. What a
client does: it resumes with its last cursor when the stream ends, and begins anew when that has become void, with a
watch first and a list of what is there after it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import grpc
import pytest

import service.running
from mailport.v1 import configuration_pb2
from mailport.v1 import mailbox_service_pb2 as pb
from service.options import Options
from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.sandbox import Sandbox
from tests.end_to_end import consents
from tests.end_to_end.conftest import Mailport, options, started  # noqa: F401 - options is a fixture
from tests.end_to_end.mailboxes import Box, arrived, box_of, raw
from tests.end_to_end.test_journey import reason
from tests.proofs.sizes import IS_FULL, SEED, chance

ARRIVALS: Final = 10_000 if IS_FULL else 600
CUTS: Final = 100 if IS_FULL else 12
TOKEN_ENDS: Final = 20 if IS_FULL else 4
REBUILDS: Final = 2
BROKEN_OFF: Final = 20 if IS_FULL else 4
"""How often the client itself leaves its stream, and resumes."""
OFFICE: Final = "office@sandbox.example"
_SEEN_WITHIN: Final = 90.0
"""Seconds until the client knows of a rebuilt folder, pauses between connections included."""


@dataclass
class Client:
    """Watches INBOX for as long as it takes."""

    box: Box
    names: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """What each message was called, by its subject."""
    streamed: list[str] = field(default_factory=list)
    anew: int = 0
    resumed: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        cursor, is_listed = "", False
        while True:
            try:
                watch, cursor = await self.box.watch(cursor=cursor)
                if not is_listed:
                    await self._list()
                    is_listed = True
                while True:
                    answer = await self._next(watch)
                    if answer is None:
                        break
                    self._note(answer.message)
                    self.streamed.append(answer.message.subject)
                    cursor = answer.cursor
            except TimeoutError:
                pass  # a machine that is too busy
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.FAILED_PRECONDITION and reason(error) == "CURSOR_INVALID":
                    cursor, is_listed = "", False
                    self.anew += 1
                    self.names.clear()  # a rebuilt folder has other names for all that is in it
                    continue
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
            self.resumed += 1

    async def _next(self, watch: Any) -> pb.WatchMailboxResponse | None:
        """The next message; None when the client is to leave the stream."""
        coming, leaving = asyncio.ensure_future(arrived(watch)), asyncio.ensure_future(self.left.wait())
        try:
            await asyncio.wait([coming, leaving], return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                return coming.result()
            self.left.clear()
            watch.cancel()
            return None
        finally:
            coming.cancel()
            leaving.cancel()
            await asyncio.gather(coming, leaving, return_exceptions=True)

    async def _list(self) -> None:
        for message in await self.box.every():
            self._note(message)

    def _note(self, message: pb.MailboxMessage) -> None:
        self.names[message.subject].add(message.mailbox_message_id)


@pytest.fixture
async def mailport(options: Options, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Mailport]:  # noqa: F811
    """A mailport whose sandbox keeps everything."""
    monkeypatch.setattr(service.running, "Sandbox", partial(Sandbox, max_messages=2 * ARRIVALS + 100))
    async with started(options) as running:
        yield running


async def test_given_cuts_ended_tokens_and_rebuilt_folders_when_mail_keeps_coming_then_none_is_missing(
    mailport: Mailport, figures: Callable[[str], None]
) -> None:
    settings = consents.sandbox_settings(mailport, Behaviour.STRICT, OFFICE)
    settings.mailbox.CopyFrom(
        configuration_pb2.MailboxSettings(
            email=OFFICE,
            host="localhost",
            port=mailport.sandbox.imap_port,
            use_oauth=True,
            ca_certificates=mailport.sandbox.ca_pem,
        )
    )
    await consents.configure(mailport.stub, settings)
    await consents.consented(mailport, OFFICE, save=True)
    random, began = chance("mailbox watch"), datetime.now(UTC)
    trouble = ["cut"] * CUTS + ["token"] * TOKEN_ENDS + ["rebuild"] * REBUILDS + ["leave"] * BROKEN_OFF
    at = defaultdict(list)
    for each in trouble:
        at[random.randrange(1, ARRIVALS)].append(each)
    sandbox = mailport.sandbox
    async with grpc.aio.insecure_channel(mailport.service.grpc_address) as channel:
        client = Client(box_of(mailport, channel))
        running = asyncio.create_task(client.run())
        await asyncio.wait([running], timeout=1)

        for number in range(ARRIVALS):
            await sandbox.inbox.add(
                receive_time=datetime.now(UTC),
                sender="zoe@example.org",
                recipients=(OFFICE,),
                raw=raw(number),
            )
            for each in at[number]:
                await strike(each, sandbox, client)
            if random.random() < 0.1:
                await asyncio.sleep(0.01)
        expected = {str(number) for number in range(ARRIVALS)}
        async with asyncio.timeout(300):
            while not expected <= client.names.keys():
                assert not running.done(), running.exception()
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        there = {each.subject: each.mailbox_message_id for each in await client.box.every()}

    assert set(there) == expected
    assert {subject: names for subject, names in client.names.items() if names != {there[subject]}} == {}
    assert client.anew >= REBUILDS
    took = (datetime.now(UTC) - began).total_seconds()
    figures(
        f"watch of a mailbox: {ARRIVALS:,} arrivals, {CUTS} cuts, {TOKEN_ENDS} ended tokens, {REBUILDS} rebuilt "
        f"folders, {BROKEN_OFF} streams left: 0 missing, {len(client.streamed):,} answers, {took:.0f} s (seed {SEED})"
    )


async def strike(what: str, sandbox: Sandbox, client: Client) -> None:
    """Lets one trouble happen."""
    match what:
        case "token":
            sandbox.identity.withdraw_access_tokens()
            await sandbox.imap.drop_sessions()
        case "rebuild":
            seen = client.anew
            sandbox.imap.mailboxes.of(OFFICE).rebuild("INBOX")
            async with asyncio.timeout(_SEEN_WITHIN):
                while client.anew == seen:  # noqa: ASYNC110 - so that two of them are not seen as one
                    await asyncio.sleep(0.01)
        case "leave":
            client.left.set()
        case _:
            await sandbox.imap.drop_sessions()
