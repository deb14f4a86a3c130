"""The Graph simulator with a port of its own, an identity provider and an inbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount

from service.sandbox.graph.simulator import GRAPH_PATH, GraphSimulator
from service.sandbox.graph.site import graph_routes
from service.sandbox.identity.provider import IDENTITY_PATH, IdentityProvider
from service.sandbox.identity.site import identity_routes
from service.sandbox.inbox import Inbox
from service.web.server import WebServer


@dataclass(frozen=True, slots=True)
class GraphPeer:
    """A running simulator."""

    graph: GraphSimulator
    identity: IdentityProvider
    inbox: Inbox
    web_url: str
    """Scheme, host and port; `identity.endpoints` wants it."""

    @property
    def root(self) -> str:
        """The base URL of Graph, without the version."""
        return self.graph.root(self.web_url)


def graph_site(graph: GraphSimulator) -> Starlette:
    """Graph and its identity provider at their usual paths."""
    return Starlette(
        routes=[
            Mount(IDENTITY_PATH, routes=identity_routes(graph.identity)),
            Mount(GRAPH_PATH, routes=graph_routes(graph)),
        ]
    )


@asynccontextmanager
async def started_graph(**options: Any) -> AsyncIterator[GraphPeer]:
    """Serves on a free loopback port; *options* are those of `GraphSimulator`."""
    identity, inbox = IdentityProvider(), Inbox()
    graph = GraphSimulator(identity=identity, inbox=inbox, **options)
    web = WebServer(host="127.0.0.1", port=0)
    await web.start(graph_site(graph))
    try:
        yield GraphPeer(graph, identity, inbox, f"http://127.0.0.1:{web.port}")
    finally:
        await web.stop()
