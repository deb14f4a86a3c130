"""What a pasted answer does not say and still shows: whose server it is, and what was being done."""

from __future__ import annotations

import re
from typing import Final

from domain.failures.evidence import Evidence
from domain.failures.failure import Stage

_PROVIDERS: Final = tuple(
    (provider, re.compile(pattern))
    for provider, pattern in (
        ("google", r"\bgsmtp\b|google\.com|gmail|google's|googlemail"),
        ("microsoft", r"outlook\.(com|office)|aka\.ms|microsoft|aadsts|storedrv|resolver\.(adr|rst)|office(365)?\.com|"
                      r"smtpclientauthentication|mapiexception"),
        ("yahoo", r"yahoo|#auth0\d\d"),
        ("icloud", r"icloud|apple\.com|me\.com"),
        ("zoho", r"zoho"),
        ("gmx", r"gmx\.|web\.de|1und1|ionos"),
        ("fastmail", r"fastmail"),
        ("yandex", r"yandex"),
        ("amazon-ses", r"amazonaws|\bses:|aws"),
        ("sendgrid", r"sendgrid"),
        ("mailgun", r"mailgun"),
        ("postmark", r"postmark"),
        ("brevo", r"brevo|sendinblue"),
        ("mailjet", r"mailjet"),
    )
)  # fmt: skip
_MICROSOFTS_OWN: Final = re.compile(r"[45]\.7\.(139|[5-8]\d\d)")
"""Numbers that no registry has. Without words 5.7.30 is Microsoft's too: REQUIRETLS (RFC 8689) is rare beside it."""
_SIGN_IN_CODES: Final = frozenset({334, 432, 435, 525, 534, 535, 538})
_SIGN_IN_ENHANCED: Final = re.compile(r"[45]\.7\.(3|8|9|11|12|13|139|30)|5\.7\.4")
_SIGN_IN: Final = re.compile(
    r"smtp (access )?(is )?(not enabled|disabled)|auth(entication|entifi\w*|\b|#)|credential|password|passwort|"
    r"kennwort|log-?in\b|sign-?in|mot de passe|contrasena"
)
_NO_SIGN_IN: Final = re.compile(
    r"relay|authentication required|must authenticat|to send|dmarc|\bspf\b|sender|not allowed|recipient|without auth|"
    r"please turn on|requires authentication|first\b|not authenticated|unauthenticated|resolver\."
)
_GREETING: Final = re.compile(
    r"\b(ehlo|helo)\b(?!/helo)|too many.{0,20}connections|no smtp service|not accepting|closing connection|"
    r"connection (rate|limit)|service refused"
)
_TLS: Final = re.compile(r"tls not available|starttls.{0,30}(not|fail|unavailable)|tls 1\.[01]|cannot start tls")
_SENDER: Final = re.compile(
    r"sender address|mail from|\bsender\b.{0,30}(reject|verif|domain)|must issue a starttls|auth\w* required"
)
_RECIPIENT: Final = re.compile(
    r"recipient|mailbox|user (is )?(unknown|not)|unknown user|no such (user|person|address)|relay|rcpt|unrouteable|"
    r"gr[ae]ylist|account that you tried|empf|destinat|address rejected"
)


def guess_provider(words: str) -> str:
    """Returns the preset's id of the provider that *words*, as `alike` writes them, show; empty for none."""
    return next((provider for provider, pattern in _PROVIDERS if pattern.search(words)), "")


def guess_provider_by_code(evidence: Evidence) -> str:
    """Returns the preset's id of the provider whose own enhanced code it is; empty where a registry has it too."""
    code = evidence.enhanced_code
    return "microsoft" if _MICROSOFTS_OWN.fullmatch(code) or (code == "5.7.30" and not evidence.text) else ""


def guess_stage(evidence: Evidence, words: str) -> Stage:
    """Returns the step of an SMTP session that a reply most likely answers."""
    code, enhanced = evidence.code, evidence.enhanced_code
    if code in _SIGN_IN_CODES or _SIGN_IN_ENHANCED.fullmatch(enhanced):
        return Stage.AUTH
    if _TLS.search(words):
        return Stage.TLS
    if code == 530 or _SENDER.search(words) or re.fullmatch(r"\d\.1\.[78]", enhanced):
        return Stage.RCPT_TO if _RECIPIENT.search(words) and code != 530 else Stage.MAIL_FROM
    if code != 552 and _SIGN_IN.search(words) and not _NO_SIGN_IN.search(words):
        return Stage.AUTH
    if _RECIPIENT.search(words) or re.fullmatch(r"\d\.[12]\.\d+", enhanced):
        return Stage.RCPT_TO
    if code == 421 or _GREETING.search(words):
        return Stage.EHLO
    return Stage.DATA
