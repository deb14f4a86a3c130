"""Peers that write as much as they can, and what they were told in secret: answers stay small, nothing comes out."""

from __future__ import annotations

import base64
import logging
import secrets
import textwrap
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import TYPE_CHECKING, Final

import grpc
import httpx2
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2

from mailport.v1 import delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.canary import Scanner, report
from tests.end_to_end.consents import complete, returned
from tests.end_to_end.replaying import MECHANISMS, ROBOT, Replay, a_replay
from tests.end_to_end.scripted import refusal, tokens
from tests.end_to_end.test_journey import details
from tests.integration.oauth.token_endpoint import Reply, answer
from tests.peers.ca import LOCAL_NAMES, TestCA, server_context
from tests.peers.echoing_smtp import disguises
from tests.peers.line_server import LineServer
from tests.peers.net import free_port
from tests.peers.script import Item, close, expect, expect_message, multiline, send, tls

if TYPE_CHECKING:
    import ssl

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGEST_TRAILERS: Final = 8 * 1024
"""What clients in Java and C take for all trailers together, unless told otherwise."""
STAGES: Final = ("greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot")
REFUSALS: Final = {"greeting": 554, "starttls": 454, "auth": 535, "mail": 550, "rcpt": 550, "data": 554, "dot": 554}
FLOODS: Final[dict[str, list[str]]] = {
    "many lines": ["no and again no " * 18] * 90,
    "one long line": ["x" * 31_000],
    "wide letters": ["雪崩" * 80] * 60,
    "signs that grow when they are encoded": ['%"\\<>&\x7f\u202e' * 30] * 90,
}
Words = Sequence[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replay(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, _template: str, ca: TestCA
) -> AsyncIterator[Replay]:
    folder = tmp_path_factory.mktemp("hostile")
    async with a_replay(folder, server=postgres_server, template=_template, ca=ca) as running:
        yield running


def talking(words: Words, context: ssl.SSLContext, *, until: str = "", signs_in: str = "password") -> list[Item]:
    """Returns the script of a session that says *words* in each reply, and refuses at the stage *until*."""
    offer = (f"AUTH {MECHANISMS[signs_in]}", "SIZE 35882577")
    few = words[: max(1, 90 * 300 // max(map(len, words)))]
    steps: list[tuple[str, Item, Item]] = [
        ("greeting", (), send(*multiline(220, *words))),
        ("ehlo", expect("EHLO .*"), send(*multiline(250, "mx", "STARTTLS", *few))),
        ("starttls", expect("STARTTLS"), (send(*multiline(220, *words)), tls(context))),
        ("ehlo again", expect("EHLO .*"), send(*multiline(250, "mx", *offer, *few))),
        ("auth", expect(f"AUTH {MECHANISMS[signs_in]} .*"), send(*multiline(235, *words))),
        ("mail", expect("MAIL FROM:.*"), send(*multiline(250, *words))),
        ("rcpt", expect("RCPT TO:.*"), send(*multiline(250, *words))),
        ("data", expect("DATA"), send(*multiline(354, *words))),
        ("dot", expect_message(), send(*multiline(250, *words))),
    ]
    script: list[Item] = []
    for stage, asked, taken in steps:
        if stage == until:
            no = send(*multiline(REFUSALS[stage], *words))
            again = [asked, no] if (stage, signs_in) == ("auth", "token") else []
            return [*script, asked, no, *again, close()]
        script += [asked, taken]
    return [*script, close()]


async def refused(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value


def trailers_size(error: grpc.aio.AioRpcError) -> int:
    """Returns what the trailers fill on the wire, as HTTP/2 counts them: names, values, and 32 for each pair."""
    metadata = list(error.trailing_metadata() or ())
    size = sum(len(key) + 32 + _on_the_wire(value) for key, value in metadata)
    message = "".join(f"%{byte:02X}" if byte < 0x20 or byte > 0x7E else chr(byte) for byte in _message(error))
    return size + len("grpc-message") + 32 + len(message) + len("grpc-status") + 32 + 2


def _on_the_wire(value: str | bytes) -> int:
    return len(base64.b64encode(value)) if isinstance(value, bytes) else len(value)


def _message(error: grpc.aio.AioRpcError) -> bytes:
    return (error.details() or "").encode()


def assert_small_and_telling(error: grpc.aio.AioRpcError) -> failure_pb2.Failure:
    """The status fits into a client's trailers, and still says what a program and a person need."""
    found = details(error)
    info, failure = found["ErrorInfo"], found["Failure"]
    assert trailers_size(error) <= LARGEST_TRAILERS
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert isinstance(failure, failure_pb2.Failure)
    assert info.reason == failure.reason != "INTERNAL"
    assert failure.cause
    assert failure.remedy
    return failure


def assert_bounded(failure: failure_pb2.Failure, trace: failure_pb2.Trace) -> None:
    """What is stored and shown of one attempt keeps to the bounds that the contract names."""
    assert len(failure.provider_reply) <= 1024
    assert len(failure.provider_code) <= 120
    assert len(failure.cause) <= 2048
    assert all(len(step.reply) <= 512 and len(step.detail) <= 512 for step in trace.steps)
    assert len(trace.steps) <= 16


# Size


@pytest.mark.parametrize("stage", REFUSALS)
@pytest.mark.parametrize("flood", FLOODS)
async def test_given_a_mail_server_that_floods_when_it_refuses_then_the_error_stays_below_8_kib(
    replay: Replay, flood: str, stage: str
) -> None:
    name = replay.new_name()
    script = talking(FLOODS[flood], replay.context, until=stage)
    async with LineServer(script, repeat=True) as server:
        await replay.configure(name, replay.settings(server.port))

        errors = [await refused(replay.test(name)), await refused(replay.validate(name))]

    for error in errors:
        failure = assert_small_and_telling(error)
        assert failure.provider_code.startswith(str(REFUSALS[stage]))
        assert failure.provider_reply


@pytest.mark.parametrize("flood", FLOODS)
async def test_given_a_mail_server_that_floods_when_it_is_sent_to_then_what_is_kept_is_bounded(
    replay: Replay, flood: str
) -> None:
    name = replay.new_name()
    yes = talking(FLOODS[flood], replay.context)
    no = talking(FLOODS[flood], replay.context, until="dot")
    async with LineServer(yes, no) as server:
        await replay.configure(name, replay.settings(server.port))
        proven = await replay.validate(name)
        delivery = await replay.delivery(name)

    assert isinstance(proven, api.ValidateAndSaveResponse)
    assert_bounded(failure_pb2.Failure(), proven.trace)
    assert delivery.state == delivery_pb2.DELIVERY_STATE_FAILED
    assert_bounded(delivery.failure, delivery.attempts[0].trace)
    assert len(delivery.recipients[0].provider_reply) <= 1024
    assert delivery.ByteSize() < 4 * LARGEST_TRAILERS


LONG: Final[dict[str, Reply]] = {
    "a long description": refusal("invalid_grant", error_description="雪崩 " * 20_000),
    "a long error": refusal("invalid_grant" * 5_000, error_description="no"),
    "many fields": answer({"error": "invalid_client", **{f"more_{n}": "x" * 200 for n in range(800)}}, status=401),
    "an object": answer({"error": {"code": "x" * 50_000, "message": "%" * 100_000}}, status=400),
    "a page": answer(body=b"<html>" + b"<h1>no</h1>" * 20_000, status=502, content_type="text/html"),
    "more than is read": answer(body=b"x" * 400_000, status=500),
    "a long header": answer({"error": "slow_down"}, status=429, headers={"Retry-After": "9" * 4_000}),
}


@pytest.mark.parametrize("words", LONG)
async def test_given_a_token_endpoint_that_floods_when_it_refuses_then_the_error_stays_below_8_kib(
    replay: Replay, words: str
) -> None:
    name = replay.new_name()
    await replay.configure(name, replay.settings(free_port(), signs_in="token"))

    error = await refused(replay.consent(name, answer=LONG[words]))

    assert_bounded(assert_small_and_telling(error), failure_pb2.Trace())
    record = (await replay.read(name)).consent.failure
    assert_bounded(record, failure_pb2.Trace())
    assert record.ByteSize() < LARGEST_TRAILERS


@pytest.mark.parametrize(
    "said",
    [
        {"error": "access_denied", "error_description": "雪崩 " * 700},
        {"error": "x" * 9_000},
        {"error": "access_denied", "error_description": '%"\\<>' * 700, "error_uri": "https://x/" + "y" * 2_000},
    ],
    ids=["a long description", "a long error", "signs that grow"],
)
async def test_given_a_callback_that_floods_when_it_comes_back_then_error_record_and_page_stay_small(
    replay: Replay, said: dict[str, str]
) -> None:
    name = replay.new_name()
    await replay.configure(name, replay.settings(free_port(), signs_in="token"))
    url = returned(await replay.authorize(name), **said)

    failure = assert_small_and_telling(await refused(complete(replay.stub, url)))
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as browser:
        page = await browser.get(returned(await replay.authorize(name), **said))

    assert_bounded(failure, failure_pb2.Trace())
    assert (await replay.read(name)).consent.failure.ByteSize() < LARGEST_TRAILERS
    assert page.status_code == 400
    assert len(page.content) < 4 * LARGEST_TRAILERS


@pytest.mark.parametrize("flood", FLOODS)
async def test_given_a_flood_when_it_is_pasted_then_the_explanation_is_bounded(replay: Replay, flood: str) -> None:
    text = "\n".join(multiline(550, *FLOODS[flood]))[: 30 * 1024 // 4]

    explained = await replay.stub.Explain(api.ExplainRequest(text=text))

    assert_bounded(explained.failure, failure_pb2.Trace())


# Secrets


def told_in_secret(*kept: str) -> Words:
    """Returns the lines of a reply that repeats secrets: disguised, and folded as a long one has to be."""
    lines = [line for secret in kept for line in disguises(secret)]
    lines += [base64.b64encode(f"\0{ROBOT}\0{secret}".encode()).decode() for secret in kept]
    lines += [base64.b64encode(f"user={ROBOT}\x01auth=Bearer {secret}\x01\x01".encode()).decode() for secret in kept]
    folded = [piece for line in lines for piece in textwrap.wrap(line, 24, break_on_hyphens=False)]
    return [f"no to {line}" for line in lines] + folded[: 96 - len(lines)]


def new_secret() -> str:
    """Returns a secret with signs that change in most encodings, which nothing looks like by chance."""
    return f"{secrets.token_hex(9)}/+{secrets.token_hex(9)}~"


class Overheard:
    """All that came out: answers, statuses, records, pages; the log is looked at last."""

    def __init__(self) -> None:
        self._heard: list[tuple[str, bytes]] = []

    def keep(self, place: str, *data: bytes | str) -> None:
        self._heard += [(place, each.encode() if isinstance(each, str) else each) for each in data]

    async def call(self, place: str, call: Awaitable[object]) -> None:
        """Keeps what *call* answers, or the whole status that refuses it."""
        try:
            self.keep(place, repr(await call))
        except grpc.aio.AioRpcError as error:
            self.keep(place, repr(error), error.details() or "")
            for key, value in error.trailing_metadata() or ():
                self.keep(f"{place} {key}", value)
            self.keep(place, *(repr(detail) for detail in details(error).values()))

    def assert_clean(self, kept: dict[str, str], log: pytest.LogCaptureFixture) -> None:
        self.keep("log", log.text, *(repr(vars(record)) for record in log.records))
        scanner = Scanner(kept)
        hits = [hit for place, data in self._heard for hit in scanner.hits(data, place)]
        assert not hits, report(hits)
        assert any(b"***" in data for _, data in self._heard), "nothing was repeated, so that nothing is proven"


@pytest.mark.parametrize("until", [*REFUSALS, ""], ids=lambda stage: stage or "all is well")
@pytest.mark.parametrize("signs_in", ["password", "token"])
async def test_given_a_mail_server_that_repeats_secrets_at_every_stage_when_it_is_used_then_they_come_out_nowhere(
    replay: Replay, signs_in: str, until: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It knows them from an earlier session, so its greeting and its certificate's answers hold them already."""
    caplog.set_level(logging.DEBUG)
    name, heard = replay.new_name(), Overheard()
    kept = {"password": new_secret(), "client secret": new_secret(), "refresh token": new_secret()}
    kept["token"] = f"ya29.{new_secret()}"
    shown = kept[signs_in]
    script = talking(told_in_secret(shown), replay.context, until=until, signs_in=signs_in)
    async with LineServer(script, repeat=True) as server:
        settings = replay.settings(server.port, signs_in=signs_in)
        if signs_in == "password":
            settings.basic.password = shown
        else:
            settings.oauth.client_secret = kept["client secret"]
        await replay.configure(name, settings)
        if signs_in == "token":
            granted = tokens(1, access_token=kept["token"], refresh_token=kept["refresh token"])
            replay.endpoint.answers[:] = [granted]
            session = await replay.authorize(name)
            await heard.call("CompleteAuth", complete(replay.stub, returned(session, code="C0DE")))

        await heard.call("SendTest", replay.test(name))
        await heard.call("ValidateAndSave", replay.validate(name))
        if not until:
            delivery = await replay.delivery(name)
            heard.keep("GetDelivery", repr(delivery), delivery.SerializeToString())
        heard.keep("GetConfiguration", repr(await replay.read(name)))

    heard.assert_clean(kept, caplog)


@pytest.mark.parametrize("is_trusted", [True, False], ids=["trusted", "refused"])
async def test_given_a_certificate_made_of_a_secret_when_it_is_shown_then_the_trace_masks_it(
    replay: Replay, is_trusted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A server with an authority of its own writes what it likes into its names."""
    caplog.set_level(logging.DEBUG)
    heard, secret = Overheard(), secrets.token_hex(16)
    names = (*LOCAL_NAMES, f"{secret}.example.com")
    issue = replay.ca.issue if is_trusted else replay.ca.self_signed
    script = talking(["well"], server_context(issue(secret, names=names)))
    async with LineServer(script, repeat=True) as server:
        settings = replay.settings(server.port)
        settings.basic.password = secret
        await heard.call("SendTest", replay.test_unsaved(settings))

    heard.assert_clean({"password": secret}, caplog)


async def test_given_a_server_that_repeats_the_former_token_when_a_new_one_is_shown_then_neither_comes_out(
    replay: Replay, caplog: pytest.LogCaptureFixture
) -> None:
    """The former one may still be good: providers let a token live on when they give another."""
    caplog.set_level(logging.DEBUG)
    name, heard = replay.new_name(), Overheard()
    former, new = (f"ya29.{secrets.token_urlsafe(40)}" for _ in range(2))
    yes = talking(["well"], replay.context, signs_in="token")
    no = talking([f"the last was {former}, now {new}"], replay.context, until="dot", signs_in="token")
    async with LineServer(yes, no, no) as server:
        await replay.configure(name, replay.settings(server.port, signs_in="token"))
        await replay.consent(name, answer=tokens(1, access_token=former, expires_in=0))
        replay.endpoint.answers[:] = [tokens(2, access_token=new)]

        await heard.call("SendTest", replay.test(name))
        delivery = await replay.delivery(name)
        heard.keep("GetDelivery", repr(delivery))

    heard.assert_clean({"former": former, "new": new}, caplog)
