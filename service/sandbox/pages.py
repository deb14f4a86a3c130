"""The sandbox for people: what there is to try, and the inbox, as HTML pages without any script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from service.sandbox.filters import Filter, FilterError, parse_filter
from service.sandbox.graph.simulator import GRAPH_PATH, GraphSimulator
from service.sandbox.graph.site import graph_routes
from service.sandbox.identity.provider import IDENTITY_PATH, IdentityProvider
from service.sandbox.identity.site import identity_routes
from service.sandbox.inbox import Inbox
from service.sandbox.inbox_json import InboxJson
from service.sandbox.recipients import MAGIC_RECIPIENTS
from service.sandbox.responses import download, mail_html, page

MOUNT_PATH: Final = "/sandbox"
"""Where the sandbox's pages are, in `mailport serve --sandbox` and in `mailport sandbox` alike."""

_ROWS_SHOWN: Final = 100
_CHARACTERS_SHOWN: Final = 100_000


@dataclass(frozen=True, slots=True)
class SandboxFacts:
    """What a person needs to know to use a running sandbox."""

    smtp_host: str
    smtp_port: int
    smtps_port: int
    imap_port: int
    imaps_port: int
    username: str
    password: str
    size_limit_bytes: int
    ca_path: str
    ca_pem: str


class Pages:
    """Answers the HTML pages; *facts* is asked at each request, so that ports are known by then."""

    def __init__(self, *, inbox: Inbox, facts: Callable[[], SandboxFacts]) -> None:
        self._inbox = inbox
        self._facts = facts

    def routes(self) -> list[Route]:
        """Returns the routes, relative to where the sandbox is mounted."""
        return [
            Route("/", self.index),
            Route("/ca.pem", self.ca),
            Route("/inbox", self.list),
            Route("/inbox/{id}.html", self.html_body),
            Route("/inbox/{id}", self.show),
            Route("/{path:path}", self.missing),
        ]

    async def index(self, request: Request) -> Response:
        """What there is: servers, account, magic recipients, addresses for scripts."""
        return page(
            request,
            "index.html",
            facts=self._facts(),
            magic_recipients=MAGIC_RECIPIENTS,
            message_count=len(self._inbox),
        )

    async def ca(self, request: Request) -> Response:
        """The CA certificate that a client must trust, as PEM."""
        pem = self._facts().ca_pem.encode("ascii")
        return download(pem, file_name="mailport-sandbox-ca.pem", media_type="application/x-pem-file")

    async def list(self, request: Request) -> Response:
        """The newest messages, with the filters of ``inbox.json``."""
        problem = ""
        try:
            asked = parse_filter(request.query_params, default_limit=_ROWS_SHOWN)
        except FilterError as error:
            asked, problem = Filter(limit=_ROWS_SHOWN), str(error)
        found = self._inbox.newest(asked.matches)
        return page(
            request,
            "inbox.html",
            status_code=400 if problem else 200,
            messages=found[: asked.limit],
            total=len(found),
            asked=asked,
            problem=problem,
        )

    async def show(self, request: Request) -> Response:
        """One message: envelope, bodies, attachments, headers."""
        message = self._inbox.get(request.path_params["id"])
        if message is None:
            return await self.missing(request)
        contents = await run_in_threadpool(message.contents)
        return page(request, "message.html", message=message, contents=contents, characters_shown=_CHARACTERS_SHOWN)

    async def html_body(self, request: Request) -> Response:
        """The HTML body alone, for the frame in the message's page."""
        message = self._inbox.get(request.path_params["id"])
        if message is None:
            return await self.missing(request)
        contents = await run_in_threadpool(message.contents)
        return mail_html(contents.html_body)

    async def missing(self, request: Request) -> Response:
        """Says that there is nothing here (any more)."""
        return page(request, "missing.html", status_code=404)


def sandbox_app(
    *, inbox: Inbox, identity: IdentityProvider, graph: GraphSimulator, facts: Callable[[], SandboxFacts]
) -> Starlette:
    """Returns the sandbox's pages, to be mounted at `MOUNT_PATH`; links follow the mount point."""
    routes: list[BaseRoute] = [
        *InboxJson(inbox=inbox).routes(),
        Mount(IDENTITY_PATH.removeprefix(MOUNT_PATH), routes=identity_routes(identity)),
        Mount(GRAPH_PATH.removeprefix(MOUNT_PATH), routes=graph_routes(graph)),
        *Pages(inbox=inbox, facts=facts).routes(),
    ]
    return Starlette(routes=routes)


def standalone_site(app: Starlette) -> Starlette:
    """Returns a site of its own with *app* mounted at `MOUNT_PATH` and a redirect from the root to it."""

    async def root(request: Request) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}{MOUNT_PATH}/")

    return Starlette(routes=[Route("/", root), Mount(MOUNT_PATH, app=app)])
