"""What other providers' servers say (the vendors' help pages and public reports, as of 2026-11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT, WAIT_LONGER
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

_AUTH: Final = frozenset({Stage.AUTH})

OTHER_PROVIDERS_TEXTS: Final = (
    Entry(
        text=r"too many bad auth attempts|#auth005",
        stages=_AUTH,
        reason=Reason.APP_PASSWORD_NEEDED,
        kind=FailureKind.MISCONFIGURED,
        cause="The account's password was used where an app password is wanted, or it was wrong too often.",
        remedy="Make an app password in the account's security settings and enter it; wait an hour before the next "
        "try.",
        sample="535 5.7.0 (#AUTH005) Too many bad auth attempts.",
    ),
    Entry(
        text=r"does not have access rights to this service",
        stages=_AUTH,
        reason=Reason.SMTP_AUTH_DISABLED,
        kind=FailureKind.MISCONFIGURED,
        cause="Access by mail programs is switched off, or the normal password was used instead of an app password.",
        remedy="Turn on access by mail programs in the mailbox's settings, and make an app password for mail.",
        sample="535 5.7.8 Error: authentication failed: This user does not have access rights to this service",
    ),
    Entry(
        text=r"unauthorized ip address",
        reason=Reason.CLIENT_ADDRESS_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="The account takes sign-ins from listed IP addresses only.",
        remedy="Add mailport's outgoing address to the provider's list of authorised addresses.",
        sample="525 5.7.1 Unauthorized IP address",
    ),
    Entry(
        text=r"from address not verified|sender address is not allowed|relaying disallowed(\.? invalid domain| as)"
        r"|not authori[sz]ed to send from this|does not match a verified sender|is not a sender signature",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="The From address is neither the account's own nor one that the provider has verified for it.",
        remedy="Set the from address to the account's own, or verify the other one at the provider first.",
        sample="553 Relaying disallowed as noreply@example.com",
    ),
    Entry(
        text=r"(email )?address is not verified",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="The sender, or in a sandbox also the recipient, is not a verified identity of the account's region.",
        remedy="Verify the address or its domain in the same region, or have the account moved out of the sandbox.",
        help_url="https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html",
        sample="554 Message rejected: Email address is not verified. The following identities failed the check in "
        "region "
        "EU-WEST-1: noreply@example.com",
    ),
    Entry(
        text=r"unusual sending activity",
        reason=Reason.SENDING_BLOCKED,
        kind=FailureKind.THROTTLED,
        cause="The provider froze outgoing mail of this account because of unusual activity.",
        remedy="Unblock the account at the provider and send less.",
        pause=timedelta(hours=1),
        help_url="https://mail.zoho.com/UnblockMe",
        sample="550 5.4.6 Unusual sending activity detected.",
    ),
    Entry(
        text=r"maximum sending rate exceeded",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="More messages a second than the account may send.",
        remedy=f"{WAIT} Lower the rate, or ask the provider for a higher one.",
        sample="454 Throttling failure: Maximum sending rate exceeded.",
    ),
    Entry(
        text=r"exceeded your messaging limits|daily message quota exceeded|maximum credits exceeded",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="The account's allowance is used up.",
        remedy=f"{WAIT_LONGER} Raise the plan, or wait for the allowance to renew.",
        pause=timedelta(hours=4),
        sample="451 You have exceeded your messaging limits",
    ),
    Entry(
        text=r"not authorized to perform .{0,20}ses:|ses:send(raw)?email",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="The IAM user behind these credentials may not send from that identity.",
        remedy="Allow ses:SendRawEmail for the identity in the policy of the IAM user, in the same region.",
        help_url="https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html",
        sample="554 Access denied: User is not authorized to perform `ses:SendRawEmail' on resource",
    ),
    Entry(
        text=r"sending (suspended|paused) for this account|free accounts are for test purposes|domain is disabled",
        reason=Reason.SENDING_BLOCKED,
        kind=FailureKind.MISCONFIGURED,
        cause="The provider has stopped this account or domain from sending{reply}.",
        remedy="See in the provider's pages, or in its mail to the account, what is to be done.",
        sample="554 Message rejected: Sending suspended for this account.",
    ),
    Entry(
        text=r"\[tss?\d\d\]|user complaints",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="Yahoo limits mail from this address, because of its volume or of complaints.",
        remedy=f"{WAIT_LONGER} Send less, and look at who complains of the mail.",
        pause=timedelta(minutes=30),
        help_url="https://senders.yahooinc.com/smtp-error-codes/",
        sample="421 4.7.0 [TSS04] Messages from 192.0.2.7 temporarily deferred due to unexpected volume or user "
        "complaints",
    ),
)
