"""The guided walk: what a newcomer does first, done once against the sandbox, each step with its result."""

from service.walk.journey import walk
from service.walk.simulated import walk_sandbox
from service.walk.surroundings import Page, Surroundings

__all__ = ["Page", "Surroundings", "walk", "walk_sandbox"]
