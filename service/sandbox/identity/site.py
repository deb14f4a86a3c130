"""The routes of the identity provider."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.control import Control
from service.sandbox.identity.pages import IdentityPages
from service.sandbox.identity.provider import IdentityProvider

Answer = Callable[[Request, Behaviour], Awaitable[Response]]


def identity_routes(provider: IdentityProvider) -> list[BaseRoute]:
    """Returns the routes, to be mounted at `provider.IDENTITY_PATH`."""
    pages = IdentityPages(provider)
    routes: list[BaseRoute] = [Route("/", pages.index), *Control(provider).routes()]
    for behaviour in Behaviour:
        routes += [
            _route(behaviour, "/authorize", "GET", pages.authorize),
            _route(behaviour, "/sign-in", "POST", pages.sign_in),
            _route(behaviour, "/consent", "POST", pages.consent),
            _route(behaviour, "/token", "POST", provider.answer_token),
            _route(behaviour, "/revoke", "POST", provider.resources.revoke),
            _route(behaviour, "/introspect", "POST", provider.resources.introspect),
            _route(behaviour, "/userinfo", "GET", provider.resources.userinfo),
            _route(behaviour, "/keys", "GET", provider.resources.keys),
            _route(behaviour, "/service-account.json", "GET", provider.resources.service_account_key),
            _route(behaviour, "/.well-known/openid-configuration", "GET", provider.resources.configuration),
        ]
    return routes


def _route(behaviour: Behaviour, path: str, method: str, answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        return await answer(request, behaviour)

    return Route(f"/{behaviour}{path}", endpoint, methods=[method])
