"""Key rings as values and as JSON."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.system.keyring import MAX_KEY_NUMBER, Key, KeyRing, KeyRingUnusable

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def a_ring() -> KeyRing:
    return KeyRing.generate(now=NOW).with_new_key(now=NOW, promote=True)


def test_given_a_ring_when_written_and_read_then_it_is_the_same() -> None:
    ring = a_ring()

    read = KeyRing.from_json(ring.to_json())

    assert (read.keys, read.primary, read.digest_key) == (ring.keys, 2, ring.digest_key)


def test_given_a_new_key_when_added_then_it_waits_for_promotion_and_old_keys_and_digest_key_stay() -> None:
    ring = KeyRing.generate(now=NOW)

    added = ring.with_new_key(now=NOW, promote=False)
    promoted = added.promoted(2)

    assert (added.primary, promoted.primary) == (1, 2)
    assert added.keys[:1] == ring.keys
    assert promoted.digest_key == ring.digest_key
    assert len({key.material for key in added.keys}) == 2


def test_given_gaps_in_the_numbers_when_a_key_is_added_then_no_number_is_used_again() -> None:
    key = Key(number=7, created_at=NOW, material=bytes(32))
    ring = KeyRing(keys=[key], primary=7, digest_key=bytes(32))

    added = ring.with_new_key(now=NOW, promote=True)

    assert [key.number for key in added.keys] == [7, 8]


def test_given_the_last_number_when_a_key_is_added_then_refused() -> None:
    key = Key(number=MAX_KEY_NUMBER, created_at=NOW, material=bytes(32))
    ring = KeyRing(keys=[key], primary=MAX_KEY_NUMBER, digest_key=bytes(32))

    with pytest.raises(KeyRingUnusable, match="4294967295"):
        ring.with_new_key(now=NOW, promote=True)


def test_given_no_such_key_when_promoted_then_refused() -> None:
    with pytest.raises(KeyRingUnusable, match="number 9"):
        a_ring().promoted(9)


def test_given_a_ring_when_shown_then_no_key_material_is_in_it() -> None:
    ring = a_ring()

    shown = f"{ring!r} {ring} {ring.keys!r} {ring.key(1)}"

    assert "KeyRing(numbers=[1, 2], primary=2)" in shown
    for material in [ring.digest_key, *(key.material for key in ring.keys)]:
        assert repr(material)[2:-1] not in shown
        assert material.hex() not in shown
        assert base64.b64encode(material).decode() not in shown


@pytest.mark.parametrize("value", [a_ring(), a_ring().keys[0]], ids=["ring", "key"])
def test_given_key_material_when_pickled_then_refused(value: object) -> None:
    with pytest.raises(TypeError, match="key file only"):
        pickle.dumps(value)


def _set(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update({name: value})


def _set_key(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["keys"][0].update({name: value})


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (_set("format", 2), "format 1"),
        (_set("keys", []), "at least one key"),
        (_set("keys", None), "at least one key"),
        (_set("keys", ["x"]), r'"keys"\[0\] is not an object'),
        (_set("primary", 3), "number 3"),
        (_set("primary", True), '"primary"'),
        (_set("primary", "1"), '"primary"'),
        (_set("digest_key", "c2hvcnQ="), '"digest_key" has 5 bytes'),
        (_set("digest_key", None), '"digest_key" is not base64'),
        (_set_key("number", 2), "same number"),
        (_set_key("number", 0), r'"keys"\[0\].number'),
        (_set_key("number", MAX_KEY_NUMBER + 1), r'"keys"\[0\].number'),
        (_set_key("material", "not base64!"), r'"keys"\[0\].material is not base64'),
        (_set_key("material", "é"), r'"keys"\[0\].material is not base64'),
        (_set_key("created_time", "yesterday"), "ISO 8601"),
        (_set_key("created_time", 5), "ISO 8601"),
        (_set_key("created_time", "2026-03-01T09:30:00"), "UTC offset"),
    ],
)
def test_given_a_damaged_ring_when_read_then_the_complaint_names_the_place(
    damage: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    document = json.loads(a_ring().to_json())
    damage(document)

    with pytest.raises(KeyRingUnusable, match=complaint):
        KeyRing.from_json(json.dumps(document).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"\xff\xfe", b'{"keys": "QUJD'])
def test_given_anything_else_when_read_then_refused_without_quoting_it(text: bytes) -> None:
    with pytest.raises(KeyRingUnusable) as raised:
        KeyRing.from_json(text)

    assert "QUJD" not in str(raised.value)
    assert raised.value.__cause__ is None
