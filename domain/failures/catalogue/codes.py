"""What enhanced status codes mean where no text told more (RFC 3463, RFC 5248 and its registry)."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import REST_LATER, WAIT
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

_RCPT: Final = frozenset({Stage.RCPT_TO})
_MESSAGE: Final = frozenset({Stage.MAIL_FROM, Stage.DATA})
_SUBMITTING: Final = _RCPT | _MESSAGE

ENHANCED_CODES: Final = (
    Entry(
        enhanced=r"\d\.5\.3",
        code="452|552",
        stages=_RCPT,
        reason=Reason.RECIPIENTS_ABOVE_SERVER_LIMIT,
        kind=FailureKind.TRANSIENT,
        cause="The message has more recipients than {server} takes at once.",
        remedy=REST_LATER,
    ),
    Entry(
        enhanced=r"\d\.1\.[1236]",
        code="5..",
        stages=_RCPT,
        reason=Reason.RECIPIENT_UNKNOWN,
        kind=FailureKind.PERMANENT,
        cause="The recipient's address does not exist or is malformed.",
        remedy="Correct or remove the recipient's address.",
    ),
    Entry(
        enhanced=r"\d\.1\.10",
        code="5..",
        reason=Reason.RECIPIENT_UNKNOWN,
        kind=FailureKind.PERMANENT,
        cause="The recipient's domain takes no mail at all (null MX, RFC 7505).",
        remedy="Correct or remove the recipient's address.",
    ),
    Entry(
        enhanced=r"\d\.1\.[78]",
        code="5..",
        stages=_SUBMITTING,
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="{server} does not take the sender's address{reply}.",
        remedy="Check the from address and that its domain exists in the DNS.",
    ),
    Entry(
        enhanced=r"\d\.2\.1",
        code="5..",
        stages=_RCPT,
        reason=Reason.RECIPIENT_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="The recipient's mailbox is disabled.",
        remedy="Remove the recipient's address, or ask the recipient for another one.",
    ),
    Entry(
        enhanced=r"\d\.2\.2",
        code="4..",
        stages=_SUBMITTING,
        reason=Reason.RECIPIENT_MAILBOX_FULL,
        kind=FailureKind.TRANSIENT,
        cause="A mailbox is full, usually the recipient's.",
        remedy=f"{WAIT} Tell the recipient to free some space.",
    ),
    Entry(
        enhanced=r"\d\.2\.2",
        code="5..",
        stages=_SUBMITTING,
        reason=Reason.RECIPIENT_MAILBOX_FULL,
        kind=FailureKind.PERMANENT,
        cause="A mailbox is full, usually the recipient's, and the server will not wait for space.",
        remedy="Tell the recipient to free some space, then send the message again.",
    ),
    Entry(
        enhanced=r"\d\.(2\.3|3\.4)",
        code="5..",
        reason=Reason.TOO_LARGE,
        kind=FailureKind.PERMANENT,
        cause="The message is larger than {server} or the recipient's mailbox takes.",
        remedy="Make the attachments smaller (sent, they take a third more), or send a link instead.",
    ),
    Entry(
        enhanced=r"\d\.(6\.[79]|6\.8)",
        code="5..",
        reason=Reason.SMTPUTF8_UNSUPPORTED,
        kind=FailureKind.PERMANENT,
        cause="{server} cannot pass on international addresses or headers.",
        remedy="Use an address whose part before the @ is ASCII, or a server that offers SMTPUTF8.",
    ),
    Entry(
        enhanced=r"\d\.7\.(8|9|13)",
        code="5..",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} refused the sign-in{reply}.",
        remedy="Check user name and password; many providers want an app password or OAuth instead of the account's "
        "password.",
    ),
    Entry(
        enhanced=r"\d\.7\.1[01]",
        code="5..",
        reason=Reason.TLS_MODE_MISMATCH,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} wants the connection to be encrypted first{reply}.",
        remedy="Set the security to STARTTLS, or use the port for implicit TLS (usually 465).",
    ),
    Entry(
        enhanced=r"\d\.7\.12",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} wants the account's password to be set anew before it takes this way to sign in{reply}.",
        remedy="Sign in to the account once in the provider's own way, e.g. in a browser, or change the password.",
    ),
    Entry(
        enhanced=r"\d\.7\.2\d",
        code="5..",
        stages=_SUBMITTING,
        reason=Reason.POLICY_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="The sender's domain did not pass the server's checks (SPF, DKIM, DMARC or reverse DNS){reply}.",
        remedy="Send through a server that the From domain authorises, or correct its SPF and DKIM records.",
    ),
    Entry(
        enhanced=r"\d\.(3\.[12]|4\.5)",
        code="4..",
        reason=Reason.SERVER_BUSY,
        kind=FailureKind.TRANSIENT,
        cause="{server} is not taking mail just now{reply}.",
        remedy=WAIT,
    ),
    Entry(
        enhanced=r"\d\.7\.\d+",
        code="5(?!30)..",
        stages=_MESSAGE,
        reason=Reason.POLICY_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="{server} refused the message by a rule of its own{reply}.",
        remedy="Read the server's words; its operator can tell which rule it was and how to meet it.",
    ),
)
