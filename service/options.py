"""The environment and secret files as one frozen Options; all problems at once, before a port opens."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from domain.errors import Violation
from domain.host import parse_host
from domain.secret import Secret

PREFIX: Final = "MAILPORT_"
FILE_SUFFIX: Final = "_FILE"
_SECRETS: Final = frozenset({"DATABASE_URL"})
_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_T = TypeVar("_T")


class ProcessRole(StrEnum):
    """What this process does of all that mailport does."""

    API = "api"
    WORKER = "worker"
    KEEPER = "keeper"
    WEB = "web"


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    """A name or an IP literal without brackets."""
    port: int
    """0: a free one, printed at start."""

    @property
    def is_loopback(self) -> bool:
        """Tells whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the environment."""

    name: str
    message: str
    remedy: str


class OptionsInvalid(Exception):
    """The environment cannot be used; `problems` names everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"{problem.name}: {problem.message}" for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Options:
    """How this process runs; the environment's names are in the README and in `mailport serve --help`."""

    data_dir: Path
    grpc_address: Address = Address("127.0.0.1", 50051)
    web_address: Address = Address("127.0.0.1", 8080)
    database_url: Secret | None = None
    """None: the embedded PostgreSQL in `data_dir`."""
    keys_file: Path | None = None
    """None: ``keys.json`` in `data_dir`, made by itself with the embedded database only."""
    public_url: str = ""
    """Without a trailing slash; empty: the web address."""
    roles: frozenset[ProcessRole] = frozenset(ProcessRole)
    data_center: str = ""
    data_centers: tuple[str, ...] = ()
    egress_allow: str = ""
    plaintext_hosts: frozenset[str] = frozenset()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    clients_file: Path | None = None
    jwks: str = ""
    jwt_issuer: str = ""
    jwt_audience: str = ""
    insecure: bool = False
    log_level: str = "info"
    log_format: LogFormat = LogFormat.JSON

    @property
    def has_identity(self) -> bool:
        """Tells whether callers have to say who they are."""
        return bool(self.jwks) or self.clients_file is not None


def load_options(environment: Mapping[str, str], *, is_terminal: bool = False) -> Options:
    """
    Returns the options that *environment* sets.

    A variable that is set but empty counts as unset. Any secret may come as ``…_FILE`` instead, naming a file that
    holds it. *is_terminal*: log lines are text rather than JSON unless said otherwise. Raises OptionsInvalid with
    every problem.
    """
    reading = _Reading(environment)
    options = reading.options(is_terminal=is_terminal)
    problems = [*reading.problems, *_contradictions(options, reading.unusable)]
    if problems:
        raise OptionsInvalid(tuple(problems))
    return options


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """
    Returns the user's data folder for mailport (XDG base directory specification, which passes over a relative base).

    Raises RuntimeError when the user has no home.
    """
    base = Path(environment.get("XDG_DATA_HOME", ""))
    if not base.is_absolute():
        base = Path(environment.get("HOME") or "~").expanduser() / ".local/share"
    return base / "mailport"


@dataclass
class _Reading:
    """Takes the variables one by one and collects what is wrong with them."""

    environment: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    unusable: set[str] = field(default_factory=set)
    """Names, without prefix, of what is set to something wrong: nothing can be said about it beside others."""
    _known: set[str] = field(default_factory=set)

    def options(self, *, is_terminal: bool) -> Options:
        plain = LogFormat.TEXT if is_terminal else LogFormat.JSON
        options = Options(
            data_dir=self._take("DATA_DIR", Path, None) or self._default_data_dir(),
            grpc_address=self._take("GRPC_ADDRESS", _address, Address("127.0.0.1", 50051)),
            web_address=self._take("WEB_ADDRESS", _address, Address("127.0.0.1", 8080)),
            database_url=self._take("DATABASE_URL", Secret, None),
            keys_file=self._take("KEYS_FILE", Path, None),
            public_url=self._take("PUBLIC_URL", _public_url, ""),
            roles=self._take("ROLES", _roles, frozenset(ProcessRole)),
            data_center=self._take("DATA_CENTER", str, ""),
            data_centers=self._take("DATA_CENTERS", _names, ()),
            egress_allow=self._take("EGRESS_ALLOW", str, ""),
            plaintext_hosts=self._take("PLAINTEXT_HOSTS", _hosts, frozenset()),
            tls_cert=self._take("TLS_CERT", _readable, None),
            tls_key=self._take("TLS_KEY", _readable, None),
            client_ca=self._take("CLIENT_CA", _readable, None),
            clients_file=self._take("CLIENTS_FILE", _readable, None),
            jwks=self._take("JWKS", str, ""),
            jwt_issuer=self._take("JWT_ISSUER", str, ""),
            jwt_audience=self._take("JWT_AUDIENCE", str, ""),
            insecure=self._take("INSECURE", _switch, False),
            log_level=self._take("LOG_LEVEL", _level, "info"),
            log_format=self._take("LOG_FORMAT", _log_format, plain),
        )
        self._refuse_unknown()
        return options

    def _take(self, name: str, parse: Callable[[str], _T], default: _T) -> _T:
        full = PREFIX + name
        self._known.add(full)
        try:
            text = self.environment.get(full, "")
            if name in _SECRETS:
                self._known.add(full + FILE_SUFFIX)
                text = _with_file(text, self.environment.get(full + FILE_SUFFIX, ""))
            return parse(text) if text else default
        except _Wrong as wrong:
            self.unusable.add(name)
            self.problems.append(Problem(full + wrong.suffix, wrong.message, wrong.remedy))
            return default

    def _default_data_dir(self) -> Path:
        try:
            return default_data_dir(self.environment)
        except RuntimeError:
            self.problems.append(
                Problem(PREFIX + "DATA_DIR", "This user has no home folder.", "Name a folder for mailport's data.")
            )
            return Path()

    def _refuse_unknown(self) -> None:
        """A misspelt variable must not be passed over in silence: it may have been meant to protect something."""
        for name in sorted(self.environment):
            if name.startswith(PREFIX) and name not in self._known and not name.startswith(PREFIX + "TESTS_"):
                self.problems.append(
                    Problem(name, "mailport knows no variable of this name.", "Check its spelling, or unset it.")
                )


class _Wrong(Exception):
    def __init__(self, message: str, remedy: str, *, suffix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.suffix = suffix


def _with_file(text: str, path: str) -> str:
    if not path:
        return text
    if text:
        raise _Wrong("It is set, and so is its file.", "Set one of them alone.", suffix=FILE_SUFFIX)
    check = "Check the path, the file and its mode."
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _Wrong(f"The file {path} cannot be read: {error.strerror}.", check, suffix=FILE_SUFFIX) from error
    except ValueError:
        raise _Wrong(f"The file {path} cannot be read: it is no text.", check, suffix=FILE_SUFFIX) from None
    if not secret:
        raise _Wrong(f"The file {path} is empty.", check, suffix=FILE_SUFFIX)
    return secret


def _address(text: str) -> Address:
    written, separator, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535
    # Without brackets nobody can tell where an IPv6 address ends and its port begins.
    host = None if ":" in written and not written.startswith("[") else parse_host(written, field="")
    if not separator or not is_port or host is None or isinstance(host, Violation):
        raise _Wrong(
            f"{text!r} is not an address and a port.",
            "Write host:port, e.g. 127.0.0.1:50051 or [::1]:50051; port 0 takes any.",
        )
    return Address(host.name, int(port))


def _public_url(text: str) -> str:
    wrong = _Wrong(
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


def _hosts(text: str) -> frozenset[str]:
    read = {name: parse_host(name, field="") for name in _names(text)}
    if wrong := [name for name, host in read.items() if isinstance(host, Violation)]:
        raise _Wrong(
            f"{', '.join(map(repr, wrong))} cannot be a host.", "List names or IP addresses, separated by commas."
        )
    return frozenset(str(host) for host in read.values())


def _roles(text: str) -> frozenset[ProcessRole]:
    names = _names(text.lower())
    known = {role.value for role in ProcessRole}
    remedy = f"Choose of {', '.join(sorted(known))}, separated by commas; unset it for all of them."
    if wrong := [name for name in names if name not in known]:
        raise _Wrong(f"There is no role {', '.join(wrong)}.", remedy)
    if not names:
        raise _Wrong("It names no role, so this process would do nothing.", remedy)
    return frozenset(ProcessRole(name) for name in names)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in text.replace(",", " ").split() if part))


def _readable(text: str) -> Path:
    # os.path answers False to whatever cannot be asked, such as a file in a folder that is closed to us.
    if not os.path.isfile(text) or not os.access(text, os.R_OK):
        raise _Wrong(f"The file {text} is not there or cannot be read.", "Check the path and the file's mode.")
    return Path(text)


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise _Wrong(f"{text!r} is neither 0 nor 1.", "Set 1 to switch it on, or unset it.")
    return text == "1"


def _level(text: str) -> str:
    if text.lower() not in _LEVELS:
        raise _Wrong(f"There is no log level {text!r}.", f"Choose of {', '.join(_LEVELS)}.")
    return text.lower()


def _log_format(text: str) -> LogFormat:
    if text.lower() not in list(LogFormat):
        raise _Wrong(f"There is no log format {text!r}.", "Choose json or text.")
    return LogFormat(text.lower())


def _contradictions(options: Options, unusable: AbstractSet[str]) -> list[Problem]:
    problems = []

    def check(holds: bool, names: str, message: str, remedy: str) -> None:
        """Reports under the first of *names*, unless one of them is wrong by itself."""
        if not holds and unusable.isdisjoint(names.split()):
            problems.append(Problem(PREFIX + names.split(maxsplit=1)[0], message, remedy))

    check(
        (options.tls_cert is None) == (options.tls_key is None),
        "TLS_CERT TLS_KEY",
        "A server certificate and its key go together, and one is missing.",
        "Set both MAILPORT_TLS_CERT and MAILPORT_TLS_KEY.",
    )
    check(
        options.client_ca is None or options.tls_cert is not None,
        "CLIENT_CA TLS_CERT",
        "Client certificates are checked over TLS only.",
        "Set MAILPORT_TLS_CERT and MAILPORT_TLS_KEY too.",
    )
    check(
        (options.client_ca is None) == (options.clients_file is None),
        "CLIENTS_FILE CLIENT_CA",
        "The CA of client certificates and the list of clients go together, and one is missing.",
        "Set both MAILPORT_CLIENT_CA and MAILPORT_CLIENTS_FILE.",
    )
    check(
        len({bool(part) for part in (options.jwks, options.jwt_issuer, options.jwt_audience)}) == 1,
        "JWKS JWT_ISSUER JWT_AUDIENCE",
        "Bearer tokens are checked against keys, issuer and audience, and not all three are set.",
        "Set MAILPORT_JWKS, MAILPORT_JWT_ISSUER and MAILPORT_JWT_AUDIENCE.",
    )
    check(
        not options.data_center or options.data_center in options.data_centers,
        "DATA_CENTER DATA_CENTERS",
        f"The data center {options.data_center!r} is not one of MAILPORT_DATA_CENTERS.",
        "Name all data centers in MAILPORT_DATA_CENTERS, this one included.",
    )
    check(
        options.database_url is None or options.keys_file is not None,
        "KEYS_FILE DATABASE_URL",
        "With a database of your own, the key ring must be named: it is needed to read what is stored.",
        "Make one with `mailport keys create PATH`, keep it safe, and set MAILPORT_KEYS_FILE.",
    )
    securing = "TLS_CERT CLIENTS_FILE JWKS INSECURE"
    secured = options.tls_cert is not None and options.has_identity
    check(
        options.grpc_address.is_loopback or secured or options.insecure,
        f"GRPC_ADDRESS {securing}",
        f"{options.grpc_address} can be reached from other machines, and callers are neither encrypted nor identified.",
        "Set up TLS and an identity (MAILPORT_TLS_CERT with MAILPORT_CLIENT_CA or MAILPORT_JWKS), listen on 127.0.0.1, "
        "or set MAILPORT_INSECURE=1 where the network itself is trusted.",
    )
    check(
        options.web_address.is_loopback or secured or options.insecure,
        f"WEB_ADDRESS {securing}",
        f"{options.web_address} can be reached from other machines, while callers are neither encrypted nor "
        "identified.",
        "As for MAILPORT_GRPC_ADDRESS; browsers reach the web side through your own TLS proxy.",
    )
    return problems
