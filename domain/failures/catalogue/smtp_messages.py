"""The message itself, the protocol, and the server's own troubles: what mail servers of any make say of them."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

_SUBMITTING: Final = frozenset({Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA})

MESSAGES: Final = (
    Entry(
        text=r"(message|mail|size|attachments?|body|nachricht|content|e?mails?|file)\b.{0,50}(too (big|large)|exceed\w*"
        r"\b.{0,40}(size|limit|max|databytes)|size limit|zu gross|oversize|exceed\w* (the |a )?(maximum|fixed|"
        r"allowed))|"
        r"exceed\w*\b.{0,40}(message |maximum |allowed )?size|maxsizeerror|(taille|tamano)\b.{0,40}(max|depass|exced)|"
        r"databytes|(send|sender|recip)sizelimit|\btoo (big|large)\b|size limit exceeded|size violation|larger than "
        r".{0,20}(limit|"
        r"allowed)|trop "
        r"(gros|volumineux)|demasiado grande",
        unless=r"\brate\b|line length|line is too|per (hour|day)|quota|hop count",
        reason=Reason.TOO_LARGE,
        kind=FailureKind.PERMANENT,
        cause="The message is larger than {server} takes.",
        remedy="Make the attachments smaller (sent, they take a third more), or send a link instead.",
        sample="552 5.3.4 Message size exceeds fixed limit",
    ),
    Entry(
        text=r"smtputf8|non-ascii|internationali[sz]ed (address|e?mail)|utf-?8 .{0,40}not (supported|permitted|"
        r"allowed)",
        code="5..|000",
        reason=Reason.SMTPUTF8_UNSUPPORTED,
        kind=FailureKind.PERMANENT,
        cause="{server} cannot pass on international addresses or headers{reply}.",
        remedy="Use an address whose part before the @ is ASCII, or a server that offers SMTPUTF8.",
        sample="553 5.6.7 Non-ASCII addresses not permitted for that sender/recipient",
    ),
    Entry(
        text=r"rfc ?-?(5322|2822|822|2045|2047)\b|(line|header)s?( is| are)? too (long|many)|line length|\b(bare|lone) "
        r"(lf|cr)|(missing|malformed|duplicate|multiple|no|bad|invalid|improper|empty)\b.{0,30}\b(headers?|from:|"
        r"message-id|date|subject)\b|malformed|8-?bit|header\b.{0,30}(invalid|missing|malformed|not)|messages? missing|"
        r"having no from|mime\b.{0,30}(invalid|malformed|error|nest)|illegal (character|byte)|improperly formatted|no "
        r"(message )?content",
        code="5..|000",
        stages=frozenset({Stage.DATA}),
        reason=Reason.MESSAGE_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="{server} does not take the message's form{reply}.",
        remedy="Correct what the reply names, at the program that makes the message.",
        sample="550 5.6.0 Lone CR or LF in headers",
    ),
)

SERVERS: Final = (
    Entry(
        text=r"tim(e|ed)[ -]?out|\bidle\b|inactivity|waiting for",
        code="421",
        reason=Reason.CONNECTION_LOST,
        kind=FailureKind.TRANSIENT,
        cause="{server} ended the session because nothing came for too long{reply}.",
        remedy=WAIT,
        sample="421 Timeout waiting for data from client.",
    ),
    Entry(
        text=r"insufficient (system )?(storage|resources)|out of (disk|memory)|overload|(server|system|host|cluster)\b "
        r"(is )?(currently |temporarily )?(too )?(busy|unavailable|down)|maintenance|wartung|shutting down|resources?\b"
        r".{0,30}(unavailable|exhausted|low)|disk (is )?full|queue (is )?(full|too long)|load (is )?too high|no "
        r"space left",
        code="4..|000",
        reason=Reason.SERVER_BUSY,
        kind=FailureKind.TRANSIENT,
        cause="{server} is overloaded, out of room or in maintenance{reply}.",
        remedy=WAIT,
        stages=frozenset({Stage.CONNECT, Stage.EHLO}) | _SUBMITTING,
        sample="452 4.3.1 Insufficient system storage",
    ),
    Entry(
        text=r"(try|retry|send|submit|come back)( it| this| the message)? ?(again|back)? ?(later|in (a|an|\d+)\b|"
        r"after)|"
        r"temporar(y|ily) (failure|error|problem|deferred|rejected|unavailable)|spater (noch ?mal|erneut|wieder)|"
        r"reessayer|intentelo (de nuevo|mas tarde)",
        code="5..",
        stages=_SUBMITTING,
        unless=r"correct|remove|fix|user|recipient|mailbox",
        reason=Reason.REFUSED_FOR_NOW,
        kind=FailureKind.TRANSIENT,
        cause="{server} says that this will pass, although the reply's code is one for good{reply}.",
        remedy=WAIT,
        sample="554 5.3.0 Temporary failure, please try again later",
    ),
    Entry(
        text=r"unrecogni[sz]ed|not (recogni[sz]ed|implemented|supported)|unknown",
        code="50[024]",
        stages=frozenset({Stage.AUTH}),
        reason=Reason.NO_USABLE_AUTH_MECHANISM,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} does not know the command or the way to sign in that was tried{because}{reply}.",
        remedy="Choose the authentication that the server offers, and check that port and security are those for "
        "submission.",
        sample="502 5.5.2 Command not implemented",
    ),
    Entry(
        text=r"syntax error|(command|argument|parameter)s?\b.{0,30}(unrecogni[sz]ed|not (recogni[sz]ed|implemented|"
        r"understood|allowed here))|bad sequence|out of (sequence|order)|unrecogni[sz]ed (command|parameter)|(ehlo|"
        r"helo|mail|"
        r"rcpt|data)(/helo)?( command)? (first|needed)|cannot decode|(bad|improper|invalid|unexpected|unknown) "
        r"(command|"
        r"argument|parameter|base64)|need (mail|rcpt)|protocol error|syntax: |invalid base64|send (ehlo|helo)",
        code="50.|555|000",
        stages=frozenset({Stage.AUTH}) | _SUBMITTING,
        unless=r"recipient|sender address|address syntax",
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} did not understand what it was sent, or not in that order{reply}.",
        remedy="Check that host and port are those of a mail submission server; a proxy that rewrites SMTP in between "
        "does this too.",
        sample="503 5.5.1 Bad sequence of commands",
    ),
)

POLICIES: Final = (
    Entry(
        text=r"polic(y|ies)|administrative(ly)? prohibit|prohibited|richtlinie|violat|not allowed|disallowed|"
        r"(message|mail|e-?mail|delivery|command|content|transaction)s?( \w+)? (was |is |has been |been )?(rejected|"
        r"blocked|"
        r"refused|denied|rejete)|rejected (due|by|for|because|as)|local (policy|rule)|content (restriction|filter)|"
        r":blocked|envelope blocked|spoof|access denied|(nachricht|mail)\b.{0,20}(abgelehnt|verweigert)|rechazado por|"
        r"security reasons|suspicious",
        code="5..",
        stages=_SUBMITTING,
        unless=r"^\S{0,80} ?message rejected\.?$",
        reason=Reason.POLICY_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="{server} refused this by a rule of its own{reply}.",
        remedy="Read the server's words and follow its link; its operator can tell which rule it was and how to meet "
        "it.",
        sample="550 5.7.1 Message rejected due to local policy",
    ),
)
"""The widest words of all, tried after the enhanced codes that name a cause."""
