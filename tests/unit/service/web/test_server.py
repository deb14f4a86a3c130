"""The web server on a loopback port: known before it starts, gone after it stops."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from service.web.app import web_app
from service.web.server import WebServer


async def ready() -> tuple[str, ...]:
    return ()


async def test_given_port_zero_when_started_then_answers_where_it_says_until_it_is_stopped() -> None:
    server = WebServer(host="127.0.0.1", port=0)
    url = f"http://127.0.0.1:{server.port}/readyz"

    await server.start(web_app(ready=ready))
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(url)
    async with asyncio.timeout(10):
        await server.stop()

    assert answer.status_code == 200
    assert "server" not in answer.headers
    async with httpx2.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(url)


async def test_given_a_port_that_is_taken_when_made_then_says_so_before_anything_has_started() -> None:
    first = WebServer(host="127.0.0.1", port=0)

    with pytest.raises(OSError, match="in use"):
        WebServer(host="127.0.0.1", port=first.port)

    await first.stop()


async def test_given_a_server_that_was_never_started_when_stopped_then_its_port_is_free_again() -> None:
    first = WebServer(host="127.0.0.1", port=0)

    await first.stop()
    second = WebServer(host="127.0.0.1", port=first.port)

    await second.stop()
    assert second.port == first.port
