"""The options of one process, and what may be wrong with the environment they come from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from domain.retention import DEFAULT_CONTENT, DEFAULT_DELIVERY
from domain.secret import Secret

PREFIX: Final = "MAILPORT_"


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

    @property
    def from_here(self) -> Address:
        """Where this machine finds it: loopback for "every address", which a browser cannot open."""
        try:
            listens = ipaddress.ip_address(self.host)
        except ValueError:
            return self
        if not listens.is_unspecified:
            return self
        return replace(self, host="127.0.0.1" if listens.version == 4 else "::1")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Options:
    """How this process runs; the environment's names are in the README."""

    data_dir: Path
    grpc_address: Address = Address("127.0.0.1", 50051)
    web_address: Address = Address("127.0.0.1", 8080)
    database_url: Secret | None = None
    """None: the embedded PostgreSQL in `data_dir`."""
    keys_file: Path | None = None
    """None: ``keys.json`` in `data_dir`. Made by itself together with a new embedded database only."""
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
    content_retention: timedelta = DEFAULT_CONTENT
    delivery_retention: timedelta = DEFAULT_DELIVERY
    log_level: str = "info"
    log_format: LogFormat = LogFormat.JSON

    @property
    def has_identity(self) -> bool:
        """Tells whether callers have to say who they are."""
        return bool(self.jwks) or self.clients_file is not None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the environment."""

    name: str
    """The variable's, prefix included."""
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}\n  What to do: {self.remedy}"


class OptionsInvalid(Exception):
    """
    The environment cannot be used; `problems` names everything that is wrong with it.

    `readable` holds the options that could be read, with the default of each that could not: for finding more that is
    wrong, never for running. `unusable` names the latter, without prefix.
    """

    def __init__(self, problems: Iterable[Problem], *, readable: Options, unusable: AbstractSet[str]) -> None:
        self.problems = tuple(problems)
        self.readable = readable
        self.unusable = frozenset(unusable)
        super().__init__("; ".join(f"{problem.name}: {problem.message}" for problem in self.problems))
