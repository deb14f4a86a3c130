"""Authorization requests (RFC 6749 section 4.1.1), read and checked; and the two ways to say what is wrong with one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Never

from service.sandbox.identity.behaviour import TRAITS, Behaviour
from service.sandbox.identity.clients import Clients
from service.sandbox.identity.scopes import Scope, read_scopes

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_LIFETIME_SECONDS: Final = 366 * 86_400
_RFC_8707: Final = "resource"


class ShownError(Exception):
    """What goes wrong is told to the person alone: there is no callback."""

    def __init__(self, title: str, code: str, text: str) -> None:
        super().__init__(text)
        self.title = title
        self.code = code
        self.text = text


class ReturnedError(Exception):
    """What goes wrong is told to the client, in the callback (RFC 6749 section 4.1.2.1)."""

    def __init__(self, error: str, text: str, *, aadsts: int, request: AuthorizationRequest) -> None:
        super().__init__(text)
        self.error = error
        self.text = text
        self.aadsts = aadsts
        self.request = request


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What a client asks a person to consent to."""

    behaviour: Behaviour
    issuer: str
    client_id: str
    redirect_uri: str
    scopes: tuple[Scope, ...]
    state: str
    nonce: str
    code_challenge: str
    """S256; empty without PKCE."""
    prompt: frozenset[str]
    is_offline: bool
    """Google's ``access_type=offline``."""
    login_hint: str
    access_token_lifetime: timedelta
    refresh_token_lifetime: timedelta | None

    def without_mail(self) -> AuthorizationRequest:
        """Returns the request with the scopes alone that open no resource."""
        return replace(self, scopes=tuple(scope for scope in self.scopes if scope.resource is None))


def read_request(
    pairs: Sequence[tuple[str, str]],
    *,
    behaviour: Behaviour,
    issuer: str,
    own_host: str,
    clients: Clients,
    access_token_lifetime: timedelta,
) -> AuthorizationRequest:
    """
    Returns the request in the query's *pairs*. Raises ShownError or ReturnedError.

    Beyond the standard's parameters there are ``access_token_seconds`` and ``refresh_token_seconds``, which make the
    tokens of this consent live that long.
    """
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ShownError("Bad request", "Error 400: invalid_request", "A parameter was given twice.")
    traits = TRAITS[behaviour]
    redirect_uri = values.get("redirect_uri", "")
    if values.get("client_id") != traits.client_id:
        raise _unknown_client(behaviour)
    if not clients.is_registered(redirect_uri, own_host=own_host):
        raise _redirect_mismatch(behaviour, redirect_uri)
    scopes, unknown = read_scopes(values.get("scope", ""), behaviour)
    request = AuthorizationRequest(
        behaviour=behaviour,
        issuer=issuer,
        client_id=traits.client_id,
        redirect_uri=redirect_uri,
        scopes=tuple(scopes),
        state=values.get("state", ""),
        nonce=values.get("nonce", ""),
        code_challenge=values.get("code_challenge", ""),
        prompt=frozenset(values.get("prompt", "").split()),
        is_offline=values.get("access_type") == "offline",
        login_hint=values.get("login_hint", ""),
        access_token_lifetime=_seconds(values, "access_token_seconds") or access_token_lifetime,
        refresh_token_lifetime=_seconds(values, "refresh_token_seconds"),
    )
    if values.get("response_type") != "code":
        _refuse(request, "unsupported_response_type", "response_type must be code.", 700054)
    if values.get("response_mode", "query") != "query":
        _refuse(request, "invalid_request", "The sandbox knows no response_mode but query.", 9002313)
    if behaviour is Behaviour.MICROSOFT and _RFC_8707 in values:
        _refuse(request, "invalid_request", "The 'resource' request parameter is not supported.", 901002)
    if unknown or not scopes:
        _refuse(request, "invalid_scope", f"The scope {unknown[0] if unknown else ''} is not known.", 70011)
    _check_pkce(request, values.get("code_challenge_method", "plain"))
    if "none" in request.prompt:  # nobody is ever signed in already
        raise ReturnedError("login_required", "Somebody must sign in.", aadsts=50058, request=request)
    return request


def _check_pkce(request: AuthorizationRequest, method: str) -> None:
    if not request.code_challenge:
        if TRAITS[request.behaviour].requires_pkce:
            _refuse(request, "invalid_request", "code_challenge is required (RFC 7636).", 9002325)
        return
    if method != "S256":
        _refuse(request, "invalid_request", "code_challenge_method must be S256.", 50146)
    if not _CHALLENGE.fullmatch(request.code_challenge):
        _refuse(request, "invalid_request", "code_challenge is not a SHA-256 in base64url.", 501461)


def _refuse(request: AuthorizationRequest, error: str, text: str, aadsts: int) -> Never:
    if TRAITS[request.behaviour].shows_request_errors:
        raise ShownError("Access blocked: authorization error", f"Error 400: {error}", text)
    raise ReturnedError(error, text, aadsts=aadsts, request=request)


def _unknown_client(behaviour: Behaviour) -> ShownError:
    code = {Behaviour.GOOGLE: "Error 401: invalid_client", Behaviour.MICROSOFT: "AADSTS700016"}
    return ShownError(
        "No such client",
        code.get(behaviour, "invalid_client"),
        "The client ID is not the sandbox's. Copy it again from the sandbox's own page.",
    )


def _redirect_mismatch(behaviour: Behaviour, redirect_uri: str) -> ShownError:
    code = {Behaviour.GOOGLE: "Error 400: redirect_uri_mismatch", Behaviour.MICROSOFT: "AADSTS50011"}
    return ShownError(
        "The redirect URL is not registered",
        code.get(behaviour, "invalid_request"),
        f"{redirect_uri[:200] or 'An empty one'} is not among the client's redirect URLs. They are compared character "
        "for character; scripts register one with the sandbox's control address.",
    )


def _seconds(values: dict[str, str], name: str) -> timedelta | None:
    text = values.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= _LONGEST_LIFETIME_SECONDS):
        raise ShownError("Bad request", "Error 400: invalid_request", f"{name} is a number of seconds, 1 or more.")
    return timedelta(seconds=int(text))
