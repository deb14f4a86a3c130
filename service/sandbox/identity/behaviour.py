"""Whom the identity provider behaves like, and in what the three differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class Behaviour(StrEnum):
    """Whom the provider behaves like; the value is its part of the path."""

    GOOGLE = "google"
    MICROSOFT = "microsoft"
    STRICT = "strict"
    """A provider of RFC 6749 that takes RFC 9700 at its word."""


class Rotation(StrEnum):
    """What becomes of a refresh token when it is used."""

    NONE = "NONE"
    """It stays, and no new one is given."""
    OVERLAPPING = "OVERLAPPING"
    """A new one comes with every use; the old one goes on working."""
    STRICT = "STRICT"
    """A new one comes with every use; the old one, used again, ends the whole grant (RFC 9700 section 4.14.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """How one behaviour differs from the others."""

    display_name: str
    client_id: str
    client_secret: str
    rotation: Rotation
    has_revocation: bool
    """Whether there is a revocation endpoint (RFC 7009)."""
    has_service_account: bool
    """Whether a service account may act for users, with assertions that its key signs (RFC 7523)."""
    app_scope: str
    """The scope for SMTP of a client on its own behalf (RFC 6749 section 4.4); empty where there are none."""
    sends_issuer: bool
    """Whether callbacks carry ``iss`` (RFC 9207)."""
    is_granular: bool
    """Whether the consent page lets the user untick single scopes."""
    requires_pkce: bool
    shows_request_errors: bool
    """Whether a faulty request is told to the person on a page rather than to the client in the callback."""
    code_form: str
    """What codes look like, with characters that do not survive careless encoding (F32)."""
    access_token_form: str
    access_token_octets: int
    """Random octets in an access token; long ones do not fit into an AUTH command line (F23)."""
    access_token_lifetime: timedelta
    summary: str
    """For people: what a client has to cope with."""


TRAITS: Final = {
    Behaviour.GOOGLE: Traits(
        display_name="Google",
        client_id="428000000000-sandbox.apps.googleusercontent.com",
        client_secret="GOCSPX-sandbox-client-secret",
        rotation=Rotation.NONE,
        has_revocation=True,
        has_service_account=True,
        app_scope="",
        sends_issuer=True,
        is_granular=True,
        requires_pkce=False,
        shows_request_errors=True,
        code_form="4/0A{}",
        access_token_form="ya29.{}",
        access_token_octets=160,
        access_token_lifetime=timedelta(seconds=3599),
        summary="A refresh token only with access_type=offline, and on a second consent only with prompt=consent; "
        "it never changes. Scopes can be unticked. The callback carries iss and scope.",
    ),
    Behaviour.MICROSOFT: Traits(
        display_name="Microsoft",
        client_id="5a4db0c5-0000-4000-8000-00005a4db0c5",
        client_secret="sandbox~client.secret_value",
        rotation=Rotation.OVERLAPPING,
        has_revocation=False,
        has_service_account=False,
        app_scope="https://outlook.office365.com/.default",
        sends_issuer=False,
        is_granular=False,
        requires_pkce=False,
        shows_request_errors=False,
        code_form="1.AX{}!x*y.",
        access_token_form="EwB{}",
        access_token_octets=1_500,
        access_token_lifetime=timedelta(seconds=4_500),
        summary="A refresh token only with offline_access; every use brings a new one, the old one keeps working. "
        "One token request is for one resource. No revocation endpoint; errors are AADSTS codes.",
    ),
    Behaviour.STRICT: Traits(
        display_name="Strict provider",
        client_id="sandbox-client",
        client_secret="sandbox+client/secret=50%25&more",
        rotation=Rotation.STRICT,
        has_revocation=True,
        has_service_account=True,
        app_scope="https://mail.sandbox.example/",
        sends_issuer=True,
        is_granular=False,
        requires_pkce=True,
        shows_request_errors=False,
        code_form="{}+/~=",
        access_token_form="at-{}",
        access_token_octets=32,
        access_token_lifetime=timedelta(minutes=10),
        summary="PKCE is required. Every refresh brings a new refresh token, and the old one, used again, ends the "
        "whole grant.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The URLs of one behaviour, as an OAuth client is configured with them."""

    issuer: str
    authorization: str
    token: str
    revocation: str
    """Empty where there is none."""
    introspection: str
    userinfo: str
    keys: str
    """The JWKS (RFC 7517) that id_tokens are signed with."""
    configuration: str
    """OpenID Connect Discovery 1.0."""
    service_account_key: str
    """The key file of a service account that acts for any user (RFC 7523); empty where there are none."""


def endpoints_at(issuer: str, behaviour: Behaviour) -> Endpoints:
    """Returns the endpoints below *issuer*, a URL without a trailing slash."""
    return Endpoints(
        issuer=issuer,
        authorization=f"{issuer}/authorize",
        token=f"{issuer}/token",
        revocation=f"{issuer}/revoke" if TRAITS[behaviour].has_revocation else "",
        introspection=f"{issuer}/introspect",
        userinfo=f"{issuer}/userinfo",
        keys=f"{issuer}/keys",
        configuration=f"{issuer}/.well-known/openid-configuration",
        service_account_key=f"{issuer}/service-account.json" if TRAITS[behaviour].has_service_account else "",
    )
