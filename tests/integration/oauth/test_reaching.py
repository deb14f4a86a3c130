"""The way to the endpoint: judged addresses, TLS, limits of time and size, no second request."""

from __future__ import annotations

import asyncio
import gzip
from datetime import timedelta

import pytest

from adapters.oauth.client import OAuthClient
from adapters.system.clock import SystemClock
from adapters.system.egress import EgressPolicy
from adapters.system.resolver import SystemResolver
from domain.failures.failure import FailureKind, Stage
from domain.ports.network import NameUnavailable, NameUnknown
from domain.reasons import Reason
from domain.secret import Secret
from domain.token import TokenRefusal
from tests.integration.oauth.asking import a_client, an_oauth_client, exchange, granted_of, refresh, refusal_of
from tests.integration.oauth.token_endpoint import CUT, HANG, TokenEndpoint, answer
from tests.peers.ca import TestCA, server_context
from tests.peers.net import free_port

GRANTING = answer({"access_token": "AT2"})
SHORT = timedelta(milliseconds=300)


def told(refusal: TokenRefusal) -> tuple[Reason, FailureKind, bool]:
    assert refusal.failure.stage is Stage.TOKEN
    assert refusal.error == ""
    return refusal.failure.reason, refusal.failure.kind, refusal.is_answer


async def test_given_tls_when_asked_then_the_address_is_dialled_and_the_name_is_checked(ca: TestCA) -> None:
    context = server_context(ca.issue("idp", names=["id.example.test"]))
    async with TokenEndpoint(GRANTING, context=context) as endpoint:
        server = an_oauth_client(ca_file=ca.path, names={"id.example.test": ["127.0.0.1"]})
        client = a_client(f"https://id.example.test:{endpoint.port}/token")

        granted = granted_of(await refresh(server, client))

    assert granted.access_token == Secret("AT2")
    assert endpoint.asked[0].headers["host"] == f"id.example.test:{endpoint.port}"


@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [("other.example.test", True, Reason.CERT_NAME_MISMATCH), ("id.example.test", False, Reason.CERT_UNTRUSTED)],
)
async def test_given_a_certificate_that_does_not_fit_when_asked_then_nothing_secret_leaves(
    ca: TestCA, name: str, trusted: bool, reason: Reason
) -> None:
    context = server_context(ca.issue(f"idp-{name}", names=[name]))
    async with TokenEndpoint(GRANTING, context=context) as endpoint:
        server = an_oauth_client(ca_file=ca.path if trusted else None, names={"id.example.test": ["127.0.0.1"]})

        refusal = refusal_of(await refresh(server, a_client(f"https://id.example.test:{endpoint.port}/token")))

    assert told(refusal) == (reason, FailureKind.MISCONFIGURED, True)
    assert endpoint.asked == []


async def test_given_https_to_a_port_without_tls_when_asked_then_it_is_said() -> None:
    async with TokenEndpoint(GRANTING) as endpoint:
        server = an_oauth_client(total=SHORT)

        refusal = refusal_of(await refresh(server, a_client(f"https://localhost:{endpoint.port}/token")))

    assert told(refusal) == (Reason.CONNECTION_TIMED_OUT, FailureKind.TRANSIENT, True)
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("endpoint", "names", "expected"),
    [
        (
            "https://gone.example.test/token",
            {},
            (Reason.DNS_NAME_UNKNOWN, FailureKind.MISCONFIGURED, True),
        ),
        (
            "https://id.example.test/token",
            {"id.example.test": NameUnavailable("id.example.test", "servfail")},
            (Reason.DNS_UNAVAILABLE, FailureKind.TRANSIENT, True),
        ),
        (
            "https://id.example.test/token",
            {"id.example.test": NameUnknown("id.example.test", "gone")},
            (Reason.DNS_NAME_UNKNOWN, FailureKind.MISCONFIGURED, True),
        ),
        (
            "http://id.example.test/token",
            {"id.example.test": ["192.0.2.1"]},
            (Reason.EGRESS_DENIED, FailureKind.MISCONFIGURED, True),
        ),
    ],
)
async def test_given_a_host_that_cannot_be_dialled_when_asked_then_the_request_was_not_sent(
    endpoint: str, names: dict[str, list[str]], expected: tuple[Reason, FailureKind, bool]
) -> None:
    assert told(refusal_of(await refresh(an_oauth_client(names=names), a_client(endpoint)))) == expected


async def test_given_a_private_address_when_asked_then_egress_is_denied() -> None:
    """P21."""
    async with TokenEndpoint(GRANTING) as endpoint:

        async def lookup(_: str) -> list[str]:
            return ["127.0.0.1"]

        resolver = SystemResolver(policy=EgressPolicy.parse(""), lookup=lookup)
        server = OAuthClient(resolver=resolver, clock=SystemClock())

        refusal = refusal_of(await refresh(server, a_client(endpoint.url)))

    assert told(refusal) == (Reason.EGRESS_DENIED, FailureKind.MISCONFIGURED, True)
    assert endpoint.connections == 0


async def test_given_nothing_that_listens_when_asked_then_the_request_was_not_sent() -> None:
    refusal = refusal_of(await refresh(an_oauth_client(), a_client(f"http://localhost:{free_port()}/token")))

    assert told(refusal) == (Reason.CONNECTION_REFUSED, FailureKind.TRANSIENT, True)


async def test_given_a_dead_address_when_asked_then_the_next_one_is_dialled() -> None:
    async with TokenEndpoint(GRANTING) as endpoint:
        server = an_oauth_client(names={"localhost": ["127.0.0.9", "127.0.0.1"]})

        granted_of(await refresh(server, a_client(endpoint.url)))

    assert len(endpoint.asked) == 1


async def test_given_silence_when_asked_then_it_ends_in_time_and_nobody_knows() -> None:
    async with TokenEndpoint(HANG) as endpoint:
        refusal = refusal_of(await exchange(an_oauth_client(total=SHORT), a_client(endpoint.url)))

    assert told(refusal) == (Reason.SERVER_SILENT, FailureKind.TRANSIENT, False)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (CUT, Reason.CONNECTION_LOST),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Reason.CONNECTION_LOST),
        (b"220 mx.example.test ESMTP\r\n\r\n", Reason.PROTOCOL_ERROR),
        (answer(body=b'{"access_token":"AT2","x":"' + b"x" * 300_000 + b'"}'), Reason.REPLY_TOO_LARGE),
        (
            answer(body=gzip.compress(b'{"access_token":"AT2"}'), headers={"Content-Encoding": "gzip"}),
            Reason.PROTOCOL_ERROR,
        ),
    ],
)
async def test_given_an_answer_that_cannot_be_read_when_asked_then_nobody_knows_and_nothing_is_repeated(
    reply: bytes, reason: Reason
) -> None:
    async with TokenEndpoint(reply) as endpoint:
        refusal = refusal_of(await refresh(an_oauth_client(), a_client(endpoint.url)))

    assert told(refusal) == (reason, FailureKind.TRANSIENT, False)
    assert endpoint.connections == 1


async def test_given_an_answer_just_below_the_limit_when_asked_then_it_is_read() -> None:
    body = b'{"access_token":"AT2","x":"' + b"x" * 250_000 + b'"}'
    async with TokenEndpoint(answer(body=body)) as endpoint:
        granted_of(await refresh(an_oauth_client(), a_client(endpoint.url)))


async def test_given_a_request_under_way_when_cancelled_then_the_connection_is_closed() -> None:
    async with TokenEndpoint(HANG) as endpoint:
        asking = asyncio.create_task(refresh(an_oauth_client(), a_client(endpoint.url)))
        await endpoint.is_hanging.wait()

        asking.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_given_a_proxy_in_the_environment_when_asked_then_it_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with TokenEndpoint(GRANTING) as endpoint:
        granted_of(await refresh(an_oauth_client(), a_client(endpoint.url)))

    assert len(endpoint.asked) == 1
