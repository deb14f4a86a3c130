"""What Google's SMTP servers say (provider pages and public transcripts, as of 2026-11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT, WAIT_A_DAY, WAIT_LONGER
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

GOOGLE_TEXTS: Final = (
    *(
        Entry(
            text=text,
            provider=provider,
            reason=Reason.AUTH_REJECTED,
            kind=FailureKind.MISCONFIGURED,
            cause="Google refused the user name and password. "
            "It takes no account passwords, only app passwords and OAuth.",
            remedy="Make a new app password (16 letters), or switch to OAuth, "
            "and check that the user name is the full address.",
        )
        for text, provider in ((r"p=BadCredentials", ""), (r"username and password not accepted", "google"))
    ),
    Entry(
        text=r"application-specific password required|p=InvalidSecondFactor",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="The Google account has 2-Step Verification and the normal account password was used.",
        remedy="Make an app password for this account and enter it, or switch to OAuth.",
    ),
    Entry(
        text=r"log ?in via your web browser|p=WebLoginRequired",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="Google finds the sign-in suspicious and wants to see the owner in a browser first.",
        remedy="Sign in to the mailbox in a browser and confirm the security prompt, then switch to OAuth.",
    ),
    Entry(
        text=r"too many login attempts",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="Too many sign-ins to this account within a short time.",
        remedy=f"{WAIT_LONGER} Let fewer programs sign in to this mailbox.",
        pause=timedelta(minutes=15),
    ),
    Entry(
        text=r"(daily|user) .{0,20}sending (limit|quota) exceeded|p=UserSendLimit|exceeded .{0,20}sending limit",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="The mailbox has used up what it may send within 24 hours. The reply looks final, yet heals by waiting.",
        remedy=f"{WAIT_A_DAY} Spread the mail over more senders or use a bulk provider.",
        pause=timedelta(hours=4),
    ),
    Entry(
        text=r"peak smtp relay limit exceeded",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="The Workspace customer's relay service reached its short-term rate.",
        remedy=f"{WAIT_LONGER} Lower the rate of sending through smtp-relay.gmail.com.",
        pause=timedelta(minutes=10),
    ),
    Entry(
        code="421",
        text=r"try again later, closing connection\. ?\(EHLO\)",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="Google refuses new sessions from this address for now, often because of the EHLO name or the connection "
        "rate.",
        remedy=f"Set an EHLO name that is a real host name. {WAIT}",
        pause=timedelta(minutes=5),
    ),
    Entry(
        text=r"illegal attachment|p=BlockedMessage",
        reason=Reason.POLICY_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="The message has an attachment of a kind that Google forbids.",
        remedy="Remove the program or archive, and send the file another way.",
    ),
    Entry(
        text=r"unauthenticated email from .* dmarc policy",
        reason=Reason.POLICY_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="The From domain's DMARC policy forbids this way of sending: neither SPF nor DKIM passes for it.",
        remedy="Send through a server that the From domain authorises, or add its SPF and DKIM records.",
    ),
    Entry(
        text=r"likely unsolicited mail",
        stages=frozenset({Stage.DATA}),
        reason=Reason.POLICY_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="The message was judged to be spam, by its content or its sender's reputation.",
        remedy="Look at the content and at SPF, DKIM and DMARC of the sender's domain before sending it again.",
    ),
)
