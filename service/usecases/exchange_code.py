"""The step that turns an authorization code into a grant: one exchange, judged, and the account proven (rule 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from domain.configuration import Configuration, Revision
from domain.consent import ConsentSession
from domain.consent_answer import judge_answer
from domain.cures import fitted
from domain.errors import NotReady, ProviderRefused, Warning
from domain.failures.catalogue.wording import CONSENT_STAYS, CONSENT_STAYS_LONGER, WAIT, WAIT_LONGER
from domain.failures.failure import Failure, FailureKind, Stage
from domain.grant import Grant, covers, issuer_of
from domain.ports.authorization import AuthorizationServer
from domain.ports.environment import Clock, Entropy
from domain.ports.transport import MailTransport, Patience
from domain.reasons import Reason
from domain.resource import scopes_for, sending_resource
from domain.secret import Secret
from domain.settings.model import MailSettings, OAuthAuthentication, SmtpTransport
from domain.token import TokenRefusal

_SIGN_IN: Final = timedelta(seconds=10)
"""For proving an account at the mail server; a person waits for it in front of a browser."""
_SAYS_NOTHING: Final = frozenset({FailureKind.TRANSIENT, FailureKind.THROTTLED})
"""A server that lets nobody in just now does not tell whose account it is."""
_AGAIN: Final = "Then call Authorize again: each consent is good for one exchange."
_ENTER_CLIENT: Final = f"Enter the client's current ID and secret with Configure. {_AGAIN}"
_REFUSED_CODE: Final = (
    "Call Authorize again and let the account's owner consent once more: each code is good for one exchange, and for "
    "some minutes only."
)
_ENDURING: Final = ("consent stays valid", "nobody needs to consent again")
"""What remedies say of a consent that has become a grant."""
_PAUSES: Final = (
    (CONSENT_STAYS_LONGER, "Wait for a while."),
    (CONSENT_STAYS, "Wait for some minutes."),
    (WAIT_LONGER, "Wait for a while."),
    (WAIT, "Wait for some minutes."),
)
"""The first ones hold the last ones, and so go before them."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What a code was good for."""

    grant: Grant
    warnings: tuple[Warning, ...] = ()


class ExchangeCode:
    """Exchanges a code once, and stores nothing."""

    def __init__(
        self, *, server: AuthorizationServer, transport: MailTransport, clock: Clock, entropy: Entropy
    ) -> None:
        self._server = server
        self._transport = transport
        self._clock = clock
        self._entropy = entropy

    async def __call__(self, session: ConsentSession, configuration: Configuration, code: Secret) -> Exchanged:
        """
        Returns the grant.

        Raises NotReady NOT_CONFIGURED when the settings that were consented to are there no more, SecretUnreadable for
        a stored secret that does not open, ProviderRefused with why there is no grant.
        """
        settings = _revision_for(session, configuration).settings
        client = settings.authentication
        assert isinstance(client, OAuthAuthentication)
        issuer = issuer_of(client)
        resource = sending_resource(settings, issuer=issuer)
        asked_time = self._clock.now()
        told = await self._server.exchange(
            client,
            code=code,
            verifier=session.verifier,
            redirect_url=session.redirect_url,
            scopes=scopes_for(resource, session.scopes, issuer=issuer),
        )
        if isinstance(told, TokenRefusal):
            raise ProviderRefused(fitted(_used_up(told.failure), settings))
        grant = judge_answer(
            session,
            settings,
            told,
            issuer=issuer,
            resource=resource,
            grant_id=str(self._entropy.uuid()),
            asked_time=asked_time,
        )
        return Exchanged(grant) if grant.account else await self._proven(grant, settings, told.access_token)

    async def _proven(self, grant: Grant, settings: MailSettings, token: Secret) -> Exchanged:
        """Signs in with the token, since the provider does not tell whose it is (F34)."""
        if not isinstance(settings.transport, SmtpTransport):
            return Exchanged(grant, (_unproven(grant),))
        tried = await self._transport.sign_in(settings, patience=Patience(overall=_SIGN_IN), tokens=_OneToken(token))
        if tried.failure is None:
            return Exchanged(replace(grant, account=grant.basis.username))
        if tried.failure.stage is Stage.AUTH and tried.failure.kind not in _SAYS_NOTHING:
            raise ProviderRefused(fitted(_not_let_in(tried.failure, grant), settings), trace=tried.trace)
        return Exchanged(grant, (_unproven(grant),))


class _OneToken:
    """A `domain.ports.transport.TokenSource` of the one token there is."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def token(self, *, rejected: Secret | None) -> Secret:
        """See the port."""
        return self._token


def _revision_for(session: ConsentSession, configuration: Configuration) -> Revision:
    """Returns the revision that was consented to, or one that came after it and asks for nothing else."""
    revisions = [each for each in (configuration.draft, configuration.active) if each is not None]
    same = [each for each in revisions if each.number == session.revision]
    for revision in (*same, *revisions):
        if covers(session.basis, revision.settings):
            return revision
    raise settings_changed(configuration)


def settings_changed(configuration: Configuration) -> NotReady:
    """Returns the error for a consent that none of the settings can use any more."""
    return NotReady(
        "The settings were changed after Authorize, so that the consent is not for them.",
        reason=Reason.NOT_CONFIGURED,
        remedy="Call Authorize again, for the settings as they are now.",
        metadata={"configuration_id": configuration.configuration_id},
    )


def _used_up(failure: Failure) -> Failure:
    """
    Returns *failure* with what helps here: the code is spent, so that waiting alone does not.

    The catalogue's remedies have refreshes in mind, where the consent stays and mail is held or queued meanwhile.
    """
    remedy = failure.remedy
    if failure.reason is Reason.CLIENT_CONFIG and any(words in remedy for words in _ENDURING):
        remedy = _ENTER_CLIENT
    elif failure.reason is Reason.REAUTH_REQUIRED and "held mail" in remedy:
        remedy = _REFUSED_CODE
    for said, here in _PAUSES:
        remedy = remedy.replace(said, here)
    if "Authorize" not in remedy:
        remedy = f"{remedy} {_AGAIN}".lstrip()
    return replace(failure, remedy=remedy, retry_time=None)


def _not_let_in(failure: Failure, grant: Grant) -> Failure:
    """
    Returns why the account could not be proven: another one, where it is the token that was refused.

    A server that lets nobody in this way (SMTP sign-in switched off, a policy, no XOAUTH2) says so, and no other
    account would fare better.
    """
    if failure.kind is not FailureKind.REAUTHORIZE and failure.reason is not Reason.AUTH_REJECTED:
        return replace(failure, remedy=f"{failure.remedy} {_AGAIN}", retry_time=None)
    return replace(
        failure,
        reason=Reason.ACCOUNT_MISMATCH,
        stage=Stage.CONSENT,
        cause=f"The mail server does not let {grant.basis.username} in with what was consented to: another account "
        f"consented, or this one may not sign in with OAuth. {failure.cause}",
        remedy=f"Call Authorize again and sign in as {grant.basis.username}. {failure.remedy}",
    )


def _unproven(grant: Grant) -> Warning:
    return Warning(
        field="settings.oauth.username",
        reason=Reason.ACCOUNT_MISMATCH,
        message=f"The provider does not tell who consented, and {grant.basis.username} could not be tried at the mail "
        "server just now.",
        remedy="Call ValidateAndSave: its mail shows whether the account is the right one.",
    )
