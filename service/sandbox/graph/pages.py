"""The Graph simulator for people: how to use it."""

from __future__ import annotations

from dataclasses import fields

from starlette.requests import Request
from starlette.responses import Response

from service.sandbox.accounts import DEFAULT_USERNAME
from service.sandbox.graph.directory import BEHALF_LOCAL_PART, SHARED_LOCAL_PART
from service.sandbox.graph.operations import Operation
from service.sandbox.graph.simulator import GraphSimulator
from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.responses import page


class GraphPages:
    """Answers browsers."""

    def __init__(self, simulator: GraphSimulator) -> None:
        self._simulator = simulator

    async def index(self, request: Request) -> Response:
        """The account to try, and addresses for scripts."""
        simulator, identity = self._simulator, self._simulator.identity
        web_url = f"{request.url.scheme}://{request.url.netloc}"
        return page(
            request,
            "graph/index.html",
            root=simulator.root(web_url),
            endpoints=identity.endpoints(web_url, Behaviour.MICROSOFT),
            client_id=identity.client_id(Behaviour.MICROSOFT),
            client_secret=identity.client_secret(Behaviour.MICROSOFT),
            username=DEFAULT_USERNAME,
            password=identity.password,
            shared=SHARED_LOCAL_PART,
            behalf=BEHALF_LOCAL_PART,
            operations=list(Operation),
            limits=[each.name for each in fields(simulator.limits)],
        )
