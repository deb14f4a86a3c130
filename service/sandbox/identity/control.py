"""The identity provider for scripts: counters, faults on request, the user who withdraws a consent."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.faults import Fault
from service.sandbox.identity.provider import IdentityProvider
from service.sandbox.responses import data
from service.sandbox.wishes import ControlError, choice, read_wish

_MOST_TIMES: Final = 1_000_000


class Control:
    """
    Answers scripts: ``counters.json`` to read, ``faults``, ``withdraw`` and ``client`` to change, ``reset``.

    Changes need a JSON body, which no form of a foreign page can send.
    """

    def __init__(self, provider: IdentityProvider) -> None:
        self._provider = provider

    def routes(self) -> list[Route]:
        """Returns the routes, relative to where the identity provider is mounted."""
        return [
            Route("/counters.json", self.counters),
            Route("/control/faults", self.faults, methods=["POST"]),
            Route("/control/withdraw", self.withdraw, methods=["POST"]),
            Route("/control/client", self.client, methods=["POST"]),
            Route("/control/reset", self.reset, methods=["POST"]),
        ]

    async def counters(self, _request: Request) -> Response:
        """All counters, and the grants with theirs."""
        provider = self._provider
        grants = [
            {
                "grant_id": grant.grant_id,
                "behaviour": grant.behaviour,
                "account": grant.account,
                "scopes": [scope.text for scope in grant.scopes],
                "is_alive": grant.is_alive,
                "exchanges": grant.exchanges,
                "refreshes": grant.refreshes,
                "reuse_detected": grant.reuse_detected,
            }
            for grant in provider.grants
        ]
        return data({**{each: provider.counters(each).as_json() for each in Behaviour}, "grants": grants})

    async def faults(self, request: Request) -> Response:
        """Plans a fault: ``fault``, and as wanted ``behaviour``, ``grant_type``, ``times``."""
        try:
            wish = await read_wish(request, {"fault", "behaviour", "grant_type", "times"})
            times = wish.get("times", 1)
            if type(times) is not int or not 1 <= times <= _MOST_TIMES:
                raise ControlError(f"times is a number from 1 to {_MOST_TIMES}.")
            fault = choice(wish.get("fault", ""), Fault, "fault")
            behaviour = choice(wish["behaviour"], Behaviour, "behaviour") if "behaviour" in wish else None
            grant_type = str(wish.get("grant_type", ""))
        except ControlError as error:
            return data({"error": str(error)}, status_code=400)
        self._provider.fail_next(fault, behaviour=behaviour, grant_type=grant_type, times=times)
        return data({"planned": times})

    async def withdraw(self, request: Request) -> Response:
        """
        Ends the consents of ``account`` (all without one), as its owner can.

        With ``access_tokens_only`` they live on, and their access tokens alone become useless.
        """
        try:
            wish = await read_wish(request, {"account", "access_tokens_only"})
        except ControlError as error:
            return data({"error": str(error)}, status_code=400)
        account = str(wish.get("account", ""))
        if wish.get("access_tokens_only") is True:
            return data({"withdrawn": self._provider.withdraw_access_tokens(account)})
        return data({"withdrawn": self._provider.withdraw_consent(account)})

    async def client(self, request: Request) -> Response:
        """Registers a ``redirect_uri``; changes the ``client_secret`` of a ``behaviour``."""
        try:
            wish = await read_wish(request, {"redirect_uri", "client_secret", "behaviour"})
            if "client_secret" in wish:
                behaviour = choice(wish.get("behaviour", ""), Behaviour, "behaviour")
                self._provider.change_client_secret(behaviour, str(wish["client_secret"]))
        except ControlError as error:
            return data({"error": str(error)}, status_code=400)
        if "redirect_uri" in wish:
            self._provider.register_redirect(str(wish["redirect_uri"]))
        return data({})

    async def reset(self, request: Request) -> Response:
        """Forgets planned faults and begins to count from nought; grants and tokens stay."""
        try:
            await read_wish(request, set())
        except ControlError as error:
            return data({"error": str(error)}, status_code=400)
        self._provider.reset()
        return data({})
