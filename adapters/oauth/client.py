"""The port's implementation: a request, read to its end, and what it means."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2

from adapters.oauth.assertion import KeyUnusable, read_key, sign_assertion
from adapters.oauth.dialling import JudgedTransports
from adapters.oauth.failures import symptom_of
from adapters.oauth.proofs import ClientProofs, is_client_refused, is_client_taken, is_second_refusal
from adapters.oauth.reading import Heard, NoAnswer, Reading, error_in, key_refusal
from adapters.oauth.requests import (
    FormRequest,
    assertion_request,
    client_credentials_request,
    exchange_request,
    refresh_request,
    revoke_request,
)
from adapters.oauth.transport import AnswerEncoded, AnswerTooLarge
from domain.ports.authorization import Revocation
from domain.ports.environment import Clock
from domain.ports.network import ResolutionFailed, Resolver
from domain.secret import Secret
from domain.settings.model import GrantType, OAuthAuthentication
from domain.token import TokenAnswer, TokenRefusal

TOTAL: Final = timedelta(seconds=15)
"""From the name look-up to the last byte of the answer."""
_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "mailport",
}


class OAuthClient:
    """
    `domain.ports.authorization.AuthorizationServer` over HTTPS, a connection for each request.

    A client that is neither Google's nor Microsoft's and refused as such is tried once more with HTTP Basic.

    Reads no proxies, .netrc or certificates from the environment, keeps no cookies, follows no redirect. Raises
    SecretUnreadable for a client secret that does not open, and nothing else but CancelledError: a request that was
    under way then may have been carried out.
    """

    def __init__(
        self, *, resolver: Resolver, clock: Clock, ca_file: Path | None = None, total: timedelta = TOTAL
    ) -> None:
        """Trusts the authorities in *ca_file* (PEM), or the system's; a call takes *total* at most."""
        self._transports = JudgedTransports(resolver=resolver, clock=clock, ca_file=ca_file)
        self._clock = clock
        self._total = total
        self._proofs = ClientProofs(clock=clock)

    async def exchange(
        self, client: OAuthAuthentication, *, code: Secret, verifier: Secret, redirect_url: str, scopes: tuple[str, ...]
    ) -> TokenAnswer | TokenRefusal:
        """Exchanges a code; see the port."""
        request = exchange_request(client, code=code, verifier=verifier, redirect_url=redirect_url, scopes=scopes)
        return await self._tokens(client, request)

    async def refresh(
        self, client: OAuthAuthentication, *, refresh_token: Secret, scopes: tuple[str, ...]
    ) -> TokenAnswer | TokenRefusal:
        """Refreshes; see the port."""
        return await self._tokens(client, refresh_request(client, refresh_token=refresh_token, scopes=scopes))

    async def acquire(self, client: OAuthAuthentication, *, scopes: tuple[str, ...]) -> TokenAnswer | TokenRefusal:
        """Asks for a token that takes no person; see the port. A key that cannot sign is a refusal, and not sent."""
        if client.grant_type is not GrantType.JWT_BEARER:
            request = client_credentials_request(client, scopes=scopes)
            return await self._tokens(client, request, without_person=True)
        try:
            key = read_key(client)
            assertion = await asyncio.to_thread(sign_assertion, client, key, scopes=scopes, now=self._clock.now())
        except KeyUnusable:
            return key_refusal(met_time=self._clock.now())
        request = assertion_request(client, assertion=assertion, key=key)
        return await self._tokens(client, request, without_person=True)

    async def revoke(self, client: OAuthAuthentication, *, token: Secret) -> Revocation:
        """Revokes; see the port."""
        if not client.revocation_endpoint:
            return Revocation.NOT_SUPPORTED
        try:
            heard = await self._ask(revoke_request(client, token=token))
        except NoAnswer:
            return Revocation.FAILED
        error = error_in(heard.body)
        if error == "invalid_token" or (200 <= heard.status <= 299 and not error):
            return Revocation.REVOKED
        return Revocation.FAILED

    async def _tokens(
        self, client: OAuthAuthentication, request: FormRequest, *, without_person: bool = False
    ) -> TokenAnswer | TokenRefusal:
        reading = Reading(request, met_time=self._clock.now(), without_person=without_person)
        try:
            heard = await self._ask(request)
        except NoAnswer as silence:
            return reading.silence(silence)
        return reading.answer(heard, client_id=client.client_id)

    async def _ask(self, request: FormRequest) -> Heard:
        """
        Returns the answer that counts; raises NoAnswer.

        A second request, with the client's other proof, follows a refusal of the client alone: that has used up
        neither code nor token, so that nothing is repeated.
        """
        deadline = asyncio.get_running_loop().time() + self._total.total_seconds()
        way, *others = self._proofs.ways(request)
        first = await self._send(way, deadline=deadline)
        if not others or not is_client_refused(first):
            return first
        second = await self._send(others[0], deadline=deadline)
        if is_second_refusal(second):
            self._proofs.refused_both(request)
            return first
        if is_client_taken(second):
            self._proofs.took(request, others[0])
        return second

    async def _send(self, request: FormRequest, *, deadline: float) -> Heard:
        """Sends *request* once and waits until *deadline*, a time of the event loop; raises NoAnswer."""
        headers = {**_HEADERS, **({"Authorization": request.authorization} if request.authorization else {})}
        transport = await self._transports.open()
        try:
            async with (
                asyncio.timeout_at(deadline),
                httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False) as http,
            ):
                response = await http.post(request.endpoint, content=request.body, headers=headers)
        except (ResolutionFailed, AnswerTooLarge, AnswerEncoded, httpx2.HTTPError, OSError) as error:
            symptom, detail = symptom_of(error, was_sent=transport.was_sent)
            raise NoAnswer(symptom, detail, was_sent=transport.was_sent) from error
        return Heard(response.status_code, response.headers, response.content)
