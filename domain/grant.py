"""What a user's consent gave, stored apart from the settings, and whether it still serves them: rules 6 and 8."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from domain.failures.failure import Failure
from domain.host import Host
from domain.providers import oauth_provider_of
from domain.providers.preset import OAuthProvider
from domain.resource import Resource
from domain.secret import Secret
from domain.settings.model import GrantType, MailSettings, OAuthAuthentication
from domain.settings.scopes import comparable
from domain.settings.urls import Url, parse_url


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantBasis:
    """What a user was asked to consent to; stored with the grant, so that settings change without touching it."""

    client_id: str
    authorization_endpoint: str
    token_endpoint: str
    username: str
    scopes: frozenset[str]
    """As they were asked for."""
    grant_type: GrantType = GrantType.AUTHORIZATION_CODE


class GrantRevocation(StrEnum):
    """What became of a grant that was given up; mailport forgets it in any case."""

    NO_GRANT = "NO_GRANT"
    REVOKED = "REVOKED"
    """The provider ended it (RFC 7009)."""
    NOT_SUPPORTED = "NOT_SUPPORTED"
    """The provider has no endpoint for it."""
    SHARED = "SHARED"
    """Not revoked: the provider would end other configurations' consents of the same account and client with it."""
    FAILED = "FAILED"
    """The provider could not be asked, or refused; the grant may live on there."""


class GrantState(StrEnum):
    """Whether the refresh token still serves."""

    AUTHORIZED = "AUTHORIZED"
    REFRESH_IN_DOUBT = "REFRESH_IN_DOUBT"
    """
    A refresh was sent and its answer never stored, so the provider may have replaced the refresh token.

    The stored one is tried again, until one definite answer: tokens make it AUTHORIZED, ``invalid_grant`` ends it.
    """
    REAUTHORIZATION_REQUIRED = "REAUTHORIZATION_REQUIRED"
    """The provider no longer accepts it: nothing is asked any more until a new consent (F29)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What opens one resource for a while."""

    resource: Resource
    token: Secret
    issue_time: datetime
    """When it was asked for, so that the time its answer took is not counted as lifetime."""
    expire_time: datetime
    generation: int
    """The grant's generation that brought it; a server that refuses it speaks of this one (P10)."""


@dataclass(frozen=True, slots=True)
class GrantKey:
    """Names a grant, whatever it is used for."""

    tenant: str
    configuration_id: str
    grant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """
    One refresh token and an access token per resource, of one configuration.

    Each consent makes a grant of its own. `generation` rises with each new pair of tokens; what is stored is replaced
    only by who knows the present one. Changes come from `domain.token_life` and `domain.consent_answer`.
    """

    tenant: str
    configuration_id: str
    grant_id: str
    basis: GrantBasis
    account: str
    """Who consented, as the provider names it; empty when it did not tell."""
    granted_scopes: tuple[str, ...]
    """As the provider wrote them; what was asked for where it did not say (RFC 6749 section 5.1)."""
    refresh_token: Secret
    """Empty for a grant that takes no person: its client asks anew."""
    authorize_time: datetime
    generation: int = 1
    access_tokens: tuple[AccessToken, ...] = ()
    """One a resource at most, in the order of the resources' names."""
    refresh_time: datetime | None = None
    """When a refresh last succeeded; None: never since the consent."""
    refresh_token_expire_time: datetime | None = None
    """When the refresh token ends whatever happens; None: the provider did not say."""
    state: GrantState = GrantState.AUTHORIZED
    failure: Failure | None = None
    """Why the last refresh failed; None after one that succeeded."""
    failing_since: datetime | None = None
    """When the first of the refreshes failed that have failed in a row."""
    failure_count: int = 0
    """How many refreshes have failed in a row."""
    retry_time: datetime | None = None
    """Not to ask the token endpoint before; None: at once."""

    @property
    def key(self) -> GrantKey:
        """Returns what names it."""
        return GrantKey(self.tenant, self.configuration_id, self.grant_id)

    @property
    def is_dead(self) -> bool:
        """Tells whether only a new consent helps."""
        return self.state is GrantState.REAUTHORIZATION_REQUIRED

    @property
    def takes_person(self) -> bool:
        """Tells whether a person gave it, and alone can give it again; else its client asks for tokens by itself."""
        return self.basis.grant_type.needs_person

    @property
    def last_use_time(self) -> datetime:
        """Returns when the refresh token was last given or used: what idle limits count from."""
        return self.refresh_time or self.authorize_time

    def access_token(self, resource: Resource) -> AccessToken | None:
        """Returns the access token for *resource*, ended or not, or None."""
        return next((token for token in self.access_tokens if token.resource == resource), None)


def own_grant(tenant: str, configuration_id: str, authentication: OAuthAuthentication, *, at: datetime) -> Grant:
    """
    Returns the grant of a client that takes no person, before its first token: generation 1.

    Its id follows from what it rests on, so that of several processes that come to need it one makes it.
    """
    basis = basis_of(authentication)
    said = "\0".join(
        [basis.grant_type, basis.client_id, basis.token_endpoint, basis.username.lower(), *sorted(basis.scopes)]
    )
    return Grant(
        tenant=tenant,
        configuration_id=configuration_id,
        grant_id=f"own-{sha256(said.encode()).hexdigest()[:32]}",
        basis=basis,
        account=basis.username,
        granted_scopes=authentication.scopes,
        refresh_token=Secret(""),
        authorize_time=at,
    )


def basis_of(authentication: OAuthAuthentication) -> GrantBasis:
    """Returns what a consent for these settings rests on."""
    return GrantBasis(
        client_id=authentication.client_id,
        authorization_endpoint=authentication.authorization_endpoint,
        token_endpoint=authentication.token_endpoint,
        username=authentication.username,
        scopes=frozenset(authentication.scopes),
        grant_type=authentication.grant_type,
    )


def covers(basis: GrantBasis, settings: MailSettings) -> bool:
    """
    Tells whether a consent on *basis* serves *settings*, so that nobody need be asked again.

    Client ID, endpoints and user name agree (the latter with case aside), and every scope of the settings was asked for
    then. Scopes are compared as sets, for Microsoft with case aside, without ``offline_access``, ``openid``,
    ``profile`` and ``email`` (F30). From address, servers, client secret and redirect URL do not matter.
    False without OAuth.
    """
    wanted = settings.authentication
    return isinstance(wanted, OAuthAuthentication) and _is_of(basis, wanted) and not _not_asked_for(basis, wanted)


def uncovered_scopes(settings: MailSettings, grants: Iterable[Grant]) -> tuple[str, ...]:
    """
    Returns what *settings* ask for and no living consent of their client and account was asked for, in order.

    Of several consents the one that lacks the least is meant. Empty when one covers the settings, or there is none that
    could: scopes are what keeps a consent from serving then, not another account.
    """
    wanted = settings.authentication
    if not isinstance(wanted, OAuthAuthentication):
        return ()
    lacking = [_not_asked_for(each.basis, wanted) for each in grants if not each.is_dead and _is_of(each.basis, wanted)]
    return min(lacking, key=len, default=())


def _is_of(basis: GrantBasis, wanted: OAuthAuthentication) -> bool:
    """Tells whether client and account agree."""
    return (
        basis.grant_type is wanted.grant_type
        and basis.client_id == wanted.client_id
        and basis.authorization_endpoint == wanted.authorization_endpoint
        and basis.token_endpoint == wanted.token_endpoint
        and basis.username.lower() == wanted.username.lower()
    )


def _not_asked_for(basis: GrantBasis, wanted: OAuthAuthentication) -> tuple[str, ...]:
    issuer = issuer_of(wanted)
    had = comparable(basis.scopes, provider=issuer)
    return tuple(scope for scope in wanted.scopes if not comparable([scope], provider=issuer) <= had)


def grant_for(settings: MailSettings, grants: Iterable[Grant]) -> Grant | None:
    """Returns the grant to send with *settings*: of those that cover them a living one, the latest consent first."""
    covering = (grant for grant in grants if covers(grant.basis, settings))
    return max(covering, key=lambda grant: (not grant.is_dead, grant.authorize_time), default=None)


def unneeded(grants: Iterable[Grant], *settings: MailSettings) -> tuple[Grant, ...]:
    """
    Returns those of *grants* that none of a configuration's *settings* would send with.

    A draft that goes to another account has a grant of its own, and the active settings keep theirs: what works goes on
    working until the draft is proven.
    """
    held = tuple(grants)
    needed = {grant.grant_id for each in settings if (grant := grant_for(each, held)) is not None}
    return tuple(grant for grant in held if grant.grant_id not in needed)


def issuer_of(authentication: OAuthAuthentication) -> OAuthProvider:
    """Returns by whose rules these endpoints speak: the provider chosen, or behind CUSTOM the one whose host it is."""
    if authentication.provider is not OAuthProvider.CUSTOM:
        return authentication.provider
    host = _host(authentication.token_endpoint)
    return (oauth_provider_of(host) if host is not None else None) or OAuthProvider.CUSTOM


def _host(endpoint: str) -> Host | None:
    url = parse_url(endpoint, field="")
    return url.host if isinstance(url, Url) else None
