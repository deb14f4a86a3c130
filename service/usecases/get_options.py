"""GetOptions: what a settings form needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from domain.providers import PROVIDERS, ProviderPreset


@dataclass(frozen=True, slots=True)
class FormOptions:
    """The choices of this mailport."""

    providers: tuple[ProviderPreset, ...]
    data_centers: tuple[str, ...]
    """In the operator's order of preference."""
    callback_url: str
    """Where consent comes back to unless a configuration names another URL."""


class GetOptions:
    """Answers the same to every caller."""

    def __init__(self, *, data_centers: tuple[str, ...], callback_url: str) -> None:
        self._options = FormOptions(providers=PROVIDERS, data_centers=data_centers, callback_url=callback_url)

    async def __call__(self) -> FormOptions:
        """Returns the options."""
        return self._options
