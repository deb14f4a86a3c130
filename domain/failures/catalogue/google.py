"""What Google's SMTP servers say (provider pages and public transcripts, as of 2026-11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT, WAIT_A_DAY, WAIT_LONGER
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

_AUTH: Final = frozenset({Stage.AUTH})
_APP_PASSWORDS: Final = "https://support.google.com/accounts/answer/185833"

_SIGN_IN: Final = (
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
            help_url=_APP_PASSWORDS,
            sample="535-5.7.8 Username and Password not accepted. For more information, go to\n"
            "535 5.7.8  https://support.google.com/mail/?p=BadCredentials d9443c01a7336-20e59f0c35bsm123456 - gsmtp",
        )
        for text, provider in ((r"p=badcredentials", ""), (r"username and password not accepted", "google"))
    ),
    Entry(
        text=r"application-specific password required|p=invalidsecondfactor",
        reason=Reason.APP_PASSWORD_NEEDED,
        kind=FailureKind.MISCONFIGURED,
        cause="The Google account has 2-Step Verification and the normal account password was used.",
        remedy="Make an app password for this account and enter it, or switch to OAuth.",
        stages=_AUTH,
        help_url=_APP_PASSWORDS,
        sample="534-5.7.9 Application-specific password required. For more information, go to\n"
        "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp",
    ),
    *(
        Entry(
            text=r"log ?in (with|via) your web browser|p=webloginrequired|signin/continue\?sarp",
            stages=_AUTH,
            perhaps_token=perhaps_token,
            reason=Reason.BROWSER_SIGN_IN_NEEDED,
            kind=kind,
            cause="Google finds the sign-in suspicious and wants to see the owner in a browser first.",
            remedy="Sign in to the mailbox in a browser and confirm the security prompt, then switch to OAuth.",
            help_url="https://support.google.com/mail/answer/78754",
            sample="534-5.7.14 <https://accounts.google.com/signin/continue?sarp=1> Please log in via your web "
            "browser\n"
            "534-5.7.14 and then try again. Learn more at\n"
            "534 5.7.14  https://support.google.com/mail/answer/78754 - gsmtp",
        )
        for perhaps_token, kind in ((True, FailureKind.REAUTHORIZE), (False, FailureKind.MISCONFIGURED))
    ),
    Entry(
        text=r"too many login attempts",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="Too many sign-ins to this account within a short time.",
        remedy=f"{WAIT_LONGER} Let fewer programs sign in to this mailbox.",
        pause=timedelta(minutes=15),
        sample="454 4.7.0 Too many login attempts, please try again later. - gsmtp",
    ),
    Entry(
        text=r"invalid credentials for relay|relay.{0,80}(ip address you've registered|doesn't match the domain)",
        reason=Reason.RELAY_DENIED,
        kind=FailureKind.MISCONFIGURED,
        cause="The Workspace relay service does not know this sending address, or the sender's domain is not the "
        "customer's.",
        remedy="Register mailport's outgoing address in the Admin console (Gmail, Routing, SMTP relay service), or "
        "sign "
        "in with an account of the customer.",
        help_url="https://support.google.com/a/answer/6140680",
        sample="550-5.7.1 Invalid credentials for relay [192.0.2.7]. The IP address you've registered in your G Suite\n"
        "550 5.7.1 SMTP Relay service doesn't match the domain of the account.",
    ),
    Entry(
        code="421",
        text=r"try again later, closing connection\. ?\(ehlo\)",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="Google refuses new sessions from this address for now, often because of the EHLO name or the connection "
        "rate.",
        remedy=f"Set an EHLO name that is a real host name. {WAIT}",
        pause=timedelta(minutes=5),
        sample="421 4.7.0 Try again later, closing connection. (EHLO) - gsmtp",
    ),
)

_SENDING: Final = (
    Entry(
        text=r"(daily|user)\b.{0,20}sending (limit|quota) exceeded|p=usersendlimit|exceeded\b.{0,20}sending limit",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="The mailbox has used up what it may send within 24 hours. The reply looks final, yet heals by waiting.",
        remedy=f"{WAIT_A_DAY} Spread the mail over more senders or use a bulk provider.",
        pause=timedelta(hours=4),
        help_url="https://support.google.com/a/answer/166852",
        sample="550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\n"
        "550 5.4.5 sending limits go to https://support.google.com/a/answer/166852 - gsmtp",
    ),
    Entry(
        text=r"peak smtp relay limit exceeded|relay (recipient )?limit exceeded",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="The Workspace customer's relay service reached its short-term rate.",
        remedy=f"{WAIT_LONGER} Lower the rate of sending through smtp-relay.gmail.com.",
        pause=timedelta(minutes=10),
        help_url="https://support.google.com/a/answer/6140680",
        sample="450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error. - gsmtp",
    ),
    Entry(
        text=r"too many recipients\b.{0,80}google|google's sending limits",
        unless=r"daily",
        code="4..|5..",
        reason=Reason.RECIPIENTS_ABOVE_SERVER_LIMIT,
        kind=FailureKind.THROTTLED,
        cause="The message has more recipients than Google takes at once: 100 over SMTP.",
        remedy="The remaining recipients of a queued message are tried again by themselves; otherwise send to at most "
        "100 at once.",
        help_url="https://support.google.com/a/answer/166852",
        sample="452 4.5.3 Your message has too many recipients. For more information regarding Google's sending "
        "limits, "
        "review https://support.google.com/a/answer/166852 - gsmtp",
    ),
    Entry(
        text=r"illegal attachment|p=blockedmessage",
        reason=Reason.ATTACHMENT_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="The message has an attachment of a kind that Google forbids.",
        remedy="Remove the program or archive, and send the file another way.",
        help_url="https://support.google.com/mail/?p=BlockedMessage",
        sample="552-5.7.0 Our system detected an illegal attachment on your message. Please\n"
        "552 5.7.0 review our attachment guidelines. - gsmtp",
    ),
    Entry(
        text=r"unauthenticated email from\b.{0,200}dmarc policy|sender is unauthenticated|p=unauthenticated",
        reason=Reason.DOMAIN_UNAUTHENTICATED,
        kind=FailureKind.MISCONFIGURED,
        cause="Google takes this sender's mail only where SPF or DKIM passes for the From domain, and neither does.",
        remedy="Send through a server that the From domain authorises, or add its SPF and DKIM records.",
        help_url="https://support.google.com/mail/answer/81126",
        sample="550-5.7.1 Unauthenticated email from example.com is not accepted due to domain's\n"
        "550 5.7.1 DMARC policy. Please contact the administrator of example.com domain - gsmtp",
    ),
    Entry(
        text=r"likely unsolicited mail|p=unsolicitedmessageerror",
        unless=r"rate limited",
        code="5..|000",
        reason=Reason.SPAM_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="Google judged the message to be spam, by its content or its sender's reputation.",
        remedy="Look at the content and at SPF, DKIM and DMARC of the sender's domain before sending it again.",
        help_url="https://support.google.com/mail/?p=UnsolicitedMessageError",
        sample="550-5.7.1 [192.0.2.1] Our system has detected that this message is likely\n"
        "550 5.7.1 unsolicited mail. - gsmtp",
    ),
    Entry(
        text=r"unusual rate of unsolicited mail|temporarily rate limited",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="Google limits the rate of the sending address or domain, because much of its mail looks like spam.",
        remedy=f"{WAIT_LONGER} Send less, and look at who complains of the mail.",
        pause=timedelta(minutes=30),
        help_url="https://support.google.com/mail/?p=UnsolicitedRateLimitError",
        sample="421-4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP.\n"
        "421 4.7.28 Mail sent from your IP address has been temporarily rate limited. - gsmtp",
    ),
    Entry(
        text=r"receiving mail (too quickly|at a rate)|p=receivingrate",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="The recipient gets more mail than Google takes for one mailbox in that time.",
        remedy=WAIT_LONGER,
        pause=timedelta(minutes=15),
        help_url="https://support.google.com/mail/?p=ReceivingRate",
        sample="450 4.2.1 The user you are trying to contact is receiving mail too quickly. - gsmtp",
    ),
    Entry(
        text=r"p=nosuchuser|account that you tried to reach does not exist",
        code="5..|000",
        reason=Reason.RECIPIENT_UNKNOWN,
        kind=FailureKind.PERMANENT,
        cause="The recipient's mailbox does not exist at Google.",
        remedy="Correct or remove the recipient's address.",
        help_url="https://support.google.com/mail/?p=NoSuchUser",
        sample="550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
        "550 5.1.1 double-checking the recipient's email address for typos. - gsmtp",
    ),
    Entry(
        text=r"p=overquotatemp|p=overquotaperm|account that you tried to reach is over quota",
        code="4..|000",
        reason=Reason.RECIPIENT_MAILBOX_FULL,
        kind=FailureKind.TRANSIENT,
        cause="The recipient's storage at Google is full.",
        remedy=f"{WAIT_LONGER} Tell the recipient to free some space.",
        pause=timedelta(minutes=30),
        help_url="https://support.google.com/mail/?p=OverQuotaTemp",
        sample="452-4.2.2 The email account that you tried to reach is over quota. Please direct\n"
        "452 4.2.2 the recipient to https://support.google.com/mail/?p=OverQuotaTemp - gsmtp",
    ),
)

GOOGLE_TEXTS: Final = (*_SIGN_IN, *_SENDING)
