"""Callers by client certificate (P19)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domain.caller import DEFAULT_CALLER, Caller, Role
from domain.errors import Unauthenticated
from service.rpc.identity import (
    BearerIdentity,
    CertificateIdentity,
    ClientsInvalid,
    EitherIdentity,
    KeyCache,
    NoIdentity,
    load_clients,
)
from tests.fakes.environment import FakeClock
from tests.unit.service.rpc.identity.calls import AUDIENCE, ISSUER, Issuer, a_call

BILLING = Caller("acme", frozenset({Role.SEND}))
CONSOLE = Caller("acme", frozenset(Role))
CLIENTS = {"billing.internal": BILLING, "spiffe://acme/billing": BILLING, "console.internal": CONSOLE}
IDENTITY = CertificateIdentity(clients=CLIENTS)


async def test_given_a_listed_name_when_asked_then_it_is_the_listed_caller() -> None:
    assert await IDENTITY.caller(a_call(names=(b"billing.internal",))) == BILLING


async def test_given_further_names_that_nobody_lists_when_asked_then_they_do_not_matter() -> None:
    assert await IDENTITY.caller(a_call(names=(b"localhost", b"console.internal", b"\xff"))) == CONSOLE


async def test_given_two_names_of_one_caller_when_asked_then_it_is_that_caller() -> None:
    assert await IDENTITY.caller(a_call(names=(b"billing.internal", b"spiffe://acme/billing"))) == BILLING


@pytest.mark.parametrize(
    "names",
    [
        (),
        (b"unknown.internal",),
        (b"billing.internal", b"console.internal"),
        (b"BILLING.internal",),
        (b"billing.internal.evil.example",),
        (b"*.internal",),
    ],
)
async def test_given_no_or_unknown_or_ambiguous_names_when_asked_then_it_is_refused(names: tuple[bytes, ...]) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await IDENTITY.caller(a_call(names=names))

    assert "internal" not in refused.value.message


async def test_given_an_empty_list_when_asked_then_nobody_is_let_in() -> None:
    with pytest.raises(Unauthenticated):
        await CertificateIdentity(clients={}).caller(a_call(names=(b"billing.internal",)))


async def test_given_no_identity_when_asked_then_everybody_is_the_default_tenant() -> None:
    assert await NoIdentity().caller(a_call()) == DEFAULT_CALLER


class TestEither:
    def identity(self) -> tuple[EitherIdentity, Issuer]:
        clock = FakeClock()
        issuer = Issuer(clock)
        bearer = BearerIdentity(
            keys=KeyCache(load=issuer.jwks, clock=clock), issuer=ISSUER, audience=AUDIENCE, clock=clock
        )
        return EitherIdentity(bearer=bearer, certificate=IDENTITY), issuer

    async def test_given_a_token_and_a_certificate_when_asked_then_the_token_decides(self) -> None:
        identity, issuer = self.identity()

        caller = await identity.caller(a_call(f"Bearer {issuer.token(tenant='other')}", names=(b"console.internal",)))

        assert caller.tenant == "other"

    async def test_given_a_bad_token_and_a_good_certificate_when_asked_then_it_is_refused(self) -> None:
        identity, _ = self.identity()

        with pytest.raises(Unauthenticated):
            await identity.caller(a_call("Bearer bad", names=(b"console.internal",)))

    async def test_given_a_certificate_alone_when_asked_then_it_decides(self) -> None:
        identity, _ = self.identity()

        assert await identity.caller(a_call(names=(b"console.internal",))) == CONSOLE


def test_given_a_list_of_clients_when_loaded_then_each_name_has_its_caller(tmp_path: Path) -> None:
    path = tmp_path / "clients.json"
    path.write_text(json.dumps({"billing.internal": {"tenant": "acme", "roles": ["send"]}}))

    assert load_clients(path) == {"billing.internal": BILLING}


def test_given_an_empty_list_when_loaded_then_it_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "clients.json"
    path.write_text("{}")

    assert load_clients(path) == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "no json",
        '{"a": []}',
        '{"a": {"tenant": "acme"}}',
        '{"a": {"tenant": "acme", "roles": ["send"], "role": 1}}',
        '{"a": {"tenant": "", "roles": ["send"]}}',
        '{"a": {"tenant": "a b", "roles": ["send"]}}',
        '{"a": {"tenant": "acme", "roles": "send"}}',
        '{"a": {"tenant": "acme", "roles": ["sned"]}}',
        '{"a": {"tenant": "acme", "roles": [["send"]]}}',
        '{"": {"tenant": "acme", "roles": ["send"]}}',
        '{"a": {"tenant": "x", "roles": ["send"]}, "a": {"tenant": "y", "roles": ["send"]}}',
        '{"a": {"tenant": "x", "tenant": "y", "roles": ["send"]}}',
        "[" * 200_000,
    ],
)
def test_given_a_list_that_is_half_understood_when_loaded_then_it_is_refused_whole(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "clients.json"
    path.write_text(content)

    with pytest.raises(ClientsInvalid):
        load_clients(path)


def test_given_no_file_or_no_text_when_loaded_then_the_reason_is_told(tmp_path: Path) -> None:
    binary = tmp_path / "clients.json"
    binary.write_bytes(b"\xff\xfe")

    with pytest.raises(ClientsInvalid, match="cannot be read"):
        load_clients(tmp_path / "missing")
    with pytest.raises(ClientsInvalid, match="not JSON"):
        load_clients(binary)
