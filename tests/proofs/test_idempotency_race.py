"""T6: one key, many callers, several replicas, answers that get lost: one row and one id for each key (P9)."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import grpc
import psycopg
import pytest

from mailport.v1 import mail_service_pb2 as api
from mailport.v1 import mail_service_pb2_grpc
from tests.end_to_end.test_journey import reason
from tests.proofs.cutting import Cutting, cutting
from tests.proofs.replicas import Replicas
from tests.proofs.sending import CONFIGURATION, REPEATABLE, a_request, configure
from tests.proofs.sink import Sink
from tests.proofs.sizes import IS_FULL, chance

KEYS: Final = 5_000 if IS_FULL else 200
KEYS_RACED_AGAIN: Final = 100 if IS_FULL else 10
KEYS_STREAMED: Final = 1_000 if IS_FULL else 100
REPLICAS: Final = 3
CALLERS: Final = 64
CALLERS_A_CONNECTION: Final = 8
SHARE_OF_CUTS: Final = 0.01
REUSED: Final = "IDEMPOTENCY_KEY_REUSED"
OTHERS: Final = 4
"""Of the callers, who send other content under the same key."""
_CALL_SECONDS: Final = 20
_AGAIN_SECONDS: Final = 0.02
_CUT_WHILE_WRITING: Final = "Internal error from Core"
"""grpcio's own words, with INTERNAL, for a stream that ended while it wrote to it; mailport's INTERNAL has others."""
_WINDOW: Final = timedelta(hours=24)
_CHANNEL: Final = (
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.use_local_subchannel_pool", 1),
)

if TYPE_CHECKING:
    from mailport.v1.mail_service_pb2_grpc import MailServiceAsyncStub as Stub


@dataclass
class Answers:
    """What the callers of one key were told, by the content that they sent."""

    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    fresh: int = 0
    """Answers that did not say that they repeat an earlier one."""
    refused: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    """Calls whose answer was lost."""


@dataclass
class Race:
    """Three replicas that accept, and ways to them that lose answers."""

    stubs: Sequence[Stub]
    """For each caller in turn; several share a connection."""
    ways: Sequence[Cutting]
    database: psycopg.AsyncConnection[Any]

    async def run(self, key: str) -> Answers:
        """Lets all callers send *key* at once; a few of them send other content."""
        answers = Answers()
        calls = (self._call(key, number, answers) for number in range(CALLERS))
        await asyncio.gather(*calls)
        return answers

    async def _call(self, key: str, number: int, answers: Answers) -> None:
        content = "other" if number % (CALLERS // OTHERS) == key_offset(key) else "first"
        request = a_request(key)
        request.message.subject = content
        while True:
            try:
                sent = await self.stubs[number].Send(request, timeout=_CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() in REPEATABLE:
                    answers.repeated += 1
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                if reason(error) != REUSED:
                    raise
                answers.refused[content] += 1
                return
            answers.ids[content].add(sent.delivery.delivery_id)
            answers.fresh += not sent.replayed
            return

    async def rows(self, query: str, *parameters: object) -> list[Any]:
        cursor = await self.database.execute(query, parameters)
        return await cursor.fetchall()

    async def end_windows(self) -> None:
        """Lets the time of every key be over."""
        await self.database.execute("update idempotency_key set expire_time = now() - interval '1 second'")

    @property
    def cuts(self) -> int:
        return sum(way.cuts for way in self.ways)


def key_offset(key: str) -> int:
    """Who of the callers sends other content changes from key to key, so that sometimes it is the one who wins."""
    return sum(key.encode()) % (CALLERS // OTHERS)


@pytest.fixture
async def race(replicas: Replicas, sink: Sink) -> AsyncIterator[Race]:
    running = [await replicas.start(f"api-{number}", MAILPORT_ROLES="api") for number in range(REPLICAS)]
    await configure(running[0], sink)
    choices = chance("idempotency race")
    async with AsyncExitStack() as stack:
        ways = [
            await stack.enter_async_context(cutting(each.grpc_address, choices=choices, share=SHARE_OF_CUTS))
            for each in running
        ]
        stubs: list[Stub] = []
        for number in range(CALLERS // CALLERS_A_CONNECTION):
            address = ways[number % REPLICAS].address
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, options=_CHANNEL))
            stubs += [mail_service_pb2_grpc.MailServiceStub(channel)] * CALLERS_A_CONNECTION
        database = await psycopg.AsyncConnection.connect(replicas.database_url, autocommit=True)
        yield Race(stubs, ways, await stack.enter_async_context(database))


async def test_given_one_key_when_all_callers_send_it_at_once_then_one_row_one_id_and_other_content_is_refused(
    race: Race, figures: Callable[[str], None]
) -> None:
    keys = [f"race-{number}" for number in range(KEYS)]
    winners: dict[str, str] = {}
    repeated = won_by_others = 0

    for key in keys:
        answers = await race.run(key)
        (content,) = answers.ids  # of two contents one alone was ever taken
        (winners[key],) = answers.ids[content]
        assert answers.refused == {"other" if content == "first" else "first": _callers_of_the_loser(content)}
        assert answers.fresh <= 1  # none at all where the first answer was lost
        repeated += answers.repeated
        won_by_others += content == "other"

    stored = await race.rows("select k.key, k.delivery_id::text from idempotency_key k")
    deliveries = await race.rows("select delivery_id::text from delivery where configuration_id = %s", CONFIGURATION)
    contents = await race.rows("select delivery_id::text from delivery_content")
    windows = await race.rows(
        "select count(*) from idempotency_key k join delivery d using (tenant, delivery_id) "
        "where k.expire_time < greatest(d.create_time + %s, d.expire_time)",
        _WINDOW,
    )
    figures(
        f"T6: {len(keys)} keys, {CALLERS} callers on {REPLICAS} replicas: {len(deliveries)} deliveries, "
        f"{race.cuts} cuts, {repeated} calls repeated, {won_by_others} keys won by the rarer content"
    )
    assert dict(stored) == winners
    assert sorted(each for (each,) in deliveries) == sorted(winners.values())
    assert sorted(each for (each,) in contents) == sorted(winners.values())
    assert windows == [(0,)]
    assert repeated > 0


def _callers_of_the_loser(winner: str) -> int:
    return OTHERS if winner == "first" else CALLERS - OTHERS


async def test_given_keys_whose_window_is_over_when_raced_again_then_each_is_free_for_one_new_mail(
    race: Race, figures: Callable[[str], None]
) -> None:
    keys = [f"again-{number}" for number in range(KEYS_RACED_AGAIN)]
    ids: dict[str, set[str]] = defaultdict(set)
    rounds = 3

    for _ in range(rounds):
        for key in keys:
            answers = await race.run(key)
            (found,) = answers.ids.values()
            ids[key] |= found
        await race.end_windows()

    figures(f"T6: {len(keys)} keys raced {rounds} times, each time past the window of the last: a new mail each")
    assert {len(each) for each in ids.values()} == {rounds}
    stored = await race.rows("select count(*), count(distinct key) from idempotency_key")
    deliveries = await race.rows("select delivery_id::text from delivery where configuration_id = %s", CONFIGURATION)
    assert stored == [(len(keys), len(keys))]
    assert sorted(each for (each,) in deliveries) == sorted(one for each in ids.values() for one in each)


async def test_given_many_streams_with_the_same_keys_when_cut_and_resumed_then_one_row_and_one_id_for_each(
    race: Race, figures: Callable[[str], None]
) -> None:
    keys = [f"stream-{number}" for number in range(KEYS_STREAMED)]
    ids: dict[str, set[str]] = defaultdict(set)
    refused: Counter[str] = Counter()
    streams = 0

    async def caller(stub: Stub, content: str) -> None:
        nonlocal streams
        left = dict.fromkeys(keys)
        while left:
            streams += 1
            try:
                async for answer in stub.SendStream(iter([_on_stream(key, content) for key in left])):
                    key = answer.client_reference
                    if answer.HasField("error"):
                        if answer.error.code == grpc.StatusCode.UNAVAILABLE.value[0]:
                            continue  # said again on the next stream
                        assert answer.error.reason == REUSED
                        refused[key] += 1
                    else:
                        ids[f"{key} {content}"].add(answer.delivery.delivery_id)
                    left.pop(key, None)
            except grpc.aio.AioRpcError as error:
                if error.code() not in REPEATABLE and error.details() != _CUT_WHILE_WRITING:
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)

    callers = race.stubs[::CALLERS_A_CONNECTION]
    await asyncio.gather(
        *(caller(stub, "other" if number == 5 else "first") for number, stub in enumerate(callers)),
    )

    deliveries = await race.rows("select delivery_id::text from delivery where configuration_id = %s", CONFIGURATION)
    figures(f"T6: {len(keys)} keys on {len(callers)} streams each, {streams} with those begun again, {race.cuts} cuts")
    assert {len(each) for each in ids.values()} == {1}
    assert len(ids) == len(keys)  # of two contents one was taken
    assert sorted(each for (each,) in deliveries) == sorted(one for each in ids.values() for one in each)
    for key in keys:
        assert refused[key] == (1 if f"{key} first" in ids else len(callers) - 1)


def _on_stream(key: str, content: str) -> api.SendStreamRequest:
    request = a_request(key)
    request.message.subject = content
    return api.SendStreamRequest(
        client_reference=key,
        configuration_id=request.configuration_id,
        message=request.message,
        idempotency_key=key,
    )
