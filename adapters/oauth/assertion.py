"""The assertion by which a service account stands in for a user (RFC 7523 sections 2.1 and 3; Google's page on it)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from domain.secret import Secret
from domain.service_account import NotAKey, ServiceAccountKey, read_service_account_key
from domain.settings.model import OAuthAuthentication

LIFETIME: Final = timedelta(hours=1)
"""The longest that Google takes."""
LEAST_BITS: Final = 2048
"""RFC 7518 section 3.3."""
_ALGORITHM: Final = "RS256"


class KeyUnusable(Exception):
    """The settings' key cannot sign; the text repeats nothing of it."""


def read_key(client: OAuthAuthentication) -> ServiceAccountKey:
    """Returns the client's key. Raises KeyUnusable; SecretUnreadable when the stored secret does not open."""
    try:
        return read_service_account_key(client.client_secret.reveal())
    except NotAKey as trouble:
        raise KeyUnusable(trouble.message) from None


def sign_assertion(
    client: OAuthAuthentication, key: ServiceAccountKey, *, scopes: tuple[str, ...], now: datetime
) -> Secret:
    """
    Returns an assertion of the client, for its user name, to its token endpoint, good for an hour from *now*.

    Takes some milliseconds of computing. Raises KeyUnusable.
    """
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": client.client_id,
        "sub": client.username,
        "aud": client.token_endpoint,
        "iat": issued,
        "exp": issued + int(LIFETIME.total_seconds()),
        **({"scope": " ".join(scopes)} if scopes else {}),
    }
    header = {"alg": _ALGORITHM, "typ": "JWT", **({"kid": key.key_id} if key.key_id else {})}
    try:
        return Secret(jwt.encode(header, claims, _signer(key), algorithms=[_ALGORITHM]))
    except (JoseError, ValueError, TypeError, ArithmeticError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(type(error).__name__) from None


def _signer(key: ServiceAccountKey) -> RSAKey:
    private_key = load_pem_private_key(key.private_key.reveal().encode(), password=None)
    if not isinstance(private_key, RSAPrivateKey):
        raise KeyUnusable("the key is not RSA's")
    if private_key.key_size < LEAST_BITS:
        raise KeyUnusable("the key is too short")
    return RSAKey(private_key, private_key)
