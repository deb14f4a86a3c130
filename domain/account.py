"""The account that mail goes out with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """The configuration that a delivery goes out with: what lanes and limits are counted by."""

    tenant: str
    configuration_id: str
