"""Signed id_tokens (OpenID Connect Core 1.0 section 2) and the key that checks them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.grants import Grant

_BITS: Final = 2048
_LIFETIME: Final = timedelta(hours=1)
_DIRECTORY: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""Microsoft's directory of personal accounts."""


class Signer:
    """Signs with one RSA key of this process, made when it is first needed."""

    @cached_property
    def _key(self) -> RSAKey:
        key = RSAKey.generate_key(_BITS, {"use": "sig", "alg": "RS256"}, private=True)
        key.ensure_kid()
        return key

    def keys(self) -> dict[str, Any]:
        """Returns the JWKS with the public key (RFC 7517)."""
        return dict(KeySet([self._key]).as_dict(private=False))

    def id_token(self, grant: Grant, *, issuer: str, now: datetime) -> str:
        """Returns an id_token that says who consented."""
        permissions = {scope.permission for scope in grant.scopes}
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": issuer,
            "aud": grant.client_id,
            "sub": subject_of(grant.account),
            "iat": issued,
            "exp": issued + int(_LIFETIME.total_seconds()),
        }
        if grant.nonce:
            claims["nonce"] = grant.nonce
        if "email" in permissions:
            claims |= {"email": grant.account, "email_verified": True}
        if grant.behaviour is Behaviour.MICROSOFT:
            claims |= {"tid": _DIRECTORY, "ver": "2.0"}
            if "profile" in permissions:
                claims["preferred_username"] = grant.account
        return jwt.encode({"alg": "RS256", "kid": self._key.kid}, claims, self._key, algorithms=["RS256"])


def subject_of(account: str) -> str:
    """Returns the account's ``sub``: the same whatever the case of its address."""
    return hashlib.sha256(account.casefold().encode()).hexdigest()[:24]
