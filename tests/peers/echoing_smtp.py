"""A mail server that repeats what it was told in secret: in challenges, refusals and welcomes, in many disguises."""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from aiosmtpd.smtp import MISSING, AuthResult

from tests.peers.faulty_smtp import FaultySmtp


def disguises(secret: str) -> Iterator[str]:
    """Yields *secret* as servers and attackers write it into their texts."""
    raw = secret.encode()
    yield secret
    yield base64.b64encode(raw).decode()
    yield base64.urlsafe_b64encode(b"x" + raw + b"y").decode()
    yield base64.b64encode(b"Bearer " + raw).decode()
    yield raw.hex()
    yield raw.hex().upper()
    yield quote(secret, safe="")
    yield json.dumps({"told": secret})


class EchoingSmtp(FaultySmtp):
    """
    A `FaultySmtp` that takes any token unless it has `refusals` to make, and repeats it in each word on the sign-in.

    `seen` holds the tokens that it was shown, in order; ``{token}`` in a planned reply stands for the latest.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(tokens={"nobody": "nothing"}, **options)
        self.seen: list[str] = []
        self.refusals = 0
        """How many of the next sign-ins with a token are refused."""

    def _next_fault(self, stage: str, address: str | None = None) -> str | None:
        fault = super()._next_fault(stage, address)
        return fault and fault.replace("{token}", self.seen[-1] if self.seen else "")

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:  # noqa: N802
        blob = args[1] if len(args) > 1 else await server.challenge_auth("")
        if blob is MISSING:
            return AuthResult(success=False)
        raw = base64.b64decode(blob) if isinstance(blob, str) else blob
        pairs = dict(part.split(b"=", 1) for part in raw.split(b"\x01") if b"=" in part)
        token = pairs[b"auth"].decode().removeprefix("Bearer ")
        self.seen.append(token)
        encoded = base64.b64encode(raw).decode()
        if self.refusals == 0:
            welcome = f"235 2.7.0 welcome with {token}, that is {encoded}"
            return AuthResult(success=True, message=welcome, auth_data=_Login(pairs[b"user"]))
        self.refusals -= 1
        challenge = {
            "status": "401",
            "schemes": "bearer",
            "scope": token,
            "told": list(disguises(token)),
            "sasl": encoded,
        }
        await server.challenge_auth(json.dumps(challenge).encode())
        lines = [*disguises(token), encoded]
        text = "\r\n".join(f"535-5.7.8 Authentication failed for {line}" for line in lines)
        for line in lines:
            # As for a long token, which does not fit into one line.
            text += "".join(f"\r\n535-5.7.8 {piece}" for piece in textwrap.wrap(line, 24, break_on_hyphens=False))
        await server.push(f"{text}\r\n535 5.7.8 Authentication failed")
        return AuthResult(success=False, handled=True)


class _Login:
    def __init__(self, login: bytes) -> None:
        self.login = login
