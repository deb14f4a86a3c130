"""The question that every kind of credential answers, and what all of them share."""

from __future__ import annotations

from typing import Any, Final, Protocol

import grpc

from domain.caller import Caller
from domain.errors import Unauthenticated
from domain.text import has_control_character

Context = grpc.aio.ServicerContext[Any, Any]

_LONGEST_TENANT: Final = 128


class Identity(Protocol):
    """Tells who makes a call."""

    async def caller(self, context: Context) -> Caller:
        """Returns the caller that the call's credential proves. Raises Unauthenticated, its text a fixed one."""
        ...


def is_tenant(name: object) -> bool:
    """Tells whether *name* can be a tenant's: a text of 1 to 128 characters, none of them a blank or unprintable."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= _LONGEST_TENANT
        and not has_control_character(name)
        and not any(character.isspace() for character in name)
    )


def bearer_token(context: Context) -> str | None:
    """
    Returns the bearer token of the call (RFC 6750), None when the call has no ``authorization`` at all.

    Raises Unauthenticated when there is one that is no bearer token, or more than one.
    """
    given = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    if not given:
        return None
    scheme, _, token = str(given[0]).partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(
            "The call's authorization is not a bearer token.",
            remedy="Send one metadata entry: authorization: Bearer <token>.",
        )
    return token.strip()
