"""What a domain says of mail in its name: its SPF record (RFC 7208) and its DMARC policy (RFC 7489), read from TXT."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_LOOKUPS: Final = 10
"""SPF records that ask for more are of no use to anybody (RFC 7208 section 4.6.4)."""
_NOT_PUBLIC: Final = ("example", "test", "invalid", "localhost", "local", "internal", "home.arpa", "onion")
_FOR_EXAMPLES: Final = ("example.com", "example.net", "example.org")
_TERM: Final = re.compile(
    r"(?P<qualifier>[+?~-]?)(?P<name>all|include|a|mx|ip4|ip6|exists|ptr)(?P<rest>[:/].*)?", re.IGNORECASE
)
_REDIRECT: Final = re.compile(r"redirect=(?P<domain>\S+)", re.IGNORECASE)
_POLICY: Final = re.compile(r"(?:^|;)\s*p\s*=\s*(none|quarantine|reject)\s*(?:;|$)", re.IGNORECASE)
_PRIVATE: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
"""RFC 1918, RFC 6598 and RFC 4193; the standard library's `is_private` has networks for documentation besides."""
_SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "gov", "net", "or", "org"})


class SpfMechanism(StrEnum):
    """What a term of a record names hosts by."""

    ALL = "all"
    INCLUDE = "include"
    A = "a"
    MX = "mx"
    IP4 = "ip4"
    IP6 = "ip6"
    EXISTS = "exists"
    PTR = "ptr"


@dataclass(frozen=True, slots=True)
class SpfTerm:
    """A term that lets hosts pass."""

    mechanism: SpfMechanism
    domain: str = ""
    """Empty: the domain of the record."""
    network: Network | None = None
    """Of IP4 and IP6."""

    @property
    def is_computed(self) -> bool:
        """Tells whether what it names depends on the message (macros, RFC 7208 section 7), so that nobody can say."""
        return "%" in self.domain or self.mechanism in (SpfMechanism.EXISTS, SpfMechanism.PTR)


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """What one record lets pass; terms that refuse, or say nothing, are left out."""

    terms: tuple[SpfTerm, ...]
    redirect: str = ""


class SpfCoverage(StrEnum):
    """Whether a domain's SPF record names a server."""

    COVERED = "COVERED"
    NOT_COVERED = "NOT_COVERED"
    MISSING = "MISSING"
    """There is no record."""
    SEVERAL = "SEVERAL"
    """There are several, which counts as an error (RFC 7208 section 4.5)."""
    UNKNOWN = "UNKNOWN"
    """The DNS was away or does not know the domain, or what the record says depends on the message."""


class DmarcPolicy(StrEnum):
    """What receivers are asked to do with mail that fails."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    MISSING = "missing"
    """There is no record."""
    UNKNOWN = "unknown"
    """The DNS was away, or does not know the domain."""

    @property
    def is_strict(self) -> bool:
        """Tells whether mail that fails does not reach the inbox."""
        return self in (DmarcPolicy.QUARANTINE, DmarcPolicy.REJECT)


@dataclass(frozen=True, slots=True)
class SenderPosture:
    """How a from domain stands to the server that sends for it."""

    spf: SpfCoverage = SpfCoverage.UNKNOWN
    dmarc: DmarcPolicy = DmarcPolicy.UNKNOWN
    is_domain_known: bool = True
    """False: the DNS that was asked has nothing of the domain, so that a record not found there may well exist."""


@dataclass(frozen=True, slots=True)
class SendingServer:
    """The server that mail is handed to, as far as SPF can be judged by it."""

    host: str
    """Lower case."""
    addresses: tuple[str, ...] = ()
    """Those that were dialled."""
    spf_domains: tuple[str, ...] = ()
    """Whose records name the hosts that it sends by, where the provider is known."""

    @property
    def is_private(self) -> bool:
        """Tells whether it was reached at an address that receivers never see: SPF is about the one that they do."""
        return bool(self.addresses) and all(_is_private(address) for address in self.addresses)

    def is_named_by(self, domain: str) -> bool:
        """
        Tells whether including *domain* is including the server: its provider's record, or one of its own domain.

        Mail often leaves by other hosts than it came in by; an operator's record, under whatever name, has them all.
        """
        name = _name(domain)
        return name in self.spf_domains or (bool(name) and organisation_of(name) == organisation_of(self.host))

    def is_in(self, network: Network) -> bool:
        """Tells whether one of its addresses lies in *network*."""
        return any(ipaddress.ip_address(address) in network for address in self.addresses)


def is_public(domain: str) -> bool:
    """Tells whether *domain* can have records: no address literal, no name for tests and examples (RFC 2606, 6761)."""
    if domain.startswith("["):
        return False
    names = (*_NOT_PUBLIC, *_FOR_EXAMPLES)
    return "." in domain and not any(domain == name or domain.endswith(f".{name}") for name in names)


def read_spf(texts: Iterable[str]) -> SpfRecord | SpfCoverage:
    """Returns the record among a name's TXT *texts*; MISSING or SEVERAL when there is none, or not one."""
    records = [text for text in texts if re.match(r"v=spf1(\s|$)", text, re.IGNORECASE)]
    if len(records) != 1:
        return SpfCoverage.SEVERAL if records else SpfCoverage.MISSING
    words = records[0].split()[1:]
    redirect = next((found["domain"] for word in words if (found := _REDIRECT.fullmatch(word))), "")
    terms = tuple(term for word in words if (term := _term(word)) is not None)
    has_all = any(word.lower().lstrip("+?~-") == "all" for word in words)
    return SpfRecord(terms, "" if has_all else _name(redirect))


def read_dmarc(texts: Iterable[str]) -> DmarcPolicy:
    """Returns the policy among the TXT *texts* of a ``_dmarc`` name; a record without a valid one asks for nothing."""
    for text in texts:
        if re.match(r"v\s*=\s*DMARC1\s*(;|$)", text):
            found = _POLICY.search(text)
            return DmarcPolicy(found[1].lower()) if found else DmarcPolicy.NONE
    return DmarcPolicy.MISSING


def dmarc_names(domain: str) -> tuple[str, ...]:
    """Returns where the policy for *domain* may stand, the nearest first: at itself, and at its organisation's."""
    nearest, top = f"_dmarc.{domain}", f"_dmarc.{organisation_of(domain)}"
    return (nearest,) if nearest == top else (nearest, top)


def organisation_of(domain: str) -> str:
    """Returns the part that somebody registers, near enough without a list of all registries."""
    labels = domain.split(".")
    count = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-count:])


def _term(word: str) -> SpfTerm | None:
    found = _TERM.fullmatch(word)
    if found is None or found["qualifier"] not in ("", "+"):
        return None
    mechanism = SpfMechanism(found["name"].lower())
    rest = found["rest"] or ""
    if mechanism in (SpfMechanism.IP4, SpfMechanism.IP6):
        try:
            return SpfTerm(mechanism, network=ipaddress.ip_network(rest.removeprefix(":"), strict=False))
        except ValueError:
            return None
    domain = rest.removeprefix(":").partition("/")[0] if rest.startswith(":") else ""
    return SpfTerm(mechanism, domain=_name(domain))


def _name(domain: str) -> str:
    return domain.strip().lower().removesuffix(".")


def _is_private(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return parsed.is_loopback or parsed.is_link_local or any(parsed in network for network in _PRIVATE)
