"""What use cases answer with: domain values and what was found out about them."""

from __future__ import annotations

from dataclasses import dataclass

from domain.configuration import Configuration, Revision, RevisionState, revision_state
from domain.delivery import Attempt, Delivery
from domain.pause import Pause
from domain.ports.storage import UnitOfWork
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
    pause: Pause | None = None
    """Why nothing of the active revision is tried for now."""


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with its attempts."""

    delivery: Delivery
    attempts: tuple[Attempt, ...] = ()


async def view_with_pause(work: UnitOfWork, *configurations: Configuration) -> list[ConfigurationView]:
    """Views configurations of one tenant together with their pauses, as they are stored."""
    if not configurations:
        return []
    pauses = await work.configurations.pauses(
        configurations[0].tenant, [each.configuration_id for each in configurations]
    )
    return [view_configuration(each, pause=pauses.get(each.configuration_id)) for each in configurations]


def view_configuration(configuration: Configuration, *, pause: Pause | None = None) -> ConfigurationView:
    """Tells for both revisions what they wait for; a *pause* of another revision than the active one is left out."""

    def view(revision: Revision | None) -> RevisionView | None:
        if revision is None:
            return None
        state = revision_state(configuration, revision, has_grant=False)
        return RevisionView(revision=revision, state=state, unreadable=unreadable_secrets(revision.settings))

    active = configuration.active
    return ConfigurationView(
        configuration=configuration,
        draft=view(configuration.draft),
        active=view(active),
        pause=pause if pause is not None and active is not None and pause.revision == active.number else None,
    )
