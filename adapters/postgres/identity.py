"""As whom PostgreSQL's programs run: postgres refuses to be root, and its files must stay within reach."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.postgres.binaries import EmbeddedPostgresFailed

_REMEDY: Final = (
    "Set MAILPORT_DATA_DIR to a folder every user may enter, such as /var/lib/mailport, and install mailport where"
    " every user may read it; or run mailport as a normal user; or set MAILPORT_DATABASE_URL."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A way to start programs: with `prefix` before the command, as `uid` and `gid` unless these are None."""

    name: str
    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def command(self, *argv: str | Path) -> list[str]:
        """Returns the command line that runs `argv` this way; the user is changed by whoever starts it."""
        return [*self.prefix, *map(str, argv)]

    def run(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end and returns its exit code and texts."""
        drop: dict[str, Any] = {}
        if self.uid is not None:
            drop = {"user": self.uid, "group": self.gid, "extra_groups": []}
        return subprocess.run(
            self.command(*argv), env=environment(), cwd="/", check=False, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", **drop,
        )  # fmt: skip

    def adopt(self, path: Path) -> None:
        """Hands a file or folder of ours to the user that programs run as."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def reaches(self, folder: Path, program: Path) -> bool:
        """Tells whether programs started this way can enter `folder` and execute `program`."""
        probe = 'cd "$1" && exec "$2" --version'
        try:
            return self.run("/bin/sh", "-c", probe, "sh", folder, program).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False


def environment() -> dict[str, str]:
    """
    Returns all that PostgreSQL's programs see of our environment.

    Nothing is inherited, since variables such as PGDATA would steer them and secrets have no business there. LC_ALL
    keeps their messages in English.
    """
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def choose_identity(home: Path, data: Path, binaries: Path) -> Identity:
    """
    Returns the first way of starting programs that reaches `home` and `binaries`; changes no mode and no owner.

    Raises EmbeddedPostgresFailed when no way does.
    """
    tried: list[str] = []
    blocked = home
    for candidate in _candidates(home, data):
        if candidate.reaches(home, binaries / "postgres"):
            return candidate
        tried.append(candidate.name)
        blocked = binaries if candidate.reaches(home, Path("/bin/true")) else home
    raise EmbeddedPostgresFailed(
        f"PostgreSQL does not run as root, and {blocked} is out of reach for {' and '.join(tried)}."
        if os.geteuid() == 0
        else f"{blocked} is out of reach for the user mailport runs as.",
        _REMEDY,
    )


def _candidates(home: Path, data: Path) -> Iterator[Identity]:
    existing = (data if data.exists() else home).stat().st_uid
    if os.geteuid() != 0:
        # initdb wants a name for its user; a container started with a free user id has none.
        if not _has_name(os.geteuid()):
            yield from _namespace()
        yield Identity(name="the current user")
    elif existing != 0:
        yield _user(existing)
    else:
        yield from _namespace()
        # The namespace's files are root's, so nobody could not open a folder that was made that way.
        if not data.exists():
            yield _user(_stand_in())


def _namespace() -> Iterator[Identity]:
    """A user namespace of its own: postgres sees a normal user, the kernel sees us, and files stay ours."""
    if unshare := shutil.which("unshare"):
        user = _stand_in()
        prefix: Sequence[str] = (unshare, "--user", f"--map-user={user}", f"--map-group={user}")
        yield Identity(name="a user namespace", prefix=tuple(prefix))


def _user(uid: int) -> Identity:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Identity(name=f"user {uid}", uid=uid, gid=uid)
    return Identity(name=f"user {entry.pw_name}", uid=uid, gid=entry.pw_gid)


def _stand_in() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid), 65534)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
