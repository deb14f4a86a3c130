"""Callers by client certificate: the names that the operator has listed, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from domain.caller import Caller, Role
from domain.errors import Unauthenticated
from service.rpc.identity.base import Context, is_tenant

_NAMES: Final = "x509_subject_alternative_name"
_ENTRY: Final = frozenset({"tenant", "roles"})


class ClientsInvalid(ValueError):
    """The list of clients cannot be used; the text says why, and is safe to show."""


class CertificateIdentity:
    """
    Knows callers by the subject alternative names of their verified certificates.

    *clients*: the caller for each name, as gRPC writes it (``DNS`` names and ``URI`` names bare). An empty list lets
    nobody in. The TLS side must require and verify client certificates; without that no call has a name.
    """

    def __init__(self, *, clients: Mapping[str, Caller]) -> None:
        self._clients = dict(clients)

    async def caller(self, context: Context) -> Caller:
        """Returns the caller of the certificate. Raises Unauthenticated for none, unlisted or ambiguous names."""
        names = [bytes(name).decode("utf-8", "replace") for name in context.auth_context().get(_NAMES, ())]
        if not names:
            raise Unauthenticated(
                "The call came without a client certificate.",
                remedy="Connect with a client certificate that names this service.",
            )
        known = {self._clients[name] for name in names if name in self._clients}
        if len(known) != 1:
            raise Unauthenticated(
                "The client certificate names nobody that mailport knows, or several callers at once.",
                remedy="Have the operator list one name of the certificate in MAILPORT_CLIENTS_FILE.",
            )
        return known.pop()


def load_clients(path: Path) -> dict[str, Caller]:
    """
    Reads the list of clients: ``{"name": {"tenant": "...", "roles": ["configure", "send", "read"]}}``.

    Raises ClientsInvalid naming the first thing that is wrong: a list that is half understood would let in somebody who
    was meant to be kept out.
    """
    try:
        written = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_repetition)
    except OSError as error:
        raise ClientsInvalid(f"The list of clients cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, ClientsInvalid):
            raise
        raise ClientsInvalid("The list of clients is not JSON.") from error
    if not isinstance(written, dict):
        raise ClientsInvalid("The list of clients is not an object with a member for each client.")
    return {name: _client(name, entry) for name, entry in written.items()}


def _client(name: str, entry: object) -> Caller:
    if not name or not isinstance(entry, dict) or set(entry) != _ENTRY:
        raise ClientsInvalid(f"The client {name!r} must have exactly the members tenant and roles.")
    tenant, roles = entry["tenant"], entry["roles"]
    if not is_tenant(tenant):
        raise ClientsInvalid(f"The tenant of the client {name!r} is not a name of 1 to 128 characters without blanks.")
    known = {role.value for role in Role}
    if not isinstance(roles, list) or not all(isinstance(role, str) and role in known for role in roles):
        raise ClientsInvalid(f"The roles of the client {name!r} are not a list of {', '.join(sorted(known))}.")
    return Caller(tenant=tenant, roles=frozenset(Role(role) for role in roles))


def _no_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ClientsInvalid("The list of clients names something twice.")
    return found
