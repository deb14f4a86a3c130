"""A bearer token where the call has one, else the client's certificate."""

from __future__ import annotations

from domain.caller import Caller
from service.rpc.identity.base import Context, Identity, bearer_token


class EitherIdentity:
    """Lets the token decide alone where there is one: a bad token never falls back to the certificate."""

    def __init__(self, *, bearer: Identity, certificate: Identity) -> None:
        self._bearer = bearer
        self._certificate = certificate

    async def caller(self, context: Context) -> Caller:
        """Returns the caller. Raises Unauthenticated."""
        decides = self._certificate if bearer_token(context) is None else self._bearer
        return await decides.caller(context)
