"""What the environment's variables name, looked at before anything opens: all that is wrong with it at once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace

from service.container import (
    StartFailed,
    caller_identity,
    caller_keys,
    egress_policy,
    examine_keys,
    explained,
    given_dsn,
    system_clock,
    tls_credentials,
)
from service.options import Options, Problem


def examine(options: Options, *, unusable: AbstractSet[str] = frozenset()) -> tuple[Problem, ...]:
    """
    Returns all that is wrong with what the variables name, each found apart from the others; opens and makes nothing.

    Files are read; nothing is asked over a network. *unusable*: names, without prefix, of variables that could not be
    read, which *options* holds the defaults of. Blocks; not to be called where a loop runs.
    """
    examinations: tuple[Callable[[], object], ...] = (
        lambda: given_dsn(options),
        lambda: examine_keys(options, unusable=unusable),
        lambda: egress_policy(options.egress_allow),
        lambda: tls_credentials(replace(options, client_ca=None)),
        lambda: _examine_client_ca(options),
        lambda: caller_identity(replace(options, jwks=""), system_clock()),
        lambda: _examine_jwks(options),
    )
    return tuple(problem for examination in examinations if (problem := _problem(examination)) is not None)


def describe_edge(options: Options) -> str:
    """Says how callers are secured and identified, having read all that it takes; blocks. Raises StartFailed."""
    secured = "TLS" if tls_credentials(options) is not None else "plain text"
    caller_identity(options, system_clock())
    ways = [
        way
        for way, is_used in (("client certificates", options.clients_file), ("bearer tokens", options.jwks))
        if is_used
    ]
    if options.jwks:
        with explained():
            asyncio.run(caller_keys(options, system_clock()).renew())
    return f"{secured}, callers by {' or '.join(ways)}" if ways else f"{secured}, every caller is the tenant default"


def _problem(examination: Callable[[], object]) -> Problem | None:
    try:
        examination()
    except StartFailed as error:
        return error.problem
    return None


def _examine_client_ca(options: Options) -> None:
    if options.client_ca is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(options.client_ca)
    except (OSError, ValueError) as error:
        raise StartFailed(
            f"{options.client_ca} holds no certificates that can be read.",
            "Give the PEM certificates of the authorities that issue your clients' certificates.",
            variable="MAILPORT_CLIENT_CA",
        ) from error


def _examine_jwks(options: Options) -> None:
    """Addresses are not fetched: a restart must not depend on the issuer, whose keys are fetched when needed."""
    if not options.jwks:
        return
    with explained():
        keys = caller_keys(options, system_clock())
        if "://" not in options.jwks:
            asyncio.run(keys.renew())
