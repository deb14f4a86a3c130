"""The identity provider as a whole: what a sandbox holds, and what tests ask of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from service.sandbox.accounts import DEFAULT_PASSWORD
from service.sandbox.identity.behaviour import TRAITS, Behaviour, Endpoints, endpoints_at
from service.sandbox.identity.clients import Clients
from service.sandbox.identity.counters import Counters, Statistics
from service.sandbox.identity.errors import microsoft_description
from service.sandbox.identity.faults import Fault, PlannedFaults
from service.sandbox.identity.flow import Flow, callback_url
from service.sandbox.identity.grants import AccessToken, Grant, Grants, Recent
from service.sandbox.identity.mail_tokens import MailTokens
from service.sandbox.identity.request import AuthorizationRequest, ReturnedError, read_request
from service.sandbox.identity.resources import Resources
from service.sandbox.identity.service_account import ServiceAccount
from service.sandbox.identity.signing import Signer
from service.sandbox.identity.token_endpoint import TokenEndpoint
from service.sandbox.identity.tokens import Tokens

IDENTITY_PATH: Final = "/sandbox/identity"
"""Where the identity provider is on the web side."""
DEFAULT_SILENCE: Final = timedelta(seconds=60)
_SOON: Final = timedelta(seconds=10)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class IdentityProvider:
    """
    Behaves like Google, Microsoft and a strict provider, side by side; everything is in memory.

    Any address has an account, with *password*. *access_token_lifetime* makes all access tokens live that long;
    *silence* is how long a request that `Fault.TIMEOUT` strikes is left unanswered. To be used from one event loop.
    """

    def __init__(
        self,
        *,
        password: str = DEFAULT_PASSWORD,
        access_token_lifetime: timedelta | None = None,
        silence: timedelta = DEFAULT_SILENCE,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._now = now
        self._password = password
        self._access_token_lifetime = access_token_lifetime
        self._clients = Clients()
        self._faults = PlannedFaults()
        self._grants = Grants()
        self._statistics = Statistics()
        signer = Signer()
        self._service_account = ServiceAccount()
        self._tokens = tokens = Tokens(grants=self._grants, statistics=self._statistics)
        self.flow = Flow(
            grants=self._grants, faults=self._faults, statistics=self._statistics, password=password, now=now
        )
        self.mail_tokens = MailTokens(grants=self._grants, statistics=self._statistics, now=now)
        self.resources = Resources(
            grants=self._grants,
            tokens=tokens,
            flow=self.flow,
            clients=self._clients,
            statistics=self._statistics,
            signer=signer,
            service_account=self._service_account,
            now=now,
        )
        self._token_endpoint = TokenEndpoint(
            tokens=tokens,
            clients=self._clients,
            faults=self._faults,
            statistics=self._statistics,
            signer=signer,
            service_account=self._service_account,
            access_token_lifetime=self._lifetime,
            silence=silence,
            now=now,
        )

    @property
    def password(self) -> str:
        """The password of every account, which is no secret."""
        return self._password

    @property
    def grants(self) -> list[Grant]:
        """Every grant, the oldest first."""
        return list(self._grants.grants)

    @property
    def access_tokens(self) -> Recent[AccessToken]:
        """Every access token, for a simulated service that takes them."""
        return self._grants.access_tokens

    def issue_access_token(
        self, behaviour: Behaviour, account: str, scope: str, *, lifetime: timedelta | None = None
    ) -> str:
        """
        Returns a token for *account* ("": the client itself) without any consent, for tests of what takes tokens.

        Raises ValueError for a scope that *behaviour* does not know.
        """
        return self._tokens.issue_unasked(
            behaviour, account, scope, now=self._now(), lifetime=lifetime or self._lifetime(behaviour)
        )

    def endpoints(self, web_url: str, behaviour: Behaviour) -> Endpoints:
        """Returns the endpoints for clients that reach the web side at *web_url*."""
        return endpoints_at(f"{web_url.rstrip('/')}{IDENTITY_PATH}/{behaviour}", behaviour)

    def client_id(self, behaviour: Behaviour) -> str:
        """Returns the client ID that is registered."""
        return TRAITS[behaviour].client_id

    def client_secret(self, behaviour: Behaviour) -> str:
        """Returns the client secret of the moment, which is no secret."""
        return self._clients.secret(behaviour)

    def service_account_key(self, web_url: str, behaviour: Behaviour) -> str:
        """Returns the JSON key file of the service account, for clients that reach the web side at *web_url*."""
        return self._service_account.key_file(token_uri=self.endpoints(web_url, behaviour).token)

    def change_client_secret(self, behaviour: Behaviour, secret: str) -> None:
        """Replaces the client secret; grants live on."""
        self._clients.change_secret(behaviour, secret)

    def register_redirect(self, url: str) -> None:
        """Lets codes go to *url* too, compared character for character."""
        self._clients.register_redirect(url)

    def fail_next(
        self, fault: Fault, *, behaviour: Behaviour | None = None, grant_type: str = "", times: int = 1
    ) -> None:
        """Lets *fault* strike the next *times* it can; see `PlannedFaults.plan`."""
        self._faults.plan(fault, behaviour=behaviour, grant_type=grant_type, times=times)

    def withdraw_consent(self, account: str = "") -> int:
        """Ends the consents of *account*, of all without one, as its owner can; returns how many grants ended."""
        found = self._grants.of(account=account)
        self.resources.end(found)
        self._statistics.changed()
        return len(found)

    def withdraw_access_tokens(self, account: str = "") -> int:
        """Makes the access tokens of *account*, of all without one, useless before their time; returns how many."""
        return self._grants.withdraw_access_tokens(account)

    def reset(self) -> None:
        """Forgets planned faults and begins to count from nought; grants and tokens stay."""
        self._faults.clear()
        self._statistics.reset()

    def counters(self, behaviour: Behaviour) -> Counters:
        """Returns what happened, counted."""
        return self._statistics[behaviour]

    async def wait_for(
        self, behaviour: Behaviour, matching: Callable[[Counters], bool], within: timedelta = _SOON
    ) -> Counters:
        """Returns the counters as soon as they match. Raises TimeoutError if they do not *within* the time."""
        return await self._statistics.wait_for(behaviour, matching, within)

    async def wait_for_consent(self, behaviour: Behaviour, count: int = 1, within: timedelta = _SOON) -> Counters:
        """Returns as soon as *count* consents have been given. Raises TimeoutError."""
        return await self.wait_for(behaviour, lambda counters: counters.consents >= count, within)

    def consent(self, authorization_url: str, *, account: str, ticked: frozenset[str] | None = None) -> str:
        """
        Does what a person with a browser would: signs in as *account*, consents to the *ticked* scopes (None: all).

        Returns the callback URL, with a code or an error. Raises ShownError where a person would see an error page.
        """
        try:
            request = self._read(authorization_url)
            handle = self.flow.begin(request)
            pending = self.flow.find(handle, request.behaviour)
            if pending is None:
                raise RuntimeError("a consent that has just begun is over")
            callback = self.flow.sign_in(handle, pending, account=account, password=self._password)
            return callback or self.flow.consent(handle, pending, ticked=ticked)
        except ReturnedError as error:
            return self.refusal_url(error)

    def cancel(self, authorization_url: str) -> str:
        """Presses Cancel instead; returns the callback URL. Raises ShownError."""
        try:
            request = self._read(authorization_url)
            handle = self.flow.begin(request)
            pending = self.flow.find(handle, request.behaviour)
            if pending is None:
                raise RuntimeError("a consent that has just begun is over")
            self.flow.cancel(handle, pending)
        except ReturnedError as error:
            return self.refusal_url(error)
        raise RuntimeError("a cancelled consent went on")

    def read_request(self, query: str, *, behaviour: Behaviour, issuer: str, own_host: str) -> AuthorizationRequest:
        """Reads an authorization request from a raw *query*. Raises ShownError, ReturnedError."""
        return read_request(
            parse_qsl(query, keep_blank_values=True),
            behaviour=behaviour,
            issuer=issuer,
            own_host=own_host,
            clients=self._clients,
            access_token_lifetime=self._lifetime(behaviour),
        )

    def refusal_url(self, error: ReturnedError) -> str:
        """Returns the callback URL that tells a client about *error*."""
        fields = {"error": error.error}
        match error.request.behaviour:
            case Behaviour.MICROSOFT:
                fields["error_description"] = microsoft_description(error.aadsts, error.text, now=self._now())
                if error.error == "access_denied":
                    fields["error_subcode"] = "cancel"
            case Behaviour.STRICT:
                fields["error_description"] = error.text
            case Behaviour.GOOGLE:
                pass  # says no more than the error
        return callback_url(error.request, fields)

    async def answer_token(self, request: Request, behaviour: Behaviour) -> Response:
        """Answers a token request."""
        return await self._token_endpoint.answer(request, behaviour)

    def _read(self, authorization_url: str) -> AuthorizationRequest:
        parts = urlsplit(authorization_url)
        issuer = authorization_url.partition("?")[0].removesuffix("/authorize")
        behaviour = Behaviour(issuer.rpartition("/")[2])
        return self.read_request(parts.query, behaviour=behaviour, issuer=issuer, own_host=parts.netloc)

    def _lifetime(self, behaviour: Behaviour) -> timedelta:
        return self._access_token_lifetime or TRAITS[behaviour].access_token_lifetime
