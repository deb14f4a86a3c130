"""The parts of a gRPC call that identities look at, and an issuer of tokens."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from service.rpc.identity.base import Context
from service.rpc.identity.keys import KeysInvalid
from tests.fakes.environment import FakeClock

ISSUER, AUDIENCE = "https://id.example.com", "mailport"


class _Call:
    def __init__(self, metadata: tuple[tuple[str, str], ...], names: tuple[bytes, ...]) -> None:
        self._metadata = metadata
        self._names = names

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata

    def auth_context(self) -> dict[str, tuple[bytes, ...]]:
        return {"x509_subject_alternative_name": self._names} if self._names else {}


def a_call(*authorization: str, names: tuple[bytes, ...] = ()) -> Context:
    """A call with these ``authorization`` entries and this certificate's names."""
    call: Any = _Call((("user-agent", "test"), *(("authorization", each) for each in authorization)), names)
    result: Context = call
    return result


class _AnyAlgorithm(JWSRegistry):
    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


class Issuer:
    """Signs tokens, and publishes its keys; `fails` lets the publishing fail, `loads` counts it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.keys: dict[str, Any] = {"k1": ECKey.generate_key("P-256", {"kid": "k1"})}
        self.fails = False
        self.loads = 0
        self.content: bytes | None = None

    async def jwks(self) -> bytes:
        self.loads += 1
        if self.fails:
            raise KeysInvalid("The keys' address cannot be reached: ConnectError.")
        if self.content is not None:
            return self.content
        public = [key.as_dict(private=False) | {"kid": kid} for kid, key in self.keys.items()]
        return json.dumps({"keys": public}).encode()

    def add(self, kid: str, kind: str) -> None:
        """Adds a key: ``RSA``, ``Ed25519`` or a curve's name."""
        parameters: Any = {"kid": kid}
        if kind == "RSA":
            self.keys[kid] = RSAKey.generate_key(2048, parameters)
        elif kind == "Ed25519":
            self.keys[kid] = OKPKey.generate_key("Ed25519", parameters)
        else:
            self.keys[kid] = ECKey.generate_key(kind, parameters)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Valid claims; a change to None leaves one out."""
        now = self.clock.now()
        valid = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "exp": int((now + timedelta(minutes=5)).timestamp()),
            "tenant": "acme",
            "roles": ["send", "read"],
            "email": "jane@example.com",
        }
        return {name: value for name, value in (valid | changes).items() if value is not None}

    def token(self, *, kid: str | None = "k1", alg: str = "ES256", key: Any = None, **changes: Any) -> str:
        header = {"alg": alg} | ({"kid": kid} if kid is not None else {})
        signing = key or self.keys[kid or "k1"]
        return jwt.encode(header, self.claims(**changes), signing, registry=_AnyAlgorithm())

    def hmac_token(self, secret: bytes) -> str:
        """A token under a symmetric key, as an attacker makes it from what is public."""
        signed = ".".join(_segment(part) for part in ({"alg": "HS256", "kid": "k1"}, self.claims()))
        signature = hmac.digest(secret, signed.encode(), "sha256")
        return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _segment(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
