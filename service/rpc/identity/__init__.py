"""Who calls: the tenant and roles come from a verified credential, never from a request (P19)."""

from __future__ import annotations

from service.rpc.identity.base import Identity
from service.rpc.identity.bearer import BearerIdentity
from service.rpc.identity.certificates import CertificateIdentity, ClientsInvalid, load_clients
from service.rpc.identity.either import EitherIdentity
from service.rpc.identity.keys import KeyCache, KeysInvalid, load_jwks
from service.rpc.identity.none import NoIdentity

__all__ = [
    "BearerIdentity",
    "CertificateIdentity",
    "ClientsInvalid",
    "EitherIdentity",
    "Identity",
    "KeyCache",
    "KeysInvalid",
    "NoIdentity",
    "load_clients",
    "load_jwks",
]
