"""
The sandbox's identity provider over HTTP as a process of its own: ``python -m tests.faults.provider_process``.

Prints its port, and ends with its standard input. What only tests ask for is below ``/test``.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.provider import IDENTITY_PATH, IdentityProvider
from service.sandbox.identity.site import identity_routes
from service.web.server import WebServer
from tests.consent_builders import CHALLENGE
from tests.faults.provider import REDIRECT_URL, SCOPES

_ANSWER_AFTER: Final = 0.05
"""Seconds that a token answer takes, as a provider and the way to it do: time for others to come while it is asked."""


class _Gate:
    """Lets token answers out late: the provider has done what it was asked for by then."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._changed = asyncio.Condition()
        self._held = 0
        self.seconds: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].endswith("/token"):
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        await asyncio.sleep(_ANSWER_AFTER)
        async with self._changed:
            self._held += 1
            self._changed.notify_all()
        await self._is_open.wait()
        self._held -= 1
        for message in answer:
            await send(message)
        self.seconds.append(time.perf_counter() - begin)

    async def hold(self, _request: Request) -> Response:
        self._is_open.clear()
        return JSONResponse({})

    async def held(self, request: Request) -> Response:
        """Answers when as many answers are held as are asked for."""
        count = int(request.query_params["count"])
        async with self._changed:
            await self._changed.wait_for(lambda: self._held >= count)
        return JSONResponse({})

    async def release(self, _request: Request) -> Response:
        self._is_open.set()
        return JSONResponse({})

    async def durations(self, _request: Request) -> Response:
        found, self.seconds = self.seconds, []
        return JSONResponse(found)


def _site(provider: IdentityProvider) -> Starlette:
    gate = _Gate(Starlette(routes=identity_routes(provider)))

    async def consent(request: Request) -> Response:
        """Consents as a person does, and gives the code."""
        behaviour = Behaviour(request.query_params["behaviour"])
        asked = {
            "client_id": provider.client_id(behaviour),
            "redirect_uri": REDIRECT_URL,
            "response_type": "code",
            "scope": SCOPES[behaviour],
            "state": "state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "access_type": "offline",
            "prompt": "consent",
        }
        endpoint = provider.endpoints(f"http://{request.url.netloc}", behaviour).authorization
        callback = provider.consent(f"{endpoint}?{urlencode(asked)}", account=request.query_params["account"])
        return JSONResponse({"code": parse_qs(urlsplit(callback).query)["code"][0]})

    return Starlette(
        routes=[
            Route("/test/consent", consent, methods=["POST"]),
            Route("/test/hold", gate.hold, methods=["POST"]),
            Route("/test/held", gate.held),
            Route("/test/release", gate.release, methods=["POST"]),
            Route("/test/durations", gate.durations),
            Mount(IDENTITY_PATH, app=gate),
        ]
    )


async def _serve() -> None:
    web = WebServer(host="127.0.0.1", port=0)
    await web.start(_site(IdentityProvider()))
    sys.stdout.write(f"{web.port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await web.stop()


if __name__ == "__main__":
    asyncio.run(_serve())
