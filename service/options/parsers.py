"""What each variable may say: one function a kind of value, each raises Wrong."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from domain.errors import Violation
from domain.host import parse_host
from domain.retention import LONGEST_DELIVERY, SHORTEST_DELIVERY
from service.options.model import Address, LogFormat, ProcessRole

FILE_SUFFIX: Final = "_FILE"
_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_DATA_CENTER: Final = re.compile(r"[a-z0-9._-]{1,63}")


_SPAN: Final = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


class Wrong(Exception):
    """A value cannot be used. *suffix*: what the variable's name ends in, where its file is meant."""

    def __init__(self, message: str, remedy: str, *, suffix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.suffix = suffix


def with_file(text: str, path: str) -> str:
    """Returns *text*, or else what the file at *path* holds, without blanks around it."""
    if not path:
        return text
    if text:
        raise Wrong("It is set, and so is its file.", "Set one of them alone.", suffix=FILE_SUFFIX)
    check = "Check the path, the file and its mode."
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Wrong(f"The file {path} cannot be read: {error.strerror}.", check, suffix=FILE_SUFFIX) from error
    except ValueError:
        raise Wrong(f"The file {path} cannot be read: it is no text.", check, suffix=FILE_SUFFIX) from None
    if not secret:
        raise Wrong(f"The file {path} is empty.", check, suffix=FILE_SUFFIX)
    return secret


def read_address(text: str) -> Address:
    """Returns ``host:port``; an IPv6 address stands in brackets."""
    written, separator, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535
    # Without brackets nobody can tell where an IPv6 address ends and its port begins.
    host = None if ":" in written and not written.startswith("[") else parse_host(written, field="")
    if not separator or not is_port or host is None or isinstance(host, Violation):
        raise Wrong(
            f"{text!r} is not an address and a port.",
            "Write host:port, e.g. 127.0.0.1:50051 or [::1]:50051; port 0 takes any.",
        )
    return Address(host.name, int(port))


def read_public_url(text: str) -> str:
    """Returns an http or https address without user, query and fragment, and without a trailing slash."""
    wrong = Wrong(
        "This is not a web address that browsers can be sent to.",
        "Write it without user, query or blanks, e.g. https://mail.example.com.",
    )
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is none
    except ValueError:
        raise wrong from None
    # urlsplit passes over line breaks and takes what no browser would.
    if parts.scheme not in ("http", "https") or any(not " " < character <= "~" for character in text):
        raise wrong
    if parts.username is not None or parts.query or parts.fragment or "?" in text or "#" in text:
        raise wrong
    if isinstance(parse_host(parts.hostname or "", field=""), Violation):
        raise wrong
    return text.rstrip("/")


def read_hosts(text: str) -> frozenset[str]:
    """Returns names and IP addresses in their one usual form."""
    read = {name: parse_host(name, field="") for name in _names(text)}
    if wrong := [name for name, host in read.items() if isinstance(host, Violation)]:
        raise Wrong(
            f"{', '.join(map(repr, wrong))} cannot be a host.", "List names or IP addresses, separated by commas."
        )
    return frozenset(str(host) for host in read.values())


def read_roles(text: str) -> frozenset[ProcessRole]:
    """Returns at least one role; case does not matter."""
    names = _names(text.lower())
    known = {role.value for role in ProcessRole}
    remedy = f"Choose of {', '.join(sorted(known))}, separated by commas; unset it for all of them."
    if wrong := [name for name in names if name not in known]:
        raise Wrong(f"There is no role {', '.join(wrong)}.", remedy)
    if not names:
        raise Wrong("It names no role, so this process would do nothing.", remedy)
    return frozenset(ProcessRole(name) for name in names)


def read_data_center(text: str) -> str:
    """Returns the name of a data center: 1 to 63 of ``a-z0-9-_.``; compared as it is written."""
    if not _DATA_CENTER.fullmatch(text):
        raise Wrong(
            f"{text!r} cannot be the name of a data center.",
            "Write 1 to 63 of a to z, 0 to 9, hyphen, underscore, dot.",
        )
    return text


def read_data_centers(text: str) -> tuple[str, ...]:
    """Returns the names in the order they are written, each once; an empty one is a slip that may hide a name."""
    names = [part.strip() for part in text.split(",")]
    if wrong := [name for name in names if not _DATA_CENTER.fullmatch(name)]:
        raise Wrong(
            f"{', '.join(map(repr, dict.fromkeys(wrong)))} cannot be the name of a data center.",
            "Separate names by single commas, each of 1 to 63 of a to z, 0 to 9, hyphen, underscore, dot.",
        )
    return tuple(dict.fromkeys(names))


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in text.replace(",", " ").split() if part))


def readable_file(text: str) -> Path:
    """Returns the path of a regular file that this process may read."""
    # os.path answers False to whatever cannot be asked, such as a file in a folder that is closed to us.
    if not os.path.isfile(text) or not os.access(text, os.R_OK):
        raise Wrong(f"The file {text} is not there or cannot be read.", "Check the path and the file's mode.")
    return Path(text)


def read_switch(text: str) -> bool:
    """Returns whether it is 1; else it has to be 0."""
    if text not in ("0", "1"):
        raise Wrong(f"{text!r} is neither 0 nor 1.", "Set 1 to switch it on, or unset it.")
    return text == "1"


def read_level(text: str) -> str:
    """Returns a log level in lower case."""
    if text.lower() not in _LEVELS:
        raise Wrong(f"There is no log level {text!r}.", f"Choose of {', '.join(_LEVELS)}.")
    return text.lower()


def read_log_format(text: str) -> LogFormat:
    """Returns json or text; case does not matter."""
    if text.lower() not in list(LogFormat):
        raise Wrong(f"There is no log format {text!r}.", "Choose json or text.")
    return LogFormat(text.lower())


def read_content_retention(text: str) -> timedelta:
    """Returns a span from 0s to 10 years: a whole number and one of s, m, h, d."""
    return _span(text, least=timedelta(0), most=LONGEST_DELIVERY)


def read_delivery_retention(text: str) -> timedelta:
    """Returns a span from 1 day to 10 years, written like that of contents."""
    return _span(text, least=SHORTEST_DELIVERY, most=LONGEST_DELIVERY)


def _span(text: str, *, least: timedelta, most: timedelta) -> timedelta:
    written = _SPAN.fullmatch(text.strip())
    # Compared as numbers first: a span of too many days cannot even be made.
    many = int(written[1]) * _UNITS[written[2]].total_seconds() if written else -1
    if not least.total_seconds() <= many <= most.total_seconds():
        raise Wrong(
            f"{text!r} is not a span from {_words(least)} to {_words(most)}.",
            "Write a whole number and a unit (s, m, h or d), e.g. 72h or 30d.",
        )
    return timedelta(seconds=many)


def _words(span: timedelta) -> str:
    return f"{span.days}d" if span else "0s"
