"""Whom a server trusts: blocklists, reverse DNS, SPF, DKIM, DMARC, spam, viruses; of any make."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT_LONGER
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

_BLOCKLIST: Final = (
    r"blocked (using|by .{0,30}(list|rbl|spamhaus|spfbl|reputation)|- see)|(black|block|deny|sperr)[ -]?list|"
    r"spamhaus|spamcop|\bsorbs\b|barracuda(central|networks| reputation)|\bs?rbl\b|dnsbl|\blisted (at|by|in|on)\b|"
    r"(poor|bad|low|negative|sender|ip|domain|its|your|mta's)('s)? reputation|reputation (score|filter|based)|"
    r"banned (sending|ip|sender)|\[bl\d+\]|mail-abuse|csi\.cloudmark|ipcheck\.proofpoint|spfbl|\(bl\)|uceprotect|"
    r"cloudmark|\btalos|senderbase|invaluement|"
    r"schwarze liste|liste noire|lista negra"
)

REPUTATION: Final = (
    Entry(
        text=r"too many hops|hop count|mail ?loop|(routing|forwarding) loop|loops? (detected|back)|looping|too many "
        r"received|received\b.{0,20}headers?\b.{0,20}exceed|mailschleife|boucle",
        reason=Reason.MAIL_LOOP,
        kind=FailureKind.PERMANENT,
        cause="The message went round between servers until {server} stopped it.",
        remedy="Have the forwarding and routing rules of the recipient and of the servers on the way checked.",
        sample="554 5.4.6 Error: too many hops",
    ),
    Entry(
        text=r"\bvirus|malware|\binfected\b|trojan|\beicar\b|(attachments?|file|extension)( type| name| extension)?s?\b"
        r".{0,30}(not allowed|not permitted|forbidden|blocked|prohibited|banned|illegal|rejected|dangerous|refused)|"
        r"(illegal|forbidden|blocked|banned|prohibited|dangerous|executable|disallowed|unacceptable) (attachment|file|"
        r"content)|anhang\b.{0,30}(nicht|verboten|gesperrt)|piece jointe .{0,30}(interdite|refus)",
        unless=r"(anti.?virus|virus scan\w*|malware scan\w*)\b.{0,40}(unavailable|error|fail|timed? ?out|temporar)",
        reason=Reason.ATTACHMENT_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="{server} found a virus in the message, or an attachment of a kind that it forbids{reply}.",
        remedy="Remove the attachment and send the file another way; scan the machine that it came from.",
        sample="554 5.7.0 Reject, id=12345-06 - INFECTED: Eicar-Test-Signature",
    ),
    Entry(
        text=r"\bsurbl|\buribl|(url|link|uri|domain in (the )?(body|message))\b.{0,40}(black|block|listed|reputation|"
        r"malicious)|phish",
        reason=Reason.SPAM_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="A link in the message is on a list of addresses that spam is known by{reply}.",
        remedy="Look which links the message has; remove what points to unknown places or to link shorteners.",
        sample="550 Blocked: message contains a link to a URL listed in SURBL",
    ),
    Entry(
        text=r"\bdmarc\b|\bspf\b|\bdkim\b|unauthenticated (e?mail|message)|sender is unauthenticated|openspf|required "
        r"authentication level|sender policy framework|domainkeys|sender ?id (check|fail)|arc (chain|validation) fail",
        reason=Reason.DOMAIN_UNAUTHENTICATED,
        kind=FailureKind.MISCONFIGURED,
        cause="The message does not pass SPF, DKIM or DMARC of the sender's domain{reply}.",
        remedy="Send through a server that the From domain authorises, or correct its SPF, DKIM and DMARC records.",
        sample="550 5.7.1 rejected by DMARC policy for example.com",
    ),
    Entry(
        text=_BLOCKLIST,
        code="4..",
        reason=Reason.BLOCKLISTED,
        kind=FailureKind.TRANSIENT,
        cause="{server} does not take mail from this address for now, because of a blocklist or its reputation{reply}.",
        remedy=f"{WAIT_LONGER} Follow the link in the reply and ask for removal from the list.",
        sample="451 4.7.1 Client host [192.0.2.7] blocked using zen.spamhaus.org",
    ),
    Entry(
        text=_BLOCKLIST,
        reason=Reason.BLOCKLISTED,
        kind=FailureKind.MISCONFIGURED,
        cause="The sending address or domain is on a blocklist, or has a poor reputation{reply}.",
        remedy="Follow the link in the reply, remove the cause, and ask for removal from the list; or send through "
        "another server.",
        sample="554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org",
    ),
    Entry(
        text=r"\bspam|abuse|block(ed|ing)?\b.{0,30}(your|this|the|ip|address)|filtered",
        stages=frozenset({Stage.CONNECT, Stage.EHLO}),
        code="5..|000",
        reason=Reason.BLOCKLISTED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} takes no connections from this address, because of spam that came from it or its "
        "network{reply}.",
        remedy="Follow the link in the reply and ask for removal from the list; or send through another server.",
        sample="554 mx.example.net 192.0.2.7 Block for spam. Please see http://postmaster.example.net",
    ),
    Entry(
        text=r"\bptr\b|reverse (dns|host ?name|look ?up|name|mapping)|\brdns\b|fcrdns|cannot find your (reverse "
        r")?host ?name|"
        r"cannot resolve your|no (valid )?reverse|forward.confirmed|unable to resolve (your|the|client)? ?(ip|address)|"
        r"(generic|dynamic) (host ?name|ip|ptr|address)|ruckwarts\w* ?auflosung",
        unless=r"relay",
        reason=Reason.REVERSE_DNS_MISSING,
        kind=FailureKind.MISCONFIGURED,
        cause="The sending address has no reverse DNS name that leads back to it{reply}.",
        remedy="Have the owner of the sending address set a PTR record that matches its host name, or send through a "
        "provider's submission server.",
        sample="450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.7]",
    ),
    Entry(
        text=r"\bspam(my|ming|assassin)?\b|unsolicited|\bu[cb]e\b|bulk (e?mail|sender)|\bjunk\b|\bspam[ -]?(score|like|"
        r"content|filter)|bogofilter|suspicious due|is suspicious|message detected as spam|\bdt:spm\b|help_spam|"
        r"notspam|rspamd|werbemail|unerwunscht|indesirable|no deseado",
        unless=r"abuse (detected|from)|outgoing|outbound",
        reason=Reason.SPAM_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="{server} judged the message to be spam{reply}.",
        remedy="Look at its content and links, and at the sender's SPF, DKIM and DMARC, before sending it again.",
        sample="554 5.7.1 Spam message rejected",
    ),
)

GREETING: Final = (
    Entry(
        text=r"helo command rejected|\b(ehlo|helo)\b .{0,40}(invalid|fully.qualified|fqdn|required|rejected|not valid|"
        r"bad|unknown|resolv)|need fully.qualified hostname|invalid (ehlo|helo|domain name)|bad (ehlo|helo)|\b(ehlo|"
        r"helo)\b"
        r" name",
        unless=r"(ehlo|helo)( command)?( is)? (first|required)|send (ehlo|helo)|ehlo/helo",
        code="5..|4..|000",
        reason=Reason.EHLO_NAME_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} does not take the name that mailport greets with{because}{reply}.",
        remedy="Set ehlo_name to the full host name of the machine that sends, one that the DNS knows.",
        stages=frozenset({Stage.EHLO, Stage.CONNECT, Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA}),
        sample="504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname",
    ),
)
