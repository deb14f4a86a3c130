"""Authorize: starts a consent session, and tells which address the user's browser must open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.caller import Caller
from domain.consent import STATE_PURPOSE
from domain.consent_page import PageRefusal, page_refusals
from domain.consent_request import ConsentChances, ConsentStart, begin_consent
from domain.errors import ConcurrentChange, InputInvalid, Violation, Warning
from domain.grant import issuer_of
from domain.ports.environment import Clock, Entropy
from domain.ports.storage import UnitOfWork
from domain.ports.vault import Vault
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import OAuthAuthentication
from service.usecases.lookup import configuration_of, no_configuration

_SAVES_NOTHING: Final = Violation(
    field="for_active",
    reason=Reason.FIELD_CONFLICT,
    message="The active revision is in use already, so that there is nothing to save.",
    remedy="Leave save out, or leave for_active out to authorize the draft.",
)


@dataclass(frozen=True, slots=True)
class Authorization:
    """A consent session that waits for its user."""

    authorization_url: str
    """Holds the state, so it is for the user's browser alone."""
    state: str
    expire_time: datetime
    redirect_url: str
    warnings: tuple[Warning, ...]
    page_refusals: tuple[PageRefusal, ...] = ()
    """What the provider may show its user instead of sending the browser back."""


class Authorize:
    """Sends an admin to the provider's consent page."""

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        clock: Clock,
        entropy: Entropy,
        vault: Vault,
        public_redirect_url: str,
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._entropy = entropy
        self._vault = vault
        self._public_redirect_url = public_redirect_url

    async def __call__(
        self,
        caller: Caller,
        configuration_id: str,
        *,
        redirect_url: str,
        save: bool,
        login_hint: str,
        for_active: bool = False,
    ) -> Authorization:
        """
        Starts a session for the draft, else, or with *for_active*, for the active revision.

        Sessions started before stay valid (F33).

        Raises NotFound, NotReady NOT_CONFIGURED when there are no settings that a person consents to, InputInvalid with
        everything that is missing or wrong, SecretUnreadable when the client secret does not open.
        """
        if save and for_active:
            raise InputInvalid([_SAVES_NOTHING])
        chances = self._chances()
        async with self._uow() as work:
            configuration = await configuration_of(work, caller.tenant, configuration_id)
            start = begin_consent(
                configuration,
                redirect_url=redirect_url,
                public_redirect_url=self._public_redirect_url,
                login_hint=login_hint,
                save=save,
                for_active=for_active,
                chances=chances,
                now=self._clock.now(),
            )
            try:
                await work.consents.add(start.session)
            except ConcurrentChange as gone:
                raise no_configuration(configuration_id) from gone
            await work.commit()
        return Authorization(
            authorization_url=start.authorization_url,
            state=chances.state,
            expire_time=start.session.expire_time,
            redirect_url=start.session.redirect_url,
            warnings=start.revision.warnings,
            page_refusals=_page_refusals(start),
        )

    def _chances(self) -> ConsentChances:
        state = self._entropy.token(256)
        return ConsentChances(
            state=state,
            state_digest=state_digest(self._vault, state),
            verifier=Secret(self._entropy.token(256)),
            nonce=self._entropy.token(128),
        )


def _page_refusals(start: ConsentStart) -> tuple[PageRefusal, ...]:
    client = start.revision.settings.authentication
    if not isinstance(client, OAuthAuthentication):
        return ()
    return page_refusals(issuer_of(client), redirect_url=start.session.redirect_url, client_id=client.client_id)


def state_digest(vault: Vault, state: str) -> bytes:
    """Returns the keyed hash under which the session of *state* is stored."""
    return vault.digest(state.encode(), purpose=STATE_PURPOSE)
