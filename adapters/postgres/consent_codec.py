"""What consent sessions and grants share as JSON columns."""

from __future__ import annotations

from adapters.postgres.codec import Json, storable
from domain.grant import GrantBasis


def basis_to(basis: GrantBasis) -> Json:
    return {
        "client_id": basis.client_id,
        "authorization_endpoint": basis.authorization_endpoint,
        "token_endpoint": basis.token_endpoint,
        "username": basis.username,
        "scopes": sorted(basis.scopes),
    }


def basis_from(row: Json) -> GrantBasis:
    return GrantBasis(
        client_id=row["client_id"],
        authorization_endpoint=row["authorization_endpoint"],
        token_endpoint=row["token_endpoint"],
        username=row["username"],
        scopes=frozenset(row["scopes"]),
    )


def scopes_to(scopes: tuple[str, ...]) -> list[str]:
    """Returns *scopes*, as a peer wrote them, fit to be stored."""
    return [storable(scope) for scope in scopes]
