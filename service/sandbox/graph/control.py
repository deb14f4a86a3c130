"""The Graph simulator for scripts: requests to read, faults, limits, rights and mailboxes to set."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.sandbox.graph.directory import MailboxState, Right
from service.sandbox.graph.faults import Fault
from service.sandbox.graph.operations import Operation
from service.sandbox.graph.simulator import GraphSimulator
from service.sandbox.responses import data
from service.sandbox.wishes import ControlError, choice, read_wish

_SPANS: Final = frozenset({"retry_after", "delay", "copy_delay", "request_window", "upload_window"})
_LONGEST_SPAN: Final = timedelta(days=1).total_seconds()


class Control:
    """Answers scripts; changes need a JSON body, which no form of a foreign page can send. Spans are in seconds."""

    def __init__(self, simulator: GraphSimulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """Returns the routes, relative to where the simulator is mounted."""
        return [
            Route("/requests.json", self.requests),
            Route("/mailboxes.json", self.mailboxes),
            Route("/control/faults", self.faults, methods=["POST"]),
            Route("/control/limits", self.limits, methods=["POST"]),
            Route("/control/rights", self.rights, methods=["POST"]),
            Route("/control/mailbox", self.mailbox, methods=["POST"]),
            Route("/control/app", self.app, methods=["POST"]),
            Route("/control/token", self.token, methods=["POST"]),
            Route("/control/reset", self.reset, methods=["POST"]),
        ]

    async def requests(self, _request: Request) -> Response:
        """Every request, the most at once, and how many came inside a Retry-After."""
        records = self._simulator.records
        return data(
            {
                "requests": [record.as_json() for record in records],
                "most_at_once": records.most_at_once(),
                "inside_retry_after": len(records.inside_retry_after()),
            }
        )

    async def mailboxes(self, _request: Request) -> Response:
        """How many messages are in each folder of each mailbox, and how many upload sessions are open."""
        return data({"mailboxes": self._simulator.mailboxes.counts(), "upload_sessions": len(self._simulator.uploads)})

    async def faults(self, request: Request) -> Response:
        """Plans a fault; the members are the fields of `faults.Fault`, headers as an object."""
        try:
            wish = await read_wish(request, {each.name for each in fields(Fault)})
            self._simulator.fail_next(_fault(wish))
        except (ControlError, ValueError, TypeError) as error:
            return data({"error": str(error)}, status_code=400)
        return data({"planned": wish.get("times", 1)})

    async def limits(self, request: Request) -> Response:
        """Sets limits; the members are the fields of `limits.Limits`, those left out stay."""
        simulator = self._simulator
        try:
            wish = await read_wish(request, {each.name for each in fields(simulator.limits)})
            simulator.limits = replace(simulator.limits, **{name: _number(wish, name) for name in wish})
        except ControlError as error:
            return data({"error": str(error)}, status_code=400)
        return data({})

    async def rights(self, request: Request) -> Response:
        """Gives ``account`` exactly the ``rights`` (a list) to ``mailbox``."""
        try:
            wish = await read_wish(request, {"account", "mailbox", "rights"})
            rights = [choice(each, Right, "rights") for each in _list(wish, "rights")]
        except ControlError as error:
            return data({"error": str(error)}, status_code=400)
        directory, account, mailbox = self._simulator.directory, str(wish.get("account")), str(wish.get("mailbox"))
        directory.withdraw(account, mailbox)
        directory.allow(account, mailbox, *rights)
        return data({})

    async def mailbox(self, request: Request) -> Response:
        """Sets the ``state`` of a ``mailbox``."""
        try:
            wish = await read_wish(request, {"mailbox", "state"})
            state = choice(wish.get("state", ""), MailboxState, "state")
        except ControlError as error:
            return data({"error": str(error)}, status_code=400)
        self._simulator.directory.set_state(str(wish.get("mailbox", "")), state)
        return data({})

    async def app(self, request: Request) -> Response:
        """
        Sets the application permissions ``roles``, the ``mailboxes`` that a policy allows (null: all), and whether
        messages get another Message-ID (``rewrites_message_ids``); what is left out stays.
        """
        directory = self._simulator.directory
        try:
            wish = await read_wish(request, {"roles", "mailboxes", "rewrites_message_ids"})
            if "roles" in wish:
                directory.app_roles = frozenset(str(role).lower() for role in _list(wish, "roles"))
            if "mailboxes" in wish:
                found = None if wish["mailboxes"] is None else _list(wish, "mailboxes")
                directory.app_mailboxes = None if found is None else frozenset(str(each).casefold() for each in found)
        except ControlError as error:
            return data({"error": str(error)}, status_code=400)
        if "rewrites_message_ids" in wish:
            self._simulator.rewrites_message_ids = wish["rewrites_message_ids"] is True
        return data({})

    async def token(self, request: Request) -> Response:
        """Gives an access token for ``account`` (empty: the application) and ``permissions``, without any consent."""
        try:
            wish = await read_wish(request, {"account", "permissions", "lifetime"})
            permissions = [str(each) for each in _list(wish, "permissions")] if "permissions" in wish else []
            lifetime = timedelta(seconds=_number(wish, "lifetime")) if "lifetime" in wish else None
            token = self._simulator.access_token(str(wish.get("account", "")), *permissions, lifetime=lifetime)
        except (ControlError, ValueError) as error:
            return data({"error": str(error)}, status_code=400)
        return data({"access_token": token})

    async def reset(self, request: Request) -> Response:
        """Forgets faults, requests, messages, sessions and throttling; limits and rights stay."""
        try:
            await read_wish(request, set())
        except ControlError as error:
            return data({"error": str(error)}, status_code=400)
        self._simulator.reset()
        return data({})


def _fault(wish: dict[str, Any]) -> Fault:
    found: dict[str, Any] = {}
    for name, value in wish.items():
        if name == "operation":
            found[name] = choice(value, Operation, name)
        elif name == "headers":
            if not isinstance(value, dict):
                raise ControlError("headers is an object.")
            found[name] = tuple((str(key), str(text)) for key, text in value.items())
        elif name in _SPANS or name in {"status", "skip", "times"}:
            found[name] = _number(wish, name)
        elif type(value) is not type(_KINDS.get(name, "")):
            raise ControlError(f"{name} is of another type.")
        else:
            found[name] = value
    return Fault(**found)


_KINDS: Final = dict.fromkeys(("cut", "unread", "silent", "takes_effect", "retry_after_as_date"), False)


def _number(wish: dict[str, Any], name: str) -> Any:
    value = wish[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ControlError(f"{name} is a number, not below 0.")
    if name in _SPANS:
        if value > _LONGEST_SPAN:
            raise ControlError(f"{name} is at most a day.")
        return timedelta(seconds=value)
    return int(value)


def _list(wish: dict[str, Any], name: str) -> list[Any]:
    value = wish.get(name)
    if not isinstance(value, list):
        raise ControlError(f"{name} is a list.")
    return value
