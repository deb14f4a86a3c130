"""What orchestrators and browsers get from the web side."""

from __future__ import annotations

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from service.web.app import web_app


async def index(_: Request) -> Response:
    return PlainTextResponse("the sandbox")


SANDBOX = Starlette(routes=[Route("/", index)])


async def get(
    path: str, *, missing: tuple[str, ...] = (), sandbox: ASGIApp | None = None, method: str = "GET"
) -> httpx2.Response:
    async def ready() -> tuple[str, ...]:
        return missing

    transport = httpx2.ASGITransport(app=web_app(ready=ready, sandbox=sandbox))
    async with httpx2.AsyncClient(transport=transport, base_url="http://mailport") as client:
        return await client.request(method, path)


async def test_given_nothing_missing_when_asked_for_readiness_then_is_ready() -> None:
    answer = await get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "missing": []}


async def test_given_the_database_away_when_asked_for_readiness_then_is_not_ready_and_says_why() -> None:
    """P28."""
    answer = await get("/readyz", missing=("database",))

    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "missing": ["database"]}


async def test_given_the_database_away_when_asked_for_life_then_is_alive() -> None:
    """A restart would not bring the database back."""
    answer = await get("/livez", missing=("database",))

    assert answer.status_code == 200


async def test_given_a_sandbox_when_the_root_is_opened_then_leads_there_at_once() -> None:
    answer = await get("/", sandbox=SANDBOX)

    assert answer.is_redirect
    there = await get(answer.headers["location"], sandbox=SANDBOX)
    assert there.status_code == 200
    assert there.text == "the sandbox"


async def test_given_no_sandbox_when_its_pages_are_asked_for_then_are_not_there() -> None:
    home = await get("/")
    pages = await get("/sandbox/")

    assert home.status_code == 200
    assert "gRPC" in home.text
    assert pages.status_code == 404


@pytest.mark.parametrize("path", ["/readyz", "/livez"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_given_a_method_that_changes_when_called_then_is_not_allowed(path: str, method: str) -> None:
    answer = await get(path, method=method)

    assert answer.status_code == 405
