"""The identity provider's pages: sign-in, consent, what went wrong, and how to use it all."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.sandbox.identity.behaviour import TRAITS, Behaviour, endpoints_at
from service.sandbox.identity.faults import MAGIC_ACCOUNTS, Fault
from service.sandbox.identity.flow import Pending, SignInFailed
from service.sandbox.identity.http import FormError, issuer_of, read_form
from service.sandbox.identity.provider import IdentityProvider
from service.sandbox.identity.request import ReturnedError, ShownError
from service.sandbox.identity.scopes import GOOGLE_MAIL_SCOPE, MICROSOFT_SMTP_SCOPE, STRICT_MAIL_SCOPE, words_for
from service.sandbox.responses import page

_MAIL_SCOPES: Final = {
    Behaviour.GOOGLE: GOOGLE_MAIL_SCOPE,
    Behaviour.MICROSOFT: MICROSOFT_SMTP_SCOPE,
    Behaviour.STRICT: STRICT_MAIL_SCOPE,
}
_NEVER_CACHED: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class IdentityPages:
    """Answers browsers; what a person does goes on to the provider's flow."""

    def __init__(self, provider: IdentityProvider) -> None:
        self._provider = provider

    async def index(self, request: Request) -> Response:
        """How to use the identity provider: endpoints, clients, magic accounts, addresses for scripts."""
        return page(
            request,
            "identity/index.html",
            providers=[
                (TRAITS[each], endpoints_at(issuer_of(request, each), each), self._provider.client_secret(each))
                for each in Behaviour
            ],
            scopes=[_MAIL_SCOPES[each] for each in Behaviour],
            password=self._provider.password,
            magic_accounts=MAGIC_ACCOUNTS,
            faults=list(Fault),
        )

    async def authorize(self, request: Request, behaviour: Behaviour) -> Response:
        """The authorization endpoint (RFC 6749 section 3.1): asks who is there."""
        try:
            asked = self._provider.read_request(
                request.url.query,
                behaviour=behaviour,
                issuer=issuer_of(request, behaviour),
                own_host=request.url.netloc,
            )
        except ShownError as error:
            return self._failed(request, behaviour, error)
        except ReturnedError as error:
            return self._back(self._provider.refusal_url(error))
        if request.method == "HEAD":
            return Response(headers=_NEVER_CACHED)
        return self._sign_in_page(request, self._provider.flow.begin(asked), behaviour, account=asked.login_hint)

    async def sign_in(self, request: Request, behaviour: Behaviour) -> Response:
        """Signs in, and asks for consent unless it was given before."""
        try:
            form = dict(await read_form(request))
            handle, pending = self._pending(form, behaviour)
            account, password = form.get("account", ""), form.get("password", "")
            try:
                callback = self._provider.flow.sign_in(handle, pending, account=account, password=password)
            except SignInFailed as error:
                return self._sign_in_page(request, handle, behaviour, account=account, problem=str(error))
        except FormError as error:
            return self._failed(request, behaviour, ShownError("Bad request", "", str(error)))
        except ShownError as error:
            return self._failed(request, behaviour, error)
        except ReturnedError as error:
            return self._back(self._provider.refusal_url(error))
        return self._back(callback) if callback else self._consent_page(request, handle, pending)

    async def consent(self, request: Request, behaviour: Behaviour) -> Response:
        """Ends the consent, one way or the other."""
        try:
            pairs = await read_form(request)
            form = dict(pairs)
            handle, pending = self._pending(form, behaviour)
            if not pending.account:
                raise _over()
            if form.get("decision") != "allow":
                self._provider.flow.cancel(handle, pending)
            ticked = frozenset(value for name, value in pairs if name == "scope")
            return self._back(self._provider.flow.consent(handle, pending, ticked=ticked))
        except FormError as error:
            return self._failed(request, behaviour, ShownError("Bad request", "", str(error)))
        except ShownError as error:
            return self._failed(request, behaviour, error)
        except ReturnedError as error:
            return self._back(self._provider.refusal_url(error))

    def _pending(self, form: dict[str, str], behaviour: Behaviour) -> tuple[str, Pending]:
        handle = form.get("consent", "")
        pending = self._provider.flow.find(handle, behaviour)
        if pending is None:
            raise _over()
        return handle, pending

    def _sign_in_page(
        self, request: Request, handle: str, behaviour: Behaviour, *, account: str, problem: str = ""
    ) -> Response:
        pending = self._provider.flow.find(handle, behaviour)
        if pending is None:
            return self._failed(request, behaviour, _over())
        return page(
            request,
            "identity/sign_in.html",
            form_targets=_form_target(pending.request.redirect_uri),
            traits=TRAITS[behaviour],
            action=issuer_of(request, behaviour) + "/sign-in",
            handle=handle,
            account=account,
            password=self._provider.password,
            problem=problem,
        )

    def _consent_page(self, request: Request, handle: str, pending: Pending) -> Response:
        asked = pending.request
        traits = TRAITS[asked.behaviour]
        return page(
            request,
            "identity/consent.html",
            form_targets=_form_target(asked.redirect_uri),
            traits=traits,
            action=issuer_of(request, asked.behaviour) + "/consent",
            handle=handle,
            account=pending.account,
            scopes=[(scope.text, words_for(scope), scope.resource is not None) for scope in asked.scopes],
            destination=urlsplit(asked.redirect_uri).netloc,
        )

    def _failed(self, request: Request, behaviour: Behaviour, error: ShownError) -> Response:
        return page(request, "identity/failed.html", status_code=400, traits=TRAITS[behaviour], problem=error)

    @staticmethod
    def _back(callback: str) -> Response:
        return RedirectResponse(callback, status_code=303, headers=_NEVER_CACHED)


def _over() -> ShownError:
    return ShownError(
        "This consent is over",
        "",
        "It was finished before, or took more than ten minutes. Go back to the application and start again.",
    )


def _form_target(redirect_uri: str) -> str:
    """Returns what a policy's form-action must allow besides this site: browsers hold redirects after a form to it."""
    parts = urlsplit(redirect_uri)
    # A policy cannot name an IPv6 literal (CSP Level 3, host-source); its scheme is the narrowest that works.
    return f"{parts.scheme}:" if ":" in (parts.hostname or "") else f"{parts.scheme}://{parts.netloc}"
