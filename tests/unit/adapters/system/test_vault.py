"""The bytes of a sealed value."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.system.keyring import KeyRing
from adapters.system.vault import OVERHEAD_BYTES, AesGcmVault
from domain.errors import SecretUnreadable
from domain.ports.vault import Place

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLACE = Place(tenant="acme", record="configuration/alerts", field="password")


def test_given_a_secret_when_sealed_then_format_key_number_and_nonce_lead() -> None:
    ring = KeyRing.generate(now=NOW).with_new_key(now=NOW, promote=True)

    sealed = AesGcmVault(ring=ring).seal(b"s3cr3t!", place=PLACE)

    assert sealed[:5] == b"\x01\x00\x00\x00\x02"
    assert len(sealed) == len(b"s3cr3t!") + OVERHEAD_BYTES == 7 + 33
    cipher = AESGCM(ring.keys[1].material)
    assert cipher.decrypt(sealed[5:17], sealed[17:], sealed[:5] + PLACE.encode()) == b"s3cr3t!"


def test_given_many_seals_when_nonces_are_compared_then_no_two_are_equal() -> None:
    vault = AesGcmVault(ring=KeyRing.generate(now=NOW))

    nonces = {vault.seal(b"", place=PLACE)[5:17] for _ in range(20_000)}

    assert len(nonces) == 20_000


def test_given_a_key_handed_out_and_not_promoted_when_sealing_then_the_former_key_is_used() -> None:
    ring = KeyRing.generate(now=NOW)
    ahead = AesGcmVault(ring=ring.with_new_key(now=NOW, promote=False))

    sealed = ahead.seal(b"s3cr3t!", place=PLACE)

    assert AesGcmVault(ring=ring).open(sealed, place=PLACE) == b"s3cr3t!"


def test_given_another_ring_with_the_same_key_number_when_opened_then_altered() -> None:
    sealed = AesGcmVault(ring=KeyRing.generate(now=NOW)).seal(b"s3cr3t!", place=PLACE)
    stranger = AesGcmVault(ring=KeyRing.generate(now=NOW))

    with pytest.raises(SecretUnreadable) as raised:
        stranger.open(sealed, place=PLACE)

    assert raised.value.metadata["problem"] == "ALTERED"
    assert raised.value.__cause__ is None


def test_given_a_missing_key_when_opened_then_the_message_names_its_number() -> None:
    ring = KeyRing.generate(now=NOW).with_new_key(now=NOW, promote=True)
    sealed = AesGcmVault(ring=ring).seal(b"s3cr3t!", place=PLACE)
    former = AesGcmVault(ring=KeyRing(keys=ring.keys[:1], primary=1, digest_key=ring.digest_key))

    with pytest.raises(SecretUnreadable, match=r"password of configuration/alerts .* key 2 is not in the key ring"):
        former.open(sealed, place=PLACE)


def test_given_two_rings_when_the_same_data_is_digested_then_the_digests_differ() -> None:
    one, other = (AesGcmVault(ring=KeyRing.generate(now=NOW)) for _ in range(2))

    assert one.digest(b"123456", purpose="confirmation") != other.digest(b"123456", purpose="confirmation")


def test_given_every_logger_at_debug_when_sealing_and_opening_then_nothing_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vault = AesGcmVault(ring=KeyRing.generate(now=NOW))

    with caplog.at_level(logging.DEBUG):
        vault.open(vault.seal(b"s3cr3t!", place=PLACE), place=PLACE)

    assert caplog.records == []
