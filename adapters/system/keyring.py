"""The keys that secrets are sealed with: numbered, one of them primary, and one more for digests."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Never

KEY_BYTES: Final = 32
MAX_KEY_NUMBER: Final = 2**32 - 1
_FORMAT: Final = 1


class KeyRingUnusable(Exception):
    """The key ring cannot be used; the text says why and what to do, and never shows key material."""


@dataclass(frozen=True, slots=True)
class Key:
    """One AES-256 key; `number` stands in front of all it sealed, from 1 to 2^32-1."""

    number: int
    created_at: datetime
    material: bytes = field(repr=False)

    def __reduce__(self) -> Never:
        raise TypeError("a key is written to its key file only")


class KeyRing:
    """
    All keys of one installation. Immutable: changes come back as a new ring.

    The `primary` key seals, every key opens. They are told apart so that a new key can be handed to all replicas
    first and made primary when each has it. `digest_key` belongs to the ring, not to a number: digests outlive
    rotation.
    """

    __slots__ = ("_keys", "digest_key", "primary")

    def __init__(self, *, keys: Iterable[Key], primary: int, digest_key: bytes) -> None:
        self._keys = {key.number: key for key in sorted(keys, key=lambda key: key.number)}
        self.primary = primary
        self.digest_key = digest_key
        if primary not in self._keys:
            raise KeyRingUnusable(f"The primary key is number {primary}, and the ring has no such key.")

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys by number, oldest first."""
        return tuple(self._keys.values())

    def key(self, number: int) -> Key | None:
        return self._keys.get(number)

    @classmethod
    def generate(cls, *, now: datetime) -> KeyRing:
        """Returns a ring of one new key."""
        key = Key(number=1, created_at=now, material=secrets.token_bytes(KEY_BYTES))
        return cls(keys=[key], primary=1, digest_key=secrets.token_bytes(KEY_BYTES))

    def with_new_key(self, *, now: datetime, promote: bool) -> KeyRing:
        """Returns a ring with one more key, numbered above all others; *promote* makes it primary at once."""
        number = max(self._keys) + 1
        if number > MAX_KEY_NUMBER:
            raise KeyRingUnusable(f"Key number {MAX_KEY_NUMBER} is taken, and no higher one exists.")
        key = Key(number=number, created_at=now, material=secrets.token_bytes(KEY_BYTES))
        return KeyRing(keys=[*self.keys, key], primary=number if promote else self.primary, digest_key=self.digest_key)

    def promoted(self, number: int) -> KeyRing:
        """Returns a ring whose key *number* seals; KeyRingUnusable if there is no such key."""
        return KeyRing(keys=self.keys, primary=number, digest_key=self.digest_key)

    @classmethod
    def from_json(cls, text: bytes) -> KeyRing:
        """Reads what `to_json` wrote. Raises KeyRingUnusable for anything else."""
        try:
            document = json.loads(text)
        except ValueError:
            # The parser's own message may quote the text, which is key material.
            raise KeyRingUnusable("It is not JSON.") from None
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise KeyRingUnusable(f'It is not a key ring of format {_FORMAT} ("format" is missing or another number).')
        entries = document.get("keys")
        if not isinstance(entries, list) or not entries:
            raise KeyRingUnusable('"keys" is not a list of at least one key.')
        keys = [_parse_key(entry, position) for position, entry in enumerate(entries)]
        if len({key.number for key in keys}) != len(keys):
            raise KeyRingUnusable("Two keys have the same number.")
        return cls(
            keys=keys,
            primary=_parse_number(document.get("primary"), '"primary"'),
            digest_key=_parse_material(document.get("digest_key"), '"digest_key"'),
        )

    def to_json(self) -> bytes:
        """Returns the ring as the key file holds it, key material included."""
        document = {
            "format": _FORMAT,
            "primary": self.primary,
            "digest_key": base64.b64encode(self.digest_key).decode("ascii"),
            "keys": [
                {
                    "number": key.number,
                    "created_time": key.created_at.isoformat(),
                    "material": base64.b64encode(key.material).decode("ascii"),
                }
                for key in self.keys
            ],
        }
        return json.dumps(document, indent=2).encode("ascii") + b"\n"

    def __repr__(self) -> str:
        return f"KeyRing(numbers={list(self._keys)}, primary={self.primary})"

    def __reduce__(self) -> Never:
        raise TypeError("a key ring is written to its key file only")


def _parse_key(entry: object, position: int) -> Key:
    where = f'"keys"[{position}]'
    if not isinstance(entry, dict):
        raise KeyRingUnusable(f"{where} is not an object.")
    return Key(
        number=_parse_number(entry.get("number"), f"{where}.number"),
        created_at=_parse_time(entry.get("created_time"), f"{where}.created_time"),
        material=_parse_material(entry.get("material"), f"{where}.material"),
    )


def _parse_number(value: Any, where: str) -> int:
    if type(value) is not int or not 1 <= value <= MAX_KEY_NUMBER:
        raise KeyRingUnusable(f"{where} is not a whole number from 1 to {MAX_KEY_NUMBER}.")
    return value


def _parse_time(value: Any, where: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise KeyRingUnusable(f"{where} is not an ISO 8601 instant.") from None
    if parsed.tzinfo is None:
        raise KeyRingUnusable(f"{where} has no UTC offset.")
    return parsed.astimezone(UTC)


def _parse_material(value: Any, where: str) -> bytes:
    try:
        material = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise KeyRingUnusable(f"{where} is not base64.") from None
    if len(material) != KEY_BYTES:
        raise KeyRingUnusable(f"{where} has {len(material)} bytes; a key has {KEY_BYTES}.")
    return material
