"""Whether what a code was exchanged for is enough to send with, or refused with the former grant kept (rule 7)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from domain.address import EmailAddress, parse_address
from domain.consent import ConsentSession
from domain.errors import ProviderRefused
from domain.failures.failure import Failure, FailureKind, Fix, Stage
from domain.grant import Grant
from domain.providers.google import MAIL_SCOPE
from domain.providers.microsoft import (
    GRAPH_SEND,
    GRAPH_SEND_SHARED,
    IMAP_PERMISSION,
    OFFLINE_ACCESS,
    SMTP_PERMISSION,
)
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.resource import Resource, missing_scopes, scopes_for
from domain.settings.model import GraphTransport, MailSettings
from domain.text import shown
from domain.token import TokenAnswer
from domain.token_life import access_token_of, merged_scopes, refresh_token_end

_MAIL_PERMISSIONS: Final = frozenset(
    permission.lower() for permission in (SMTP_PERMISSION, IMAP_PERMISSION, GRAPH_SEND, GRAPH_SEND_SHARED, ".default")
)
_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})


def judge_answer(
    session: ConsentSession,
    settings: MailSettings,
    answer: TokenAnswer,
    *,
    issuer: OAuthProvider,
    resource: Resource,
    grant_id: str,
    asked_time: datetime,
) -> Grant:
    """
    Returns the grant *grant_id* that *answer* gives, in its first generation.

    *resource*: what the code was exchanged for; scopes of others show when their first token is asked for.
    *asked_time*: when the exchange went out. An empty `Grant.account` leaves the proof to signing in.
    Raises ProviderRefused: REFRESH_TOKEN_MISSING, MISSING_SCOPE with the missing ones (F30),
    ACCOUNT_MISMATCH with both addresses (F34), STATE_INVALID when the id_token belongs to another session.
    """
    if session.nonce and (answer.account or answer.nonce) and answer.nonce != session.nonce:
        raise _foreign_id_token()
    account = check_account((answer.account, *answer.other_names), session, settings, issuer=issuer)
    asked = scopes_for(resource, session.scopes, issuer=issuer)
    check_scopes(asked, answer, resource=resource, issuer=issuer)
    if not answer.refresh_token:
        raise _no_refresh_token(issuer, session.scopes)
    token = access_token_of(answer, resource=resource, generation=1, asked_time=asked_time)
    return Grant(
        tenant=session.tenant,
        configuration_id=session.configuration_id,
        grant_id=grant_id,
        basis=session.basis,
        account=account,
        granted_scopes=merged_scopes(asked, answer.scopes, resource=resource, issuer=issuer),
        refresh_token=answer.refresh_token,
        refresh_token_expire_time=refresh_token_end(answer, asked_time),
        authorize_time=asked_time,
        access_tokens=(token,),
    )


def check_scopes(asked: Iterable[str], answer: TokenAnswer, *, resource: Resource, issuer: OAuthProvider) -> None:
    """
    Raises ProviderRefused MISSING_SCOPE when *answer* lacks a scope that mail needs; no ``scope`` means all asked for.

    At Google and Microsoft these are the scopes that open mail, so that an unticked calendar hinders nobody; elsewhere
    which ones are needed is not known, and all are. For the first token of each resource, that is at its consent.
    """
    if answer.scopes is None:
        return
    missing = missing_scopes(_needed(tuple(asked), issuer), answer.scopes, resource=resource, issuer=issuer)
    if missing:
        listed = " ".join(missing)
        raise _refused(
            Reason.MISSING_SCOPE,
            f"The consent does not cover {listed}.",
            "Call Authorize again and tick everything on the provider's page; if nothing was unticked, add the "
            "permission to the application at the provider.",
            metadata={"missing_scopes": listed},
        )


def check_account(
    names: Iterable[str], session: ConsentSession, settings: MailSettings, *, issuer: OAuthProvider
) -> str:
    """
    Returns by which of its *names* the account that consented is known here; empty when none is known.

    Raises ProviderRefused ACCOUNT_MISMATCH when it is another account than the settings' user name (F34).

    Letter case does not matter, nor Gmail's dots. With Graph, the shared mailbox that is sent from may consent itself;
    and when the user name *is* that mailbox, anybody may who has rights over it, since mail leaves from it anyway.
    An account that is not known is not refused here.
    """
    username = session.basis.username
    known = [name for name in names if name]
    account = known[0] if known else ""
    if match := next((name for name in known if _is_same(name, username, issuer)), None):
        return match
    transport = settings.transport
    shared = str(transport.mailbox) if isinstance(transport, GraphTransport) and transport.mailbox else ""
    if not known or (shared and any(_is_same(shared, each, issuer) for each in (*known, username))):
        return account
    raise _refused(
        Reason.ACCOUNT_MISMATCH,
        f"{shown(account)} consented, and the settings are for {shown(username)}.",
        "Call Authorize again and sign in with the account of the settings, or change their username. To send from a "
        "shared mailbox, the username is the person who consents and the mailbox is the from address.",
        metadata={"account": account[:320], "username": username[:320]},
    )


def _needed(asked: tuple[str, ...], issuer: OAuthProvider) -> tuple[str, ...]:
    if issuer is OAuthProvider.GOOGLE:
        needed = tuple(scope for scope in asked if scope == MAIL_SCOPE)
    elif issuer is OAuthProvider.MICROSOFT:
        needed = tuple(scope for scope in asked if scope.lower().rpartition("/")[2] in _MAIL_PERMISSIONS)
    else:
        needed = asked
    return needed or asked


def _is_same(one: str, other: str, issuer: OAuthProvider) -> bool:
    if one.lower() == other.lower():
        return True
    first, second = (parse_address(text, field="") for text in (one, other))
    if not isinstance(first, EmailAddress) or not isinstance(second, EmailAddress):
        return False
    if issuer is OAuthProvider.GOOGLE and {first.domain, second.domain} <= _GMAIL:
        return _without_dots(first) == _without_dots(second)
    return first.same_account(second)


def _without_dots(address: EmailAddress) -> str:
    """Gmail ignores dots, and googlemail.com is gmail.com (Gmail help, "Dots don't matter", seen 2026-11)."""
    return address.local_part.lower().replace(".", "")


def _foreign_id_token() -> ProviderRefused:
    return _refused(
        Reason.STATE_INVALID,
        "The provider's id_token does not bring back the nonce it was asked with, so it belongs to another session.",
        "Call Authorize again; if it happens twice, somebody may be swapping codes.",
    )


def _no_refresh_token(issuer: OAuthProvider, asked: tuple[str, ...]) -> ProviderRefused:
    ways = {
        OAuthProvider.GOOGLE: "Remove the application from the account at myaccount.google.com/permissions, then call "
        "Authorize again.",
        OAuthProvider.MICROSOFT: "Check that the application is registered under the platform Web, then call Authorize "
        "again.",
        OAuthProvider.CUSTOM: "Ask for offline access as the provider documents it, often with the scope "
        "offline_access, and allow the application refresh tokens there; then call Authorize again.",
    }
    return _refused(
        Reason.REFRESH_TOKEN_MISSING,
        "The provider gave no refresh token, so mail would stop when the access token ends.",
        ways[issuer],
        fixes=_offline_access(issuer, asked),
    )


def _offline_access(issuer: OAuthProvider, asked: tuple[str, ...]) -> tuple[Fix, ...]:
    """OpenID Connect's way to ask for a refresh token (Core section 11); Google has one of its own, which is used."""
    if issuer is OAuthProvider.GOOGLE or OFFLINE_ACCESS in asked:
        return ()
    return (Fix("settings.oauth.scopes", " ".join((*asked, OFFLINE_ACCESS))),)


def _refused(
    reason: Reason,
    cause: str,
    remedy: str,
    metadata: dict[str, str] | None = None,
    fixes: tuple[Fix, ...] = (),
) -> ProviderRefused:
    failure = Failure(
        reason=reason, kind=FailureKind.REAUTHORIZE, stage=Stage.CONSENT, cause=cause, remedy=remedy, fixes=fixes
    )
    return ProviderRefused(failure, metadata=metadata or {})
