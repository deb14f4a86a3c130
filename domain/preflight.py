"""Warnings of what works now and will bite later: the server's TLS, passwords that end, the from domain's records."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from domain.errors import Warning
from domain.failures.trace import Trace
from domain.providers.preset import ProviderPreset
from domain.reasons import Reason
from domain.sender_policy import DmarcPolicy, SenderPosture, SendingServer, SpfCoverage
from domain.settings.advice import advise
from domain.settings.findings import Findings
from domain.settings.model import MailSettings

CERTIFICATE_MARGIN: Final = timedelta(days=30)
"""From when on before its end a server's certificate is warned of; most are renewed by then."""
_HOST: Final = "settings.smtp.host"
_FROM: Final = "settings.from_address"
_DATE: Final = "%-d %B %Y"


def renewed(settings: MailSettings, stored: Iterable[Warning], *, now: datetime) -> tuple[Warning, ...]:
    """Returns the warnings of a revision, of which some were *stored* with it, as they are *now*: dates have passed."""
    findings = Findings()
    advise(settings, now=now, findings=findings)
    fresh = {(warning.field, warning.reason): warning for warning in findings.warnings}
    kept = {(warning.field, warning.reason): warning for warning in stored}
    return tuple({**kept, **fresh}.values())


def server_warnings(trace: Trace, *, now: datetime) -> tuple[Warning, ...]:
    """Returns what the TLS session in *trace* tells of the server; nothing without one."""
    session = next((step.tls for step in reversed(trace.steps) if step.tls is not None), None)
    if session is None:
        return ()
    warnings = []
    end = session.certificate_expire_time
    if end is not None and end - now < CERTIFICATE_MARGIN:
        days = max(0, (end - now).days)
        warnings.append(
            Warning(
                _HOST,
                Reason.SERVER_CERTIFICATE_EXPIRING,
                f"The server's certificate ends on {end.strftime(_DATE)}, in {days} {'day' if days == 1 else 'days'}; "
                "from then on nothing is sent over it.",
                "Have the server's owner renew it; where that happens by itself, make sure that it does.",
            )
        )
    if session.version == "TLSv1.2":
        warnings.append(
            Warning(
                _HOST,
                Reason.TLS_1_3_NOT_SPOKEN,
                "The server speaks TLS 1.2 at most, which is safe today.",
                "Have the server's owner switch TLS 1.3 on before clients begin to ask for it.",
            )
        )
    return tuple(warnings)


def freemail_warnings(domain: str, server: SendingServer, owner: ProviderPreset) -> tuple[Warning, ...]:
    """Returns that *server*, which is not *owner*'s, cannot send for *domain*, in which *owner* gives out mailboxes."""
    return (
        Warning(
            _FROM,
            Reason.SPF_NOT_COVERING,
            f"{domain} belongs to {owner.display_name}, and only that provider's servers may send its mail: receivers "
            f"may take what {server.host} sends in its name for forged.",
            f"Send through {owner.smtp_endpoints[0].host} with that account, or from an address of a domain of your "
            "own.",
        ),
    )


def left_unchecked(domain: str, server: SendingServer, posture: SenderPosture, *, judges_spf: bool) -> tuple[str, ...]:
    """Returns what of *domain* could not be judged, and why; *judges_spf*: whether its SPF record is of any account."""
    if not posture.is_domain_known:
        records = "SPF and DMARC records were" if judges_spf else "DMARC record was"
        return (f"The DNS asked from here does not know {domain}: its {records} not judged.",)
    told = []
    if server.is_private and judges_spf:
        told.append(unjudged_address(domain, server))
    elif judges_spf and posture.spf is SpfCoverage.UNKNOWN:
        told.append(
            f"Whether the SPF record of {domain} names {server.host} could not be found out: the DNS gave no full "
            "answer in time, or the record depends on the message."
        )
    if posture.dmarc is DmarcPolicy.UNKNOWN:
        told.append(f"The DMARC record of {domain} could not be found out: the DNS gave no answer in time.")
    return tuple(told)


def unjudged_address(domain: str, server: SendingServer) -> str:
    """Returns why SPF is not judged for a *server* that was reached at a private address."""
    return (
        f"{server.host} was reached at an address that receivers never see: whether {domain} lets the one that they "
        "see send was not judged."
    )


def sender_warnings(domain: str, server: SendingServer, posture: SenderPosture) -> tuple[Warning, ...]:
    """Returns what *domain* lacks so that receivers take mail that *server* sends in its name; nothing when unknown."""
    warnings = []
    if (flaw := _SPF_FLAWS.get(posture.spf)) is not None:
        message = flaw.format(domain=domain, server=server.host)
        if posture.dmarc.is_strict:
            verb = "refuse" if posture.dmarc is DmarcPolicy.REJECT else "set aside"
            message += f" The domain's DMARC policy asks receivers to {verb} such mail, unless DKIM vouches for it."
        warnings.append(Warning(_FROM, Reason.SPF_NOT_COVERING, message, _spf_remedy(domain, server, posture.spf)))
    if posture.dmarc is DmarcPolicy.MISSING:
        warnings.append(
            Warning(
                _FROM,
                Reason.DMARC_MISSING,
                f"{domain} has no DMARC record; large receivers refuse or sort out mail of domains without one.",
                f'Publish the TXT record "v=DMARC1; p=none" at _dmarc.{domain}, and make it stricter later.',
            )
        )
    return tuple(warnings)


_SPF_FLAWS: Final = {
    SpfCoverage.NOT_COVERED: "The SPF record of {domain} does not name {server}: receivers may take its mail for "
    "forged.",
    SpfCoverage.MISSING: "{domain} has no SPF record: receivers cannot tell that {server} may send for it.",
    SpfCoverage.SEVERAL: "{domain} has several SPF records, which receivers treat as none.",
}


def _spf_remedy(domain: str, server: SendingServer, spf: SpfCoverage) -> str:
    if spf is SpfCoverage.SEVERAL:
        return f"Join the SPF records of {domain} into one."
    if server.spf_domains:
        term = f"include:{server.spf_domains[0]}"
    else:
        term = f"what the operator of {server.host} says it sends by, an include as a rule"
    if spf is SpfCoverage.MISSING:
        return f"Publish a TXT record at {domain} that begins with v=spf1, has {term}, and ends with ~all."
    return f"Add {term} to the record."
