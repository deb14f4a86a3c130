"""A mail server that refuses an access token (RFC 4954 with XOAUTH2, RFC 7628): what it says is made for passwords."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

_AUTH: Final = frozenset({Stage.AUTH})

TOKEN_SIGN_IN: Final = (
    Entry(
        stages=_AUTH,
        code="334",
        text=r"^eyj[a-z0-9+/]{8,}={0,2}$|\"status\" ?: ?\"?[45]\d\d",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.REAUTHORIZE,
        cause="{server} refused the access token: it has expired, lacks the scope for mail, or belongs to another "
        "account.",
        remedy="Have the token renewed once; if it is refused again, call Authorize and let the account's owner "
        "consent to the full mail scope.",
    ),
    Entry(
        with_token=True,
        without_person=True,
        stages=_AUTH,
        code="535",
        enhanced=r"5\.7\.3",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} refused the app's token{because}. Exchange gives this one answer when the app may not send as "
        "the mailbox, and for a service principal that it does not know.",
        remedy="Check that the user name is the mailbox. Have an administrator grant the app SMTP.SendAsApp, register "
        "its service principal in Exchange Online with the object ID of the Enterprise application, and give it SendAs "
        "for the mailbox; a change takes up to an hour.",
    ),
    Entry(
        with_token=True,
        without_person=True,
        stages=_AUTH,
        code="535",
        enhanced=r"(5\.(7\.(0|1|8|9)|0\.0|5\.\d+))?",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} refused the access token{because}{reply}: it lacks the scope for mail, or is not good for the "
        "user name.",
        remedy="Check that the user name is a mailbox of the organisation, that SMTP is switched on for it, and that "
        "the scopes of the settings include the one for mail.",
    ),
    Entry(
        with_token=True,
        stages=_AUTH,
        code="535",
        enhanced=r"5\.7\.3",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.REAUTHORIZE,
        cause="{server} refused the access token{because}. Exchange gives this one answer for a token of another "
        "resource, scope or account, and for a service principal that it does not know.",
        remedy="Check that the user name is the mailbox and that the scope is https://outlook.office.com/SMTP.Send; "
        "then call Authorize and let the account's owner consent again.",
    ),
    Entry(
        with_token=True,
        stages=_AUTH,
        code="535",
        enhanced=r"(5\.(7\.(0|1|8|9)|0\.0|5\.\d+))?",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.REAUTHORIZE,
        cause="{server} refused the access token{because}{reply}: it lacks the scope for mail, or belongs to another "
        "account than the user name.",
        remedy="Check that the user name is the account that consented; then call Authorize, and let that account "
        "consent to the full mail scope.",
    ),
)
"""Tried before the providers' texts, which speak of passwords; policies (5.7.139) are left to those texts. Where no
person is asked, nobody can consent again."""
