"""The token endpoint over HTTP: authentication, faults on request, answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from service.sandbox.identity.behaviour import TRAITS, Behaviour, endpoints_at
from service.sandbox.identity.clients import Clients
from service.sandbox.identity.counters import Statistics
from service.sandbox.identity.errors import TokenError, error_body
from service.sandbox.identity.faults import Fault, PlannedFaults
from service.sandbox.identity.http import FormError, issuer_of, once_each, read_form
from service.sandbox.identity.scopes import granted_text
from service.sandbox.identity.service_account import CLIENT_EMAIL, JWT_BEARER, ServiceAccount
from service.sandbox.identity.signing import Signer
from service.sandbox.identity.tokens import Issued, Tokens

RETRY_AFTER: Final = timedelta(seconds=30)
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 section 5.1
_SAID: Final = {
    Fault.INVALID_GRANT: TokenError(
        "invalid_grant", "The grant was revoked, for a new password for instance.", aadsts=50173, suberror="bad_token"
    ),
    Fault.INVALID_CLIENT: TokenError("invalid_client", "The client secret is wrong.", aadsts=7000215),
    Fault.TEMPORARILY_UNAVAILABLE: TokenError("temporarily_unavailable", "Try again in a moment.", aadsts=90033),
    Fault.SERVER_ERROR: TokenError("server_error", "Something went wrong.", aadsts=90006),
}


class TokenEndpoint:
    """Answers token requests."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        clients: Clients,
        faults: PlannedFaults,
        statistics: Statistics,
        signer: Signer,
        service_account: ServiceAccount,
        access_token_lifetime: Callable[[Behaviour], timedelta],
        silence: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._tokens = tokens
        self._clients = clients
        self._faults = faults
        self._statistics = statistics
        self._signer = signer
        self._service_account = service_account
        self._access_token_lifetime = access_token_lifetime
        self._silence = silence
        self._now = now

    async def answer(self, request: Request, behaviour: Behaviour) -> Response:
        """Answers one request, and counts it with its outcome."""
        counters = self._statistics[behaviour]
        form: dict[str, str] = {}
        problem: TokenError | None = None
        try:
            form = once_each(await read_form(request))
        except FormError as error:
            problem = TokenError("invalid_request", str(error), aadsts=9002313)
        grant_type = form.get("grant_type", "")
        counters.token_calls[grant_type] += 1
        fault = self._faults.at_token(behaviour, grant_type, self._tokens.account_of(form))
        try:
            if problem is not None:
                raise problem
            if fault is not None and (struck := await self._strike(fault, request, behaviour)) is not None:
                counters.token_answers[fault] += 1
                return struck
            body = self._grant(form, request, behaviour, with_refresh=fault is not Fault.NO_REFRESH_TOKEN)
            counters.token_answers[fault or "ok"] += 1
        except TokenError as error:
            counters.token_answers[error.error] += 1
            return self._refusal(error, behaviour, with_basic="authorization" in request.headers)
        finally:
            self._statistics.changed()
        return _cut_off() if fault is Fault.LOST_ANSWER else JSONResponse(body, headers=_NO_STORE)

    def _grant(
        self, form: dict[str, str], request: Request, behaviour: Behaviour, *, with_refresh: bool
    ) -> dict[str, Any]:
        now = self._now()
        if form.get("grant_type") == JWT_BEARER and TRAITS[behaviour].has_service_account:
            # The assertion's signature is all the proof there is: such clients send neither ID nor secret.
            return self._body(self._asserted(form, request, behaviour, now=now), issuer_of(request, behaviour), now=now)
        if not self._clients.authenticate(behaviour, form, request.headers.get("authorization", "")):
            raise TokenError("invalid_client", "The client ID or the client secret is wrong.", aadsts=7000215)
        match form.get("grant_type", ""):
            case "authorization_code":
                issued = self._tokens.exchange(form, behaviour, now=now, with_refresh=with_refresh)
            case "refresh_token":
                issued = self._tokens.refresh(form, behaviour, now=now)
            case "client_credentials":
                lifetime = self._access_token_lifetime(behaviour)
                issued = self._tokens.on_its_own_behalf(form, behaviour, now=now, lifetime=lifetime)
            case "":
                raise TokenError("invalid_request", "grant_type is missing.", aadsts=900144)
            case _:
                raise TokenError("unsupported_grant_type", "That grant_type is not known.", aadsts=70003)
        return self._body(issued, issuer_of(request, behaviour), now=now)

    def _asserted(self, form: dict[str, str], request: Request, behaviour: Behaviour, *, now: datetime) -> Issued:
        if "assertion" not in form:
            raise TokenError("invalid_request", "Missing required parameter: assertion", aadsts=900144)
        audience = endpoints_at(issuer_of(request, behaviour), behaviour).token
        asserted = self._service_account.read(form["assertion"], audience=audience, now=now)
        lifetime = self._access_token_lifetime(behaviour)
        return self._tokens.for_service_account(CLIENT_EMAIL, asserted, behaviour, now=now, lifetime=lifetime)

    def _body(self, issued: Issued, issuer: str, *, now: datetime) -> dict[str, Any]:
        grant = issued.grant
        seconds = int(grant.access_token_lifetime.total_seconds())
        body: dict[str, Any] = {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": granted_text(issued.scopes, grant.behaviour),
        }
        if grant.behaviour is Behaviour.MICROSOFT:
            body["ext_expires_in"] = seconds
        if issued.refresh_token:
            body["refresh_token"] = issued.refresh_token
            if grant.refresh_token_lifetime is not None and grant.behaviour is Behaviour.GOOGLE:
                body["refresh_token_expires_in"] = int(grant.refresh_token_lifetime.total_seconds())
        if any(scope.permission == "openid" for scope in grant.scopes):
            body["id_token"] = self._signer.id_token(grant, issuer=issuer, now=now)
        return body

    def _refusal(self, error: TokenError, behaviour: Behaviour, *, with_basic: bool) -> Response:
        headers = dict(_NO_STORE)
        if error.error == "invalid_client" and with_basic:  # RFC 6749 section 5.2
            headers["WWW-Authenticate"] = f'Basic realm="{TRAITS[behaviour].display_name}"'
        body = error_body(error, behaviour, now=self._now())
        return JSONResponse(body, status_code=error.status_code, headers=headers)

    async def _strike(self, fault: Fault, request: Request, behaviour: Behaviour) -> Response | None:
        """Returns what is answered instead of tokens; None where the request is carried out after all."""
        if fault in _SAID:
            return self._refusal(_SAID[fault], behaviour, with_basic=False)
        if fault is Fault.HTML_503:
            return HTMLResponse("<html><body><h1>Down for maintenance</h1></body></html>", status_code=503)
        if fault is Fault.TOO_MANY_REQUESTS:
            headers = {**_NO_STORE, "Retry-After": str(int(RETRY_AFTER.total_seconds()))}
            return JSONResponse({"error": "rate_limit_exceeded"}, status_code=429, headers=headers)
        if fault is Fault.TRUNCATED_JSON:
            return Response('{"access_token":"ya29.trunc', media_type="application/json", headers=_NO_STORE)
        if fault is Fault.TIMEOUT:
            await _gone(request, self._silence)
            return Response(status_code=504)
        return None


def _cut_off() -> Response:
    """Returns an answer whose tokens are lost on the way: they were given, and nobody can read which."""
    return Response('{"access_token":"', media_type="application/json", headers=_NO_STORE)


async def _gone(request: Request, within: timedelta) -> None:
    """Says nothing until the client has gone, or *within* has passed."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            while (await request.receive())["type"] != "http.disconnect":
                continue
    except TimeoutError:
        return
