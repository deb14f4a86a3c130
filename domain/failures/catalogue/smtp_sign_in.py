"""Signing in, and not being let in: what mail servers of any make say of accounts and passwords."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import WAIT, WAIT_LONGER
from domain.failures.failure import FailureKind, Fix, Stage
from domain.reasons import Reason

_AUTH: Final = frozenset({Stage.AUTH, Stage.MAILBOX})
_ENCRYPT: Final = (Fix("settings.smtp.security", "STARTTLS"),)
_NEEDS_TLS: Final = (
    r"(must|should|please) (issue|use|send|do|enable) (a |the )?(starttls|tls|ssl)|(starttls|tls|encryption|ssl) "
    r"(is |connection |session )?(required|needed|mandatory)|(not|n't) (sent|received) over (a )?tls|(requires?|"
    r"without) (an? )?(tls|ssl|encryption|"
    r"encrypted|secure)|plain ?text auth\w* (is )?(disallowed|not allowed|disabled|prohibited)|"
    r"(cleartext|plaintext) (auth\w*|login|passwords?) .{0,20}(not|disallowed|disabled|prohibited)|"
    r"(non-?secure|insecure|unencrypted|not encrypted) .{0,20}(connection|session|channel)|"
    r"encryption required for|session encryption|verschlusselung (ist )?erforderlich|chiffrement (est )?requis"
)

_NO_TLS: Final = (
    r"(start)?tls (is )?(currently |temporarily )?(not |un)(available|ready)|(cannot|can't|unable to|failed to) (start|"
    r"initiali[sz]e) tls|tls .{0,20}local problem|starttls failed"
)

SIGN_IN: Final = (
    Entry(
        text=_NO_TLS,
        code="4..",
        reason=Reason.STARTTLS_REFUSED_FOR_NOW,
        kind=FailureKind.TRANSIENT,
        cause="{server} cannot start TLS just now{reply}. Nothing was sent in clear.",
        remedy=f"{WAIT} It never goes without TLS. If it lasts, the server's certificate or TLS set-up needs care.",
        sample="454 4.7.0 TLS not available due to local problem",
    ),
    Entry(
        text=_NO_TLS,
        code="5..",
        reason=Reason.STARTTLS_UNAVAILABLE,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} refused to start TLS{reply}. Nothing was sent in clear.",
        remedy="Use the port for implicit TLS (usually 465) with security IMPLICIT_TLS, or have STARTTLS enabled on "
        "the server.",
        fixes=(Fix("settings.smtp.security", "IMPLICIT_TLS", also=(Fix("settings.smtp.port", "465"),)),),
        sample="554 5.7.3 Unable to initialize TLS",
    ),
    Entry(
        text=_NEEDS_TLS,
        code="4..|5..|000",
        security="NONE",
        reason=Reason.TLS_REQUIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} wants the connection to be encrypted first{reply}.",
        remedy="Set the security to STARTTLS, or use the port for implicit TLS (usually 465).",
        fixes=_ENCRYPT,
        sample="530 5.7.0 Must issue a STARTTLS command first",
    ),
    Entry(
        text=r"(password|credentials?|passwort|kennwort|mot de passe|contrasena)\b.{0,40}\b(expired|abgelaufen|expire|"
        r"caducad\w*|must be (changed|reset)|needs? to be (changed|reset)|isn't valid any ?more)|password transition|"
        r"must change (your|the) password|expired password",
        stages=_AUTH,
        reason=Reason.PASSWORD_EXPIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="The account's password has expired or has to be set anew{reply}.",
        remedy="Change the password in the provider's own way, e.g. in its web mail, and enter the new one.",
        sample="535 5.7.8 Your password has expired. Please log in to webmail to change it.",
    ),
    Entry(
        text=r"basic ?auth\w* (is |has been |was |ist )?(disabled|not supported|not allowed|blocked|retired|deprecated|"
        r"deaktiviert)|basic ?auth\w* .{0,20}(desactiv|disabled)",
        reason=Reason.BASIC_AUTHENTICATION_RETIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} takes no passwords from this account any more; app passwords count as passwords{reply}.",
        remedy="Switch the configuration to OAuth.",
        sample="535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
    ),
    Entry(
        text=r"app(lication)?[- ]?specific[- ]?password|\bapp(lication)?[- ]?passwor[dt]|anwendungs\w* ?passwort|"
        r"mot de passe d'application|contrasena de aplicacion|authori[sz]ation code|passwort fur e-?mail-?programme|"
        r"two.?factor|2.?step verif|\b2fa\b|\bmfa\b|multi.?factor",
        stages=_AUTH,
        reason=Reason.APP_PASSWORD_NEEDED,
        kind=FailureKind.MISCONFIGURED,
        cause="The account's own password was used, and the provider wants an app password for mail programs{reply}.",
        remedy="Make an app password in the account's security settings and enter it, or switch to OAuth where the "
        "provider has it.",
        sample="535 5.7.8 Error: authentication failed: app-specific password required",
    ),
    Entry(
        text=r"smtpclientauthentication|smtp_auth_disabled|^user has no permission|\bsmtp( auth\w*| access| service| "
        r"submission)? (is |has been |ist "
        r")?(disabled|switched off|"
        r"not enabled|turned off|deaktiviert)",
        reason=Reason.SMTP_AUTH_DISABLED,
        kind=FailureKind.MISCONFIGURED,
        cause="Signing in over SMTP is switched off for this account{reply}.",
        remedy="Have authenticated SMTP switched on for the mailbox at its provider.",
        sample="535 5.7.0 SMTP AUTH is disabled for this account",
    ),
    Entry(
        text=r"imap (access )?(is )?(disabled|not enabled|switched off|turned off)|not enabled for imap|"
        r"imap.{0,30}(deaktiviert|nicht aktiviert)|enable (your account for )?imap",
        reason=Reason.IMAP_DISABLED,
        kind=FailureKind.MISCONFIGURED,
        cause="IMAP is switched off for this mailbox{reply}.",
        remedy="Switch IMAP on in the mailbox's settings, or have the administrator allow it.",
        sample="A1 NO [ALERT] IMAP access is disabled for your domain. Please contact your domain administrator.",
    ),
    Entry(
        text=r"(account|user|mailbox|konto|compte|cuenta|postfach|benutzer|profile)\b.{0,50}\b(locked|disabled|expired|"
        r"suspended|blocked|inactive|deactivated|deleted|not (been |yet )?(activated|active|enabled|approved|verified)|"
        r"frozen|on hold|terminated|gesperrt|deaktiviert|suspendu|desactive|bloquead\w*)|(locked|disabled|suspended) "
        r"(account|user|mailbox)",
        stages=_AUTH,
        reason=Reason.ACCOUNT_LOCKED,
        kind=FailureKind.MISCONFIGURED,
        cause="The account is locked, disabled, suspended or not active yet{reply}.",
        remedy="Sign in to the provider's own pages to see why, and have the account unlocked there.",
        sample="535 5.7.13 User account disabled",
    ),
    Entry(
        text=r"too many\b.{0,30}\b(log-?ins?|auth\w*|passwords?|sign.?ins?)|(login|auth\w*) (rate|attempts?)\b.{0,30}"
        r"(limit|exceeded)|too many (invalid|failed|wrong)|temporarily (blocked|banned|locked)",
        stages=_AUTH,
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="There were too many tries to sign in within a short time{reply}.",
        remedy=f"{WAIT_LONGER} Check the password, and let fewer programs sign in to this account.",
        sample="454 4.7.0 Too many failed login attempts, you are temporarily blocked",
    ),
    Entry(
        text=r"via your (web )?browser|weblogin|web ?login required|verif\w+ .{0,40}(browser|web ?site)|"
        r"sign ?in (using|with|to|through) (a |your |the )?(web )?browser|log ?in to (your )?web ?mail",
        stages=_AUTH,
        reason=Reason.BROWSER_SIGN_IN_NEEDED,
        kind=FailureKind.MISCONFIGURED,
        cause="The provider wants to see the account's owner in a browser first{reply}.",
        remedy="Sign in to the mailbox in a browser, confirm the prompt, then try again.",
        sample="535 5.7.0 Please sign in with your web browser to verify the account",
    ),
    Entry(
        text=r"unsafe login|conditional access|security defaults|sign-?in .{0,30}(is )?(blocked|not allowed)|blocked "
        r"by (your |"
        r"the |an )"
        r"?(admin\w*|organi[sz]ation|polic)|(login|access|logon) .{0,40}(denied|blocked|disallowed) by .{0,30}polic",
        stages=_AUTH,
        reason=Reason.SIGN_IN_BLOCKED,
        kind=FailureKind.MISCONFIGURED,
        cause="A policy of the organisation or the provider blocks this sign-in{reply}.",
        remedy="Have an administrator exempt the account from the policy, or use the way to sign in that it asks for.",
        sample="535 5.7.0 Sign-in is blocked by your administrator",
    ),
    Entry(
        text=r"unauthori[sz]ed ip|(not|denied|refused)\b.{0,50}from (this|your) (ip|network|location)|"
        r"\bip\b.{0,60}\b(not|isn't)\b.{0,20}(allowed|authori[sz]ed|white|permitted|in the "
        r"allow|"
        r"in your)|not in (the )?(white|allow).?list|client host rejected: access denied|access from (this|your) (ip|"
        r"address|network) .{0,20}(denied|not)|not (allowed|permitted|authori[sz]ed) from (this|your) (ip|address|host|"
        r"network|location)|(restricted|limited) to (certain|specific|listed|known) (ip|addresses)",
        unless=r"(black|block).?list|dmarc|\bspf\b|relay",
        reason=Reason.CLIENT_ADDRESS_REFUSED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} takes connections or sign-ins from listed addresses only{reply}.",
        remedy="Add mailport's outgoing address to the list of allowed addresses at the provider.",
        sample="525 5.7.1 Unauthorized IP address",
    ),
    Entry(
        text=r"(temporar\w*|internal|backend|try again)\b.{0,30}\bauth\w*( |$)(failure|error|failed|problem|server)?|"
        r"auth\w* (server|service|backend|system|daemon)\b.{0,40}(unavailable|lost|down|error|fail|not)|"
        r"auth\w*\b.{0,20}temporar|(unable to|cannot|can't) authenticate (at present|right now|now|at this time)|"
        r"temporary service failure|lost connection to auth",
        stages=_AUTH,
        code="4..|000",
        reason=Reason.AUTH_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
        cause="{server} cannot check the sign-in just now{reply}; this says nothing about the password.",
        remedy=WAIT,
        sample="454 4.7.0 Temporary authentication failure: Connection lost to authentication server",
    ),
    Entry(
        text=r"auth\w* (mechanism|type|method|scheme)s?\b.{0,40}(not (supported|recogni[sz]ed|available|allowed|"
        r"implemented|permitted|valid)|unrecogni[sz]ed|invalid|disabled|unknown|weak)|(unrecogni[sz]ed|unsupported|"
        r"unknown|invalid) (auth\w*|sasl) ?(type|mech\w*|method|scheme)|auth\w* (is )?not (enabled|advertised|"
        r"available|"
        r"supported|implemented)|auth\b.{0,40}not (advertised|supported|available)|no (suitable|supported|usable|"
        r"matching) (auth|sasl|mech)|mechanism (is )?(too weak|not (supported|available))",
        unless=r"basic auth",
        code="5..|000",
        reason=Reason.NO_USABLE_AUTH_MECHANISM,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} does not offer the way to sign in that was tried{because}{reply}.",
        remedy="Choose the authentication that the server offers, and check that port and security are those for "
        "submission.",
        sample="504 5.7.4 Unrecognized authentication type",
    ),
)

AUTHENTICATE_FIRST: Final = (
    Entry(
        text=r"auth\w* (is )?(required|needed|necessary)|must (be |first )?(authenticat|log ?[io]n|sign ?[io]n)|"
        r"(please|first) (authenticate|log ?in first)|not (been )?(authenticated|logged in)|authenticate first|smtp "
        r"auth first|"
        r"unauthenticated (senders?|clients?|connections?)|log-?in (is )?required|requires? (smtp )?auth|"
        r"authentifizierung (ist )?(erforderlich|notwendig)|anmeldung (ist )?erforderlich|authentification (est )?"
        r"requise|autenticacion (es )?(requerida|necesaria)|need(s)? to (be )?(log|auth)|anonymous (mail|sender|"
        r"access)",
        code="5..|000",
        unless=r"authentication level|either spf|authresult",
        reason=Reason.AUTH_REQUIRED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} takes mail only from those who sign in{reply}.",
        remedy="Choose an authentication for this configuration and enter its credentials.",
        sample="530 SMTP authentication is required.",
    ),
    Entry(
        text=r"(invalid|incorrect|wrong|bad|unknown)\b.{0,30}\b(credential|password|user ?name|login|passwort|api.?key|"
        r"authentication|auth\b)|(could|can|did) ?not auth\w*|(unable|failed) to auth\w*|auth\w*\b.{0,25}\b(fail|"
        r"invalid|incorrect|unsuccessful|reject|denied|error|refus|"
        r"declined)|credentials?\b.{0,30}(invalid|incorrect|reject|not (accepted|valid|recogni)|wrong)|(user ?name|"
        r"login|"
        r"password|user)\b.{0,40}(not accepted|incorrect|invalid|wrong|rejected|not found|unknown|mismatch)|log-?in "
        r"(fail|incorrect|denied|invalid|error)|logon (fail|denied)|"
        r"anmeld\w*\b.{0,30}(fehlgeschlagen|ungultig|abgelehnt)|authentifizierung\b.{0,30}(fehlgeschlagen|abgelehnt|"
        r"ungultig|nicht "
        r"erfolgreich)|(benutzername|passwort|kennwort)\b.{0,40}(nicht|falsch|ungultig)|echec (de l'|d')?authent|"
        r"authentification .{0,20}(echou|refus)|identifiants?\b.{0,20}(incorrect|invalide)|mot de passe\b.{0,20}"
        r"(incorrect|invalide)|(error|fallo) (de|en la) autentica|autenticacion .{0,20}(fall|incorrect)|"
        r"contrasena\b.{0,20}"
        r"incorrect|autenticazione .{0,20}(fall|non)|access denied",
        stages=_AUTH,
        code="5..|000",
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} refused the sign-in{reply}.",
        remedy="Check user name and password; many providers want an app password or OAuth instead of the account's "
        "password.",
        sample="535 5.7.8 Error: authentication failed: authentication failure",
    ),
)
"""Wider words, tried after those about relaying and about recipients, which often mention signing in."""
