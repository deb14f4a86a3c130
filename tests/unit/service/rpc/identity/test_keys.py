"""The key cache: renewed, never flooding the issuer, never trusting old keys for ever."""

from __future__ import annotations

import asyncio
import json
import warnings
from datetime import timedelta
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from service.rpc.identity import KeyCache, KeysInvalid, load_jwks
from service.rpc.identity.keys import LARGEST_JWKS_BYTES, read_jwks
from tests.fakes.environment import FakeClock
from tests.unit.service.rpc.identity.calls import Issuer


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.issuer = Issuer(self.clock)
        self.keys = KeyCache(load=self.issuer.jwks, clock=self.clock)

    async def knows(self, kid: str) -> bool:
        return await self.keys.key(kid) is not None

    async def background(self) -> None:
        """Lets a renewal that runs in the background end."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others)


@pytest.fixture
async def world() -> World:
    return World()


async def test_given_a_known_key_when_asked_often_then_the_issuer_is_asked_once(world: World) -> None:
    for _ in range(3):
        assert await world.knows("k1")

    assert world.issuer.loads == 1


async def test_given_many_callers_at_the_start_when_asked_at_once_then_the_issuer_is_asked_once(world: World) -> None:
    known = await asyncio.gather(*(world.knows("k1") for _ in range(20)))

    assert all(known)
    assert world.issuer.loads == 1


async def test_given_a_new_key_when_a_token_names_it_then_it_is_loaded(world: World) -> None:
    await world.knows("k1")
    world.issuer.add("k2", "P-256")
    world.clock.advance(timedelta(seconds=31))

    assert await world.knows("k2")
    assert world.issuer.loads == 2


async def test_given_made_up_key_ids_when_asked_then_the_issuer_is_asked_every_30_seconds_at_most(world: World) -> None:
    await world.knows("k1")

    for number in range(50):
        assert not await world.knows(f"made-up-{number}")
        world.clock.advance(timedelta(seconds=1))

    assert world.issuer.loads == 2


async def test_given_old_keys_when_asked_then_they_serve_while_new_ones_are_loaded(world: World) -> None:
    await world.knows("k1")
    del world.issuer.keys["k1"]
    world.issuer.add("k2", "P-256")
    world.clock.advance(timedelta(minutes=11))

    assert await world.knows("k1")
    await world.background()

    assert not await world.knows("k1")
    assert await world.knows("k2")


async def test_given_an_issuer_that_is_away_when_asked_then_the_former_keys_serve_for_a_day(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.knows("k1")
    world.issuer.fails = True

    world.clock.advance(timedelta(hours=23))
    assert await world.knows("k1")
    await world.background()
    assert [record.getMessage() for record in caplog.records] == ["keys_not_loaded"]

    world.clock.advance(timedelta(hours=2))
    assert not await world.knows("k1")


async def test_given_no_keys_at_the_start_when_renewed_then_the_reason_is_told(world: World) -> None:
    world.issuer.fails = True

    with pytest.raises(KeysInvalid, match="cannot be reached"):
        await world.keys.renew()


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"[" * 200_000])
def test_given_what_is_no_key_set_when_read_then_it_is_refused(content: bytes) -> None:
    with pytest.raises(KeysInvalid):
        read_jwks(content)


def test_given_keys_that_check_no_signature_when_read_then_the_others_serve() -> None:
    issuer = Issuer(FakeClock())
    good = issuer.keys["k1"].as_dict(private=False)
    with warnings.catch_warnings(action="ignore"):
        weak = RSAKey.generate_key(1024, {"kid": "too short"})
    useless = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"},
        {"kty": "AKP", "kid": "of the future"},
        {**good, "kid": "for encryption", "use": "enc"},
        {**good, "kid": "broken", "x": "AAAA"},
        {"kty": "EC"},
        {**weak.as_dict(private=False), "kid": "too short"},
        "text",
        None,
    ]

    keys = read_jwks(json.dumps({"keys": [*useless, good]}).encode())

    assert [key.kid for key in keys] == ["k1"]


async def test_given_a_file_when_loaded_then_its_content_is_read(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(await Issuer(FakeClock()).jwks())

    assert read_jwks(await load_jwks(str(path))())


async def test_given_no_file_or_one_too_large_when_loaded_then_the_reason_is_told(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b" " * (LARGEST_JWKS_BYTES + 1))

    with pytest.raises(KeysInvalid, match="cannot be read"):
        await load_jwks(str(tmp_path / "missing"))()
    with pytest.raises(KeysInvalid, match="larger than 256 KiB"):
        await load_jwks(str(large))()


@pytest.mark.parametrize("url", ["http://id.example.com/jwks", "ftp://id.example.com/jwks", "http:///jwks"])
def test_given_an_address_without_tls_when_named_then_it_is_refused(url: str) -> None:
    with pytest.raises(KeysInvalid, match="https"):
        load_jwks(url)
