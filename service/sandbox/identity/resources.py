"""What else a provider answers: revocation, introspection, userinfo, discovery, keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.sandbox.identity.behaviour import TRAITS, Behaviour, endpoints_at
from service.sandbox.identity.clients import Clients
from service.sandbox.identity.counters import Statistics
from service.sandbox.identity.flow import Flow
from service.sandbox.identity.grants import Grant, Grants
from service.sandbox.identity.http import FormError, issuer_of, once_each, read_form
from service.sandbox.identity.scopes import IDENTITY_SCOPES
from service.sandbox.identity.service_account import JWT_BEARER, ServiceAccount
from service.sandbox.identity.signing import Signer, subject_of
from service.sandbox.identity.tokens import Tokens


class Resources:
    """Answers everything that is neither consent nor token request."""

    def __init__(
        self,
        *,
        grants: Grants,
        tokens: Tokens,
        flow: Flow,
        clients: Clients,
        statistics: Statistics,
        signer: Signer,
        service_account: ServiceAccount,
        now: Callable[[], datetime],
    ) -> None:
        self._grants = grants
        self._tokens = tokens
        self._flow = flow
        self._clients = clients
        self._statistics = statistics
        self._signer = signer
        self._service_account = service_account
        self._now = now

    async def revoke(self, request: Request, behaviour: Behaviour) -> Response:
        """
        Ends the grant of a token (RFC 7009).

        Google takes the token without client authentication, ends every grant of the account to the client, and
        answers 400 for a token that is dead already.
        """
        if not TRAITS[behaviour].has_revocation:
            return Response(status_code=404)
        self._statistics[behaviour].revocations += 1
        try:
            form = once_each(await read_form(request))
        except FormError as error:
            return _error("invalid_request", str(error))
        is_google = behaviour is Behaviour.GOOGLE
        authorization = request.headers.get("authorization", "")
        if not is_google and not self._clients.authenticate(behaviour, form, authorization):
            return _error("invalid_client", "The client ID or the client secret is wrong.", status_code=401)
        if "token" not in form:
            return _error("invalid_request", "token is missing.")
        grant = self._grant_of(form["token"], behaviour)
        if grant is not None:
            self.end(self._grants.of(behaviour=behaviour, account=grant.account) if is_google else [grant])
        elif is_google:
            return _error("invalid_token", "Token expired or revoked")
        self._statistics.changed()
        return JSONResponse({})

    def end(self, grants: list[Grant]) -> None:
        """Ends grants; whoever gave them is asked anew."""
        for grant in grants:
            self._tokens.end(grant)
            self._flow.forget_consent(grant)

    async def introspect(self, request: Request, behaviour: Behaviour) -> Response:
        """Tells a mail server, or the client, what a token is worth (RFC 7662)."""
        try:
            form = once_each(await read_form(request))
        except FormError as error:
            return _error("invalid_request", str(error))
        if not self._clients.authenticate_resource_server(behaviour, form, request.headers.get("authorization", "")):
            return _error("invalid_client", "The client ID or the client secret is wrong.", status_code=401)
        token = self._grants.access_tokens.get(form.get("token", ""))
        if token is None or token.grant.behaviour is not behaviour or not token.is_active(self._now()):
            return JSONResponse({"active": False})
        return JSONResponse(
            {
                "active": True,
                "client_id": token.grant.client_id,
                "exp": int(token.expire_time.timestamp()),
                "iss": issuer_of(request, behaviour),
                "scope": " ".join(scope.text for scope in token.scopes),
                "sub": subject_of(token.grant.account),
                "token_type": "Bearer",
                "username": token.grant.account,
            }
        )

    async def userinfo(self, request: Request, behaviour: Behaviour) -> Response:
        """Tells who consented (OpenID Connect Core 1.0 section 5.3)."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        token = self._grants.access_tokens.get(text) if scheme.lower() == "bearer" else None
        if token is None or token.grant.behaviour is not behaviour or not token.is_active(self._now()):
            challenge = 'Bearer error="invalid_token"' if text else "Bearer"
            return Response(status_code=401, headers={"WWW-Authenticate": challenge})
        claims: dict[str, Any] = {"sub": subject_of(token.grant.account)}
        if any(scope.permission == "email" for scope in token.grant.scopes):
            claims |= {"email": token.grant.account, "email_verified": True}
        return JSONResponse(claims)

    async def keys(self, _request: Request, _behaviour: Behaviour) -> Response:
        """The key that id_tokens are checked with."""
        return JSONResponse(self._signer.keys())

    async def service_account_key(self, request: Request, behaviour: Behaviour) -> Response:
        """The service account's key file, as Google's console lets one download it; there is none at Microsoft."""
        if not TRAITS[behaviour].has_service_account:
            return Response(status_code=404)
        token_uri = endpoints_at(issuer_of(request, behaviour), behaviour).token
        key_file = self._service_account.key_file(token_uri=token_uri)
        return Response(key_file, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def configuration(self, request: Request, behaviour: Behaviour) -> Response:
        """OpenID Connect Discovery 1.0."""
        found = endpoints_at(issuer_of(request, behaviour), behaviour)
        traits = TRAITS[behaviour]
        document: dict[str, Any] = {
            "issuer": found.issuer,
            "authorization_endpoint": found.authorization,
            "token_endpoint": found.token,
            "introspection_endpoint": found.introspection,
            "userinfo_endpoint": found.userinfo,
            "jwks_uri": found.keys,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": [
                "authorization_code",
                "refresh_token",
                *(["client_credentials"] if traits.app_scope else []),
                *([JWT_BEARER] if traits.has_service_account else []),
            ],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "scopes_supported": sorted(IDENTITY_SCOPES),
            "authorization_response_iss_parameter_supported": traits.sends_issuer,
        }
        if found.revocation:
            document["revocation_endpoint"] = found.revocation
        return JSONResponse(document)

    def _grant_of(self, token: str, behaviour: Behaviour) -> Grant | None:
        found = self._grants.refresh_tokens.get(token) or self._grants.access_tokens.get(token)
        grant = found.grant if found is not None else None
        return grant if grant is not None and grant.behaviour is behaviour and grant.is_alive else None


def _error(error: str, text: str, *, status_code: int = 400) -> Response:
    return JSONResponse({"error": error, "error_description": text}, status_code=status_code)
