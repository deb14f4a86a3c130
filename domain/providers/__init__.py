"""Google, Microsoft and other presets as data: endpoints, scopes, hosts, limits."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from domain.host import Host
from domain.providers.google import DOMAINS, GOOGLE
from domain.providers.mailboxes import MAILBOX_PRESETS
from domain.providers.microsoft import MICROSOFT_PRESETS, cloud_of
from domain.providers.preset import OAuthProvider, ProviderPreset
from domain.providers.relays import RELAY_PRESETS

__all__ = ["PROVIDERS", "ProviderPreset", "oauth_provider_of", "preset_for_host"]

PROVIDERS: Final[tuple[ProviderPreset, ...]] = (GOOGLE, *MICROSOFT_PRESETS, *MAILBOX_PRESETS, *RELAY_PRESETS)
"""Every preset, the most used first."""


@lru_cache(maxsize=1024)  # the keeper asks again and again for the same few
def preset_for_host(host: Host) -> ProviderPreset | None:
    """Returns the preset whose mail server *host* is, or None; a host that several share goes to the first."""
    return next((preset for preset in PROVIDERS if preset.serves(host.name)), None)


def oauth_provider_of(host: Host) -> OAuthProvider | None:
    """
    Tells whose tokens *host* issues or takes: a mail server, or a Graph or authorization server of Google or Microsoft.

    Returns None when it is neither Google nor Microsoft nor another provider with a preset, CUSTOM for the latter.
    """
    if any(host.is_under(domain) for domain in DOMAINS):
        return OAuthProvider.GOOGLE
    if cloud_of(host.name) is not None:
        return OAuthProvider.MICROSOFT
    return OAuthProvider.CUSTOM if preset_for_host(host) is not None else None
