"""The step that looks ahead: what works now and will bite later. It only ever warns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from domain.errors import Warning
from domain.failures.failure import Stage
from domain.failures.trace import Trace
from domain.ports.environment import Clock
from domain.preflight import renewed, sender_warnings, server_warnings
from domain.providers import preset_for_host
from domain.sender_policy import SendingServer, is_public
from domain.settings.model import MailSettings, SmtpTransport
from service.usecases.sender_posture import ReadPosture

_LONGEST: Final = timedelta(seconds=2)
_MARGIN: Final = timedelta(milliseconds=500)
"""Left for the answer to the caller."""


class Preflight:
    """Finds warnings for settings that a server has just taken."""

    def __init__(self, *, read_posture: ReadPosture, clock: Clock) -> None:
        self._read_posture = read_posture
        self._clock = clock

    async def __call__(
        self, settings: MailSettings, stored: Iterable[Warning], trace: Trace, *, time_left: timedelta
    ) -> tuple[Warning, ...]:
        """
        Returns the *stored* warnings of the settings as they are now, and what server and DNS tell besides.

        Waits two seconds for the DNS at most and leaves a margin of *time_left*; what it does not tell by then is not
        warned of. Never raises.
        """
        now = self._clock.now()
        return (
            *renewed(settings, stored, now=now),
            *server_warnings(trace, now=now),
            *await self._of_sender(settings, trace, min(_LONGEST, time_left - _MARGIN)),
        )

    async def _of_sender(self, settings: MailSettings, trace: Trace, within: timedelta) -> tuple[Warning, ...]:
        domain = settings.from_address.domain
        if not isinstance(settings.transport, SmtpTransport) or not is_public(domain) or within <= timedelta(0):
            return ()
        host = settings.transport.host
        preset = preset_for_host(host)
        server = SendingServer(
            host=host.name, addresses=_dialled(trace), spf_domains=preset.spf_domains if preset is not None else ()
        )
        # A relay puts a domain of its own into the envelope, whose records are its own affair.
        judges_spf = preset is None or not preset.is_relay
        posture = await self._read_posture(domain, server, judges_spf=judges_spf, within=within)
        return sender_warnings(domain, server, posture)


def _dialled(trace: Trace) -> tuple[str, ...]:
    """Returns the address that the server was reached at, without its port."""
    peers = [step.peer for step in trace.steps if step.stage is Stage.CONNECT and step.succeeded and step.peer]
    return tuple(peer.rpartition(":")[0].strip("[]") for peer in peers[-1:])
