"""A service account with domain-wide delegation, as Google has it: its key, and the assertions it signs (RFC 7523)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from service.sandbox.identity.errors import TokenError

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_EMAIL: Final = "mailport@sandbox.iam.gserviceaccount.com"
_UNIQUE_ID: Final = "104280000000000000000"
_BITS: Final = 2048
_LONGEST: Final = timedelta(hours=1)
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Asserted:
    """What a good assertion asks for."""

    account: str
    """The user to act for."""
    scope: str


class ServiceAccount:
    """One account with one RSA key of this process, made when it is first needed."""

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=_BITS)

    @cached_property
    def _key_id(self) -> str:
        return RSAKey(self._key, self._key).thumbprint()

    def key_file(self, *, token_uri: str) -> str:
        """Returns the JSON key file, in the form that Google gives; it is no secret."""
        private_key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        members = {
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": self._key_id,
            "private_key": private_key.decode(),
            "client_email": CLIENT_EMAIL,
            "client_id": _UNIQUE_ID,
            "token_uri": token_uri,
        }
        return json.dumps(members, indent=2)

    def read(self, assertion: str, *, audience: str, now: datetime) -> Asserted:
        """Returns what *assertion* asks for, signed by the account for *audience*. Raises TokenError."""
        public_key = self._key.public_key()
        try:
            token = jwt.decode(assertion, RSAKey(public_key, public_key), algorithms=["RS256"])
        except (JoseError, ValueError) as error:
            raise _invalid("Invalid JWT Signature.") from error
        claims = token.claims
        if claims.get("iss") != CLIENT_EMAIL:
            raise _invalid("Invalid grant: account not found")
        if claims.get("aud") != audience:
            raise _invalid("Invalid JWT: Failed audience check.")
        if not _is_short_lived(claims, now):
            raise _invalid(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                "Check your iat and exp values in the JWT claim."
            )
        account, scope = claims.get("sub"), claims.get("scope", "")
        if not isinstance(account, str) or "@" not in account or not isinstance(scope, str):
            raise _invalid("Invalid email or User ID")
        return Asserted(account, scope)


def _is_short_lived(claims: dict[str, Any], now: datetime) -> bool:
    try:
        issued, ends = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return False
    return now - _LONGEST - _SKEW <= issued <= now + _SKEW and now - _SKEW < ends <= issued + _LONGEST


def _invalid(text: str) -> TokenError:
    return TokenError("invalid_grant", text, aadsts=0, google=text)
