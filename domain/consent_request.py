"""Starting a consent: the session, and the address that the user's browser opens (RFC 6749 4.1.1, RFC 7636, OpenID)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from domain.configuration import Configuration, Revision
from domain.consent import CONSENT_LIFETIME, ConsentSession
from domain.errors import InputInvalid, NotReady, Violation
from domain.grant import basis_of, issuer_of
from domain.providers.microsoft import OFFLINE_ACCESS
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.findings import parse_line
from domain.settings.model import OAuthAuthentication
from domain.settings.urls import parse_redirect_url

_IDENTITY: Final = {
    OAuthProvider.GOOGLE: ("openid", "email"),
    OAuthProvider.MICROSOFT: ("openid", "profile", "email"),
}
"""What tells who consents, asked for even where the settings do not (F34); neither of them needs a review for it."""
_LONGEST_HINT: Final = 320


@dataclass(frozen=True, slots=True)
class ConsentChances:
    """The random values of one session, and the state's keyed hash."""

    state: str
    """At least 256 bits."""
    state_digest: bytes
    verifier: Secret
    """43 to 128 characters of ``A-Z a-z 0-9 - . _ ~`` (RFC 7636 section 4.1)."""
    nonce: str


@dataclass(frozen=True, slots=True)
class ConsentStart:
    """A session to be stored before the address is given out; the address holds the state."""

    session: ConsentSession
    authorization_url: str
    revision: Revision


def begin_consent(
    configuration: Configuration,
    *,
    redirect_url: str,
    public_redirect_url: str,
    login_hint: str,
    save: bool,
    for_active: bool = False,
    chances: ConsentChances,
    now: datetime,
) -> ConsentStart:
    """
    Starts a consent for the draft if a person consents to its settings, else, or with *for_active*, for the active
    revision.

    The browser comes back to *redirect_url* (as the caller wrote it), else to the settings', else to
    *public_redirect_url*. *login_hint*: the account to preselect, else the user name.
    Raises NotReady NOT_CONFIGURED when there are no settings with OAuth, InputInvalid with everything that is missing
    or wrong at once, SecretUnreadable when the client secret does not open.
    """
    revision, authentication = _asked_for(configuration, for_active=for_active)
    landing = _landing(authentication, redirect_url, public_redirect_url)
    hint = (
        parse_line(login_hint, field="login_hint", what="The login hint", maximum=_LONGEST_HINT) if login_hint else ""
    )
    violations = [each for each in (*_missing(authentication), landing, hint) if isinstance(each, Violation)]
    if violations or isinstance(landing, Violation) or isinstance(hint, Violation):
        raise InputInvalid(violations)
    scopes = _with_identity(authentication)
    session = ConsentSession(
        tenant=configuration.tenant,
        configuration_id=configuration.configuration_id,
        revision=revision.number,
        state_digest=chances.state_digest,
        verifier=chances.verifier,
        nonce=chances.nonce if "openid" in scopes else "",
        redirect_url=landing,
        save=save,
        scopes=scopes,
        basis=basis_of(authentication),
        create_time=now,
        expire_time=now + CONSENT_LIFETIME,
    )
    url = _authorization_url(authentication, session, chances, hint or authentication.username, is_explicit=bool(hint))
    return ConsentStart(session, url, revision)


def code_challenge(verifier: Secret) -> str:
    """Returns the S256 challenge of a verifier: base64url of its SHA-256, without padding (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.reveal().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _asked_for(configuration: Configuration, *, for_active: bool) -> tuple[Revision, OAuthAuthentication]:
    revisions = (configuration.active,) if for_active else (configuration.draft, configuration.active)
    with_oauth = False
    for revision in revisions:
        if revision is None or not isinstance(revision.settings.authentication, OAuthAuthentication):
            continue
        with_oauth = True
        if revision.settings.authentication.grant_type.needs_person:
            return revision, revision.settings.authentication
    if with_oauth:
        raise _nothing_to_ask(
            configuration,
            "takes nobody's consent: its client asks for tokens by itself.",
            "Call ValidateAndSave, or configure the grant type AUTHORIZATION_CODE to let a user consent.",
        )
    if for_active:
        raise _nothing_to_ask(
            configuration,
            "has no active settings with OAuth, so there is nothing to authorize.",
            "Call Authorize without for_active to let a user consent to the draft.",
        )
    raise _nothing_to_ask(
        configuration,
        "has no settings with OAuth, so there is nothing to authorize.",
        "Call Configure with an OAuth authentication first; settings with a password need no Authorize.",
    )


def _nothing_to_ask(configuration: Configuration, why: str, remedy: str) -> NotReady:
    name = configuration.configuration_id
    return NotReady(
        f"Configuration {name} {why}",
        reason=Reason.NOT_CONFIGURED,
        remedy=remedy,
        metadata={"configuration_id": name},
    )


def _landing(authentication: OAuthAuthentication, requested: str, public: str) -> str | Violation:
    chosen = requested or authentication.redirect_url or public
    if not chosen:
        return Violation(
            field="redirect_url",
            reason=Reason.FIELD_REQUIRED,
            message="Nobody said where the browser comes back to.",
            remedy="Give a redirect URL here or in the settings, or let the operator set mailport's public URL.",
        )
    return parse_redirect_url(chosen, field="redirect_url", provider=issuer_of(authentication))


def _missing(authentication: OAuthAuthentication) -> Iterator[Violation]:
    values = {
        "client_id": authentication.client_id,
        "client_secret": authentication.client_secret.reveal(),
        "authorization_endpoint": authentication.authorization_endpoint,
        "token_endpoint": authentication.token_endpoint,
        "scopes": authentication.scopes,
        "username": authentication.username,
    }
    for name in (name for name, value in values.items() if not value):
        yield Violation(
            field=f"settings.oauth.{name}",
            reason=Reason.FIELD_REQUIRED,
            message=f"The settings have no {name.replace('_', ' ')}.",
            remedy="Call Configure with this field, then Authorize again.",
        )


def _with_identity(authentication: OAuthAuthentication) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*authentication.scopes, *_IDENTITY.get(issuer_of(authentication), ()))))


def _authorization_url(
    authentication: OAuthAuthentication,
    session: ConsentSession,
    chances: ConsentChances,
    login_hint: str,
    *,
    is_explicit: bool,
) -> str:
    parameters = {
        "response_type": "code",
        "client_id": authentication.client_id,
        "redirect_uri": session.redirect_url,
        "scope": " ".join(session.scopes),
        "state": chances.state,
        "code_challenge": code_challenge(chances.verifier),
        "code_challenge_method": "S256",
    }
    if session.nonce:
        parameters["nonce"] = session.nonce
    parameters |= _of_provider(issuer_of(authentication), session.scopes)
    # A parameter of OpenID: plain RFC 6749 servers are spared it unless the caller wants it.
    if "openid" in session.scopes or is_explicit:
        parameters["login_hint"] = login_hint
    return _with_parameters(authentication.authorization_endpoint, parameters)


def _of_provider(issuer: OAuthProvider, scopes: tuple[str, ...]) -> dict[str, str]:
    if issuer is OAuthProvider.GOOGLE:
        # Without access_type no refresh token comes at all, without prompt none at a second consent (Google, "Using
        # OAuth 2.0 for Web Server Applications", seen 2026-11).
        return {"access_type": "offline", "prompt": "consent"}
    if issuer is OAuthProvider.MICROSOFT:
        return {"response_mode": "query"}
    # OpenID Connect Core 1.0 section 11: offline_access is ignored unless the user is asked.
    return {"prompt": "consent"} if {"openid", OFFLINE_ACCESS} <= set(scopes) else {}


def _with_parameters(endpoint: str, parameters: dict[str, str]) -> str:
    """Keeps the endpoint's own query (RFC 6749 section 3.1), less what would then stand there twice."""
    base, _, query = endpoint.partition("?")
    own = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in parameters]
    return f"{base}?{urlencode([*own, *parameters.items()], quote_via=quote, safe='')}"
