"""Programs from npm: what package-lock.json beside them names is installed once."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

_INSTALL_SECONDS: Final = 300
_LOWEST_NODE: Final = 20


def missing(folder: Path) -> str | None:
    """Returns why what *folder* holds cannot run here, or None if it can; installs its packages on the first call."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: nodejs, npm)"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    if int(version.strip().removeprefix("v").partition(".")[0]) < _LOWEST_NODE:
        return f"node {_LOWEST_NODE} is needed and {version.strip()} installed"
    return _install(folder)


def _install(folder: Path) -> str | None:
    """Installs what package-lock.json names, once; returns why that failed, or None."""
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    modules = folder / "node_modules"
    stamp = modules / ".installed-from"
    modules.mkdir(exist_ok=True)
    with (modules / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs in one checkout
        if stamp.exists() and stamp.read_text() == wanted:
            return None
        # Not `npm ci`, which would remove the folder that holds the lock.
        command = ["npm", "install", "--omit=dev", "--omit-lockfile-registry-resolved=true", "--no-save"]
        try:
            done = subprocess.run(
                [*command, "--no-audit", "--no-fund"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"npm did not install {folder.name} within {_INSTALL_SECONDS} seconds"
        if done.returncode != 0:
            return f"npm could not install {folder.name}: {done.stderr.strip()[-300:]}"
        stamp.write_text(wanted)
        return None
