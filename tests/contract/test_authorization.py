"""What every AuthorizationServer does (domain.ports.authorization)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Protocol

import pytest
import pytest_asyncio

from domain.failures.failure import FailureKind, Stage
from domain.ports.authorization import AuthorizationServer, Revocation
from domain.secret import Secret
from domain.settings.model import GrantType, OAuthAuthentication
from domain.token import TokenAnswer, TokenRefusal
from tests.fakes.authorization import FakeAuthorizationServer, a_refusal, a_silence
from tests.integration.oauth.asking import SCOPES, a_client, an_oauth_client, exchange, granted_of, refresh, refusal_of
from tests.integration.oauth.token_endpoint import CUT, TokenEndpoint, answer
from tests.unit.domain.keys import json_key, pem


class World(Protocol):
    """An authorization server whose next answers a test arranges."""

    @property
    def server(self) -> AuthorizationServer: ...

    async def arrange(
        self, *answers: Mapping[str, object] | str | None, grant_type: GrantType = GrantType.AUTHORIZATION_CODE
    ) -> OAuthAuthentication:
        """
        Returns a client of an endpoint that answers so: with these tokens, with that error, or (None) not at all.
        """
        ...

    def requests(self) -> int: ...


class FakeWorld:
    def __init__(self, _: AsyncExitStack) -> None:
        self.server = FakeAuthorizationServer()

    async def arrange(
        self, *answers: Mapping[str, object] | str | None, grant_type: GrantType = GrantType.AUTHORIZATION_CODE
    ) -> OAuthAuthentication:
        self.server.answers.extend(_domain(told, without_person=not grant_type.needs_person) for told in answers)
        client = a_client("https://id.example.com/token", revocation_endpoint="https://id.example.com/revoke")
        return _of(client, grant_type)

    def requests(self) -> int:
        return len(self.server.asked)


class AdapterWorld:
    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._endpoint = TokenEndpoint()
        self.server = an_oauth_client()

    async def arrange(
        self, *answers: Mapping[str, object] | str | None, grant_type: GrantType = GrantType.AUTHORIZATION_CODE
    ) -> OAuthAuthentication:
        replies = [_http(told) for told in answers] or [answer({})]
        self._endpoint = await self._stack.enter_async_context(TokenEndpoint(*replies))
        return _of(a_client(self._endpoint.url, revocation_endpoint=self._endpoint.url), grant_type)

    def requests(self) -> int:
        return len(self._endpoint.asked)


def _of(client: OAuthAuthentication, grant_type: GrantType) -> OAuthAuthentication:
    secret = Secret(json_key()) if grant_type is GrantType.JWT_BEARER else client.client_secret
    return replace(client, grant_type=grant_type, client_secret=secret)


def _domain(told: Mapping[str, object] | str | None, *, without_person: bool) -> TokenAnswer | TokenRefusal:
    if told is None:
        return a_silence()
    if isinstance(told, str):
        return a_refusal(told, without_person=without_person)
    refresh_token = told.get("refresh_token")
    return TokenAnswer(
        access_token=Secret(str(told["access_token"])),
        refresh_token=Secret(str(refresh_token)) if refresh_token else None,
    )


def _http(told: Mapping[str, object] | str | None) -> bytes:
    if told is None:
        return CUT
    return answer({"error": told}, status=400) if isinstance(told, str) else answer(told)


@pytest_asyncio.fixture(params=[FakeWorld, AdapterWorld], ids=["fake", "adapter"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield request.param(stack)


async def test_given_a_good_code_when_exchanged_then_tokens_come_back(world: World) -> None:
    client = await world.arrange({"access_token": "AT1", "refresh_token": "RT1"})

    granted = granted_of(await exchange(world.server, client))

    assert (granted.access_token, granted.refresh_token) == (Secret("AT1"), Secret("RT1"))
    assert world.requests() == 1


async def test_given_no_new_refresh_token_when_refreshed_then_it_is_none(world: World) -> None:
    """F27."""
    client = await world.arrange({"access_token": "AT2"})

    granted = granted_of(await refresh(world.server, client))

    assert (granted.access_token, granted.refresh_token) == (Secret("AT2"), None)


@pytest.mark.parametrize(
    ("error", "kind", "ends"),
    [
        ("invalid_grant", FailureKind.REAUTHORIZE, True),
        ("invalid_client", FailureKind.MISCONFIGURED, False),
        ("unauthorized_client", FailureKind.MISCONFIGURED, False),
    ],
)
async def test_given_a_refusal_when_refreshed_then_it_says_whether_the_grant_is_dead(
    world: World, error: str, kind: FailureKind, ends: bool
) -> None:
    """F29."""
    client = await world.arrange(error)

    refusal = refusal_of(await refresh(world.server, client))

    assert (refusal.error, refusal.failure.kind, refusal.failure.stage) == (error, kind, Stage.TOKEN)
    assert (refusal.ends_grant, refusal.is_answer) == (ends, True)


async def test_given_no_answer_when_refreshed_then_nobody_knows_and_nothing_is_repeated(world: World) -> None:
    client = await world.arrange(None)

    refusal = refusal_of(await refresh(world.server, client))

    assert (refusal.error, refusal.is_answer, refusal.ends_grant) == ("", False, False)
    assert refusal.failure.kind is FailureKind.TRANSIENT
    assert world.requests() == 1


async def test_given_a_provider_without_an_endpoint_for_it_when_revoked_then_nothing_is_asked(world: World) -> None:
    client = replace(await world.arrange(), revocation_endpoint="")

    revocation = await world.server.revoke(client, token=Secret("RT1"))

    assert revocation is Revocation.NOT_SUPPORTED
    assert world.requests() == 0


async def test_given_an_endpoint_when_revoked_twice_then_a_dead_token_counts_as_revoked(world: World) -> None:
    client = await world.arrange()

    revocations = [await world.server.revoke(client, token=Secret("RT1")) for _ in range(2)]

    assert revocations == [Revocation.REVOKED] * 2


WITHOUT_PERSON = [GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER]


@pytest.mark.parametrize("grant_type", WITHOUT_PERSON)
async def test_given_a_kind_without_a_person_when_acquired_twice_then_an_access_token_comes_each_time(
    world: World, grant_type: GrantType
) -> None:
    client = await world.arrange({"access_token": "AT1"}, {"access_token": "AT2"}, grant_type=grant_type)

    granted = [granted_of(await world.server.acquire(client, scopes=SCOPES)) for _ in range(2)]

    assert [answer.access_token for answer in granted] == [Secret("AT1"), Secret("AT2")]
    assert [answer.refresh_token for answer in granted] == [None, None]
    assert world.requests() == 2


@pytest.mark.parametrize("grant_type", WITHOUT_PERSON)
@pytest.mark.parametrize("error", ["invalid_grant", "unauthorized_client", "invalid_client", "access_denied"])
async def test_given_a_refusal_when_acquired_then_somebody_has_to_change_the_settings_and_nobody_to_consent(
    world: World, grant_type: GrantType, error: str
) -> None:
    client = await world.arrange(error, grant_type=grant_type)

    refusal = refusal_of(await world.server.acquire(client, scopes=SCOPES))

    assert (refusal.error, refusal.is_answer) == (error, True)
    assert (refusal.failure.kind, refusal.failure.stage) == (FailureKind.MISCONFIGURED, Stage.TOKEN)
    assert "onsent" not in refusal.failure.remedy


@pytest.mark.parametrize("grant_type", WITHOUT_PERSON)
async def test_given_no_answer_when_acquired_then_it_is_passing_and_not_repeated(
    world: World, grant_type: GrantType
) -> None:
    client = await world.arrange(None, grant_type=grant_type)

    refusal = refusal_of(await world.server.acquire(client, scopes=SCOPES))

    assert (refusal.error, refusal.is_answer) == ("", False)
    assert refusal.failure.kind is FailureKind.TRANSIENT
    assert world.requests() == 1


@pytest.mark.parametrize("secret", ["a-client-secret", pem()[:900]])
async def test_given_a_key_that_cannot_sign_when_acquired_then_it_is_asked_for_and_nothing_is_sent(
    world: World, secret: str
) -> None:
    client = await world.arrange({"access_token": "AT1"}, grant_type=GrantType.JWT_BEARER)

    refusal = refusal_of(await world.server.acquire(replace(client, client_secret=Secret(secret)), scopes=SCOPES))

    assert (refusal.error, refusal.is_answer, refusal.ends_grant) == ("", True, False)
    assert refusal.failure.kind is FailureKind.MISCONFIGURED
    assert "Enter the key again" in refusal.failure.remedy
    assert world.requests() == 0
