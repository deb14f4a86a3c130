"""Too many, too fast, or all used up: what mail servers of any make say of allowances."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import REST_LATER, WAIT, WAIT_LONGER
from domain.failures.failure import FailureKind
from domain.reasons import Reason

RATES: Final = (
    Entry(
        text=r"gr[ae]y[ -]?list|postgrey|intentional policy rejection|liste grise|lista gris",
        reason=Reason.GREYLISTED,
        kind=FailureKind.TRANSIENT,
        cause="The server turns first-time senders away for a while (greylisting); this is a temporary refusal.",
        remedy=f"{WAIT} It is usually taken then.",
        sample="450 4.2.0 <bob@example.org>: Recipient address rejected: Greylisted",
    ),
    Entry(
        text=r"too many recipients|(number of|maximum) recipients|recipients? (limit|count) .{0,20}(exceed|reach)|"
        r"zu viele empfa?e?nger|trop de destinataires|demasiados destinatarios",
        unless=r"\b(hour|day|minute|daily|hourly|rate)\b",
        code="4..|5..|000",
        reason=Reason.RECIPIENTS_ABOVE_SERVER_LIMIT,
        kind=FailureKind.THROTTLED,
        cause="The message has more recipients than {server} takes at once.",
        remedy=REST_LATER,
        sample="452 4.5.3 Error: too many recipients",
    ),
    Entry(
        text=r"too many (concurrent |simultaneous |open )?(\w+ )?(connections|sessions)|"
        r"(maximum|max|number of)\b.{0,40}connections?.{0,60}(exceed|reached|limit)|"
        r"connection (rate )?limit|concurren\w* (connections?|limit|session)|connections? .{0,20}limit exceeded|"
        r"zu viele (gleichzeitige )?verbindungen|trop de connexions|demasiadas conexiones",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="{server} limits how many connections are open, or opened, at a time{reply}.",
        remedy=f"{WAIT} Let fewer programs connect to this server at a time.",
        sample="421 4.7.0 mx.example.org Error: too many connections from 192.0.2.7",
    ),
    Entry(
        text=r"(daily|hourly|monthly|per (day|hour|month)|24.?h\w*)\b.{0,60}(limit|quota|exceed|reached)|"
        r"(limit|quota)\b.{0,40}\b(per|a|each|within) (day|hour|month|24)|"
        r"\b(sending|send|sent|message|messaging|mails?|emails?|outgoing|submission|relay|recipient)s? "
        r"(limit|quota|allowance)s?\b.{0,40}(exceed|reach|used up|uberschritten|erreicht)|"
        r"exceed\w*\b.{0,50}\b((sending|send|message|messaging|mail|email|outgoing) (limit|quota|allowance)|"
        r"(max )?e?mails? per hour|credits?|allowance)|max(imum)? (number of )?(e?mails|credits|messages)\b.{0,40}"
        r"(per|exceed|reach)|reached (your|the|its) .{0,40}(limit|quota)|quota exceeded for|"
        r"(tages|stunden|sende|versand)\w*(limit|kontingent|grenze)|limite (quotidienne|diari|d'envoi|de envio)|"
        r"(submission|sending|message|recipient)\w* ?quota|out of credit|insufficient (credit|balance|funds)",
        unless=r"\b(mailbox|storage|inbox|disk) (is |has )?(full|over|exceed)",
        reason=Reason.QUOTA_EXCEEDED,
        kind=FailureKind.THROTTLED,
        cause="The account has sent as much as it may for now{reply}.",
        remedy=f"{WAIT_LONGER} Send less, or have the limit raised.",
        pause=timedelta(hours=1),
        sample="550 Domain example.com has exceeded the max emails per hour (105/100) allowed. Message discarded.",
    ),
    Entry(
        text=r"rate[ -]?limit|throttl|too many (invalid|bad|unknown|unrecogni[sz]ed) (recipients|users|addresses|"
        r"commands)|too (many|much) (messages|mails?|e-?mails?|requests|commands|errors|traffic|"
        r"recipients)|(sending|receiving|submitting|coming|connecting|arriving)\b.{0,30}\btoo (quickly|fast|much|many)|"
        r"unusual(ly high)? (rate|volume)|unexpected volume|slow down|received this hour|\bflood|"
        r"\b(sending|submission|connection|transmission|message|mail|client|sender|command|delivery) rate\b.{0,60}"
        r"(exceed|limit|high)|"
        r"temporarily (rate )?limited|mail (is )?(too )?bulky|ratenbegrenzung|zu viele (nachrichten|mails|e-mails)",
        unless=r"\b(username|password|credentials?)\b",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="{server} wants mail from this account or address more slowly{reply}.",
        remedy=f"{WAIT_LONGER} Send more slowly.",
        sample="450 4.7.1 Error: too much mail from 192.0.2.7",
    ),
)
"""Before everything else that a text may speak of: what heals by waiting must not be taken for final."""
