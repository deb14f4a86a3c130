from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.tokens import GraphTokens
from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.provider import IdentityProvider
from tests.unit.service.sandbox.identity.client import ACCOUNT, Clock, OAuthClient

SEND = "https://graph.microsoft.com/Mail.Send"


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.identity = IdentityProvider(now=self.clock.now)
        self.tokens = GraphTokens(access_tokens=self.identity.access_tokens, now=self.clock.now)

    def token(self, scope: str = SEND, *, behaviour: Behaviour = Behaviour.MICROSOFT) -> str:
        return self.identity.issue_access_token(behaviour, ACCOUNT, scope, lifetime=timedelta(minutes=5))

    def expired(self) -> str:
        token = self.token()
        self.clock.move(minutes=5)
        return token

    def withdrawn(self) -> str:
        token = self.token()
        self.identity.withdraw_access_tokens()
        return token

    def revoked(self) -> str:
        token = self.token()
        self.identity.withdraw_consent()
        return token


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (World.expired, "Lifetime validation failed, the token is expired."),
        (lambda world: world.token("https://outlook.office.com/SMTP.Send"), "Invalid audience."),
        (lambda _: "opaque", "IDX14100: JWT is not well formed, there are no dots (.)."),
        (lambda _: "a.b.c", "CompactToken parsing failed with error code: 80049217"),
        (lambda world: world.token("openid https://mail.google.com/", behaviour=Behaviour.GOOGLE), "IDX14100"),
        (World.withdrawn, "TokenIssuedBeforeRevocationTimestamp"),
        (World.revoked, "TokenIssuedBeforeRevocationTimestamp"),
        (lambda _: "", "Access token is empty."),
    ],
)
def test_given_a_token_that_does_not_do_when_checked_then_graph_says_why(
    make: Callable[[World], str], text: str
) -> None:
    world = World()
    token = make(world)

    with pytest.raises(GraphError) as raised:
        world.tokens.check(f"Bearer {token}")

    assert (raised.value.status, raised.value.code) == (401, "InvalidAuthenticationToken")
    assert text in raised.value.message
    assert raised.value.headers["WWW-Authenticate"].startswith('Bearer realm=""')


def test_given_a_good_token_when_checked_then_it_speaks_for_its_account_and_permissions() -> None:
    world = World()

    caller = world.tokens.check(f"bearer {world.token(f'openid {SEND} https://graph.microsoft.com/Mail.ReadWrite')}")

    assert caller.account == ACCOUNT
    assert caller.permissions == {"mail.send", "mail.readwrite"}
    assert not caller.is_app


async def test_given_client_credentials_when_checked_then_it_is_an_application() -> None:
    client = OAuthClient(Behaviour.MICROSOFT)
    answer = await client.token("client_credentials", scope="https://graph.microsoft.com/.default")

    tokens = GraphTokens(access_tokens=client.provider.access_tokens, now=client.clock.now)

    assert tokens.check(f"Bearer {answer.json()['access_token']}").is_app


def test_given_an_unknown_scope_when_a_token_is_issued_then_refused() -> None:
    with pytest.raises(ValueError, match=r"Mail\.Fly"):
        World().token("https://graph.microsoft.com/Mail.Fly")
