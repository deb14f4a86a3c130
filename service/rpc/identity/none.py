"""No identity: mailport listens on loopback, or the operator trusts the network."""

from __future__ import annotations

from domain.caller import DEFAULT_CALLER, Caller
from service.rpc.identity.base import Context


class NoIdentity:
    """Takes every caller for the tenant ``default`` with all roles."""

    async def caller(self, context: Context) -> Caller:
        """Returns the default caller."""
        return DEFAULT_CALLER
