"""Reads the environment and the files of secrets; collects everything that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from domain.retention import DEFAULT_CONTENT, DEFAULT_DELIVERY
from domain.secret import Secret
from service.options.contradictions import contradictions
from service.options.model import PREFIX, Address, LogFormat, Options, OptionsInvalid, Problem, ProcessRole
from service.options.parsers import (
    FILE_SUFFIX,
    Wrong,
    read_address,
    read_content_retention,
    read_data_center,
    read_data_centers,
    read_delivery_retention,
    read_hosts,
    read_level,
    read_log_format,
    read_public_url,
    read_roles,
    read_switch,
    readable_file,
    with_file,
)

_SECRETS: Final = frozenset({"DATABASE_URL"})
_T = TypeVar("_T")


def load_options(environment: Mapping[str, str], *, is_terminal: bool = False) -> Options:
    """
    Returns the options that *environment* sets.

    A variable that is set but empty counts as unset. Any secret may come as ``…_FILE`` instead, naming a file that
    holds it. *is_terminal*: log lines are text rather than JSON unless said otherwise. Raises OptionsInvalid with
    every problem.
    """
    reading = _Reading(environment)
    options = reading.options(is_terminal=is_terminal)
    problems = [*reading.problems, *contradictions(options, reading.unusable)]
    if problems:
        raise OptionsInvalid(problems, readable=options, unusable=reading.unusable)
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
            grpc_address=self._take("GRPC_ADDRESS", read_address, Address("127.0.0.1", 50051)),
            web_address=self._take("WEB_ADDRESS", read_address, Address("127.0.0.1", 8080)),
            database_url=self._take("DATABASE_URL", Secret, None),
            keys_file=self._take("KEYS_FILE", Path, None),
            public_url=self._take("PUBLIC_URL", read_public_url, ""),
            roles=self._take("ROLES", read_roles, frozenset(ProcessRole)),
            data_center=self._take("DATA_CENTER", read_data_center, ""),
            data_centers=self._take("DATA_CENTERS", read_data_centers, ()),
            egress_allow=self._take("EGRESS_ALLOW", str, ""),
            plaintext_hosts=self._take("PLAINTEXT_HOSTS", read_hosts, frozenset()),
            tls_cert=self._take("TLS_CERT", readable_file, None),
            tls_key=self._take("TLS_KEY", readable_file, None),
            client_ca=self._take("CLIENT_CA", readable_file, None),
            clients_file=self._take("CLIENTS_FILE", readable_file, None),
            jwks=self._take("JWKS", str, ""),
            jwt_issuer=self._take("JWT_ISSUER", str, ""),
            jwt_audience=self._take("JWT_AUDIENCE", str, ""),
            insecure=self._take("INSECURE", read_switch, False),
            content_retention=self._take("CONTENT_RETENTION", read_content_retention, DEFAULT_CONTENT),
            delivery_retention=self._take("DELIVERY_RETENTION", read_delivery_retention, DEFAULT_DELIVERY),
            log_level=self._take("LOG_LEVEL", read_level, "info"),
            log_format=self._take("LOG_FORMAT", read_log_format, plain),
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
                text = with_file(text, self.environment.get(full + FILE_SUFFIX, ""))
            return parse(text) if text else default
        except Wrong as wrong:
            self.unusable.add(name)
            self.problems.append(Problem(full + wrong.suffix, wrong.message, wrong.remedy))
            return default

    def _default_data_dir(self) -> Path:
        try:
            return default_data_dir(self.environment)
        except RuntimeError:
            self.unusable.add("DATA_DIR")
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
