"""A vault without cryptography worth the name, and with the behaviour of the port."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from domain.errors import SecretUnreadable
from domain.ports.vault import Place

_NONCE = 8
_TAG = 16
_HEADER = 4 + _NONCE


class FakeVault:
    """
    `domain.ports.vault.Vault` with numbered keys, the last of *keys* sealing.

    Vaults with a key in common open each other's values, so a test loses or rotates keys by making another one.
    """

    def __init__(self, keys: Sequence[int] = (1,)) -> None:
        self.keys = tuple(keys)
        self.sealed = 0

    def seal(self, plain: bytes, *, place: Place) -> bytes:
        self.sealed += 1
        # The object's identity keeps two vaults, such as two replicas, from sealing alike.
        nonce = hashlib.blake2b(f"{id(self)} {self.sealed}".encode(), digest_size=_NONCE).digest()
        header = self.keys[-1].to_bytes(4, "big") + nonce
        return header + _masked(header, plain) + _tag(header, plain, place)

    def open(self, sealed: bytes, *, place: Place) -> bytes:
        if len(sealed) < _HEADER + _TAG:
            raise _unreadable("MALFORMED", place)
        header, body, tag = sealed[:_HEADER], sealed[_HEADER:-_TAG], sealed[-_TAG:]
        if int.from_bytes(header[:4], "big") not in self.keys:
            raise _unreadable("KEY_MISSING", place)
        plain = _masked(header, body)
        if _tag(header, plain, place) != tag:
            raise _unreadable("ALTERED", place)
        return plain

    def digest(self, data: bytes, *, purpose: str) -> bytes:
        if not purpose:
            raise ValueError("a digest has a purpose")
        return hashlib.sha256(len(purpose).to_bytes(4, "big") + purpose.encode() + data).digest()


def _masked(header: bytes, data: bytes) -> bytes:
    mask = hashlib.shake_256(header).digest(len(data))
    return bytes(byte ^ other for byte, other in zip(data, mask, strict=True))


def _tag(header: bytes, plain: bytes, place: Place) -> bytes:
    return hashlib.blake2b(header + place.encode() + plain, digest_size=_TAG).digest()


def _unreadable(problem: str, place: Place) -> SecretUnreadable:
    return SecretUnreadable(
        f"The stored value {place.field} of {place.record} cannot be read ({problem}).",
        remedy="Enter the secret again.",
        metadata={"problem": problem, "record": place.record, "field": place.field},
    )
