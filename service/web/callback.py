"""The page that a browser lands on after consent: it hands the callback on, and says what came of it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

CALLBACK_PATH: Final = "/oauth/callback"
CALLBACK_FAILED: Final = "callback_failed"

_SECRET_PARAMETERS: Final = frozenset({"code", "state", "id_token", "access_token", "session_state"})
_SHORTEST_SECRET: Final = 6
"""A shorter value is nobody's secret, and striking it out would mangle ordinary words."""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}

_logger = logging.getLogger(__name__)
_templates: Final = Environment(
    loader=PackageLoader("service.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackOutcome:
    """What a person is told about the consent; plain texts, without a code, a state or a token."""

    ok: bool
    """Whether the settings are authorized now."""
    title: str
    """A few words, e.g. "SMTP Settings Authorized"."""
    message: tuple[str, ...] = ()
    """What was granted, or what went wrong: a paragraph each."""
    remedy: str = ""
    """What the person should do; empty when nothing remains to be done."""


Complete = Callable[[str], Awaitable[CallbackOutcome]]
"""
Completes the consent that a browser brings back: takes the URL it landed on, with its query exactly as it was sent.

Called once a request; the same URL may come again, when the page is reloaded. Never raises for a consent that failed.
"""

_OUR_FAULT: Final = CallbackOutcome(
    ok=False,
    title="Something went wrong here",
    message=("The consent could not be recorded, through no fault of yours or of your provider's.",),
    remedy="Go back to the settings and start the authorization again. If that does not help, ask your administrator "
    "to look at mailport's log.",
)


def callback_route(*, complete: Complete) -> Route:
    """
    Returns the route of the callback page.

    Only a GET by a person completes a consent: HEAD, and what a browser or a mail filter fetches ahead of a click, do
    not. No log line holds anything of the URL.
    """

    async def callback(request: Request) -> Response:
        if request.method == "HEAD" or _is_ahead_of_a_person(request):
            # A browser throws an answer to a prefetch away that is no success, and asks again when it is needed.
            return Response(status_code=200 if request.method == "HEAD" else 503, headers=_HEADERS)
        status_code = 200
        try:
            outcome = await complete(str(request.url))
        except Exception as error:  # the page is all that the person sees
            _logger.error(CALLBACK_FAILED, extra={"error": type(error).__qualname__})
            outcome, status_code = _OUR_FAULT, 500
        if not outcome.ok and status_code == 200:
            status_code = 400
        return _page(_without_secrets(outcome, request.url.query), status_code=status_code)

    return Route(CALLBACK_PATH, callback, methods=["GET"])


def _is_ahead_of_a_person(request: Request) -> bool:
    purposes = (request.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-purpose", "x-moz"))
    return any(word in purpose.lower() for purpose in purposes for word in ("prefetch", "prerender", "preview"))


def _without_secrets(outcome: CallbackOutcome, query: str) -> CallbackOutcome:
    """Returns *outcome* with what the URL carried struck out, should a text hold it after all."""
    values = [
        value
        for name, value in parse_qsl(query, errors="replace")
        if name in _SECRET_PARAMETERS and len(value) >= _SHORTEST_SECRET
    ]

    def clean(text: str) -> str:
        for value in values:
            text = text.replace(value, "***")
        return text

    return replace(
        outcome,
        title=clean(outcome.title),
        message=tuple(clean(line) for line in outcome.message),
        remedy=clean(outcome.remedy),
    )


def _page(outcome: CallbackOutcome, *, status_code: int) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    text = _templates.get_template("callback.html").render(outcome=outcome, nonce=nonce)
    return HTMLResponse(text, status_code=status_code, headers={**_HEADERS, "Content-Security-Policy": policy})
