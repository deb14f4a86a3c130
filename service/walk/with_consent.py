"""The second part of the walk: an account whose owner consents, so that mailport never learns a password."""

from __future__ import annotations

import shlex
from typing import Final

from mailport.v1 import configuration_pb2, mail_service_pb2
from service.terminal.consents import draw_consented
from service.terminal.failures import draw_failure
from service.terminal.words import plain
from service.walk.screen import Astray
from service.walk.steps import TIMEOUT_SECONDS, Steps

CONFIGURATION_ID: Final = "office"

_SECRET_FILE: Final = "sandbox-client-secret"


class WithConsent(Steps):
    """Configure, authorize, validate, send."""

    COUNT: Final = 4

    async def run(self) -> None:
        """Takes the steps. Raises AioRpcError for a refused one, Astray for one that went wrong otherwise."""
        await self._configure_client()
        await self._authorize()
        await self._validate(CONFIGURATION_ID, "Validate and save: the server takes an access token as the sign-in")
        _, delivery = await self._send(
            CONFIGURATION_ID,
            "Send: with a token that mailport keeps fresh from now on",
            subject="Minutes of the meeting",
            text="They are in the shared folder.",
        )
        await self._follow(delivery.delivery_id)

    async def _configure_client(self) -> None:
        oauth = self._around.oauth
        scopes = " ".join(f"--scope {scope}" for scope in oauth.scopes)
        self._screen.step(
            "Configure with consent instead of a password: the OAuth client, and whose account it is",
            f"configure {CONFIGURATION_ID} --from {oauth.username} {self._smtp_options()} --username {oauth.username} "
            f"--oauth custom --client-id {oauth.client_id} --client-secret-file {_SECRET_FILE} "
            f"--authorization-endpoint {oauth.authorization_endpoint} --token-endpoint {oauth.token_endpoint} "
            f"--revocation-endpoint {oauth.revocation_endpoint} {scopes}",
            f"echo {shlex.quote(oauth.client_secret)} > {_SECRET_FILE}",
        )
        settings = configuration_pb2.Settings(from_address=oauth.username, smtp=self._smtp(), oauth=oauth)
        await self._configure(CONFIGURATION_ID, settings)

    async def _authorize(self) -> None:
        account = self._around.oauth.username
        self._screen.step(
            "Authorize: a person consents in a browser; here the sandbox is both", f"authorize {CONFIGURATION_ID}"
        )
        request = mail_service_pb2.AuthorizeRequest(configuration_id=CONFIGURATION_ID)
        started = await self._stub.Authorize(request, timeout=TIMEOUT_SECONDS)
        address = plain(started.authorization_url.partition("?")[0])
        self._screen.done(f"The browser is to open {address}?…")

        callback_url = self._around.consent(started.authorization_url)
        self._screen.done(f"{account} consents there.")

        page = await self._around.browse(callback_url)
        landed = plain(callback_url.partition("?")[0])
        if page.status_code == 200:
            self._screen.done(f"The browser is back at {landed} and shows: {plain(page.heading)}")
        await self._show_grant(f"{landed} answered {page.status_code}: {plain(page.heading)}")

    async def _show_grant(self, otherwise: str) -> None:
        """Shows what the consent gave. Raises Astray with *otherwise* where it gave nothing."""
        request = mail_service_pb2.GetConfigurationRequest(configuration_id=CONFIGURATION_ID)
        configuration = (await self._stub.GetConfiguration(request, timeout=TIMEOUT_SECONDS)).configuration
        session = configuration.consent
        if session.state != configuration_pb2.CONSENT_STATE_AUTHORIZED:
            if session.HasField("failure"):
                self._screen.show(draw_failure(session.failure, self._screen.style))
            raise Astray(f"The account should be authorized by now. {otherwise}")
        self._screen.show(draw_consented(configuration, self._screen.style))
