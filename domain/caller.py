"""Who calls mailport: taken from the credential, never from the request's body."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do."""

    CONFIGURE = "configure"
    SEND = "send"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Caller:
    """The verified caller of one RPC."""

    tenant: str
    roles: frozenset[Role]
    email: str = ""
    """The ``email`` claim of a bearer token; empty when there is none."""


DEFAULT_CALLER = Caller(tenant="default", roles=frozenset(Role))
"""Every caller of a mailport that runs without identity (loopback, or MAILPORT_INSECURE)."""
