"""What Exchange Online and Outlook.com say (learn.microsoft.com and public transcripts, as of 2026-11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT, WAIT_A_DAY, WAIT_LONGER
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

_SIGN_IN: Final = (
    Entry(
        text=r"smtpclientauthentication is disabled for the mailbox",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="Authenticated SMTP is switched off for this mailbox, for passwords and OAuth alike.",
        remedy="Run Set-CASMailbox with SmtpClientAuthenticationDisabled $false for the mailbox and wait up to an "
        "hour, or "
        "send through Microsoft Graph.",
    ),
    Entry(
        text=r"smtpclientauthentication is disabled|aka\.ms/smtp_auth_disabled",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="Authenticated SMTP is switched off for the whole organisation, for passwords and OAuth alike.",
        remedy="Turn on Authenticated SMTP for this mailbox in the Microsoft 365 admin center, or send through "
        "Microsoft Graph.",
    ),
    Entry(
        text=r"basic authentication is (disabled|not supported)",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="Microsoft takes no passwords from this account any more; app passwords count as passwords.",
        remedy="Switch the configuration to OAuth, or send through Microsoft Graph.",
    ),
    Entry(
        text=r"security defaults policy",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="The organisation's security defaults block sign-ins with a password.",
        remedy="Switch the configuration to OAuth; do not turn off security defaults for it.",
    ),
    Entry(
        text=r"did not meet the criteria to be authenticated",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="A Conditional Access or authentication policy refused this sign-in.",
        remedy="Exempt the mailbox from the policy that blocks legacy authentication, or use OAuth or Microsoft Graph.",
    ),
    Entry(
        text=r"user credentials were incorrect|account is locked|password .{0,10}expired",
        stages=frozenset({Stage.AUTH}),
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="User name or password are wrong or have expired, or the account is locked or needs a second factor.",
        remedy="Sign in to the mailbox in a browser to see which, enter the password again, and prefer OAuth.",
    ),
    Entry(
        code="4..",
        text=r"temporary server error.* PRX\d",
        reason=Reason.AUTH_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
        cause="The Exchange front end could not reach the mailbox's server.",
        remedy=f"{WAIT} If it lasts, check the EHLO name and that STARTTLS is used.",
    ),
    Entry(
        text=r"client (was )?not authenticated to send( anonymous)? mail",
        reason=Reason.AUTH_REQUIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="Mail was offered to the submission server without signing in.",
        remedy="Choose an authentication for this configuration; this server never takes anonymous mail.",
    ),
    Entry(
        text=r"TLS 1\.0 and 1\.1 are not supported",
        reason=Reason.TLS_VERSION,
        kind=FailureKind.MISCONFIGURED,
        cause="The server takes TLS 1.2 and newer only.",
        remedy="Allow TLS 1.2 or newer where mailport runs, and leave the minimum TLS version at 1.2.",
    ),
)

_SENDING: Final = (
    Entry(
        text=r"does not have permissions to send as this sender|SendAsDenied",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="The mailbox that signs in has no right to send as the From address.",
        remedy="Use the mailbox's own address as From, or grant it Send As on the other one.",
    ),
    Entry(
        text=r"concurrent connections limit exceeded|sender thread limit exceeded",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="More than three connections sent for this mailbox at a time. The message was refused, not taken.",
        remedy=f"{WAIT} Let fewer programs send through this mailbox.",
        pause=timedelta(seconds=30),
    ),
    Entry(
        text=r"SubmissionQuotaExceeded",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="The mailbox has reached its 10,000 recipients within 24 hours. The reply looks final, yet heals by "
        "waiting.",
        remedy=f"{WAIT_A_DAY} Check that the account is not misused.",
        pause=timedelta(hours=4),
    ),
    Entry(
        text=r"OutboundSpamException|ShowTierUpgrade|RefuseQuota",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="A personal Outlook.com account reached the limit of its trust tier, or has to verify itself.",
        remedy="Sign in to the mailbox in a browser, pass the verification, and send less.",
        pause=timedelta(hours=4),
    ),
    Entry(
        text=r"exceeded the limit for the number of messages .{0,40}(to this recipient|per hour)|messages per hour",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="This recipient may not get more mail from this sender within the hour. The reply looks final, yet heals "
        "by waiting.",
        remedy=f"{WAIT_LONGER} Send this recipient fewer messages, e.g. one digest.",
        pause=timedelta(hours=1),
    ),
    Entry(
        text=r"MapiExceptionShutoffQuotaExceeded|STOREDRV.*mailbox full",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.MISCONFIGURED,
        cause="The sender's own mailbox is full: Exchange keeps a copy of each message in Sent Items.",
        remedy="Empty Sent Items of the sending mailbox, or give it a retention policy.",
    ),
    Entry(
        text=r"bad outbound sender",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="Microsoft has blocked the mailbox for sending spam, usually after it was broken into.",
        remedy="Secure the account, then take it off Restricted entities in the Defender portal.",
    ),
    Entry(
        text=r"traffic not accepted from this IP|tenant has exceeded threshold",
        reason=Reason.POLICY_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="Microsoft does not take mail from this organisation or address range for now.",
        remedy="Find and close what sends spam, then ask Microsoft's support to lift the block.",
    ),
    Entry(
        code="4..",
        text=r"server busy\. please try again later from",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="Exchange Online limits the rate of the sending address while it judges it.",
        remedy=f"{WAIT} Keep the rate low.",
        pause=timedelta(minutes=5),
    ),
    Entry(
        text=r"MaxSubmissionExceeded|MessageSubmissionExceeded",
        reason=Reason.TOO_LARGE,
        kind=FailureKind.PERMANENT,
        cause="The message is larger than the mailbox may send.",
        remedy="Make the attachments smaller, or raise the mailbox's maximum send size in the Exchange admin center.",
    ),
    Entry(
        enhanced=r"5\.4\.1",
        text=r"recipient address rejected: access denied",
        reason=Reason.RECIPIENT_UNKNOWN,
        kind=FailureKind.PERMANENT,
        cause="The recipient's organisation knows no such recipient.",
        remedy="Correct or remove the recipient's address.",
    ),
)

MICROSOFT_TEXTS: Final = (*_SIGN_IN, *_SENDING)
