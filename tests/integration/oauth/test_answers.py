"""What comes back over HTTP, and what it means: F27 to F29, F32, F41."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from domain.failures.failure import FailureKind
from domain.ports.authorization import Revocation
from domain.reasons import Reason
from domain.secret import Secret
from tests.fakes.environment import START, FakeClock
from tests.integration.oauth.asking import (
    CLIENT_SECRET,
    CODE,
    REFRESH_TOKEN,
    VERIFIER,
    a_client,
    an_oauth_client,
    exchange,
    granted_of,
    refresh,
    refusal_of,
)
from tests.integration.oauth.token_endpoint import TokenEndpoint, answer
from tests.unit.adapters.oauth.test_id_token import an_id_token

T, TH, M, R = FailureKind.TRANSIENT, FailureKind.THROTTLED, FailureKind.MISCONFIGURED, FailureKind.REAUTHORIZE
CLIENT_REFUSED = answer({"error": "invalid_client"}, status=401)
HTML = b"<html><body><h1>503 Service Unavailable</h1></body></html>"


async def test_given_a_code_when_exchanged_then_the_endpoint_sees_it_decoded_once_and_grants() -> None:
    """F32."""
    granting = answer(
        {
            "access_token": "AT1",
            "refresh_token": "RT1",
            "expires_in": 3599,
            "scope": "b a",
            "token_type": "Bearer",
            "id_token": an_id_token(),
        }
    )
    async with TokenEndpoint(granting) as endpoint:
        granted = granted_of(await exchange(an_oauth_client(), a_client(endpoint.url)))

    asked = endpoint.asked[0]
    assert asked.line == "POST /token HTTP/1.1"
    assert asked.headers["host"] == f"localhost:{endpoint.port}"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["accept-encoding"] == "identity"
    assert (asked.form["code"], asked.form["client_secret"]) == (CODE.reveal(), CLIENT_SECRET)
    assert "authorization" not in asked.headers
    assert granted.expires_in == timedelta(seconds=3599)
    assert granted.scopes == ("b", "a")
    assert (granted.account, granted.nonce) == ("robot@example.com", "N1")


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/html", "text/plain"])
async def test_given_a_form_as_answer_when_refreshed_then_it_counts_whatever_it_calls_itself(content_type: str) -> None:
    form = answer(body=b"access_token=AT2&expires_in=3600", content_type=content_type)
    async with TokenEndpoint(form) as endpoint:
        granted = granted_of(await refresh(an_oauth_client(), a_client(endpoint.url)))

    assert granted.access_token == Secret("AT2")


@pytest.mark.parametrize(
    ("reply", "kind", "reason", "error"),
    [
        (answer({"error": "invalid_grant"}, status=400), R, Reason.REAUTH_REQUIRED, "invalid_grant"),
        (answer({"error": "invalid_grant"}, status=200), R, Reason.REAUTH_REQUIRED, "invalid_grant"),
        (CLIENT_REFUSED, M, Reason.CLIENT_CONFIG, "invalid_client"),
        (answer({"error": "invalid_client"}, status=200), M, Reason.CLIENT_CONFIG, "invalid_client"),
        (answer({"error": "invalid_scope"}, status=400), M, Reason.SCOPE_INVALID, "invalid_scope"),
        (answer({"error": "invalid_code"}, status=200), R, Reason.REAUTH_REQUIRED, "invalid_code"),
        (answer({"error": "something_new"}, status=400), M, Reason.CLIENT_CONFIG, "something_new"),
        (answer({"error": {"code": 7, "message": "x"}}, status=403), M, Reason.CLIENT_CONFIG, "error"),
        (answer(body=b"error=invalid_grant", status=400), R, Reason.REAUTH_REQUIRED, "invalid_grant"),
        (answer({"error": "temporarily_unavailable"}, status=400), T, Reason.AUTH_UNAVAILABLE, ""),
        (answer({"error": "invalid_grant"}, status=500), T, Reason.AUTH_UNAVAILABLE, ""),
        (answer({"error": "invalid_grant"}, status=429), TH, Reason.THROTTLED, ""),
        (answer({"error": "access_denied", "error_description": "too many requests"}), TH, Reason.THROTTLED, ""),
        (answer(status=503, body=HTML, content_type="text/html"), T, Reason.AUTH_UNAVAILABLE, ""),
        (answer(status=404, body=HTML, content_type="text/html"), T, Reason.PROTOCOL_ERROR, ""),
        (answer(status=401, body=b""), M, Reason.CLIENT_CONFIG, ""),
        (answer(status=200, body=HTML, content_type="text/html"), T, Reason.PROTOCOL_ERROR, ""),
        (answer({"scope": "a"}), T, Reason.PROTOCOL_ERROR, ""),
        (answer([1], status=400), T, Reason.PROTOCOL_ERROR, ""),  # type: ignore[arg-type]
        (answer(status=302, body=b"", headers={"Location": "https://evil.example/"}), T, Reason.PROTOCOL_ERROR, ""),
    ],
)
async def test_given_a_refusal_when_refreshed_then_kind_and_error_say_what_to_do(
    reply: bytes, kind: FailureKind, reason: Reason, error: str
) -> None:
    """F29: only invalid_grant ends a grant, and not with a 5xx or 429; a redirect is not followed."""
    async with TokenEndpoint(reply) as endpoint:
        refusal = refusal_of(await refresh(an_oauth_client(), a_client(endpoint.url)))

    assert (refusal.failure.kind, refusal.failure.reason, refusal.error) == (kind, reason, error)
    assert refusal.ends_grant == (error == "invalid_grant")
    # A client that is refused by name has used up nothing, and is tried with its other proof; see test_proofs.py.
    assert len(endpoint.asked) == (2 if reply == CLIENT_REFUSED else 1)


@pytest.mark.parametrize(
    ("reply", "is_answer"),
    [
        (answer({"error": "invalid_grant"}, status=400), True),
        (answer({"error": "temporarily_unavailable"}, status=503), True),
        (answer(status=404, body=HTML), True),
        (answer(status=504, body=HTML), False),
        (answer(body=HTML), False),
        (answer(body=b'{"access_token":"AT2","refresh_token":"RT2'), False),
    ],
)
async def test_given_an_answer_that_may_hide_a_grant_when_refreshed_then_it_is_no_definite_one(
    reply: bytes, is_answer: bool
) -> None:
    async with TokenEndpoint(reply) as endpoint:
        refusal = refusal_of(await refresh(an_oauth_client(), a_client(endpoint.url)))

    assert refusal.is_answer is is_answer


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("wish", ["120", "Sun, 01 Mar 2026 12:02:00 GMT"])
async def test_given_a_wish_to_wait_when_refreshed_then_it_is_passed_on(status: int, wish: str) -> None:
    reply = answer(status=status, body=b"slow down", headers={"Retry-After": wish})
    async with TokenEndpoint(reply) as endpoint:
        refusal = refusal_of(await refresh(an_oauth_client(clock=FakeClock()), a_client(endpoint.url)))

    assert refusal.failure.retry_time == START + timedelta(seconds=120)


ENCODED = "CS-SECRET%2F%2B%3D%26%25%20%C3%BC, MS8vUlQtU0VDUkVU"
ECHO = f"token {REFRESH_TOKEN.reveal()} of {CLIENT_SECRET} revoked; also {ENCODED}"


@pytest.mark.parametrize(
    "reply",
    [
        answer({"error": "invalid_grant", "error_description": ECHO}, status=400),
        answer({"error": ECHO, "error_description": "x"}, status=400),
        answer({"error": "invalid_grant", "error_description": "AT-SECRET", "access_token": "AT-SECRET"}, status=400),
        answer({"error": "server_error", "error_description": ECHO}, status=500),
        answer(body=b'{"access_token":"AT-SECRET","refresh_token":"1//RT-SECRET'),
        answer(body=f"<html>{ECHO}".encode(), status=502),
        answer({"access_token": "AT-SECRET", "token_type": "mac"}),
    ],
)
async def test_given_an_endpoint_that_repeats_secrets_when_refused_then_they_are_nowhere(
    reply: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """F41."""
    caplog.set_level(logging.DEBUG)
    async with TokenEndpoint(reply) as endpoint:
        refusal = refusal_of(await refresh(an_oauth_client(), a_client(endpoint.url)))

    for text in (repr(refusal), caplog.text):
        for secret in ("SECRET", "MS8vUlQt"):
            assert secret not in text


async def test_given_a_code_that_is_repeated_when_refused_then_neither_it_nor_the_verifier_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F41."""
    caplog.set_level(logging.DEBUG)
    told = f"code {CODE.reveal()} does not go with {VERIFIER.reveal()}"
    async with TokenEndpoint(answer({"error": "invalid_grant", "error_description": told}, status=400)) as endpoint:
        refusal = refusal_of(await exchange(an_oauth_client(), a_client(endpoint.url)))

    assert refusal.failure.provider_reply == "code *** does not go with ***"
    assert "SECRET" not in repr(refusal) + caplog.text


@pytest.mark.parametrize(
    ("reply", "revocation"),
    [
        (answer({}), Revocation.REVOKED),
        (answer(body=b""), Revocation.REVOKED),
        (answer({"error": "invalid_token"}, status=400), Revocation.REVOKED),
        (answer({"error": "unsupported_token_type"}, status=400), Revocation.FAILED),
        (answer({"error": "server_error"}), Revocation.FAILED),
        (answer(body=HTML, status=503), Revocation.FAILED),
        (b"", Revocation.FAILED),
    ],
)
async def test_given_a_revocation_when_answered_then_dead_already_is_as_good(
    reply: bytes, revocation: Revocation
) -> None:
    """RFC 7009; Google answers 400 invalid_token for a dead one."""
    async with TokenEndpoint(reply) as endpoint:
        client = a_client("https://id.example.com/token", revocation_endpoint=endpoint.url)

        assert await an_oauth_client().revoke(client, token=REFRESH_TOKEN) is revocation
