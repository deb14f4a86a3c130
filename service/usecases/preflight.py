"""The step that looks ahead: what works now and will bite later. It only ever warns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.errors import Warning
from domain.failures.failure import Stage
from domain.failures.trace import Trace
from domain.ports.environment import Clock
from domain.preflight import (
    freemail_warnings,
    left_unchecked,
    renewed,
    sender_warnings,
    server_warnings,
    unjudged_address,
)
from domain.providers import preset_for_host
from domain.providers.freemail import freemail_provider_of, is_same_company
from domain.providers.preset import ProviderPreset
from domain.sender_policy import SenderPosture, SendingServer, is_public
from domain.settings.model import MailSettings, SmtpTransport
from service.usecases.sender_posture import ReadPosture

_LONGEST: Final = timedelta(seconds=2)
_MARGIN: Final = timedelta(milliseconds=500)
"""Left for the answer to the caller."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was seen ahead."""

    warnings: tuple[Warning, ...] = ()
    unchecked: tuple[str, ...] = ()
    """What could not be looked at, and why, one or two sentences each."""


class Preflight:
    """Finds warnings for settings that a server has just taken."""

    def __init__(self, *, read_posture: ReadPosture, clock: Clock) -> None:
        self._read_posture = read_posture
        self._clock = clock

    async def __call__(
        self, settings: MailSettings, stored: Iterable[Warning], trace: Trace, *, time_left: timedelta
    ) -> Outlook:
        """
        Returns the *stored* warnings of the settings as they are now, and what server and DNS tell besides.

        Waits two seconds for the DNS at most and leaves a margin of *time_left*; what it does not tell by then is
        unchecked. Never raises.
        """
        now = self._clock.now()
        of_sender = await self._of_sender(settings, trace, min(_LONGEST, time_left - _MARGIN))
        return Outlook(
            (*renewed(settings, stored, now=now), *server_warnings(trace, now=now), *of_sender.warnings),
            of_sender.unchecked,
        )

    async def _of_sender(self, settings: MailSettings, trace: Trace, within: timedelta) -> Outlook:
        domain = settings.from_address.domain
        if not isinstance(settings.transport, SmtpTransport):
            return Outlook()
        if not is_public(domain):
            return Outlook(
                unchecked=(f"{domain} is no name of the public DNS: it has no SPF and DMARC records to judge.",)
            )
        host = settings.transport.host
        preset = preset_for_host(host)
        server = SendingServer(
            host=host.name, addresses=_dialled(trace), spf_domains=preset.spf_domains if preset is not None else ()
        )
        if (owner := freemail_provider_of(domain.lower())) is not None:
            return _of_freemail(domain, server, owner, preset)
        # A relay puts a domain of its own into the envelope, whose records are its own affair.
        judges_spf = preset is None or not preset.is_relay
        posture = SenderPosture()
        if within > timedelta(0):
            asks_spf = judges_spf and not server.is_private
            posture = await self._read_posture(domain, server, judges_spf=asks_spf, within=within)
        return Outlook(
            sender_warnings(domain, server, posture), left_unchecked(domain, server, posture, judges_spf=judges_spf)
        )


def _of_freemail(domain: str, server: SendingServer, owner: ProviderPreset, preset: ProviderPreset | None) -> Outlook:
    """Asks no DNS: the records of *domain* are its provider's affair, and nobody else's to change."""
    if preset is not None and is_same_company(preset, owner):
        return Outlook()
    if server.is_private:
        return Outlook(unchecked=(unjudged_address(domain, server),))
    return Outlook(freemail_warnings(domain, server, owner))


def _dialled(trace: Trace) -> tuple[str, ...]:
    """Returns the address that the server was reached at, without its port."""
    peers = [step.peer for step in trace.steps if step.stage is Stage.CONNECT and step.succeeded and step.peer]
    return tuple(peer.rpartition(":")[0].strip("[]") for peer in peers[-1:])
