"""What consent sessions and grants share as JSON columns."""

from __future__ import annotations

from adapters.postgres.codec import Json, storable
from domain.grant import GrantBasis
from domain.settings.model import GrantType


def basis_to(basis: GrantBasis) -> Json:
    return {
        "client_id": basis.client_id,
        "authorization_endpoint": basis.authorization_endpoint,
        "token_endpoint": basis.token_endpoint,
        "username": basis.username,
        "scopes": sorted(basis.scopes),
        "grant_type": basis.grant_type.value,
    }


def basis_from(row: Json) -> GrantBasis:
    return GrantBasis(
        client_id=row["client_id"],
        authorization_endpoint=row["authorization_endpoint"],
        token_endpoint=row["token_endpoint"],
        username=row["username"],
        scopes=frozenset(row["scopes"]),
        grant_type=GrantType(row.get("grant_type", GrantType.AUTHORIZATION_CODE)),
    )


def scopes_to(scopes: tuple[str, ...]) -> list[str]:
    """Returns *scopes*, as a peer wrote them, fit to be stored."""
    return [storable(scope) for scope in scopes]
