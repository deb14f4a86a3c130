"""A Postfix of the bench's own: everything it writes is in one folder, and it relays all mail to a sink."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.peers.net import free_port, wait_port

_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

# Debian's services, without the ones that deliver to programs, and without a chroot, which would need files copied.
_MASTER: Final = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
_MAIN: Final = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = relay.bench.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_relay_restrictions = permit_mynetworks reject
relayhost = [127.0.0.1]:{sink}
smtp_dns_support_level = disabled
alias_maps =
alias_database =
local_recipient_maps =
biff = no
"""


def missing() -> str | None:
    """Returns why Postfix cannot run here, or None if it can."""
    if any(shutil.which(program, path=_PATH) is None for program in ("postfix", "smtp-source")):
        return "it is not installed (Debian: postfix)"
    return None if os.geteuid() == 0 else "only root may start it"


@asynccontextmanager
async def relay(folder: Path, *, sink: int, settings: Mapping[str, str] = _NOTHING) -> AsyncIterator[int]:
    """
    Starts a Postfix with its queue in *folder*, a new one, that relays to the port *sink*; yields its own port.

    Its other settings are the defaults of Postfix, *settings* apart. Raises RuntimeError with what it said when it
    does not start.
    """
    port = free_port()
    etc = _written(folder, port=port, sink=sink, settings=settings)
    await asyncio.to_thread(_postfix, etc, "start")
    try:
        await asyncio.to_thread(wait_port, port)
        yield port
    finally:
        await asyncio.to_thread(_postfix, etc, "stop")


async def source(port: int, *, messages: int, sessions: int, size_bytes: int) -> None:
    """Gives *messages* to the relay over *sessions* connections that are kept. Raises RuntimeError when refused."""
    program = shutil.which("smtp-source", path=_PATH)
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program, "-d", "-s", str(sessions), "-m", str(messages), "-l", str(size_bytes), "-f", "robot@example.com",
        "-t", "anna@example.com", "-S", "Bench", f"127.0.0.1:{port}",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"smtp-source: {said.decode(errors='replace').strip()}")


def _written(folder: Path, *, port: int, sink: int, settings: Mapping[str, str]) -> Path:
    etc = folder / "etc"
    for each in (etc, folder / "queue", folder / "data"):
        each.mkdir(parents=True)
    folder.chmod(0o755)
    shutil.chown(folder / "data", "postfix")
    (etc / "master.cf").write_text(_MASTER.format(port=port))
    extra = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (etc / "main.cf").write_text(_MAIN.format(folder=folder, sink=sink) + extra)
    return etc


def _postfix(etc: Path, command: str) -> None:
    program = shutil.which("postfix", path=_PATH)
    assert program is not None
    # Its own variables would name the instance of the whole machine; and what it leaves running must hold no pipe.
    log = etc.parent / "postfix.out"
    with log.open("ab") as output:
        done = subprocess.run(
            [program, "-c", etc, command],
            env={"PATH": _PATH, "MAIL_CONFIG": str(etc)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
    if done.returncode != 0:
        logs = [path.read_text(errors="replace") for path in (log, etc.parent / "mail.log") if path.exists()]
        raise RuntimeError(f"postfix {command}: {' '.join(logs)[-2000:]}")
