"""What scripts ask of the simulators: JSON objects, which no form of a foreign page can send."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.requests import Request

_LONGEST_BODY: Final = 16 * 1024


class ControlError(ValueError):
    """The request cannot be carried out; the text says why."""


async def read_wish(request: Request, known: set[str]) -> dict[str, Any]:
    """Returns the JSON object of the body, which has no other members than *known*. Raises ControlError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ControlError("The body must be application/json.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_BODY:
            raise ControlError(f"The body is longer than {_LONGEST_BODY} octets.")
    try:
        wish = json.loads(bytes(body))
    except ValueError as error:
        raise ControlError("The body is not JSON.") from error
    if not isinstance(wish, dict):
        raise ControlError("The body is not a JSON object.")
    unknown = sorted(set(wish) - known)
    if unknown:
        raise ControlError(f"There is no {', '.join(unknown)}; there are {', '.join(sorted(known)) or 'none'}.")
    return wish


def choice(value: Any, kind: Any, name: str) -> Any:
    """Returns the member of the StrEnum *kind* that *value* is. Raises ControlError, which names *name*."""
    try:
        return kind(value)
    except ValueError:
        raise ControlError(f"{name} is one of {', '.join(kind)}.") from None
