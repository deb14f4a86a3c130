"""The web side's routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

Ready = Callable[[], Awaitable[tuple[str, ...]]]
"""Answers what is missing before calls can be served; empty when nothing is."""


def web_app(
    *, ready: Ready, pages: Iterable[BaseRoute] = (), sandbox: ASGIApp | None = None, sandbox_path: str = "/sandbox"
) -> Starlette:
    """
    Returns the application: ``/livez`` and ``/readyz`` for orchestrators, *pages*, and the sandbox's when there is one.

    ``/readyz`` answers 200, or 503 naming what is missing; ``/livez`` answers 200 while the process can answer at all.
    """

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        missing = await ready()
        return JSONResponse({"ready": not missing, "missing": list(missing)}, status_code=503 if missing else 200)

    async def home(_: Request) -> Response:
        if sandbox is not None:
            return RedirectResponse(f"{sandbox_path}/")
        return PlainTextResponse("mailport is running; its API is gRPC.\n")

    routes: list[BaseRoute] = [Route("/", home), Route("/livez", livez), Route("/readyz", readyz), *pages]
    if sandbox is not None:
        routes.append(Mount(sandbox_path, app=sandbox))
    return Starlette(routes=routes)
