"""RPCs that the contract declares and this version does not offer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from domain.errors import Unimplemented


def not_yet(rpc: str) -> Unimplemented:
    """Returns the error that answers *rpc*."""
    return Unimplemented(
        f"This version of mailport does not offer {rpc} yet.",
        remedy="Use a later version; the changelog says when it came.",
        metadata={"rpc": rpc},
    )


async def not_yet_streamed(rpc: str) -> AsyncIterator[Any]:
    """Raises Unimplemented as soon as the first answer of *rpc* is asked for."""
    raise not_yet(rpc)
    yield  # makes it a stream
