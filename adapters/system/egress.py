"""Which addresses may be dialled: the public internet, and what the operator named besides."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# Own table and not `ipaddress.is_global`: that (Python 3.11.7) calls NAT64, 6to4, ::127.0.0.1 and 168.63.129.16 global.
_DENIED_V4: Final[tuple[tuple[IPv4Network, str], ...]] = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this network, RFC 1122"),
        ("10.0.0.0/8", "private network, RFC 1918"),
        ("100.64.0.0/10", "carrier-grade NAT, RFC 6598"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "Azure platform service"),
        ("169.254.0.0/16", "link-local, cloud metadata"),
        ("172.16.0.0/12", "private network, RFC 1918"),
        ("192.0.0.0/24", "protocol assignments, RFC 6890"),
        ("192.0.2.0/24", "documentation, RFC 5737"),
        ("192.88.99.0/24", "6to4 relays, RFC 7526"),
        ("192.168.0.0/16", "private network, RFC 1918"),
        ("198.18.0.0/15", "benchmarking, RFC 2544"),
        ("198.51.100.0/24", "documentation, RFC 5737"),
        ("203.0.113.0/24", "documentation, RFC 5737"),
        ("224.0.0.0/3", "multicast and reserved"),
    )
)
_DENIED_V6: Final[tuple[tuple[IPv6Network, str], ...]] = tuple(
    (IPv6Network(network), what)
    for network, what in (
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible, RFC 4291"),
        ("64:ff9b:1::/48", "local NAT64, RFC 8215"),
        ("100::/64", "discard, RFC 6666"),
        ("2001::/23", "protocol assignments and Teredo, RFC 2928"),
        ("2001:db8::/32", "documentation, RFC 3849"),
        ("2002::/16", "6to4, RFC 7526"),
        ("3fff::/20", "documentation, RFC 9637"),
        ("5f00::/16", "segment routing, RFC 9602"),
        ("fc00::/7", "private network, RFC 4193"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local, RFC 3879"),
        ("ff00::/8", "multicast"),
    )
)
_PUBLIC_V6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LABEL: Final = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_NUMBER_LABEL: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_MAX_NAME: Final = 253


class EgressAllowInvalid(ValueError):
    """Entries of MAILPORT_EGRESS_ALLOW are wrong; `problems` has a sentence for each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(self.problems))


def normal_name(host: str) -> str | None:
    """
    Returns *host* in lower case and without the root's dot, or None if no name on the internet looks like it.

    A name whose last label is a number is none: C libraries read ``127.1``, ``0x7f.1`` and ``2130706433`` as addresses
    (the URL standard's rule for a host that ends in a number).
    """
    name = host.lower().removesuffix(".")
    if len(name) > _MAX_NAME or _NAME.fullmatch(name) is None:
        return None
    return None if _NUMBER_LABEL.fullmatch(name.rpartition(".")[2]) else name


def literal(host: str) -> Address | None:
    """Returns the address that *host* writes in its one usual form, or None if it is a name or anything else."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def unwrapped(address: Address) -> Address:
    """
    Returns the IPv4 address that packets to *address* end up at, else *address* itself.

    That is so for IPv4-mapped addresses (RFC 4291) and the well-known NAT64 prefix (RFC 6052).
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """
    The operator's decision. Public unicast addresses may always be dialled.

    `networks` may be dialled besides, `hosts` whatever their names resolve to.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> EgressPolicy:
        """
        Reads MAILPORT_EGRESS_ALLOW: networks (``10.0.0.0/8``), addresses and host names, by commas or blanks apart.

        Raises EgressAllowInvalid with every problem at once. An empty *text* allows the public internet alone.
        """
        networks: list[Network] = []
        hosts: set[str] = set()
        problems: list[str] = []
        for entry in re.split(r"[,\s]+", text.strip()) if text.strip() else []:
            parsed = _parse_entry(entry)
            match parsed:
                case IPv4Network() | IPv6Network():
                    networks.append(parsed)
                case _Host():
                    hosts.add(parsed.name)
                case _:
                    problems.append(parsed)
        if problems:
            raise EgressAllowInvalid(problems)
        return cls(networks=tuple(networks), hosts=frozenset(hosts))

    def allows_host(self, host: str) -> bool:
        """Tells whether the operator named *host*, case and a final dot aside: then its addresses need no judging."""
        return normal_name(host) in self.hosts

    def judge(self, address: Address) -> str | None:
        """Returns why *address* may not be dialled, for people; None if it may."""
        inner = unwrapped(address)
        if self._is_listed(address) or self._is_listed(inner):
            return None
        why = _denial(inner)
        return f"{inner}, {why}" if why and inner != address else why

    def _is_listed(self, address: Address) -> bool:
        return any(address in network for network in self.networks if network.version == address.version)


def _denial(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((f"in {network} ({what})" for network, what in _DENIED_V4 if address in network), None)
    why = next((f"in {network} ({what})" for network, what in _DENIED_V6 if address in network), None)
    return why or (None if address in _PUBLIC_V6 else f"outside {_PUBLIC_V6}, the public addresses")


@dataclass(frozen=True, slots=True)
class _Host:
    name: str


def _parse_entry(entry: str) -> Network | _Host | str:
    """Returns what the entry means, or a sentence about what is wrong with it."""
    bare = entry.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_network(bare)
    except ValueError:
        pass
    if "/" in entry:
        try:
            meant = ipaddress.ip_network(bare, strict=False)
        except ValueError:
            return f"{entry!r} is not a network; write an address and a prefix length, such as 10.0.0.0/8."
        return f"{entry!r} has bits set behind its prefix; the network is {meant}."
    if "*" in entry:
        return f"{entry!r} has a wildcard; name each host, or the network they are in."
    if (name := normal_name(entry)) is not None:
        return _Host(name)
    if re.fullmatch(r"[^:]+:[0-9]+|\[.*\]:[0-9]+", entry):
        return f"{entry!r} has a port; networks and hosts are allowed without one."
    return f"{entry!r} is neither a network (10.0.0.0/8) nor an address (10.1.2.3) nor a host name (relay.example.com)."
