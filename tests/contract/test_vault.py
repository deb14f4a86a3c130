"""What every Vault does (domain.ports.vault)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.system.keyring import Key, KeyRing
from adapters.system.vault import AesGcmVault
from domain.errors import SecretUnreadable
from domain.ports.vault import Place, Vault
from tests.fakes.vault import FakeVault

MakeVault: TypeAlias = Callable[..., Vault]

PLACE = Place(tenant="acme", record="configuration/alerts", field="draft.password")
DIGEST_KEY = bytes(range(32))


def a_fake(*numbers: int) -> Vault:
    return FakeVault(keys=numbers)


def an_aes_gcm_vault(*numbers: int) -> Vault:
    keys = [Key(number=n, created_at=datetime(2026, 1, n, tzinfo=UTC), material=bytes([n]) * 32) for n in numbers]
    return AesGcmVault(ring=KeyRing(keys=keys, primary=numbers[-1], digest_key=DIGEST_KEY))


@pytest.fixture(params=[a_fake, an_aes_gcm_vault], ids=["fake", "aes_gcm"])
def make_vault(request: pytest.FixtureRequest) -> MakeVault:
    """Makes a vault with the numbered keys; the last one seals, and a number stands for the same key each time."""
    make: MakeVault = request.param
    return make


@pytest.mark.parametrize("plain", [b"", b"s3cr3t!", bytes(256), b"x" * 1_000_000], ids=len)
def test_given_a_sealed_value_when_opened_at_its_place_then_it_comes_back(make_vault: MakeVault, plain: bytes) -> None:
    vault = make_vault(1)

    sealed = vault.seal(plain, place=PLACE)

    assert vault.open(sealed, place=PLACE) == plain
    assert len(sealed) <= len(plain) + 64


def test_given_a_secret_when_sealed_twice_then_the_results_differ_and_show_nothing(make_vault: MakeVault) -> None:
    vault = make_vault(1)

    first, second = vault.seal(b"s3cr3t!", place=PLACE), vault.seal(b"s3cr3t!", place=PLACE)

    assert first != second
    assert b"s3cr3t!" not in first


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, tenant="other"),
        replace(PLACE, record="configuration/news"),
        replace(PLACE, field="draft.client_secret"),
        Place(tenant="acmeconfiguration", record="/alerts", field="draft.password"),
        Place(tenant="acme", record="configuration/alertsdraft", field=".password"),
    ],
)
def test_given_a_value_moved_elsewhere_when_opened_then_unreadable(make_vault: MakeVault, elsewhere: Place) -> None:
    vault = make_vault(1)
    sealed = vault.seal(b"s3cr3t!", place=PLACE)

    with pytest.raises(SecretUnreadable) as raised:
        vault.open(sealed, place=elsewhere)

    assert raised.value.metadata == {"problem": "ALTERED", "record": elsewhere.record, "field": elsewhere.field}


def test_given_any_flipped_bit_when_opened_then_unreadable(make_vault: MakeVault) -> None:
    vault = make_vault(1)
    sealed = vault.seal(b"s3cr3t!", place=PLACE)

    for position in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[position // 8] ^= 1 << position % 8
        with pytest.raises(SecretUnreadable):
            vault.open(bytes(altered), place=PLACE)

    assert vault.open(sealed, place=PLACE) == b"s3cr3t!"


def test_given_any_cut_or_longer_value_when_opened_then_unreadable(make_vault: MakeVault) -> None:
    vault = make_vault(1)
    sealed = vault.seal(b"s3cr3t!", place=PLACE)

    for altered in [*(sealed[:length] for length in range(len(sealed))), sealed + b"\0"]:
        with pytest.raises(SecretUnreadable):
            vault.open(altered, place=PLACE)

    assert vault.open(sealed, place=PLACE) == b"s3cr3t!"


def test_given_a_value_that_was_never_sealed_when_opened_then_malformed(make_vault: MakeVault) -> None:
    vault = make_vault(1)

    with pytest.raises(SecretUnreadable) as raised:
        vault.open(b"hunter2", place=PLACE)

    assert raised.value.metadata["problem"] == "MALFORMED"


def test_given_f42_a_key_added_when_opening_then_old_values_open_and_new_ones_use_the_new_key(
    make_vault: MakeVault,
) -> None:
    old = make_vault(1).seal(b"old", place=PLACE)
    rotated = make_vault(1, 2)

    new = rotated.seal(b"new", place=PLACE)

    assert rotated.open(old, place=PLACE) == b"old"
    assert make_vault(2).open(new, place=PLACE) == b"new"


def test_given_f42_a_lost_key_when_opening_then_unreadable_until_sealed_again(make_vault: MakeVault) -> None:
    old = make_vault(1).seal(b"old", place=PLACE)
    vault = make_vault(2)

    with pytest.raises(SecretUnreadable) as raised:
        vault.open(old, place=PLACE)

    assert raised.value.metadata["problem"] == "KEY_MISSING"
    assert vault.open(vault.seal(b"again", place=PLACE), place=PLACE) == b"again"
    assert make_vault(1).open(old, place=PLACE) == b"old"


def test_given_unreadable_values_when_the_error_is_shown_then_it_has_no_secret_and_a_remedy(
    make_vault: MakeVault,
) -> None:
    vault = make_vault(1)
    sealed = vault.seal(b"s3cr3t!", place=PLACE)

    with pytest.raises(SecretUnreadable) as raised:
        vault.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), place=PLACE)

    assert "s3cr3t!" not in f"{raised.value} {raised.value.message} {raised.value.metadata}"
    assert raised.value.remedy


def test_given_the_same_data_when_digested_after_a_rotation_then_the_digest_is_the_same(make_vault: MakeVault) -> None:
    before = make_vault(1).digest(b"content", purpose="idempotency")

    after = make_vault(1, 2).digest(b"content", purpose="idempotency")

    assert after == before
    assert len(after) == 32


def test_given_other_data_or_another_purpose_when_digested_then_the_digest_differs(make_vault: MakeVault) -> None:
    vault = make_vault(1)

    digests = {
        vault.digest(b"content", purpose="idempotency"),
        vault.digest(b"other", purpose="idempotency"),
        vault.digest(b"content", purpose="confirmation"),
        vault.digest(b"ycontent", purpose="idempotenc"),
    }

    assert len(digests) == 4


def test_given_no_purpose_when_digested_then_refused(make_vault: MakeVault) -> None:
    vault = make_vault(1)

    with pytest.raises(ValueError, match="purpose"):
        vault.digest(b"content", purpose="")


names = st.text(min_size=1, max_size=8)
places = st.builds(Place, tenant=names, record=names, field=names)


@given(one=places, other=places)
def test_given_two_places_when_encoded_then_equal_only_if_the_places_are(one: Place, other: Place) -> None:
    same = one.encode() == other.encode()

    assert same == (one == other)


@pytest.mark.parametrize("parts", [("", "r", "f"), ("t", "", "f"), ("t", "r", "")])
def test_given_an_empty_part_when_a_place_is_made_then_refused(parts: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="names its tenant"):
        Place(*parts)
