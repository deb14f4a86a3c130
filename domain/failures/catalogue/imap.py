"""What IMAP servers answer: response codes (RFC 3501, RFC 5530), the words of Gmail, Exchange, Dovecot and others."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT, WAIT_LONGER
from domain.failures.evidence import Surface
from domain.failures.failure import FailureKind, Fix
from domain.reasons import Reason

_IMAP: Final = frozenset({Surface.IMAP})
_CHECK: Final = "Check user name and password; many providers want an app password or OAuth for IMAP."
_AGAIN: Final = (
    "Have the token renewed once; if it is refused again, call Authorize and let the account's owner consent."
)


def _entry(
    reason: Reason,
    kind: FailureKind,
    cause: str,
    remedy: str,
    *,
    text: str = "",
    unless: str = "",
    error: str = "",
    subcode: str = "",
    provider: str = "",
    perhaps_token: bool = False,
    pause: timedelta | None = None,
    help_url: str = "",
    fixes: tuple[Fix, ...] = (),
    sample: str = "",
) -> Entry:
    return Entry(
        surfaces=_IMAP,
        reason=reason,
        kind=kind,
        cause=cause,
        remedy=remedy,
        text=text,
        unless=unless,
        error=error,
        subcode=subcode,
        provider=provider,
        perhaps_token=perhaps_token,
        pause=pause,
        help_url=help_url,
        fixes=fixes,
        sample=sample,
    )


_GOOGLE: Final = (
    _entry(
        Reason.APP_PASSWORD_NEEDED,
        FailureKind.MISCONFIGURED,
        "The account has 2-Step Verification, and the normal account password was used.",
        "Make an app password for this account and enter it, or switch to OAuth.",
        text=r"application-specific password|app password|answer/185833",
        help_url="https://support.google.com/accounts/answer/185833",
        sample="A1 NO [ALERT] Application-specific password required: "
        "https://support.google.com/accounts/answer/185833 (Failure)",
    ),
    _entry(
        Reason.BROWSER_SIGN_IN_NEEDED,
        FailureKind.REAUTHORIZE,
        "Google wants to see the owner in a browser before it lets this program in.",
        "Sign in to the mailbox in a browser, confirm the prompt, then switch to OAuth.",
        text=r"web browser|answer/78754",
        unless=r"password",
        help_url="https://support.google.com/mail/answer/78754",
        sample="A1 NO [ALERT] Please log in via your web browser: "
        "https://support.google.com/mail/accounts/answer/78754 "
        "(Failure)",
    ),
    _entry(
        Reason.BROWSER_SIGN_IN_NEEDED,
        FailureKind.REAUTHORIZE,
        "The provider wants to see the owner in a browser before it lets this program in{reply}.",
        "Sign in to the mailbox in a browser, confirm the prompt, then switch to OAuth.",
        error="WEBALERT",
        sample="A1 NO [WEBALERT https://accounts.google.com/signin/continue] Web login required.",
    ),
    _entry(
        Reason.AUTH_REJECTED,
        FailureKind.REAUTHORIZE,
        "Google refused the access token or the app password.",
        f"{_AGAIN} With a password, make a new app password.",
        error="AUTHENTICATIONFAILED",
        text=r"invalid credentials \(failure\)",
        perhaps_token=True,
        sample="A1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
    ),
    _entry(
        Reason.THROTTLED,
        FailureKind.THROTTLED,
        "The mailbox has used up what it may transfer, or how many commands it may give, in a day.",
        f"{WAIT_LONGER} Read fewer or smaller messages; access comes back within a day.",
        text=r"exceeded (command|bandwidth)|bandwidth limit",
        pause=timedelta(hours=1),
        sample="* BYE [OVERQUOTA] Account exceeded command or bandwidth limits.",
    ),
)

_MICROSOFT: Final = (
    _entry(
        Reason.PERMISSION_MISSING,
        FailureKind.MISCONFIGURED,
        "The sign-in passed, and no mailbox opened: no right on the shared mailbox, IMAP switched off, a service "
        "principal that Exchange does not know, another user's token, or too many connections.",
        "Check that IMAP is enabled and that the account may open this mailbox, and close idle connections.",
        text=r"authenticated but not connected",
        sample="A3 BAD User is authenticated but not connected.",
    ),
    _entry(
        Reason.AUTH_REJECTED,
        FailureKind.REAUTHORIZE,
        "Exchange refused the token: it has expired, is for another resource, scope or account, or IMAP is off for the "
        "mailbox.",
        f"Check that the scope is https://outlook.office.com/IMAP.AccessAsUser.All and that IMAP is enabled. {_AGAIN}",
        text=r"authenticate failed",
        perhaps_token=True,
        sample="A01 NO AUTHENTICATE failed.",
    ),
    _entry(
        Reason.THROTTLED,
        FailureKind.THROTTLED,
        "The mailbox has used up its budget for IMAP; the reply says how long to wait.",
        f"{WAIT_LONGER} Look for new mail less often.",
        text=r"request is throttled|backoff time",
        sample="X BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds",
    ),
)

_CODES: Final = (
    _entry(
        Reason.AUTH_REJECTED,
        FailureKind.REAUTHORIZE,
        "The access token has expired.",
        _AGAIN,
        error="EXPIRED",
        text=r"\btoken\b",
        sample="a1 NO [EXPIRED] Access token has expired",
    ),
    _entry(
        Reason.TLS_REQUIRED,
        FailureKind.MISCONFIGURED,
        "{server} takes no sign-in before the connection is encrypted.",
        "Set the mailbox's security to STARTTLS, or use port 993 with implicit TLS.",
        error="PRIVACYREQUIRED",
        fixes=(Fix("settings.mailbox.security", "IMPLICIT_TLS", also=(Fix("settings.mailbox.port", "993"),)),),
        sample="a1 NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
    ),
    _entry(
        Reason.PASSWORD_EXPIRED,
        FailureKind.MISCONFIGURED,
        "The password or key has expired{reply}.",
        "Change the password in the provider's own way and enter the new one.",
        error="EXPIRED",
        sample="A1 NO [EXPIRED] That password isn't valid any more",
    ),
    _entry(
        Reason.ACCOUNT_LOCKED,
        FailureKind.MISCONFIGURED,
        "{server} wants the account's owner to talk to its administrator{reply}.",
        "Ask the provider or administrator what is wrong with the account.",
        error="CONTACTADMIN",
        sample="A1 NO [CONTACTADMIN] Account suspended",
    ),
    _entry(
        Reason.AUTH_UNAVAILABLE,
        FailureKind.TRANSIENT,
        "{server} cannot check the sign-in, or reach the mailbox, just now{reply}.",
        WAIT,
        error="UNAVAILABLE",
        sample="a1 NO [UNAVAILABLE] Temporary authentication failure.",
    ),
    _entry(
        Reason.PERMISSION_MISSING,
        FailureKind.MISCONFIGURED,
        "The account has no right to do that there{reply}.",
        "Have the mailbox's owner or an administrator grant the right.",
        error="AUTHORIZATIONFAILED|NOPERM",
        sample="A1 NO [NOPERM] Access denied",
    ),
    _entry(
        Reason.THROTTLED,
        FailureKind.THROTTLED,
        "{server} limits what this account may do at a time{reply}.",
        f"{WAIT_LONGER} Close other mail programs on this mailbox.",
        error="LIMIT",
        sample="a1 NO [LIMIT] Maximum number of connections from user+IP exceeded",
    ),
    _entry(
        Reason.THROTTLED,
        FailureKind.THROTTLED,
        "More connections are open for the mailbox than the provider allows.",
        f"{WAIT} Close other mail programs on this mailbox, or watch fewer folders.",
        text=r"too many (simultaneous |concurrent )?connections|maximum number of connections|connection limit",
        sample="A1 NO [ALERT] Too many simultaneous connections. (Failure)",
    ),
    _entry(
        Reason.SENDER_MAILBOX_FULL,
        FailureKind.MISCONFIGURED,
        "The mailbox is full, so that nothing can be stored in it{reply}.",
        "Free some space in the mailbox.",
        error="OVERQUOTA",
        sample="a3 NO [OVERQUOTA] Quota exceeded (mailbox for user is full)",
    ),
    _entry(
        Reason.REFUSED_FOR_NOW,
        FailureKind.TRANSIENT,
        "{server} cannot do that just now{reply}.",
        WAIT,
        error="INUSE|SERVERBUG|CORRUPTION",
        sample="A1 NO [INUSE] Mailbox in use",
    ),
    _entry(
        Reason.FOLDER_UNKNOWN,
        FailureKind.PERMANENT,
        "There is no folder of that name{reply}.",
        "Choose a folder that ListFolders names, e.g. the one marked \\Sent, or create it.",
        error="TRYCREATE|NONEXISTENT",
        sample="A7 NO [TRYCREATE] Mailbox doesn't exist: Sent",
    ),
)

_WORDS: Final = (
    _entry(
        Reason.CONNECTION_LOST,
        FailureKind.TRANSIENT,
        "{server} ended the session{reply}.",
        WAIT,
        subcode="BYE",
        text=r"inactivity|idle|disconnect|time(d )?.?out|session expired|lost authentication|connection closed|"
        r"autologout|shutting down|"
        r"logging out|signing off",
        unless=r"auth\w* (is )?(disabled|failed)|login (fail|dis)|too many",
        sample="* BYE Disconnected for inactivity.",
    ),
    _entry(
        Reason.FOLDER_UNKNOWN,
        FailureKind.PERMANENT,
        "There is no folder of that name{reply}.",
        "Choose a folder that ListFolders names, or create it.",
        text=r"(mailbox|folder)\b.{0,40}(does(n't| not) exist|not (found|exist)|unknown|no such)|(unknown|no such|"
        r"invalid) (mailbox|folder)|create the mailbox first",
        sample="A2 NO Mailbox does not exist",
    ),
)

_TOKENS: Final = (
    Entry(
        surfaces=_IMAP,
        with_token=True,
        without_person=True,
        error="AUTHENTICATIONFAILED",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} refused the app's token{because}{reply}: it lacks the permission for IMAP, or may not open "
        "this mailbox.",
        remedy="Have an administrator grant the app its permission for IMAP, and the right to this mailbox.",
    ),
    Entry(
        surfaces=_IMAP,
        with_token=True,
        error="AUTHENTICATIONFAILED",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.REAUTHORIZE,
        cause="{server} refused the access token{because}{reply}: it has expired, lacks the scope for IMAP, or belongs "
        "to another account.",
        remedy=_AGAIN,
    ),
)

IMAP: Final = (*_GOOGLE, *_MICROSOFT, *_TOKENS, *_CODES, *_WORDS)

IMAP_CLASSES: Final = (
    _entry(
        Reason.AUTH_REJECTED,
        FailureKind.MISCONFIGURED,
        "{server} refused the sign-in to the mailbox{reply}.",
        _CHECK,
        error="AUTHENTICATIONFAILED",
        sample="a1 NO [AUTHENTICATIONFAILED] Authentication failed.",
    ),
    _entry(
        Reason.PROTOCOL_ERROR,
        FailureKind.MISCONFIGURED,
        "{server} did not understand the command{reply}.",
        "Check that host and port are those of an IMAP server (usually 993 with implicit TLS).",
        subcode="BAD",
    ),
    _entry(
        Reason.PROTOCOL_ERROR,
        FailureKind.MISCONFIGURED,
        "{server} did not understand the command{reply}.",
        "Check that host and port are those of an IMAP server (usually 993 with implicit TLS).",
        text=r"error in imap command|unknown command|bad command|syntax|parse",
        sample="a1 NO Error in IMAP command received by server.",
    ),
    _entry(
        Reason.SERVER_BUSY,
        FailureKind.TRANSIENT,
        "{server} ended the session{reply}.",
        WAIT,
        subcode="BYE",
    ),
    _entry(
        Reason.REFUSED_FOR_NOW,
        FailureKind.TRANSIENT,
        "{server} refused this{because}{reply}.",
        f"Read the server's words. {WAIT}",
    ),
)
"""What is left on this surface, by its first word."""
