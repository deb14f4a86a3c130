"""The sandbox's identity provider in a process of its own: tokens without a person."""

from __future__ import annotations

import asyncio
from pathlib import Path

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.sandbox import Sandbox
from service.web.server import WebServer
from tests.bench.answering import answering, given, nothing

SCOPE = "https://mail.sandbox.example/"


async def main() -> None:
    """Serves until the input ends."""
    async with Sandbox(folder=Path(given()["folder"])) as sandbox:
        server = WebServer(host="127.0.0.1", port=0)
        await server.start(sandbox.site)
        identity = sandbox.identity
        url = f"http://127.0.0.1:{server.port}"
        ready = {
            "client_id": identity.client_id(Behaviour.STRICT),
            "client_secret": identity.client_secret(Behaviour.STRICT),
            "token_endpoint": identity.endpoints(url, Behaviour.STRICT).token,
            "scopes": [SCOPE],
        }
        await answering(ready, nothing)
        await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
