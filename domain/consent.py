"""One run of the authorization-code flow: its session, and what is remembered of it (RFC 6749, 7636; rule 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.consent_page import page_refusals
from domain.errors import InputInvalid, NotReady, Violation
from domain.failures.failure import Failure, FailureKind, Stage
from domain.grant import GrantBasis, issuer_of
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import OAuthAuthentication

CONSENT_LIFETIME: Final = timedelta(minutes=10)
STATE_PURPOSE: Final = "consent/state"
"""What the keyed hash of a state is made for (`domain.ports.vault.Vault.digest`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSession:
    """
    What has to be known when the browser comes back; used once.

    Everything that the exchange must repeat is frozen here, so that settings may change meanwhile.
    """

    tenant: str
    configuration_id: str
    revision: int
    """Number of the revision that consent was asked for."""
    state_digest: bytes
    """Keyed hash of the state; the state itself is stored nowhere."""
    verifier: Secret
    """PKCE code verifier (RFC 7636); sealed at rest."""
    nonce: str
    """What an id_token has to bring back; empty when none was asked for."""
    redirect_url: str
    """Exactly as it went out (RFC 6749 section 4.1.3)."""
    save: bool
    """Whether consent alone makes the draft active."""
    scopes: tuple[str, ...]
    """All that were asked for, those included that only tell who consents."""
    basis: GrantBasis
    create_time: datetime
    expire_time: datetime

    def check_alive(self, *, now: datetime) -> None:
        """Raises NotReady STATE_EXPIRED when the user came back too late."""
        if now >= self.expire_time:
            raise NotReady(
                "The user came back after the consent session's ten minutes.",
                reason=Reason.STATE_EXPIRED,
                remedy="Call Authorize again, and finish the provider's page within ten minutes.",
                metadata={"configuration_id": self.configuration_id},
            )


def unknown_state(field: str = "state") -> InputInvalid:
    """Returns the error for a state that names no session: never issued, used already, or long ended."""
    return InputInvalid(
        [
            Violation(
                field=field,
                reason=Reason.STATE_INVALID,
                message="The state belongs to no consent session, or it was used already.",
                remedy="Start again with Authorize; each state is good for one callback.",
            )
        ]
    )


class ConsentState(StrEnum):
    """Where a consent session stands."""

    PENDING = "PENDING"
    AUTHORIZED = "AUTHORIZED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """What is remembered of a configuration's latest consent session: no state, code or verifier."""

    state: ConsentState
    create_time: datetime
    expire_time: datetime
    redirect_url: str
    failure: Failure | None = None
    """Why there is no grant; set for REFUSED and EXPIRED alone."""


def standing(record: ConsentRecord, *, client: OAuthAuthentication | None, now: datetime) -> ConsentRecord:
    """
    Returns *record* as it stands at *now*: a user who has not come back in time will not any more.

    *client*: what the settings sign in with, whose provider may have refused on a page that told nobody; None when they
    have been changed to sign in otherwise.
    """
    if record.state is not ConsentState.PENDING or now < record.expire_time:
        return record
    return replace(record, state=ConsentState.EXPIRED, failure=_never_came_back(record, client))


def _never_came_back(record: ConsentRecord, client: OAuthAuthentication | None) -> Failure:
    return Failure(
        reason=Reason.STATE_EXPIRED,
        kind=FailureKind.REAUTHORIZE,
        stage=Stage.CONSENT,
        cause="The user did not come back within ten minutes: the page was left, or the provider refused on a page of "
        "its own and told nobody else, as for a redirect URL or client that is not registered, or an administrator's "
        "block.",
        remedy=" ".join(
            [
                "Call Authorize again and read what the provider's page says; Explain takes its text.",
                *(_hints(client, record.redirect_url) if client is not None else ()),
            ]
        ),
    )


def _hints(client: OAuthAuthentication, redirect_url: str) -> Iterator[str]:
    for page in page_refusals(issuer_of(client), redirect_url=redirect_url, client_id=client.client_id):
        yield f"If it is {page.shown}: {page.failure.remedy}"
