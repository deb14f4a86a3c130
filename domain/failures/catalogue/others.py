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
        text=r"too many bad auth attempts|#AUTH005",
        stages=_AUTH,
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="The account's password was used where an app password is wanted, or it was wrong too often.",
        remedy="Make an app password in the account's security settings and enter it; wait an hour before the next "
        "try.",
    ),
    Entry(
        text=r"does not have access rights to this service",
        stages=_AUTH,
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="Access by mail programs is switched off, or the normal password was used instead of an app password.",
        remedy="Turn on access by mail programs in the mailbox's settings, and make an app password for mail.",
    ),
    Entry(
        text=r"unauthorized ip address",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="The account takes sign-ins from listed IP addresses only.",
        remedy="Add mailport's outgoing address to the provider's list of authorised addresses.",
    ),
    Entry(
        text=r"from address not verified|sender address is not allowed|relaying disallowed as"
        r"|not authori[sz]ed to send from this|does not match a verified sender",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="The From address is neither the account's own nor one that the provider has verified for it.",
        remedy="Set the from address to the account's own, or verify the other one at the provider first.",
    ),
    Entry(
        text=r"(email )?address is not verified",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="The sender, or in a sandbox also the recipient, is not a verified identity of the account's region.",
        remedy="Verify the address or its domain in the same region, or have the account moved out of the sandbox.",
    ),
    Entry(
        text=r"unusual sending activity",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="The provider froze outgoing mail of this account because of unusual activity.",
        remedy="Unblock the account at the provider and send less.",
        pause=timedelta(hours=1),
    ),
    Entry(
        text=r"maximum sending rate exceeded|throttling failure",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="More messages a second than the account may send.",
        remedy=f"{WAIT} Lower the rate, or ask the provider for a higher one.",
    ),
    Entry(
        text=r"exceeded your messaging limits|daily message quota exceeded",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="The account's allowance is used up.",
        remedy=f"{WAIT_LONGER} Raise the plan, or wait for the allowance to renew.",
        pause=timedelta(hours=4),
    ),
)
