"""What the tests of kept connections share."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from adapters.smtp.pool import PoolLimits
from domain.failures.failure import Stage
from domain.ports.transport import Report
from domain.settings.model import MailSettings
from tests.integration.smtp.sending import Sender
from tests.peers.ca import TestCA
from tests.peers.faulty_smtp import FaultySmtp
from tests.peers.line_server import LineServer
from tests.peers.script import Item, ehlo, send

GREETING: list[Item] = [send("220 mx"), ehlo()]
PIPELINING: list[Item] = [send("220 mx"), ehlo("PIPELINING")]


async def send_in(sender: Sender, settings: MailSettings, lane: str = "a", count: int = 1) -> list[Report]:
    reports = [await sender.submit(settings, lane=lane) for _ in range(count)]
    assert [report.failure for report in reports] == [None] * count
    return reports


def a_sender(ca: TestCA, **limits: object) -> Sender:
    return Sender(ca_file=ca.path, limits=replace(PoolLimits(), **limits))  # type: ignore[arg-type]


def stages(report: Report) -> list[Stage]:
    return [step.stage for step in report.trace.steps]


async def is_gone(server: LineServer, number: int = 0) -> None:
    """Returns when the connection of that number is over, on the server's side."""
    async with asyncio.timeout(5):
        while not (server.conversations[number].is_done and server.conversations[number].is_gone):  # noqa: ASYNC110 - of a peer
            await asyncio.sleep(0.001)


def commands(server: FaultySmtp, verb: str) -> int:
    return sum(command.split()[0] == verb for command in server.commands)
