"""Domains in which a provider gives mailboxes to anybody, as of 2026-11 (the providers' sign-up and help pages)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domain.providers.google import GOOGLE
from domain.providers.mailboxes import MAILBOX_PRESETS
from domain.providers.microsoft import MICROSOFT_PRESETS
from domain.providers.preset import ProviderPreset

_DOMAINS: Final[Mapping[str, tuple[str, ...]]] = {
    "google": ("gmail.com", "googlemail.com"),
    "microsoft-personal": (
        *(f"outlook.{end}" for end in ("com", "de", "fr", "es", "it", "at", "be", "ie", "pt", "jp", "com.br")),
        *(f"hotmail.{end}" for end in ("com", "de", "fr", "es", "it", "be", "nl", "co.uk", "com.br")),
        *(f"live.{end}" for end in ("com", "de", "fr", "it", "at", "be", "nl", "co.uk")),
        "msn.com",
        "windowslive.com",
    ),
    "yahoo": (
        *(f"yahoo.{end}" for end in ("com", "de", "fr", "es", "it", "ca", "in", "co.uk", "co.in", "com.br", "com.au")),
        "ymail.com",
        "rocketmail.com",
    ),
    "aol": ("aol.com", "aim.com"),
    "icloud": ("icloud.com", "me.com", "mac.com"),
    "gmx": ("gmx.com",),
    "gmx-net": ("gmx.net", "gmx.de", "gmx.at", "gmx.ch"),
    "fastmail": ("fastmail.com", "fastmail.fm"),
    "zoho": ("zohomail.com", "zohomail.eu", "zohomail.in"),
    "yandex": ("yandex.com", "yandex.ru", "ya.ru"),
}
_OWNERS: Final[Mapping[str, ProviderPreset]] = {
    domain: preset
    for preset in (GOOGLE, *MICROSOFT_PRESETS, *MAILBOX_PRESETS)
    for domain in _DOMAINS.get(preset.provider_id, ())
}


def freemail_provider_of(domain: str) -> ProviderPreset | None:
    """Returns whose mailboxes *domain* (lower case) is made of; None for a domain that customers may bring along."""
    return _OWNERS.get(domain)


def is_same_company(one: ProviderPreset, other: ProviderPreset) -> bool:
    """Tells whether two presets are one company's, so that the servers of either send for the other's domains."""
    brands = {preset.provider_id.partition("-")[0] for preset in (one, other)}
    return len(brands) == 1 or not set(one.spf_domains).isdisjoint(other.spf_domains)
