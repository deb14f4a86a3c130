"""The forms of Graph's answers."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import JSONResponse, Response

from service.sandbox.graph.gateway import Call
from service.sandbox.graph.item import Item
from service.sandbox.graph.rendering import read_select, render

_VERSION: Final = "v1.0"


def context(call: Call, what: str) -> str:
    """Returns the ``@odata.context`` of *what* in the mailbox."""
    return f"{call.root}/{_VERSION}/$metadata#users('{call.mailbox}')/{what}"


def shown(call: Call, item: Item, *, status_code: int = 200) -> Response:
    """Returns a message."""
    selected = read_select(call.request.query_params.get("$select", ""))
    content = render(item, selected=selected, immutable=call.is_immutable, context=context(call, "messages/$entity"))
    return json(call, content, status_code=status_code)


def json(call: Call, content: dict[str, Any], *, status_code: int = 200) -> Response:
    """Returns JSON, and says which preference was applied."""
    headers = {"Cache-Control": "private"}
    if call.is_immutable:
        headers["Preference-Applied"] = 'IdType="ImmutableId"'
    return JSONResponse(
        content, status_code=status_code, headers=headers, media_type="application/json; odata.metadata=minimal"
    )


def accepted() -> Response:
    """Returns the empty 202: taken, not yet delivered."""
    return Response(status_code=202, headers={"Cache-Control": "private"})


def done() -> Response:
    """Returns the empty 204."""
    return Response(status_code=204, headers={"Cache-Control": "private"})
