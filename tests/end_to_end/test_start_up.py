"""How mailport starts as a program: what it prints, and what it refuses before anything opens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from tests.end_to_end.process import a_process
from tests.peers.ca import TestCA

WITHIN = timedelta(seconds=60)


@asynccontextmanager
async def program(folder: Path, *arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Starts `mailport` with its data in *folder*, on free ports; kills what is left of it afterwards."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAILPORT_")}
    ports = {"MAILPORT_GRPC_ADDRESS": "127.0.0.1:0", "MAILPORT_WEB_ADDRESS": "127.0.0.1:0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", *arguments,
        env={**inherited, **ports, "MAILPORT_DATA_DIR": str(folder), **environment},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lines_until(process: asyncio.subprocess.Process, words: str) -> str:
    """Returns what was printed up to the line that holds *words*."""
    assert process.stdout is not None
    shown = ""
    while words not in shown:
        line = await process.stdout.readline()
        assert line, f"mailport ended after {shown!r}"
        shown += line.decode()
    return shown


async def test_given_an_embedded_database_when_its_ring_is_mistyped_or_lost_then_no_other_is_made(
    tmp_path: Path,
) -> None:
    """Also checks that the first start makes the ring, and that the second one finds it."""
    folder, mistyped = tmp_path / "data", tmp_path / "mistyped.json"
    async with program(folder, "migrate") as first:
        await first.communicate()
    made = (folder / "keys.json").read_bytes()

    async with program(folder, "serve", MAILPORT_KEYS_FILE=str(mistyped)) as refused:
        _, said = await refused.communicate()
    async with a_process(folder) as again:
        assert await again.stop() == 0

    assert first.returncode == 0
    assert refused.returncode == 1
    assert said.decode().startswith(f"MAILPORT_KEYS_FILE: {mistyped} does not exist.")
    assert not mistyped.exists()
    assert (folder / "keys.json").read_bytes() == made


async def test_given_a_new_database_when_its_ring_cannot_be_made_then_no_database_is_made_either(
    tmp_path: Path,
) -> None:
    """Else the next start would take the database for one whose ring was lost."""
    folder = tmp_path / "data"

    async with program(folder, "migrate", MAILPORT_KEYS_FILE=str(tmp_path / "nowhere" / "keys.json")) as refused:
        _, said = await refused.communicate()

    assert refused.returncode == 1
    assert "MAILPORT_KEYS_FILE: " in said.decode()
    assert not (folder / "pg").exists()


async def test_given_tls_when_the_walk_is_asked_for_then_it_is_skipped_and_the_service_serves(
    tmp_path: Path, ca: TestCA
) -> None:
    server = ca.issue("walk")
    files = {"MAILPORT_TLS_CERT": str(server.certificate), "MAILPORT_TLS_KEY": str(server.key)}

    async with program(tmp_path / "data", "serve", "--sandbox", "--walk", **files) as process:
        shown = await lines_until(process, "walk is skipped")
        process.send_signal(signal.SIGTERM)
        rest, _ = await process.communicate()

    assert process.returncode == 0
    assert "mailport serves gRPC on " in shown
    assert "MAILPORT_TLS_CERT" in shown.splitlines()[-1]
    assert rest == b""


async def test_given_every_address_when_served_then_what_is_printed_opens_in_a_browser(tmp_path: Path) -> None:
    everywhere = {"MAILPORT_WEB_ADDRESS": "0.0.0.0:0", "MAILPORT_INSECURE": "1"}

    async with program(tmp_path / "sandbox", "sandbox", **everywhere) as sandbox:
        alone = await lines_until(sandbox, "inbox http://")
    async with program(tmp_path / "data", "serve", "--sandbox", **everywhere) as serve:
        together = await lines_until(serve, "inbox is at http://")

    assert "inbox http://127.0.0.1:" in alone
    assert "web on http://127.0.0.1:" in together
    assert "inbox is at http://127.0.0.1:" in together
    assert "0.0.0.0" not in alone + together
