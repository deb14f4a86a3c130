"""What use cases answer with: domain values and what was found out about them."""

from __future__ import annotations

from dataclasses import dataclass

from domain.configuration import Configuration, Revision, RevisionState, revision_state
from domain.delivery import Attempt, Delivery
from domain.settings.model import unreadable_secrets


@dataclass(frozen=True, slots=True)
class RevisionView:
    """A revision and what it waits for."""

    revision: Revision
    state: RevisionState
    unreadable: tuple[str, ...]
    """Field paths of stored secrets that do not open."""


@dataclass(frozen=True, slots=True)
class ConfigurationView:
    """A configuration as its owner may see it."""

    configuration: Configuration
    draft: RevisionView | None
    active: RevisionView | None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with its attempts."""

    delivery: Delivery
    attempts: tuple[Attempt, ...] = ()


def view_configuration(configuration: Configuration) -> ConfigurationView:
    """Tells for both revisions what they wait for."""

    def view(revision: Revision | None) -> RevisionView | None:
        if revision is None:
            return None
        state = revision_state(configuration, revision, has_grant=False)
        return RevisionView(revision=revision, state=state, unreadable=unreadable_secrets(revision.settings))

    return ConfigurationView(
        configuration=configuration, draft=view(configuration.draft), active=view(configuration.active)
    )
