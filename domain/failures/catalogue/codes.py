"""What enhanced status codes mean where no text told more (RFC 3463, RFC 5248, its registry, and Microsoft's own)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import OR_GRAPH, REST_LATER, WAIT, WAIT_A_DAY, WAIT_LONGER
from domain.failures.failure import FailureKind, Fix, Stage
from domain.reasons import Reason

_RCPT: Final = frozenset({Stage.RCPT_TO})
_MESSAGE: Final = frozenset({Stage.MAIL_FROM, Stage.DATA})
_SUBMITTING: Final = _RCPT | _MESSAGE
_AUTH: Final = frozenset({Stage.AUTH})
_EXCHANGE_PAGE: Final = (
    "https://learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr/non-delivery-reports-in-exchange-online"
)


def _code(
    enhanced: str,
    reason: Reason,
    kind: FailureKind,
    cause: str,
    remedy: str,
    *,
    code: str = "",
    stages: frozenset[Stage] = frozenset(),
    provider: str = "",
    pause: timedelta | None = None,
    help_url: str = "",
    fixes: tuple[Fix, ...] = (),
    sample: str = "",
) -> Entry:
    return Entry(
        enhanced=enhanced,
        reason=reason,
        kind=kind,
        cause=cause,
        remedy=remedy,
        code=code,
        stages=stages,
        provider=provider,
        pause=pause,
        help_url=help_url,
        fixes=fixes,
        sample=sample,
    )


_LOCKED_OUT: Final = "Find and close what sends spam there, then ask Microsoft's support to lift the block."

MICROSOFT_CODES: Final = (
    _code(
        r"5\.7\.139",
        Reason.SIGN_IN_BLOCKED,
        FailureKind.MISCONFIGURED,
        "Exchange Online refuses this sign-in by a setting of the organisation or the mailbox: authenticated SMTP or "
        "passwords are switched off, or security defaults or Conditional Access block it{reply}.",
        f"Read the words behind the code. Switch authenticated SMTP on for the mailbox and use OAuth{OR_GRAPH}.",
        help_url=_EXCHANGE_PAGE,
        sample="535 5.7.139",
    ),
    _code(
        r"5\.7\.57",
        Reason.AUTH_REQUIRED,
        FailureKind.MISCONFIGURED,
        "Mail was offered to the submission server without signing in.",
        "Choose an authentication for this configuration; this server never takes anonymous mail.",
        sample="530 5.7.57",
    ),
    _code(
        r"5\.7\.60|5\.2\.252",
        Reason.SENDER_REFUSED,
        FailureKind.MISCONFIGURED,
        "The mailbox that signs in has no right to send as the From address.",
        "Use the mailbox's own address as From, or grant it Send As on the other one.",
        sample="550 5.7.60",
    ),
    _code(
        r"5\.7\.50[1-8]|5\.7\.7[0-4]\d|5\.1\.8",
        Reason.SENDING_BLOCKED,
        FailureKind.MISCONFIGURED,
        "Microsoft has blocked this mailbox, organisation or address range from sending{reply}.",
        _LOCKED_OUT,
        provider="microsoft",
        help_url=_EXCHANGE_PAGE,
        sample="550 5.7.705",
    ),
    _code(
        r"5\.7\.(509|515|512)",
        Reason.DOMAIN_UNAUTHENTICATED,
        FailureKind.MISCONFIGURED,
        "The sender's domain does not pass the authentication that Microsoft asks for (SPF, DKIM, DMARC){reply}.",
        "Correct SPF, DKIM and DMARC of the From domain, or send through a server that it authorises.",
        help_url=_EXCHANGE_PAGE,
        sample="550 5.7.509",
    ),
    _code(
        r"5\.7\.(511|60[6-9]|6[1-4]\d)",
        Reason.BLOCKLISTED,
        FailureKind.MISCONFIGURED,
        "Microsoft has banned the sending address{reply}.",
        "Ask for its removal at https://sender.office.com, or send through another server.",
        help_url="https://sender.office.com",
        sample="550 5.7.606",
    ),
    _code(
        r"4\.7\.(5\d\d|6\d\d|85\d)",
        Reason.THROTTLED,
        FailureKind.THROTTLED,
        "Microsoft limits the rate of the sending address or organisation{reply}.",
        f"{WAIT_LONGER} Keep the rate low.",
        pause=timedelta(minutes=5),
        sample="451 4.7.500",
    ),
    _code(
        r"5\.(1\.90|7\.23[23]|2\.12[12])",
        Reason.QUOTA_EXCEEDED,
        FailureKind.THROTTLED,
        "The mailbox or the organisation has sent as much as it may for now. The reply looks final, yet heals by "
        "waiting.",
        WAIT_A_DAY,
        pause=timedelta(hours=1),
        sample="550 5.7.232",
    ),
    _code(
        r"5\.7\.30",
        Reason.BASIC_AUTHENTICATION_RETIRED,
        FailureKind.MISCONFIGURED,
        "Microsoft takes no passwords for SMTP from this organisation any more.",
        f"Switch the configuration to OAuth{OR_GRAPH}.",
        provider="microsoft",
        sample="550 5.7.30",
    ),
    _code(
        r"5\.(4\.1|1\.10)",
        Reason.RECIPIENT_UNKNOWN,
        FailureKind.PERMANENT,
        "The recipient's organisation at Microsoft knows no such recipient.",
        "Correct or remove the recipient's address.",
        provider="microsoft",
        sample="550 5.4.1",
    ),
    _code(
        r"5\.7\.(12\d|13\d)",
        Reason.RECIPIENT_REFUSED,
        FailureKind.PERMANENT,
        "The recipient, often a group, takes mail from certain senders only{reply}.",
        "Ask the recipient's administrator to allow this sender.",
        stages=_SUBMITTING,
        sample="550 5.7.133",
    ),
)
"""Numbers that no registry has; where the registry has them too, they count for Microsoft's servers alone."""

REGISTERED_CODES: Final = (
    _code(
        r"\d\.5\.3",
        Reason.RECIPIENTS_ABOVE_SERVER_LIMIT,
        FailureKind.THROTTLED,
        "The message has more recipients than {server} takes at once.",
        REST_LATER,
        code="4..|5..",
        stages=_RCPT,
        sample="452 4.5.3",
    ),
    _code(
        r"\d\.1\.[1345]",
        Reason.RECIPIENT_UNKNOWN,
        FailureKind.PERMANENT,
        "The recipient's address does not exist or is malformed.",
        "Correct or remove the recipient's address.",
        code="5..",
        stages=_RCPT | frozenset({Stage.DATA}),
        sample="550 5.1.1",
    ),
    _code(
        r"\d\.(1\.2|1\.10|4\.4)",
        Reason.RECIPIENT_DOMAIN_UNKNOWN,
        FailureKind.PERMANENT,
        "The recipient's domain cannot be found, or takes no mail at all (null MX, RFC 7505).",
        "Check the spelling of the recipient's domain.",
        code="5..",
        stages=_RCPT | frozenset({Stage.DATA}),
        sample="556 5.1.10",
    ),
    _code(
        r"\d\.1\.6",
        Reason.RECIPIENT_MOVED,
        FailureKind.PERMANENT,
        "The recipient has another address now{reply}.",
        "Use the new address where the reply names it; otherwise ask the recipient for it.",
        code="5..",
        sample="550 5.1.6",
    ),
    _code(
        r"\d\.(1\.8|7\.27)",
        Reason.SENDER_DOMAIN_INVALID,
        FailureKind.MISCONFIGURED,
        "{server} cannot find the domain of the sender's address, or it takes no mail{reply}.",
        "Correct the from address, or the A and MX records of its domain.",
        code="5..",
        sample="553 5.1.8",
    ),
    _code(
        r"\d\.1\.7",
        Reason.SENDER_REFUSED,
        FailureKind.MISCONFIGURED,
        "{server} does not take the form of the sender's address{reply}.",
        "Check the from address of the settings.",
        code="5..",
        sample="553 5.1.7",
    ),
    _code(
        r"\d\.2\.1",
        Reason.RECIPIENT_REFUSED,
        FailureKind.PERMANENT,
        "The recipient's mailbox is disabled.",
        "Remove the recipient's address, or ask the recipient for another one.",
        code="5..",
        stages=_RCPT | frozenset({Stage.DATA}),
        sample="550 5.2.1",
    ),
    _code(
        r"\d\.2\.2",
        Reason.RECIPIENT_MAILBOX_FULL,
        FailureKind.TRANSIENT,
        "A mailbox is full, usually the recipient's.",
        f"{WAIT} Tell the recipient to free some space.",
        code="4..",
        stages=_SUBMITTING,
        pause=timedelta(minutes=30),
        sample="452 4.2.2",
    ),
    _code(
        r"\d\.2\.2",
        Reason.RECIPIENT_MAILBOX_FULL,
        FailureKind.PERMANENT,
        "A mailbox is full, usually the recipient's, and the server will not wait for space.",
        "Tell the recipient to free some space, then send the message again.",
        code="5..",
        stages=_SUBMITTING,
        sample="552 5.2.2",
    ),
    _code(
        r"\d\.(2\.3|3\.4)",
        Reason.TOO_LARGE,
        FailureKind.PERMANENT,
        "The message is larger than {server} or the recipient's mailbox takes.",
        "Make the attachments smaller (sent, they take a third more), or send a link instead.",
        code="5..",
        sample="552 5.3.4",
    ),
    _code(
        r"\d\.4\.6",
        Reason.MAIL_LOOP,
        FailureKind.PERMANENT,
        "The message went round between servers until one of them stopped it.",
        "Have the forwarding and routing rules of the recipient and of the servers on the way checked.",
        code="5..",
        sample="554 5.4.6",
    ),
    _code(
        r"\d\.6\.[789]",
        Reason.SMTPUTF8_UNSUPPORTED,
        FailureKind.PERMANENT,
        "{server} cannot pass on international addresses or headers.",
        "Use an address whose part before the @ is ASCII, or a server that offers SMTPUTF8.",
        code="5..",
        sample="553 5.6.7",
    ),
    _code(
        r"\d\.6\.\d",
        Reason.MESSAGE_REFUSED,
        FailureKind.PERMANENT,
        "{server} does not take the message's form or content{reply}.",
        "Correct what the reply names, at the program that makes the message.",
        code="5..",
        sample="554 5.6.0",
    ),
    _code(
        r"\d\.7\.(9|4)",
        Reason.NO_USABLE_AUTH_MECHANISM,
        FailureKind.MISCONFIGURED,
        "{server} does not take this way to sign in{because}{reply}.",
        "Choose the authentication that the server offers; some providers want an app password or OAuth.",
        code="504|534",
        stages=_AUTH,
        sample="534 5.7.9",
    ),
    _code(
        r"\d\.7\.[89]",
        Reason.AUTH_REJECTED,
        FailureKind.MISCONFIGURED,
        "{server} refused the sign-in{reply}.",
        "Check user name and password; many providers want an app password or OAuth instead of the account's password.",
        code="5..",
        sample="535 5.7.8",
    ),
    _code(
        r"\d\.7\.1[01]",
        Reason.TLS_REQUIRED,
        FailureKind.MISCONFIGURED,
        "{server} wants the connection to be encrypted first{reply}.",
        "Set the security to STARTTLS, or use the port for implicit TLS (usually 465).",
        code="5..",
        fixes=(Fix("settings.smtp.security", "STARTTLS"),),
        sample="538 5.7.11",
    ),
    _code(
        r"\d\.7\.12",
        Reason.PASSWORD_EXPIRED,
        FailureKind.MISCONFIGURED,
        "{server} wants the account's password to be set anew before it takes this way to sign in{reply}.",
        "Sign in to the account once in the provider's own way, e.g. in a browser, or change the password.",
        sample="432 4.7.12",
    ),
    _code(
        r"\d\.7\.13",
        Reason.ACCOUNT_LOCKED,
        FailureKind.MISCONFIGURED,
        "The account that signs in is disabled{reply}.",
        "Have the account enabled at the provider, or use another one.",
        code="5..",
        sample="535 5.7.13",
    ),
    _code(
        r"\d\.7\.25",
        Reason.REVERSE_DNS_MISSING,
        FailureKind.MISCONFIGURED,
        "The sending address has no reverse DNS name that leads back to it{reply}.",
        "Have the owner of the sending address set a PTR record that matches its host name.",
        sample="550 5.7.25",
    ),
    _code(
        r"\d\.7\.(2[0-46]|29)",
        Reason.DOMAIN_UNAUTHENTICATED,
        FailureKind.MISCONFIGURED,
        "The sender's domain did not pass the server's checks (SPF, DKIM, DMARC or ARC){reply}.",
        "Send through a server that the From domain authorises, or correct its SPF and DKIM records.",
        code="5..",
        sample="550 5.7.26",
    ),
    _code(
        r"\d\.7\.28",
        Reason.THROTTLED,
        FailureKind.THROTTLED,
        "{server} sees a flood of mail from this account or address{reply}.",
        f"{WAIT_LONGER} Send more slowly.",
        sample="450 4.7.28",
    ),
    _code(
        r"\d\.(3\.[12]|4\.5)",
        Reason.SERVER_BUSY,
        FailureKind.TRANSIENT,
        "{server} is not taking mail just now{reply}.",
        WAIT,
        code="4..",
        sample="452 4.3.1",
    ),
)

LEFT_CODES: Final = (
    _code(
        r"\d\.7\.\d+",
        Reason.POLICY_REFUSED,
        FailureKind.PERMANENT,
        "{server} refused the message by a rule of its own{reply}.",
        "Read the server's words; its operator can tell which rule it was and how to meet it.",
        code="5(?!30)..",
        stages=_MESSAGE,
        sample="550 5.7.1",
    ),
)
"""Tried after the widest words: the subject alone, of security or policy."""
