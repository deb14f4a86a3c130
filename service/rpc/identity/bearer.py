"""Callers by bearer token: a JWT (RFC 7519) of the configured issuer, for this mailport, under a key of its JWKS."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry

from domain.caller import Caller, Role
from domain.errors import Unauthenticated
from domain.ports.environment import Clock
from service.rpc.identity.base import Context, bearer_token, is_tenant
from service.rpc.identity.keys import KeyCache, PublicKey

ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""Signatures with a public key alone: never ``none``, and never HMAC, whose key anybody could take from the JWKS."""
_LEEWAY: Final = timedelta(seconds=30)
"""How far the issuer's clock may be off."""
_LONGEST_TOKEN: Final = 16 * 1024
_LONGEST_EMAIL: Final = 1024


class BearerIdentity:
    """
    Knows callers by the claims ``tenant``, ``roles`` (a list, or words between blanks) and ``email`` of their tokens.

    A token needs the issuer, the audience (one of several will do) and an expiry. Roles that mailport does not know are
    passed over, since a token may serve other services too.
    """

    def __init__(self, *, keys: KeyCache, issuer: str, audience: str, clock: Clock) -> None:
        if not issuer or not audience:
            raise ValueError("bearer tokens are checked against an issuer and an audience")
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock

    async def caller(self, context: Context) -> Caller:
        """Returns the caller of the token. Raises Unauthenticated for a missing, expired or otherwise bad one."""
        token = bearer_token(context)
        if token is None:
            raise Unauthenticated(
                "The call came without a bearer token.",
                remedy="Send the metadata entry: authorization: Bearer <token>.",
            )
        try:
            claims = await self._verified_claims(token)
        except ExpiredTokenError:
            raise Unauthenticated("The bearer token has expired.", remedy="Call with a new token.") from None
        except Exception:  # a token is anybody's bytes: whatever they make the library raise, it is not good
            raise _refused() from None
        return _caller(claims)

    async def _verified_claims(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST_TOKEN:
            raise _refused()
        key = await self._key(token)
        verified = jwt.decode(token, key, algorithms=ALGORITHMS, registry=_PublicKeyRegistry())
        jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=int(_LEEWAY.total_seconds()),
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
        ).validate(verified.claims)
        return verified.claims

    async def _key(self, token: str) -> PublicKey:
        header = jws.extract_compact(token.encode("ascii"), registry=_PublicKeyRegistry()).headers()
        kid = header.get("kid")
        if header.get("alg") not in ALGORITHMS or not (kid is None or isinstance(kid, str)):
            raise _refused()
        key = await self._keys.key(kid)
        if key is None:
            raise _refused()
        return key


class _PublicKeyRegistry(JWSRegistry):
    """Knows `ALGORITHMS` alone, whatever a token's header asks for."""

    max_header_length = 4096

    def get_alg(self, name: str) -> Any:
        """Returns the algorithm. Raises UnsupportedAlgorithmError for all others."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError("not a signature with a public key")
        return self.algorithms[name]


def _caller(claims: dict[str, Any]) -> Caller:
    tenant, email = claims.get("tenant"), claims.get("email", "")
    if not isinstance(tenant, str) or not is_tenant(tenant):
        raise _malformed("tenant")
    if not isinstance(email, str) or len(email) > _LONGEST_EMAIL:
        raise _malformed("email")
    return Caller(tenant=tenant, roles=_roles(claims.get("roles", [])), email=email)


def _roles(written: object) -> frozenset[Role]:
    words = written.split() if isinstance(written, str) else written
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _malformed("roles")
    return frozenset(role for role in Role if role.value in words)


def _refused() -> Unauthenticated:
    return Unauthenticated(
        "The bearer token is not good for this mailport.",
        remedy="Call with a token of the issuer and for the audience that mailport is set up with.",
    )


def _malformed(claim: str) -> Unauthenticated:
    return Unauthenticated(
        f"The bearer token's claim {claim} is missing or has another form than it must.",
        remedy="Have the issuer put tenant (a name), roles (configure, send, read) and email into its tokens.",
    )
