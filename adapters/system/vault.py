"""AES-256-GCM under the key ring: one byte format, four key number, twelve nonce, then ciphertext and tag."""

from __future__ import annotations

import hmac
import os
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from adapters.system.keyring import KeyRing
from domain.errors import SecretUnreadable
from domain.ports.vault import Place

_FORMAT: Final = b"\x01"
_NUMBER_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_HEADER_BYTES: Final = len(_FORMAT) + _NUMBER_BYTES
OVERHEAD_BYTES: Final = _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES
"""How much longer a sealed value is than what was sealed."""

_DIGEST_CONTEXT: Final = b"mailport digest 1 "


class _Problem(StrEnum):
    KEY_MISSING = "KEY_MISSING"
    ALTERED = "ALTERED"
    MALFORMED = "MALFORMED"


class AesGcmVault:
    """
    `domain.ports.vault.Vault` under the keys of *ring*.

    The associated data are the format, the key number and the place. Nonces are 96 random bits, so one key should not
    seal more than 2^31 values (NIST SP 800-38D section 8.3 allows 2^32 at a collision risk of 2^-32).
    """

    def __init__(self, *, ring: KeyRing) -> None:
        self._ciphers = {key.number: AESGCM(key.material) for key in ring.keys}
        self._primary = ring.primary
        self._digest_key = ring.digest_key
        self._digest_keys: dict[str, bytes] = {}
        """By purpose."""

    def seal(self, plain: bytes, *, place: Place) -> bytes:
        header = _FORMAT + self._primary.to_bytes(_NUMBER_BYTES, "big")
        nonce = os.urandom(_NONCE_BYTES)
        return header + nonce + self._ciphers[self._primary].encrypt(nonce, plain, header + place.encode())

    def open(self, sealed: bytes, *, place: Place) -> bytes:
        if len(sealed) < OVERHEAD_BYTES or sealed[:1] != _FORMAT:
            raise _unreadable(_Problem.MALFORMED, place, "it is not a value that mailport sealed")
        header, nonce, rest = (
            sealed[:_HEADER_BYTES],
            sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES],
            sealed[_HEADER_BYTES + _NONCE_BYTES :],
        )
        number = int.from_bytes(header[len(_FORMAT) :], "big")
        cipher = self._ciphers.get(number)
        if cipher is None:
            raise _unreadable(_Problem.KEY_MISSING, place, f"key {number} is not in the key ring")
        try:
            return cipher.decrypt(nonce, rest, header + place.encode())
        except InvalidTag:
            raise _unreadable(
                _Problem.ALTERED, place, f"it was altered or moved, or key {number} is not the one it was sealed with"
            ) from None

    def digest(self, data: bytes, *, purpose: str) -> bytes:
        if not purpose:
            raise ValueError("a digest has a purpose")
        key = self._digest_keys.get(purpose)
        if key is None:
            key = self._digest_keys[purpose] = self._derived(purpose)
        return hmac.digest(key, data, "sha256")

    def _derived(self, purpose: str) -> bytes:
        # The digest key is random and as long as the hash, so HKDF needs its second half only (RFC 5869 section 3.3).
        info = _DIGEST_CONTEXT + purpose.encode("utf-8")
        return HKDFExpand(algorithm=hashes.SHA256(), length=32, info=info).derive(self._digest_key)


def _unreadable(problem: _Problem, place: Place, why: str) -> SecretUnreadable:
    return SecretUnreadable(
        f"The stored value {place.field} of {place.record} cannot be read: {why}.",
        remedy="Enter the secret again, or give mailport back the key ring that it was stored with.",
        metadata={"problem": problem.value, "record": place.record, "field": place.field},
    )
