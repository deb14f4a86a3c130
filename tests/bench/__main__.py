"""
The bench: mailport against its peers and limits, in one run on one machine.

    python -m tests.bench [PART | CONTESTANT]... [OPTION]...
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Final

from tests.bench import machine
from tests.bench.child import ROOT
from tests.bench.parts import claim, configurations, distance, latency, mailboxes, memory, send, tls
from tests.bench.plan import Plan
from tests.bench.sinks import SmtpSink
from tests.bench.table import Section, write_page

PAGE: Final = ROOT / "docs" / "bench.md"
PARTS: Final[Mapping[str, Callable[[Plan], Coroutine[None, None, Section]]]] = {
    "send": send.measure,
    "tls": tls.measure,
    "distance": distance.measure,
    "latency": latency.measure,
    "claim": claim.measure,
    "configurations": configurations.measure,
    "memory": memory.measure,
    "mailboxes": mailboxes.measure,
}
CONTESTANTS: Final = ("mailport", "postfix", "nodemailer", "aiosmtplib")


def main() -> int:
    """Measures what the command line asks for; returns 1 when there is no sink to measure with."""
    asked = _arguments()
    if reason := SmtpSink.missing():
        print(f"The bench cannot run: {reason}.", file=sys.stderr)  # noqa: T201 - for the person who runs it
        return 1
    chosen = [name for name in PARTS if name in asked.what] or list(PARTS)
    # Not readable by its owner alone: the database and Postfix run as users of their own.
    folder = Path(tempfile.mkdtemp(prefix="mailport-bench-", dir=asked.folder))
    folder.chmod(0o755)
    plan = _plan(asked, folder)
    try:
        head = _head(plan, asked)
        sys.stdout.write(f"{head}\n")
        sections = []
        for name in chosen:
            sections.append(asyncio.run(PARTS[name](plan)))
            sys.stdout.write(f"{sections[-1]}\n")
            sys.stdout.flush()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if asked.write or not asked.what:
        write_page(PAGE, head=head, sections=sections)
    return 0


def _plan(asked: argparse.Namespace, folder: Path) -> Plan:
    profile = Path(asked.profile).resolve() if asked.profile else None
    if profile:
        profile.parent.mkdir(parents=True, exist_ok=True)
    return Plan(
        folder=folder,
        rounds=asked.rounds,
        messages=asked.messages,
        contestants=frozenset(asked.what) & frozenset(CONTESTANTS),
        callers=tuple(asked.callers),
        processes=tuple(asked.processes),
        seconds=asked.seconds,
        queued=asked.queued,
        configurations=asked.configurations,
        profile=profile,
    )


def _head(plan: Plan, asked: argparse.Namespace) -> str:
    lines = "\n".join(f"- {fact}" for fact in machine.facts(plan.folder))
    words = " ".join(sys.argv[1:])
    return (
        "# Bench\n\n"
        f"Written by `make bench{f' BENCH={words!r}' if words else ''}`; what each part measures, and how, is in"
        " [tests/bench/README.md](../tests/bench/README.md).\n"
        f"Medians of {asked.rounds} rounds, with the lowest and the highest in brackets.\n\n"
        f"{lines}\n- load average when it began: {machine.load_average()}\n"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure mailport against its peers and limits.")
    parser.add_argument(
        "what", nargs="*", choices=[*PARTS, *CONTESTANTS, []], metavar="PART or CONTESTANT",
        help=f"parts: {', '.join(PARTS)} (default: all); contestants: {', '.join(CONTESTANTS)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, help="a round's, for each contestant")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], help="of mailport, on one database")
    parser.add_argument("--seconds", type=int, help="how long the parts run that go by time")
    parser.add_argument("--queued", type=int, default=1_000_000, help="waiting deliveries of the part claim")
    parser.add_argument("--configurations", type=int, default=1_000, help="of the part of that name")
    parser.add_argument("--profile", metavar="FILE", help="run mailport under cProfile, its figures beside FILE")
    parser.add_argument("--write", action="store_true", help="into docs/bench.md, as a run of everything does")
    parser.add_argument("--folder", help="where data is kept meanwhile (default: the system's temporary folder)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
