"""The scanner is what the proof stands on: it finds each disguise, and nothing that is not there."""

from __future__ import annotations

import base64
import html
import json
import quopri
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.canary import Hit, Scanner

SECRET = "k4n/+=ri?~3>Ü &\"'\\Zq"
LONG = "-----BEGIN K-----\n" + "\n".join("AbCdEfGh" * 8 for _ in range(3)) + "\nqrstuvwxyz0123456789\n"


def b64(data: bytes) -> bytes:
    return base64.b64encode(data)


def folded(data: bytes, *, by: bytes = b"\r\n ", width: int = 10) -> bytes:
    return by.join(data[start : start + width] for start in range(0, len(data), width))


def every_percent(text: str) -> str:
    return "".join(f"%{octet:02x}" for octet in text.encode())


DISGUISES: dict[str, Callable[[str], bytes]] = {
    "raw": lambda secret: secret.encode(),
    "base64": lambda secret: b64(secret.encode()),
    "base64 one in": lambda secret: b64(b"x" + secret.encode() + b"tail"),
    "base64 two in": lambda secret: b64(b"xy" + secret.encode() + b"t"),
    "url-safe base64": lambda secret: base64.urlsafe_b64encode(b"x" + secret.encode()).rstrip(b"="),
    "base64 in lines": lambda secret: folded(b64(b"x" + secret.encode())),
    "hex": lambda secret: secret.encode().hex().encode(),
    "HEX": lambda secret: secret.encode().hex().upper().encode(),
    "hex in lines": lambda secret: folded(secret.encode().hex().encode(), by=b"\n"),
    "percent": lambda secret: quote(secret, safe="").encode(),
    "percent, every octet": lambda secret: every_percent(secret).encode(),
    "form": lambda secret: b"a=b&code=" + quote_plus(secret).encode(),
    "twice percent": lambda secret: quote(quote(secret, safe=""), safe="").encode(),
    "JSON": lambda secret: json.dumps({"a": secret}).encode(),
    "JSON with every sign escaped": lambda secret: "".join(f"\\u{ord(sign):04X}" for sign in secret).encode(),
    "JSON with escaped slashes": lambda secret: json.dumps(secret).replace("/", "\\/").encode(),
    "JSON within JSON": lambda secret: json.dumps(json.dumps(secret)).encode(),
    "percent within JSON": lambda secret: json.dumps(quote(secret)).encode(),
    "base64 in lines within JSON": lambda secret: json.dumps(folded(b64(secret.encode())).decode()).encode(),
    "HTML": lambda secret: html.escape(secret).encode(),
    "quoted-printable": lambda secret: quopri.encodestring(secret.encode(), quotetabs=True),
    "quoted-printable in lines": lambda secret: folded(quopri.encodestring(secret.encode()), by=b"=\r\n", width=17),
    "header fold": lambda secret: b"X: " + secret.encode().replace(b" ", b"\r\n "),
    "AUTH PLAIN": lambda secret: b"AUTH PLAIN " + b64(b"\0robot@example.com\0" + secret.encode()),
    "AUTH LOGIN": lambda secret: b64(b"robot@example.com") + b"\r\n" + b64(secret.encode()),
    "XOAUTH2": lambda secret: b64(b"user=robot@example.com\1auth=Bearer " + secret.encode() + b"\1\1"),
    "HTTP Basic": lambda secret: b"Authorization: Basic " + b64(f"mailport:{secret}".encode()),
    "HTTP Basic of a form": lambda secret: b"Basic " + b64(f"mailport:{quote(secret, safe='')}".encode()),
    "HTTP Basic of a form with plus": lambda secret: b"Basic " + b64(f"mailport:{quote_plus(secret)}".encode()),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("secret", [SECRET, "ya29.a0ARrdaM-0123456789_abcdefgh"])
def test_given_a_disguised_secret_when_scanned_then_it_is_found(disguise: str, secret: str) -> None:
    planted = b"before " * 100 + DISGUISES[disguise](secret) + b" behind" * 100

    hits = Scanner({"token": secret}).hits(planted, "here")

    assert {(hit.canary, hit.place) for hit in hits} == {("token", "here")}


@pytest.mark.parametrize("disguise", [name for name in DISGUISES if name != "header fold"])
def test_given_another_secret_in_each_disguise_when_scanned_then_nothing_is_found(disguise: str) -> None:
    planted = DISGUISES[disguise](SECRET)

    others = {"one": SECRET.replace("~3", "~4"), "two": SECRET[::-1], "three": SECRET.swapcase()}
    assert Scanner(others).hits(planted, "here") == []


@pytest.mark.parametrize(
    "left",
    [
        LONG[:30].encode(),
        LONG[-30:].encode(),
        LONG.replace("\n", "").encode(),
        json.dumps(LONG).encode(),
        b64(b"x" + LONG.encode()),
        textwrap.fill(b64(LONG.encode()).decode(), 76).encode(),
    ],
)
def test_given_one_end_of_a_long_secret_or_all_of_it_when_scanned_then_it_is_found(left: bytes) -> None:
    assert Scanner({"key": LONG}).hits(b"key: " + left, "here")


@given(secret=st.binary(min_size=6, max_size=60), before=st.binary(max_size=5), behind=st.binary(max_size=5))
def test_given_anything_around_a_secret_when_all_is_in_base64_then_it_is_found(
    secret: bytes, before: bytes, behind: bytes
) -> None:
    text = secret.hex()  # any text of 12 characters and more will do

    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert Scanner({"a": text}).hits(encode(before + text.encode() + behind), "here")


def test_given_several_secrets_when_scanned_then_each_is_named_with_its_form_and_not_repeated() -> None:
    scanner = Scanner({"password": "hunter2-hunter2", "token": "ya29.something"})

    hits = scanner.hits(b"hunter2-hunter2 " + b64(b"ya29.something"), "a log")

    assert [str(hit) for hit in hits] == ["password as raw in a log", "token as base64 at offset 0 in a log"]
    assert Hit("password", "a log", "raw") in hits


def test_given_a_secret_that_chance_may_make_up_when_a_scanner_is_made_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="pin"):
        Scanner({"pin": "1234567"})
