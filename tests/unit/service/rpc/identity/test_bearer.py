"""Callers by bearer token (P19)."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.caller import Caller, Role
from domain.errors import Unauthenticated
from service.rpc.identity import BearerIdentity, KeyCache
from tests.fakes.environment import FakeClock
from tests.unit.service.rpc.identity.calls import AUDIENCE, ISSUER, Issuer, a_call


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.issuer = Issuer(self.clock)
        keys = KeyCache(load=self.issuer.jwks, clock=self.clock)
        self.identity = BearerIdentity(keys=keys, issuer=ISSUER, audience=AUDIENCE, clock=self.clock)

    async def caller(self, token: str) -> Caller:
        return await self.identity.caller(a_call(f"Bearer {token}"))

    async def refusal(self, token: str) -> str:
        with pytest.raises(Unauthenticated) as refused:
            await self.caller(token)
        assert refused.value.__cause__ is None
        return refused.value.message


@pytest.fixture
def world() -> World:
    return World()


def segment(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


async def test_given_a_valid_token_when_asked_then_tenant_roles_and_email_are_its_claims(world: World) -> None:
    caller = await world.caller(world.issuer.token())

    assert caller == Caller("acme", frozenset({Role.SEND, Role.READ}), "jane@example.com")


@pytest.mark.parametrize(
    ("kind", "alg"),
    [("RSA", "RS256"), ("RSA", "PS256"), ("P-384", "ES384"), ("Ed25519", "EdDSA"), ("Ed25519", "Ed25519")],
)
async def test_given_each_kind_of_public_key_when_asked_then_the_token_is_taken(
    world: World, kind: str, alg: str
) -> None:
    world.issuer.add("k2", kind)

    caller = await world.caller(world.issuer.token(kid="k2", alg=alg))

    assert caller.tenant == "acme"


@pytest.mark.parametrize(
    ("roles", "known"),
    [
        ("configure read", {Role.CONFIGURE, Role.READ}),
        (["send"], {Role.SEND}),
        (["admin", "SEND"], set()),
        ("", set()),
        (None, set()),
    ],
)
async def test_given_roles_in_either_form_when_asked_then_the_known_ones_count(
    world: World, roles: object, known: set[Role]
) -> None:
    caller = await world.caller(world.issuer.token(roles=roles))

    assert caller.roles == known


async def test_given_several_audiences_when_one_is_mailport_then_the_token_is_taken(world: World) -> None:
    assert (await world.caller(world.issuer.token(aud=["other", AUDIENCE]))).tenant == "acme"


async def test_given_no_email_when_asked_then_it_is_empty(world: World) -> None:
    assert (await world.caller(world.issuer.token(email=None))).email == ""


async def test_given_no_key_id_when_the_issuer_has_one_key_then_that_is_used(world: World) -> None:
    assert (await world.caller(world.issuer.token(kid=None))).tenant == "acme"


async def test_given_no_key_id_when_the_issuer_has_two_keys_then_the_token_is_refused(world: World) -> None:
    world.issuer.add("k2", "P-256")

    await world.refusal(world.issuer.token(kid=None))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"aud": []},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": 4_000_000_000},
        {"iss": [ISSUER]},
    ],
)
async def test_given_a_token_of_another_issuer_audience_or_time_when_asked_then_it_is_refused(
    world: World, changes: dict[str, Any]
) -> None:
    message = await world.refusal(world.issuer.token(**changes))

    assert message == "The bearer token is not good for this mailport."


async def test_given_a_token_when_it_expires_then_it_is_refused_after_the_leeway(world: World) -> None:
    token = world.issuer.token()

    world.clock.advance(timedelta(minutes=5, seconds=29))
    assert (await world.caller(token)).tenant == "acme"

    world.clock.advance(timedelta(seconds=1))
    assert await world.refusal(token) == "The bearer token has expired."


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": None},
        {"tenant": ""},
        {"tenant": "a b"},
        {"tenant": "a\0"},
        {"tenant": "x" * 129},
        {"tenant": ["acme"]},
        {"roles": {"send": True}},
        {"roles": [1]},
        {"email": ["a@example.com"]},
    ],
)
async def test_given_a_claim_of_another_form_when_asked_then_it_is_named_and_its_value_is_not(
    world: World, changes: dict[str, Any]
) -> None:
    message = await world.refusal(world.issuer.token(**changes))

    assert message.startswith(f"The bearer token's claim {next(iter(changes))} ")


async def test_given_a_signature_by_another_key_when_asked_then_it_is_refused(world: World) -> None:
    stranger = Issuer(world.clock)

    await world.refusal(stranger.token())


async def test_given_a_token_without_signature_when_asked_then_it_is_refused(world: World) -> None:
    unsigned = f"{segment({'alg': 'none', 'kid': 'k1'})}.{segment(world.issuer.claims())}."

    await world.refusal(unsigned)


async def test_given_a_token_under_a_public_key_as_hmac_secret_when_asked_then_it_is_refused(world: World) -> None:
    public = world.issuer.keys["k1"].as_pem(private=False)

    await world.refusal(world.issuer.hmac_token(public))


async def test_given_a_symmetric_key_in_the_jwks_when_asked_then_it_checks_nothing(world: World) -> None:
    secret = b"a secret of thirty-two octets..."
    entry = {"kty": "oct", "k": base64.urlsafe_b64encode(secret).decode().rstrip("="), "kid": "k1"}
    world.issuer.content = json.dumps({"keys": [entry]}).encode()

    await world.refusal(world.issuer.hmac_token(secret))


async def test_given_a_changed_payload_when_asked_then_it_is_refused(world: World) -> None:
    header, _, signature = world.issuer.token().split(".")

    await world.refusal(f"{header}.{segment(world.issuer.claims(tenant='other'))}.{signature}")


@pytest.mark.parametrize("header", [{"alg": "ES256", "kid": 7}, {"alg": ["ES256"]}, {"kid": "k1"}, [], "x", None])
async def test_given_a_header_of_another_form_when_asked_then_the_token_is_refused(
    world: World, header: object
) -> None:
    await world.refusal(f"{segment(header)}.{segment(world.issuer.claims())}.AAAA")


@pytest.mark.parametrize(
    "authorization",
    [("Basic dTpw",), ("Bearer",), ("Bearer  ",), ("token",), ("",), ("Bearer a", "Bearer b")],
)
async def test_given_an_authorization_that_is_no_bearer_token_when_asked_then_it_is_refused(
    world: World, authorization: tuple[str, ...]
) -> None:
    with pytest.raises(Unauthenticated):
        await world.identity.caller(a_call(*authorization))


async def test_given_no_authorization_when_asked_then_it_says_what_is_missing(world: World) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await world.identity.caller(a_call())

    assert "without a bearer token" in refused.value.message


async def test_given_the_scheme_in_another_case_when_asked_then_the_token_is_taken(world: World) -> None:
    caller = await world.identity.caller(a_call(f"bearer {world.issuer.token()}"))

    assert caller.tenant == "acme"


@given(
    st.text(max_size=60) | st.builds(".".join, st.lists(st.text("abcXYZ-_019", max_size=20), min_size=3, max_size=3))
)
async def test_given_any_text_as_token_when_asked_then_nothing_but_unauthenticated_is_raised(token: str) -> None:
    with pytest.raises(Unauthenticated):
        await World().caller(token)


@pytest.mark.parametrize(("issuer", "audience"), [("", "mailport"), ("https://id.example.com", "")])
def test_given_no_issuer_or_audience_when_built_then_it_is_refused(issuer: str, audience: str) -> None:
    clock = FakeClock()

    with pytest.raises(ValueError, match="issuer and an audience"):
        BearerIdentity(
            keys=KeyCache(load=Issuer(clock).jwks, clock=clock), issuer=issuer, audience=audience, clock=clock
        )
