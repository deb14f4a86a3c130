"""How a client proves itself where nobody says it beforehand: what an endpoint took is known for the process's life."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from adapters.oauth.reading import Heard, error_in
from adapters.oauth.requests import FormRequest
from domain.ports.environment import Clock

REFUSED_PAUSE: Final = timedelta(minutes=5)
"""How long a client that was refused in both ways is asked in one only."""
_MOST_CLIENTS: Final = 4096
_CLIENT: Final = "invalid_client"
_BEYOND_THE_CLIENT: Final = frozenset(
    {"invalid_grant", "invalid_scope", "invalid_token", "unauthorized_client", "unsupported_token_type"}
)
"""What a server says only of a client that it has authenticated (RFC 6749 section 5.2, RFC 7009 section 2.2.1)."""


class ClientProofs:
    """
    Remembers which of two ways each client is taken in, by a keyed hash of endpoint, ID and secret.

    For the use of one event loop; holds up to 4096 clients, the oldest go first.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._in_header: dict[bytes, timedelta] = {}
        self._refused: dict[bytes, timedelta] = {}

    def ways(self, request: FormRequest) -> tuple[FormRequest, ...]:
        """Returns what to send, and what to send if that is refused for its client, if anything."""
        if request.in_header is None:
            return (request,)
        client = self._client(request.in_header)
        ways = (request, request.in_header) if client not in self._in_header else (request.in_header, request)
        refused_time = self._refused.get(client)
        is_refused = refused_time is not None and self._clock.monotonic() - refused_time < REFUSED_PAUSE
        return ways[:1] if is_refused else ways

    def took(self, request: FormRequest, way: FormRequest) -> None:
        """Keeps that *way* of *request* is the one that works."""
        assert request.in_header is not None
        client = self._client(request.in_header)
        self._in_header.pop(client, None)
        if way is request.in_header:
            _keep(self._in_header, client, self._clock.monotonic())

    def refused_both(self, request: FormRequest) -> None:
        """Keeps that *request* was refused in both ways just now."""
        assert request.in_header is not None
        _keep(self._refused, self._client(request.in_header), self._clock.monotonic())

    def _client(self, in_header: FormRequest) -> bytes:
        told = f"{in_header.endpoint}\n{in_header.authorization}"
        return hashlib.blake2b(told.encode(), key=self._key).digest()


def is_client_refused(heard: Heard) -> bool:
    """Tells whether the client was refused beyond doubt, so that nothing was granted or used up."""
    return heard.status in (400, 401) and error_in(heard.body) == _CLIENT


def is_client_taken(heard: Heard) -> bool:
    """Tells whether the client was authenticated, whatever became of its request."""
    error = error_in(heard.body)
    if not error:
        return 200 <= heard.status <= 299
    return error in _BEYOND_THE_CLIENT and heard.status < HTTPStatus.TOO_MANY_REQUESTS


def is_second_refusal(heard: Heard) -> bool:
    """Tells whether the second way is refused too: by name, or with the bare status for it."""
    return is_client_refused(heard) or (heard.status == 401 and not error_in(heard.body))


def _keep(kept: dict[bytes, timedelta], client: bytes, now: timedelta) -> None:
    kept.pop(client, None)
    kept[client] = now
    if len(kept) > _MOST_CLIENTS:
        del kept[next(iter(kept))]
