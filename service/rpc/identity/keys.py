"""The public keys that bearer tokens are checked with: a JWKS file or URL (RFC 7517), kept and renewed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from domain.host import Host
from domain.ports.environment import Clock

KEYS_NOT_LOADED: Final = "keys_not_loaded"
LARGEST_JWKS_BYTES: Final = 256 * 1024
_MOST_KEYS: Final = 100
_TIMEOUT: Final = timedelta(seconds=5)
_FRESH_FOR: Final = timedelta(minutes=10)
_USABLE_FOR: Final = timedelta(hours=24)
"""Keys older than that are no longer trusted: one of them may have been withdrawn long ago."""
_PAUSE: Final = timedelta(seconds=30)
"""The least time between two loads, so that made-up key ids cannot make mailport flood the issuer."""
_SYMMETRIC: Final = "oct"
_SHORTEST_RSA_BITS: Final = 2048
"""RFC 7518 section 3.3."""

PublicKey = RSAKey | ECKey | OKPKey
LoadJwks = Callable[[], Awaitable[bytes]]

_logger = logging.getLogger("service.rpc")


class KeysInvalid(ValueError):
    """The keys cannot be had or used; the text says why, and is safe to show."""


def load_jwks(source: str) -> LoadJwks:
    """
    Returns what loads the key set from *source*: an https URL (http to loopback alone), else a file's path.

    Redirects are not followed, the environment's proxies are not used, and more than 256 KiB are not read.
    Raises KeysInvalid for any other URL; so does the loading when it fails.
    """
    parts = urlsplit(source)
    if "://" not in source:
        return lambda: _from_file(Path(source))
    is_loopback = Host((parts.hostname or "").lower()).is_loopback
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback):
        raise KeysInvalid("The keys' address must be https, or http to this machine.")
    return lambda: _from_url(source)


class KeyCache:
    """
    Keeps the key set of one issuer.

    It is renewed in the background once it is ten minutes old, and at once for a key id that it lacks, though not more
    often than every 30 seconds. When renewing fails, the former keys serve for up to 24 hours.
    """

    def __init__(self, *, load: LoadJwks, clock: Clock) -> None:
        self._load = load
        self._clock = clock
        self._keys: tuple[PublicKey, ...] = ()
        self._loaded_at: timedelta | None = None
        self._tried_at: timedelta | None = None
        self._loading: asyncio.Task[None] | None = None

    async def key(self, kid: str | None) -> PublicKey | None:
        """Returns the key named *kid*; with None the only key there is. None when there is no such key."""
        found = self._find(kid)
        if found is None:
            if (loading := self._renewal()) is not None:
                await asyncio.shield(loading)
            return self._find(kid)
        if self._age() > _FRESH_FOR:
            self._renewal()
        return found

    async def renew(self) -> None:
        """Loads the keys now. Raises KeysInvalid; the former keys stay then."""
        self._tried_at = self._clock.monotonic()
        self._keys = read_jwks(await self._load())
        self._loaded_at = self._clock.monotonic()

    def _find(self, kid: str | None) -> PublicKey | None:
        if self._age() > _USABLE_FOR:
            return None
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.kid == kid), None)

    def _age(self) -> timedelta:
        return self._clock.monotonic() - self._loaded_at if self._loaded_at is not None else timedelta.max

    def _renewal(self) -> asyncio.Task[None] | None:
        """Returns the renewal that is under way, or begins one unless the last was too short a time ago."""
        if self._loading is not None and not self._loading.done():
            return self._loading
        if self._tried_at is not None and self._clock.monotonic() - self._tried_at < _PAUSE:
            return None
        self._loading = asyncio.create_task(self._try_to_renew(), name="keys of callers")
        return self._loading

    async def _try_to_renew(self) -> None:
        try:
            await self.renew()
        except KeysInvalid as error:
            _logger.warning(KEYS_NOT_LOADED, extra={"cause": str(error)})


def read_jwks(content: bytes) -> tuple[PublicKey, ...]:
    """
    Returns the keys of a JWK set that can check signatures.

    Those of unknown kinds, for encryption, symmetric or broken are passed over (RFC 7517 section 5). Raises KeysInvalid
    when none is left.
    """
    try:
        written = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise KeysInvalid("The keys are not JSON.") from error
    entries = written.get("keys") if isinstance(written, dict) else None
    if not isinstance(entries, list):
        raise KeysInvalid("The keys are not a JWK set: there is no list of keys.")
    keys = tuple(key for entry in entries[:_MOST_KEYS] if (key := _key(entry)) is not None)
    if not keys:
        raise KeysInvalid("The JWK set holds no public key that signatures can be checked with.")
    return keys


def _key(entry: object) -> PublicKey | None:
    if not isinstance(entry, dict) or entry.get("kty") == _SYMMETRIC or entry.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(entry)
        if isinstance(key, RSAKey) and key.public_key.key_size < _SHORTEST_RSA_BITS:
            return None
        # A number that is no point of the curve fails here rather than at the first token.
        return key if isinstance(key, PublicKey) and key.public_key is not None else None
    except Exception:  # whatever a broken key makes the library raise, the others still serve
        return None


async def _from_file(path: Path) -> bytes:
    try:
        return await asyncio.to_thread(_read_file, path)
    except OSError as error:
        raise KeysInvalid(f"The file of the keys cannot be read: {error.strerror or 'unknown error'}.") from error


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return _bounded(file.read(LARGEST_JWKS_BYTES + 1))


async def _from_url(url: str) -> bytes:
    content = b""
    try:
        async with (
            asyncio.timeout(_TIMEOUT.total_seconds()),
            httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=_TIMEOUT.total_seconds()) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status_code != 200:
                raise KeysInvalid(f"The keys' address answered {response.status_code}.")
            async for chunk in response.aiter_raw():
                content = _bounded(content + chunk)
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
        raise KeysInvalid(f"The keys' address cannot be reached: {type(error).__name__}.") from error
    return content


def _bounded(content: bytes) -> bytes:
    if len(content) > LARGEST_JWKS_BYTES:
        raise KeysInvalid(f"The keys are larger than {LARGEST_JWKS_BYTES // 1024} KiB.")
    return content
