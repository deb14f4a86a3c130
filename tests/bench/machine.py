"""What the figures were measured on: facts that decide them, and none that name the machine."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

_SYNCS: Final = 200


def facts(folder: Path) -> tuple[str, ...]:
    """Returns one line for each fact; *folder* is where the data of all contestants is kept."""
    median, worst = fsync_milliseconds(folder)
    return (
        f"{os.cpu_count()} cores ({_processor()}), {_memory_gib():.0f} GiB, Linux {platform.release().split('-')[0]}",
        f"appending 4 KiB and fsync: {median:.2f} ms median, {worst:.2f} ms p99 of {_SYNCS}",
        f"Python {platform.python_version()}, grpcio {version('grpcio')}, psycopg {version('psycopg')},"
        f" aiosmtplib {version('aiosmtplib')}; Postfix {_postfix()}, Node {_node()}",
    )


def load_average() -> str:
    """Returns how many processes wanted a core in the last 1, 5 and 15 minutes, this bench's own included."""
    return " ".join(f"{each:.1f}" for each in os.getloadavg())


def fsync_milliseconds(folder: Path) -> tuple[float, float]:
    """Returns the median and the 99th percentile of what it takes to append 4 KiB to a file and make that durable."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCS):
            begun = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took), sorted(took)[int(_SYNCS * 0.99) - 1]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _postfix() -> str:
    return _said("postconf", "-dh", "mail_version")


def _node() -> str:
    return _said("node", "--version").removeprefix("v")


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "none"
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "none"
