"""A server that wants HTTP Basic (RFC 6749 section 2.3.1): one more request, and only where nothing is used up."""

from __future__ import annotations

import logging
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote_plus

import pytest

from domain.failures.failure import FailureKind
from domain.ports.authorization import Revocation
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import GrantType, OAuthProvider
from tests.fakes.environment import FakeClock
from tests.integration.oauth.asking import (
    CLIENT_SECRET,
    REFRESH_TOKEN,
    SCOPES,
    a_client,
    an_oauth_client,
    exchange,
    granted_of,
    refresh,
    refusal_of,
)
from tests.integration.oauth.token_endpoint import CUT, HANG, Asked, Reply, TokenEndpoint, answer

BASIC = "Basic " + b64encode(f"mailport:{quote_plus(CLIENT_SECRET)}".encode()).decode()
GRANTING = answer({"access_token": "AT1", "refresh_token": "RT1", "token_type": "Bearer"})
REFUSING = answer({"error": "invalid_client", "error_description": "first"}, status=401)
BODY, HEADER = "body", "header"


def ways(endpoint: TokenEndpoint) -> list[str]:
    """Returns how the client proved itself in each request, and checks that it did in one way alone."""
    found = []
    for asked in endpoint.asked:
        is_body, is_header = "client_secret" in asked.form, "authorization" in asked.headers
        assert is_body != is_header
        found.append(BODY if is_body else HEADER)
    return found


def only_basic(asked: Asked) -> bytes:
    return GRANTING if asked.headers.get("authorization") == BASIC else REFUSING


def only_body(asked: Asked) -> bytes:
    return GRANTING if asked.form.get("client_secret") == CLIENT_SECRET else REFUSING


@pytest.mark.parametrize("status", [400, 401])
async def test_given_a_server_that_wants_basic_when_asked_twice_then_it_costs_one_more_request_once(
    status: int,
) -> None:
    server = an_oauth_client()
    async with TokenEndpoint(answer({"error": "invalid_client"}, status=status), GRANTING) as endpoint:
        client = a_client(endpoint.url)
        granted_of(await exchange(server, client))
        endpoint.answers[:] = [only_basic]
        granted_of(await refresh(server, client))
        await refresh(server, replace(client, client_secret=Secret("another")))

    assert ways(endpoint) == [BODY, HEADER, HEADER, BODY, HEADER]
    assert endpoint.asked[1].headers["authorization"] == BASIC
    sent = {name: value for name, value in endpoint.asked[0].form.items() if not name.startswith("client_")}
    assert endpoint.asked[1].form == sent


async def test_given_an_app_when_acquiring_then_basic_does_as_well() -> None:
    async with TokenEndpoint(only_basic) as endpoint:
        client = replace(a_client(endpoint.url), grant_type=GrantType.CLIENT_CREDENTIALS)
        granted = granted_of(await an_oauth_client().acquire(client, scopes=SCOPES))

    assert granted.access_token == Secret("AT1")


async def test_given_a_server_that_wants_basic_when_revoked_then_it_is() -> None:
    async with TokenEndpoint(lambda asked: answer(body=b"") if only_basic(asked) == GRANTING else REFUSING) as endpoint:
        client = a_client("https://id.example.com/token", revocation_endpoint=endpoint.url)
        server = an_oauth_client()
        revocations = [await server.revoke(client, token=REFRESH_TOKEN) for _ in range(2)]

    assert revocations == [Revocation.REVOKED] * 2
    assert ways(endpoint) == [BODY, HEADER, HEADER]


async def test_given_a_client_that_is_wrong_both_ways_when_asked_again_then_one_request_is_enough_for_minutes() -> None:
    clock = FakeClock()
    server = an_oauth_client(clock=clock)
    second = answer({"error": "invalid_client", "error_description": "second"}, status=400)
    async with TokenEndpoint(REFUSING, second, REFUSING) as endpoint:
        client = a_client(endpoint.url)
        refusal = refusal_of(await refresh(server, client))
        await refresh(server, client)
        within = ways(endpoint)
        clock.advance(timedelta(minutes=5))
        await refresh(server, client)

    assert (refusal.failure.reason, refusal.failure.provider_reply) == (Reason.CLIENT_CONFIG, "first")
    assert (refusal.error, refusal.ends_grant) == ("invalid_client", False)
    assert within == [BODY, HEADER, BODY]
    assert ways(endpoint)[3:] == [BODY, HEADER]


async def test_given_a_bare_status_in_the_end_when_asked_then_the_first_refusal_is_told() -> None:
    async with TokenEndpoint(REFUSING, answer(status=401, body=b"")) as endpoint:
        refusal = refusal_of(await refresh(an_oauth_client(), a_client(endpoint.url)))

    assert (refusal.error, refusal.failure.provider_reply) == ("invalid_client", "first")


async def test_given_a_server_that_changes_its_mind_when_asked_then_the_body_is_tried_and_kept() -> None:
    server = an_oauth_client()
    async with TokenEndpoint(only_basic) as endpoint:
        client = a_client(endpoint.url)
        await refresh(server, client)
        endpoint.answers[:] = [only_body]
        granted_of(await refresh(server, client))
        granted_of(await refresh(server, client))

    assert ways(endpoint) == [BODY, HEADER, HEADER, BODY, BODY]


@pytest.mark.parametrize(
    ("second", "error", "kind", "is_answer"),
    [
        (answer({"error": "invalid_grant"}, status=400), "invalid_grant", FailureKind.REAUTHORIZE, True),
        (answer({"error": "invalid_request"}, status=400), "invalid_request", FailureKind.MISCONFIGURED, True),
        (answer(status=502, body=b"<html>"), "", FailureKind.TRANSIENT, False),
        (answer({"error": "invalid_client"}, status=500), "", FailureKind.TRANSIENT, True),
        (CUT, "", FailureKind.TRANSIENT, False),
    ],
    ids=["grant", "request", "gateway", "server error", "cut"],
)
async def test_given_a_second_answer_about_something_else_when_asked_then_that_counts(
    second: Reply, error: str, kind: FailureKind, is_answer: bool
) -> None:
    """Above all: a request whose answer is lost may have been carried out, whatever the first one was told."""
    async with TokenEndpoint(REFUSING, second) as endpoint:
        refusal = refusal_of(await refresh(an_oauth_client(), a_client(endpoint.url)))

    assert (refusal.error, refusal.failure.kind, refusal.is_answer) == (error, kind, is_answer)
    assert ways(endpoint) == [BODY, HEADER]


@pytest.mark.parametrize(
    ("second", "third"),
    [
        (answer({"error": "invalid_grant"}, status=400), HEADER),
        (answer({"error": "invalid_request"}, status=400), BODY),
        (answer({"error": "invalid_grant"}, status=429), BODY),
        (answer(status=502, body=b"<html>"), BODY),
    ],
    ids=["grant", "request", "throttled", "gateway"],
)
async def test_given_a_second_answer_when_asked_anew_then_basic_is_kept_only_where_the_client_was_authenticated(
    second: Reply, third: str
) -> None:
    server = an_oauth_client()
    async with TokenEndpoint(REFUSING, second, GRANTING) as endpoint:
        client = a_client(endpoint.url)
        await refresh(server, client)
        await refresh(server, client)

    assert ways(endpoint) == [BODY, HEADER, third]


@pytest.mark.parametrize(
    "first",
    [
        answer({"error": "invalid_grant"}, status=400),
        answer({"error": "unauthorized_client"}, status=401),
        answer({"error": "invalid_client"}, status=500),
        answer({"error": "invalid_client"}, status=200),
        answer(status=401, body=b""),
        answer(status=400, body=b"invalid_client"),
        CUT,
    ],
)
async def test_given_anything_but_a_definite_refusal_of_the_client_when_asked_then_nothing_is_sent_again(
    first: Reply,
) -> None:
    """P12."""
    async with TokenEndpoint(first) as endpoint:
        refusal_of(await refresh(an_oauth_client(), a_client(endpoint.url)))

    assert ways(endpoint) == [BODY]


@pytest.mark.parametrize("provider", [OAuthProvider.GOOGLE, OAuthProvider.MICROSOFT])
async def test_given_google_or_microsoft_when_the_client_is_refused_then_basic_is_not_tried(
    provider: OAuthProvider,
) -> None:
    async with TokenEndpoint(REFUSING) as endpoint:
        refusal_of(await refresh(an_oauth_client(), a_client(endpoint.url, provider=provider)))

    assert ways(endpoint) == [BODY]


async def test_given_a_second_request_that_hangs_when_asked_then_both_have_the_one_limit() -> None:
    async with TokenEndpoint(REFUSING, HANG) as endpoint:
        server = an_oauth_client(total=timedelta(seconds=0.5))
        refusal = refusal_of(await refresh(server, a_client(endpoint.url)))

    assert (refusal.failure.reason, refusal.is_answer) == (Reason.SERVER_SILENT, False)


async def test_given_a_server_that_repeats_the_header_when_refused_then_it_is_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F41."""
    caplog.set_level(logging.DEBUG)
    told = f"{BASIC} is {quote_plus(CLIENT_SECRET)}"
    repeating = answer({"error": "invalid_grant", "error_description": told}, status=400)
    async with TokenEndpoint(REFUSING, repeating) as endpoint:
        refusal = refusal_of(await refresh(an_oauth_client(), a_client(endpoint.url)))

    assert refusal.failure.provider_reply == "Basic *** is ***"
    for secret in ("SECRET", BASIC.removeprefix("Basic "), quote_plus(CLIENT_SECRET)):
        assert secret not in repr(refusal) + caplog.text
