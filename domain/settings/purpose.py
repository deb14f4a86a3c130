"""What a consent is to be used for: the servers behind it, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass

from domain.host import Host
from domain.providers import oauth_provider_of
from domain.providers.microsoft import WORLDWIDE, MicrosoftCloud, cloud_of
from domain.providers.preset import CommunicationType, OAuthProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """The uses of a consent, as far as they were right."""

    communication: CommunicationType | None
    """None: the transport is missing."""
    transport_host: Host | None
    """The mail server, or the root of Graph when one was written."""
    mailbox_host: Host | None
    """Only of a mailbox that signs in with the consent."""
    reads_mailbox: bool
    """A mailbox signs in with the consent."""
    shared_mailbox: str
    """The mailbox that Graph sends from when it was written, else empty."""

    def cloud(self, *endpoints: Host | None) -> MicrosoftCloud:
        """Returns Microsoft's cloud, told by the servers first, by the OAuth *endpoints* next; worldwide otherwise."""
        hosts = (self.transport_host, self.mailbox_host, *endpoints)
        found = (cloud_of(host.name) for host in hosts if host is not None)
        return next((cloud for cloud in found if cloud is not None), WORLDWIDE)

    def issuer(self, declared: OAuthProvider | None, *endpoints: Host | None) -> OAuthProvider | None:
        """
        Tells whose tokens these will be: the *declared* provider's, else by endpoints, else by servers.

        Returns None when it is nobody of whom mailport knows rules.
        """
        if declared in (OAuthProvider.GOOGLE, OAuthProvider.MICROSOFT):
            return declared
        hosts = (*endpoints, self.transport_host, self.mailbox_host)
        found = (oauth_provider_of(host) for host in hosts if host is not None)
        # A Graph for which no root was written is filled in with Microsoft's own.
        is_filled_in = self.communication is CommunicationType.GRAPH and self.transport_host is None
        otherwise = OAuthProvider.MICROSOFT if is_filled_in else None
        return next((owner for owner in found if owner in (OAuthProvider.GOOGLE, OAuthProvider.MICROSOFT)), otherwise)
