"""What mail servers of any make say, by the words that Postfix, Exim, Sendmail, Dovecot and their kind share."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import REST_LATER, WAIT, WAIT_LONGER
from domain.failures.failure import FailureKind, Fix, Stage
from domain.reasons import Reason

_SUBMITTING: Final = frozenset({Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA})
_RCPT: Final = frozenset({Stage.RCPT_TO})

COMMON_TEXTS: Final = (
    Entry(
        text=r"must issue a starttls command|encryption (is )?required|(requires|without) (a )?(tls|encryption)|"
        r"plaintext authentication (is )?disallowed",
        code="5..",
        security="NONE",
        reason=Reason.TLS_MODE_MISMATCH,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} wants the connection to be encrypted, and the settings do not encrypt it.",
        remedy="Set the security to STARTTLS, or use the port for implicit TLS (usually 465).",
        fixes=(Fix("settings.smtp.security", "STARTTLS"),),
    ),
    Entry(
        text=r"helo command rejected|(ehlo|helo) .{0,40}(invalid|fully.qualified|fqdn|required|rejected)|"
        r"need fully.qualified hostname|invalid (ehlo|helo|domain name)|bad (ehlo|helo)|(ehlo|helo) name",
        code="5..",
        reason=Reason.EHLO_NAME_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} does not take the name that mailport greets with{because}.",
        remedy="Set ehlo_name to the full host name of the machine that sends, one that the DNS knows.",
    ),
    Entry(
        text=r"gr[ae]y.?list",
        reason=Reason.GREYLISTED,
        kind=FailureKind.TRANSIENT,
        cause="The server turns first-time senders away for a while (greylisting); this is a temporary refusal.",
        remedy=f"{WAIT} It is usually taken then.",
    ),
    Entry(
        text=r"too many recipients",
        code="452|552|45.",
        reason=Reason.RECIPIENTS_ABOVE_SERVER_LIMIT,
        kind=FailureKind.TRANSIENT,
        cause="The message has more recipients than {server} takes at once.",
        remedy=REST_LATER,
    ),
    Entry(
        text=r"relay(ing)? (access )?(is )?(denied|not permitted|not allowed|prohibited)|unable to relay|"
        r"not permitted to relay",
        reason=Reason.RELAY_DENIED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} does not pass mail on for this client, usually because nobody signed in.",
        remedy="Choose an authentication for this configuration, or use the provider's submission server and port.",
    ),
    Entry(
        text=r"(authentication|auth) (is )?required|must authenticate|authenticate first|smtp auth first",
        code="5..",
        stages=_SUBMITTING,
        reason=Reason.AUTH_REQUIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} takes mail only from those who sign in, and the settings have no authentication for it.",
        remedy="Choose an authentication for this configuration and enter its credentials.",
    ),
    Entry(
        text=r"unsolicited|spam|blocked using|blacklist|block list|blocklist|listed (at|by|in)|poor reputation|dnsbl|"
        r"rbl",
        code="5..",
        reason=Reason.POLICY_REFUSED,
        kind=FailureKind.PERMANENT,
        stages=_SUBMITTING,
        cause="{server} refused the mail by a rule against spam{reply}.",
        remedy="Look at the content, and at SPF, DKIM, DMARC and the reputation of the sending address, before sending "
        "again.",
    ),
    Entry(
        text=r"(mailbox|account|storage|inbox).{0,60}(is full|over quota|full|quota exceeded)|(over|"
        r"exceeded).{0,10}quota",
        stages=_RCPT,
        code="4..",
        reason=Reason.RECIPIENT_MAILBOX_FULL,
        kind=FailureKind.TRANSIENT,
        cause="The recipient's mailbox is full.",
        remedy=f"{WAIT} Tell the recipient to free some space.",
    ),
    Entry(
        text=r"(mailbox|account|storage|inbox).{0,60}(is full|over quota|full|quota exceeded)|(over|"
        r"exceeded).{0,10}quota",
        stages=_RCPT,
        code="5..",
        reason=Reason.RECIPIENT_MAILBOX_FULL,
        kind=FailureKind.PERMANENT,
        cause="The recipient's mailbox is full, and the server will not wait for space.",
        remedy="Tell the recipient to free some space, then send the message again.",
    ),
    Entry(
        text=r"user unknown|unknown user|no such (user|mailbox|recipient|address)|(user|mailbox|recipient|"
        r"account) .{0,40}"
        r"(does(n't| not) exist|not found|unknown)|unknown recipient|p=NoSuchUser",
        stages=_RCPT,
        code="5..",
        reason=Reason.RECIPIENT_UNKNOWN,
        kind=FailureKind.PERMANENT,
        cause="The recipient's address does not exist.",
        remedy="Correct or remove the recipient's address.",
    ),
    Entry(
        text=r"domain not found|host not found|no such domain",
        stages=_RCPT,
        code="4..",
        reason=Reason.REFUSED_FOR_NOW,
        kind=FailureKind.TRANSIENT,
        cause="{server} cannot find the recipient's domain just now; a slip of the pen is the usual cause.",
        remedy=f"Check the spelling of the recipient's domain. {WAIT}",
    ),
    Entry(
        text=r"(message|size|mail).{0,40}(too (big|large)|exceed(s|ed)?.{0,30}(size|limit|maximum)|size limit)|"
        r"p=MaxSizeError",
        code="5..",
        reason=Reason.TOO_LARGE,
        kind=FailureKind.PERMANENT,
        cause="The message is larger than {server} takes.",
        remedy="Make the attachments smaller (sent, they take a third more), or send a link instead.",
    ),
    Entry(
        text=r"(sending|message|rate|hourly|daily|recipient).{0,30}(limit|quota).{0,30}(exceeded|reached)|too many "
        r"(messages|emails|mails)|rate limit|exceeded.{0,30}(sending|message|rate|hourly|daily).{0,20}(limit|quota)",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="The account has sent as much as it may for now{reply}.",
        remedy=f"{WAIT_LONGER} Send less, or have the limit raised.",
        pause=timedelta(hours=1),
    ),
    Entry(
        text=r"too many (concurrent )?(connections|sessions)|too many errors",
        code="4..",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="{server} limits connections from here{reply}.",
        remedy=f"{WAIT} Let fewer programs connect to this server at a time.",
    ),
)
