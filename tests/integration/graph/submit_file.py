"""Submits a flattened message from a file, in a process of its own, and says what that took: for `test_memory`."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.graph_builders import PATIENCE, a_sender

ROOMY = replace(PATIENCE, content=timedelta(minutes=8), each_reply=timedelta(minutes=1))


async def submit(content: bytes, root: str, token: str) -> None:
    """Writes the failure, if there is one, and the most octets that the process had at a time."""
    async with a_sender(root, token) as sender:
        report = await sender.submit(content, patience=ROOMY)
    sys.stdout.write(json.dumps({"failure": str(report.failure or ""), "peak": _peak()}))


def _peak() -> int:
    """Returns the most memory that this program held; getrusage tells that of who started it, when that is more."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]  # each Linux has it


if __name__ == "__main__":
    asyncio.run(submit(Path(sys.argv[1]).read_bytes(), sys.argv[2], sys.argv[3]))
