"""What Exchange Online and Outlook.com say (learn.microsoft.com and public transcripts, as of 2026-11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import OR_GRAPH, WAIT, WAIT_A_DAY, WAIT_LONGER
from domain.failures.evidence import Surface
from domain.failures.failure import FailureKind, Fix, Stage
from domain.reasons import Reason

_NDR: Final = (
    "https://learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr/non-delivery-reports-in-exchange-online"
)
_RETIREMENT: Final = (
    "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/"
    "deprecation-of-basic-authentication-exchange-online"
)
_GRAPH_INSTEAD: Final = Fix(
    "settings.graph", "{}", also=(Fix("settings.oauth.scopes", "https://graph.microsoft.com/Mail.Send offline_access"),)
)

_SIGN_IN: Final = (
    Entry(
        text=r"smtpclientauthentication is disabled for the mailbox",
        reason=Reason.SMTP_AUTH_DISABLED,
        kind=FailureKind.MISCONFIGURED,
        cause="Authenticated SMTP is switched off for this mailbox, for passwords and OAuth alike.",
        remedy="Run Set-CASMailbox with SmtpClientAuthenticationDisabled $false for the mailbox and wait up to an "
        f"hour{OR_GRAPH}.",
        fixes=(_GRAPH_INSTEAD,),
        help_url="https://aka.ms/smtp_auth_disabled",
        sample="535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
    ),
    Entry(
        text=r"smtpclientauthentication|aka\.ms/smtp_auth_disabled",
        reason=Reason.SMTP_AUTH_DISABLED,
        kind=FailureKind.MISCONFIGURED,
        cause="Authenticated SMTP is switched off for the whole organisation, for passwords and OAuth alike.",
        remedy=f"Turn on Authenticated SMTP for this mailbox in the Microsoft 365 admin center{OR_GRAPH}.",
        fixes=(_GRAPH_INSTEAD,),
        help_url="https://aka.ms/smtp_auth_disabled",
        sample="535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
    ),
    Entry(
        text=r"basic authentication is (disabled|not supported)",
        reason=Reason.BASIC_AUTHENTICATION_RETIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="Microsoft takes no passwords from this account any more; app passwords count as passwords.",
        remedy=f"Switch the configuration to OAuth{OR_GRAPH}.",
        surfaces=frozenset({Surface.SMTP, Surface.IMAP}),
        help_url=_RETIREMENT,
        sample="550 5.7.30 Basic authentication is not supported for Client Submission.",
    ),
    Entry(
        text=r"security defaults policy",
        reason=Reason.SIGN_IN_BLOCKED,
        kind=FailureKind.MISCONFIGURED,
        cause="The organisation's security defaults block sign-ins with a password.",
        remedy="Switch the configuration to OAuth; do not turn off security defaults for it.",
        sample="535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults "
        "policy.",
    ),
    Entry(
        text=r"did not meet the criteria to be authenticated",
        reason=Reason.SIGN_IN_BLOCKED,
        kind=FailureKind.MISCONFIGURED,
        cause="A Conditional Access or authentication policy refused this sign-in.",
        remedy="Exempt the mailbox from the policy that blocks legacy authentication, or switch the configuration to "
        f"OAuth{OR_GRAPH}.",
        sample="535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated "
        "successfully.",
    ),
    Entry(
        text=r"user credentials were incorrect",
        stages=frozenset({Stage.AUTH}),
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="User name or password are wrong, or the account needs a second factor.",
        remedy="Sign in to the mailbox in a browser to see which it is, enter the password again, and prefer OAuth.",
        sample="535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
    ),
    Entry(
        code="4..",
        text=r"temporary server error\b.{0,80}\bprx\d",
        reason=Reason.AUTH_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
        cause="The Exchange front end could not reach the mailbox's server.",
        remedy=f"{WAIT} If it lasts, check the EHLO name and that STARTTLS is used.",
        sample="451 4.7.0 Temporary server error. Please try again later. PRX4 "
        "[AM5PR0701CA0008.eurprd07.prod.outlook.com]",
    ),
    Entry(
        text=r"client (was )?not authenticated to send( anonymous)? mail",
        reason=Reason.AUTH_REQUIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="Mail was offered to the submission server without signing in.",
        remedy="Choose an authentication for this configuration; this server never takes anonymous mail.",
        sample="530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
    ),
    Entry(
        text=r"tls 1\.0 and 1\.1 are not supported|aka\.ms/smtp_auth_tls",
        reason=Reason.TLS_VERSION,
        kind=FailureKind.MISCONFIGURED,
        cause="The server takes TLS 1.2 and newer only.",
        remedy="Allow TLS 1.2 or newer where mailport runs, and leave the minimum TLS version at 1.2.",
        sample="421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2.",
    ),
)

_TOKEN_OR_PASSWORD: Final = (
    Entry(
        code="535",
        enhanced=r"5\.7\.3",
        text=r"authentication unsuccessful( \[|\.?$)",
        stages=frozenset({Stage.AUTH}),
        perhaps_token=True,
        provider="microsoft",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.REAUTHORIZE,
        cause="Exchange Online refused the token or the password. It gives this one answer for a token of another "
        "resource, scope or account, and for a service principal that it does not know.",
        remedy="Check that the user name is the mailbox and that the scope is https://outlook.office.com/SMTP.Send; "
        "then call Authorize and let the account's owner consent again.",
        fixes=(Fix("settings.oauth.scopes", "https://outlook.office.com/SMTP.Send offline_access"),),
        sample="535 5.7.3 Authentication unsuccessful [LO4P123CA0207.GBRP123.PROD.OUTLOOK.COM "
        "2024-10-10T21:50:33.251Z 08DCE9686F3D146F]",
    ),
    Entry(
        text=r"starttls command has been already sent|starttls .{0,30}already",
        reason=Reason.TLS_MODE_MISMATCH,
        kind=FailureKind.MISCONFIGURED,
        cause="STARTTLS was sent inside of a connection that is encrypted already.",
        remedy="Set the security to IMPLICIT_TLS for port 465; STARTTLS is for port 587.",
        fixes=(Fix("settings.smtp.security", "IMPLICIT_TLS"),),
        sample="503 5.5.4 Bad sequence of commands. StartTls command has been already sent.",
    ),
)

_SENDING: Final = (
    Entry(
        text=r"(reached|exceeded) (your|its) daily limit|trial tenant|tenant external recipient",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="The mailbox or the organisation has reached its recipients for the day. The reply looks final, yet "
        "heals "
        "by waiting.",
        remedy=WAIT_A_DAY,
        pause=timedelta(hours=4),
        help_url=_NDR,
        sample="550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
    ),
    Entry(
        text=r"unregistered domain",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="The From address is of a domain that the organisation has not registered as its own.",
        remedy="Use a from address of an accepted domain, or add the domain in the Microsoft 365 admin center.",
        help_url=_NDR,
        sample="550 5.7.750 Client blocked from sending from unregistered domain",
    ),
    Entry(
        text=r"on our block ?list|\(s31[45]\d\)|\bs3150\b",
        code="5..|000",
        reason=Reason.BLOCKLISTED,
        kind=FailureKind.MISCONFIGURED,
        cause="Outlook.com has the sending address, or its network, on its block list.",
        remedy="Ask for its removal as the reply says, or send through another server.",
        help_url="https://sendersupport.olc.protection.outlook.com/pm/troubleshooting",
        sample="550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your Internet service "
        "provider since part of their network is on our block list (S3150).",
    ),
    Entry(
        text=r"resolver\.adr\.\w*notfound|recipientnotfound|recipnotfound",
        reason=Reason.RECIPIENT_UNKNOWN,
        kind=FailureKind.PERMANENT,
        cause="Exchange knows no such recipient.",
        remedy="Correct or remove the recipient's address.",
        help_url=_NDR,
        sample="550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient bob@example.org not found by SMTP address lookup",
    ),
    Entry(
        text=r"resolver\.rst\.(?!\w*size)\w+",
        reason=Reason.RECIPIENT_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="The recipient, often a group, takes mail from certain senders only.",
        remedy="Ask the recipient's administrator to allow this sender.",
        help_url=_NDR,
        sample="550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
    ),
    Entry(
        text=r"storedrv\.deliver.{0,80}quotaexceeded|mapiexceptionshutoffquotaexceeded",
        reason=Reason.RECIPIENT_MAILBOX_FULL,
        kind=FailureKind.PERMANENT,
        cause="The recipient's mailbox is full, and Exchange will not wait for space.",
        remedy="Tell the recipient to free some space, then send the message again.",
        unless=r"storedrv\.submi",
        sample="554 5.2.0 STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
    ),
    Entry(
        text=r"does not have permissions to send as this sender|sendasdenied",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="The mailbox that signs in has no right to send as the From address.",
        remedy="Use the mailbox's own address as From, or grant it Send As on the other one.",
        unless=r"errorsendasdenied",
        sample="550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    ),
    Entry(
        text=r"concurrent connections limit exceeded|sender thread limit exceeded",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="More than three connections sent for this mailbox at a time. The message was refused, not taken.",
        remedy=f"{WAIT} Let fewer programs send through this mailbox.",
        pause=timedelta(seconds=30),
        help_url="https://aka.ms/concurrent_sending",
        sample="432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more "
        "information.",
    ),
    Entry(
        text=r"\bsubmissionquotaexceeded(exception)?",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="The mailbox has reached its 10,000 recipients within 24 hours. The reply looks final, yet heals by "
        "waiting.",
        remedy=f"{WAIT_A_DAY} Check that the account is not misused.",
        pause=timedelta(hours=4),
        sample="554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
    ),
    Entry(
        text=r"outboundspamexception|showtierupgrade|refusequota",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="A personal Outlook.com account reached the limit of its trust tier, or has to verify itself.",
        remedy="Sign in to the mailbox in a browser, pass the verification, and send less.",
        pause=timedelta(hours=4),
        sample="554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Actual verdict is RefuseQuota, "
        "ShowTierUpgrade.",
    ),
    Entry(
        text=r"exceeded the limit for the number of messages .{0,40}(to this recipient|per hour)|messages per hour",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="This recipient may not get more mail from this sender within the hour. The reply looks final, yet heals "
        "by waiting.",
        remedy=f"{WAIT_LONGER} Send this recipient fewer messages, e.g. one digest.",
        pause=timedelta(hours=1),
        sample="554 5.2.121 The sender has exceeded the limit for the number of messages they can send to this "
        "recipient per hour.",
    ),
    Entry(
        text=r"storedrv\.submission.{0,60}quotaexceeded|storedrv\.submi.{0,80}mailbox full|mailbox full;? storedrv",
        reason=Reason.SENDER_MAILBOX_FULL,
        kind=FailureKind.MISCONFIGURED,
        cause="The sender's own mailbox is full: Exchange keeps a copy of each message in Sent Items.",
        remedy="Empty Sent Items of the sending mailbox, or give it a retention policy.",
        sample="554 5.2.2 mailbox full; "
        "STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
    ),
    Entry(
        text=r"bad outbound sender",
        reason=Reason.SENDING_BLOCKED,
        kind=FailureKind.MISCONFIGURED,
        cause="Microsoft has blocked the mailbox for sending spam, usually after it was broken into.",
        remedy="Secure the account, then take it off Restricted entities in the Defender portal.",
        help_url=_NDR,
        sample="550 5.1.8 Access denied, bad outbound sender AS(42004)",
    ),
    Entry(
        text=r"traffic not accepted from this ip|tenant has exceeded threshold|spam abuse detected",
        reason=Reason.SENDING_BLOCKED,
        kind=FailureKind.MISCONFIGURED,
        cause="Microsoft does not take mail from this organisation or address range for now.",
        remedy="Find and close what sends spam, then ask Microsoft's support to lift the block.",
        help_url=_NDR,
        sample="550 5.7.705 Access denied, tenant has exceeded threshold",
    ),
    Entry(
        code="4..",
        text=r"server busy\. please try again later from",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="Exchange Online limits the rate of the sending address while it judges it.",
        remedy=f"{WAIT} Keep the rate low.",
        pause=timedelta(minutes=5),
        sample="451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (AS77713550)",
    ),
    Entry(
        text=r"maxsubmissionexceeded|messagesubmissionexceeded",
        reason=Reason.TOO_LARGE,
        kind=FailureKind.PERMANENT,
        cause="The message is larger than the mailbox may send.",
        remedy="Make the attachments smaller, or raise the mailbox's maximum send size in the Exchange admin center.",
        sample="554 5.2.0 STOREDRV.Submission.Exception:MessageSubmissionExceededExcep"
        "tion.MapiExceptionMaxSubmissionExceeded",
    ),
    Entry(
        enhanced=r"(5\.4\.1)?",
        code="5..",
        text=r"recipient address(es)? rejected ?: access denied\b.{0,20}(\[|$)",
        reason=Reason.RECIPIENT_UNKNOWN,
        kind=FailureKind.PERMANENT,
        cause="The recipient's organisation knows no such recipient.",
        remedy="Correct or remove the recipient's address.",
        sample="550 5.4.1 Recipient address rejected: Access denied. "
        "[BN8NAM12FT010.eop-nam12.prod.protection.outlook.com]",
    ),
)

MICROSOFT_TEXTS: Final = (*_SIGN_IN, *_TOKEN_OR_PASSWORD, *_SENDING)
