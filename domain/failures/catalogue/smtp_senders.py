"""Senders, relaying, recipients: what mail servers of any make say of addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason

_SUBMITTING: Final = frozenset({Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA})
_RCPT: Final = frozenset({Stage.RCPT_TO, Stage.DATA})

BLOCKED_SENDERS: Final = (
    Entry(
        text=r"(limited|blocked|restricted|suspended|banned|prevented) from sending|(outgoing|outbound|"
        r"sending)\b.{0,60}\b(suspended|blocked|disabled|frozen|restricted|paused)|"
        r"(account|domain|user|tenant|sandbox|organi[sz]ation|customer)\b.{0,80}(not allowed to send|blocked from "
        r"sending|banned|not permitted to send|suspended for|is disabled from)|not allowed to send (any "
        r")?(e?-?mails?|messages)( from this account)?\.?$|abuse detected|bad outbound|sandbox (sub)?domains? (is|"
        r"are) for test|"
        r"domain is (disabled|suspended)|sending .{0,20}(has been |is )(disabled|suspended|blocked)|"
        r"(account|sender) .{0,20}under review|versand .{0,20}gesperrt",
        stages=frozenset({Stage.EHLO, Stage.CONNECT}) | _SUBMITTING,
        unless=r"tried to reach|unregistered domain|unverified",
        reason=Reason.SENDING_BLOCKED,
        kind=FailureKind.MISCONFIGURED,
        cause="The provider has blocked the account, its domain or its organisation from sending{reply}.",
        remedy="Secure the account, see in the provider's pages why it was blocked, and ask for the block to be "
        "lifted.",
        sample='550 Outgoing mail from "robot@example.com" has been suspended.',
    ),
    Entry(
        text=r"sender verif\w* failed|verification failed for <",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} asked the sender's own mail server, and that one does not know the address{reply}.",
        remedy="Use a from address that exists and takes mail.",
        sample="550 Sender verify failed",
    ),
)
"""Before blocklists and spam, which such replies give as the reason."""

SENDERS: Final = (
    Entry(
        text=r"relay(ing)?\b.{0,40}(denied|prohibited|not (permitted|allowed)|disallowed|refused|reject|forbidden)|"
        r"(unable|not (permitted|allowed|authori[sz]ed|able)|don't|do not|cannot|can't|won't|no) (to )?relay|"
        r"impossible de relayer|auth\w* required (for|to) relay|rcpthosts|non-local e-?mail|delivery is not allowed "
        r"to this address|not an? (local|"
        r"accepted) domain|"
        r"non-accepted domain|weiterleit\w*\b.{0,20}(verweigert|nicht|abgelehnt)|(relais|relayer)\b.{0,20}(refuse|"
        r"interdit)|"
        r"access to submit messages|reenvio\b.{0,20}(denegado|no)|relay\w* (abgelehnt|verweigert)",
        unless=r"relay limit|limit exceeded",
        reason=Reason.RELAY_DENIED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} does not pass mail on for this client, usually because nobody signed in{reply}.",
        remedy="Choose an authentication for this configuration, or use the provider's submission server and port.",
        sample="554 5.7.1 <bob@example.org>: Relay access denied",
    ),
    Entry(
        text=r"(sender|from|return.path|envelope)\b.{0,60}\bdomain\b.{0,30}(not found|not exist|invalid|no mx|unknown|"
        r"unresolv|null mx)|domain of sender( address)?|sender('s)? domain\b.{0,40}(not|no\b|invalid|must)|sender "
        r"address "
        r"rejected: (domain|host)|no mx\b.{0,30}sender|unresolvable sender|absender\w*\b.{0,40}domain",
        unless=r"dmarc|\bspf\b|verif",
        reason=Reason.SENDER_DOMAIN_INVALID,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} cannot find the domain of the sender's address in the DNS{reply}.",
        remedy="Correct the from address, or the A and MX records of its domain.",
        sample="550 5.1.8 <robot@nowhere.example>: Sender address rejected: Domain not found",
    ),
    Entry(
        text=r"sender address rejected: not logged in|sender verify.{0,20}authenticat",
        reason=Reason.AUTH_REQUIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} takes this sender only from the account that it belongs to, signed in{reply}.",
        remedy="Choose an authentication for this configuration and enter the credentials of the sender's account.",
        sample="553 5.7.1 <robot@example.com>: Sender address rejected: not logged in",
    ),
    Entry(
        text=r"(sender|from|absender)( e?-?mail)?( address| header| domain| field)?\b.{0,50}(reject|not (allowed|"
        r"authori[sz]ed|owned|permitted|valid|verified|accepted|match)|invalid|refused|verify failed|denied|mismatch|"
        r"must (match|be)|does(n't| not) (match|belong|have))|not owned by|\bsend(ing)? (as|on behalf)\b|"
        r"not\b.{0,40}\b(allowed|authori[sz]ed|permitted|entitled) to (send|use)\b.{0,60}(\bas\b|from|address|sender|"
        r"behalf|identity|envelope)|not one of your addresses|verification failed for <|address\b.{0,30}not verified|"
        r"identit(y|ies)\b.{0,40}(fail|not verified)|sender (signature|identity)|unregistered domain|invalid sender|"
        r"bad sender|unauthori[sz]ed sender|absender\w*\b.{0,40}(nicht|abgelehnt|verweigert)|"
        r"expediteur\b.{0,40}(refuse|rejete|non autorise|"
        r"n'est pas)|remitente\b.{0,60}(\bno\b|rechaz)|mail from\b.{0,30}(rejected|denied|not allowed)|unverified "
        r"sender|owner of the (from|sender)|required for sender address|invalid mail from|unconfigured sending domain",
        stages=frozenset({Stage.API}) | _SUBMITTING,
        unless=r"spoof|allowed.?senders|sendernot(in|auth)|invalid recipient|from (this|your) (ip|host|network)|"
        r"missing|having no|unauthenticated|this version",
        reason=Reason.SENDER_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} does not let this account send from that address{reply}.",
        remedy="Use the account's own address as From, or have the other one verified or granted at the provider.",
        sample="553 5.7.1 <ceo@example.com>: Sender address rejected: not owned by user robot@example.com",
    ),
)

_FULL: Final = (
    r"(mailbox|account|storage|inbox|quota|user|disk|postfach|boite\w*|buzon|casella|maildir|mail box|"
    r"recipient)\b.{0,60}"
    r"(\bfull\b|over ?quota|quota exceeded|exceed\w*.{0,20}(quota|storage|space)|\bvoll\b|pleine|llen[ao]|piena|out of "
    r"(space|storage))|over.?quota|quota (is |has been )?exceed|exceed\w* .{0,30}(quota|mailbox size)|insufficient "
    r"(disk|mailbox|storage) ?(space|quota)|out of storage|not enough (disk |storage )?(space|storage)|blocks limit|"
    r"over (its|the|their) (storage|size|quota|mailbox)|kontingent .{0,20}uberschritten|speicherplatz"
)

RECIPIENTS: Final = (
    Entry(
        text=r"(verification|lookup|callout) (is )?in progress|unverified address",
        code="4..",
        reason=Reason.REFUSED_FOR_NOW,
        kind=FailureKind.TRANSIENT,
        cause="{server} is still finding out whether the address exists{reply}.",
        remedy=WAIT,
        sample="450 4.1.1 <bob@example.org>: Recipient address rejected: unverified address: Address verification in "
        "progress",
    ),
    Entry(
        text=_FULL,
        stages=_SUBMITTING,
        unless=r"insufficient system|too (big|large)|size limit",
        code="4..|000",
        reason=Reason.RECIPIENT_MAILBOX_FULL,
        kind=FailureKind.TRANSIENT,
        cause="The recipient's mailbox is full.",
        remedy=f"{WAIT} Tell the recipient to free some space.",
        pause=timedelta(minutes=30),
        sample="452 4.2.2 <bob@example.org>: Recipient address rejected: Mailbox is full",
    ),
    Entry(
        text=_FULL,
        stages=_SUBMITTING,
        unless=r"insufficient system|too (big|large)|size limit",
        reason=Reason.RECIPIENT_MAILBOX_FULL,
        kind=FailureKind.PERMANENT,
        cause="The recipient's mailbox is full, and the server will not wait for space.",
        remedy="Tell the recipient to free some space, then send the message again.",
        sample="552 5.2.2 <bob@example.org>: Mailbox is full",
    ),
    Entry(
        text=r"user not local|please try <|\bhas moved\b|no longer (on|at|with|works?|here|employed|available)|(his|"
        r"her|"
        r"their|the) new address|changed (his|her|their|the) address|verzogen|a change d'adresse",
        stages=_RCPT,
        reason=Reason.RECIPIENT_MOVED,
        kind=FailureKind.PERMANENT,
        cause="The recipient has another address now{reply}.",
        remedy="Use the new address where the reply names it; otherwise ask the recipient for it.",
        sample="551 User not local; please try <bob@elsewhere.example>",
    ),
    Entry(
        text=r"null mx|domain (name )?(not found|does(n't| not) exist|unknown|is not valid)|no such domain|host (or "
        r"domain( "
        r"name)?)?( name)? ?not found|unknown (domain|host)|no mx (record|host)|name service error|unrouteable (mail )?"
        r"domain|domain\w* (ist )?unbekannt|domaine inconnu|dominio (desconocido|no existe)|bad destination (mailbox )?"
        r"system|domain (does not|doesn't) (accept|receive) (e?mail|messages)",
        unless=r"sender|helo",
        stages=_RCPT,
        reason=Reason.RECIPIENT_DOMAIN_UNKNOWN,
        kind=FailureKind.PERMANENT,
        cause="{server} cannot find the recipient's domain, or the domain takes no mail{reply}; a slip of the pen is "
        "the "
        "usual cause.",
        remedy="Check the spelling of the recipient's domain.",
        sample="450 4.1.2 <bob@exmaple.org>: Recipient address rejected: Domain not found",
    ),
    Entry(
        text=r"(account|mailbox|user|recipient|address(es)?)\b.{0,60}\b(disabled|inactive|suspended|deactivated|"
        r"discontinued|not accepting|locked|deaktiviert|gesperrt|desactive)|marked as inactive|inactive (recipient|"
        r"address|mailbox|user)|allowed.?senders|(does not|doesn't|not) (accept|accepting|receiving) .{0,30}(e?mails?|"
        r"messages)|sendernotauthenticatedforgroup|resolver\.rst\.(auth|not|sender)\w*|restricted (recipient|group)|"
        r"no valid recipients?",
        stages=_RCPT,
        reason=Reason.RECIPIENT_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="The recipient's mailbox is switched off, or takes no mail from this sender{reply}.",
        remedy="Ask the recipient for another address, or the recipient's administrator to let this sender in.",
        sample="550 5.2.1 The email account that you tried to reach is disabled.",
    ),
    Entry(
        text=r"user (is )?unknown|unknown (user|recipient|mailbox|local.?part|e?mail|account|addressee)|no such (user|"
        r"mailbox|recipient|address|person|account|local|e?mail|alias)|(user|mailbox|recipient|account|address|addressee|"
        r"e?-?mail|alias)\b.{0,60}(does(n't| not) exist|not (found|known|exist|listed|recogni[sz]ed)|is unknown|"
        r"\bunknown\b|"
        r"is invalid|non.?exist|doesn't have an?\b)|invalid (recipient|mailbox|address|user|email)|unrouteable address|"
        r"undeliverable address|no (mailbox|account|user|one)\b.{0,10}(here|by)|recipient\b.{0,40}(unknown|not found)|"
        r"recipi?e?n?t?notfound|nosuchuser|bad (recipient|destination|address)|not (our|a) (customer|user)|no mailbox|"
        r"(recipient|address)\b.{0,20}syntax|recipient address rejected: need|no valid recipients?|(address|user|"
        r"mailbox|recipient)\b.{0,30}(could|can|was) ?not (be )?found|misspelled|empfa?e?nger\w*\b.{0,60}(unbekannt|"
        r"existiert nicht|nicht gefunden)|"
        r"benutzer\b"
        r".{0,20}(unbekannt|nicht)|unbekannter (benutzer|empf)|postfach\b.{0,20}(nicht gefunden|existiert)|utilisateur "
        r"(est )?inconnu|destinataire\b.{0,40}(inconnu|invalide|n'existe)|adresse\b.{0,40}(inconnue|invalide|n'existe)|"
        r"(usuario|destinatario|buzon)\b.{0,20}(desconocid|no existe|invalid|no encontrad)|(utente|destinatario) "
        r"sconosciut|onbekende (gebruiker|ontvanger)|nieznany (uzytkownik|odbiorca)",
        stages=_RCPT,
        reason=Reason.RECIPIENT_UNKNOWN,
        kind=FailureKind.PERMANENT,
        cause="The recipient's address does not exist.",
        remedy="Correct or remove the recipient's address.",
        sample="550 5.1.1 <bob@example.org>: Recipient address rejected: User unknown in local recipient table",
    ),
)

UNAVAILABLE_RECIPIENTS: Final = (
    Entry(
        text=r"recipient address rejected: access denied",
        code="5..",
        stages=_RCPT,
        reason=Reason.RECIPIENT_REFUSED,
        kind=FailureKind.PERMANENT,
        cause="A rule of {server} refuses this recipient.",
        remedy="Check the recipient's address; if it is right, ask the server's operator.",
        sample="550 5.7.1 <bob@example.org>: Recipient address rejected: Access denied",
    ),
    Entry(
        text=r"mailbox (is )?(unavailable|not available)|^\W*address rejected|mailbox nicht verfugbar|boite "
        r"(aux lettres )?indisponible",
        unless=r"policy|block|spam|denied",
        code="5..",
        stages=_RCPT,
        reason=Reason.RECIPIENT_UNKNOWN,
        kind=FailureKind.PERMANENT,
        cause="The recipient's mailbox is not there, or takes no mail{reply}.",
        remedy="Check the recipient's address; if it is right, ask the recipient for another one.",
        sample="550 Requested action not taken: mailbox unavailable",
    ),
)
"""The standard's words of RFC 5321 section 4.2.3 for a 550, which some servers say whatever the cause is."""
