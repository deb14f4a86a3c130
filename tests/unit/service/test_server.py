"""The server commands before anything runs: what is wrong is told, and nothing opens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from domain.secret import Secret
from service.options import Address, Options, ProcessRole
from service.server import check, no_walk, serve


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(data_dir=tmp_path / "data", grpc_address=Address("127.0.0.1", 0))


@pytest.fixture
def broken(options: Options, tmp_path: Path) -> Options:
    """Options that three things are wrong with, none of them the database's address."""
    clients = tmp_path / "clients.json"
    clients.write_text(json.dumps({"shop": {}}))
    return replace(
        options,
        database_url=Secret("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"),
        keys_file=tmp_path / "mistyped.json",
        egress_allow="10.0.0.0/99",
        clients_file=clients,
    )


def test_given_files_and_networks_that_are_wrong_when_served_then_all_are_named_and_nothing_is_opened(
    broken: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    code = serve(broken, sandbox=True, walk=False)

    shown = capsys.readouterr()
    assert code == 1
    assert shown.out == ""
    assert [line.partition(": ")[0] for line in shown.err.splitlines() if line.startswith("MAILPORT_")] == [
        "MAILPORT_KEYS_FILE",
        "MAILPORT_EGRESS_ALLOW",
        "MAILPORT_CLIENTS_FILE",
    ]
    assert not broken.data_dir.exists()


def test_given_things_that_are_wrong_when_checked_then_each_fails_once_and_the_rest_is_checked_all_the_same(
    broken: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    code = check(broken)

    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert [" ".join(line.split()[:2]) for line in lines] == [
        "FAIL MAILPORT_KEYS_FILE:",
        "FAIL MAILPORT_EGRESS_ALLOW:",
        "FAIL MAILPORT_CLIENTS_FILE:",
        "FAIL database:",
    ]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"tls_cert": Path("cert.pem"), "tls_key": Path("key.pem")}, "MAILPORT_TLS_CERT"),
        ({"jwks": "keys.json"}, "MAILPORT_JWKS"),
        ({"roles": frozenset(ProcessRole) - {ProcessRole.API}}, "role api"),
        ({"roles": frozenset({ProcessRole.WEB})}, "role api and worker"),
        ({"roles": frozenset(ProcessRole) - {ProcessRole.WEB}}, "role web"),
        ({"public_url": "https://mail.example.com"}, "MAILPORT_PUBLIC_URL"),
    ],
)
def test_given_a_process_that_the_walk_cannot_talk_to_when_asked_then_says_why_in_one_line(
    options: Options, changed: dict[str, object], named: str
) -> None:
    why = no_walk(replace(options, **changed))  # type: ignore[arg-type]

    assert why is not None
    assert named in why
    assert "\n" not in why


def test_given_the_usual_options_when_asked_then_the_walk_may_begin(options: Options) -> None:
    assert no_walk(options) is None
    assert no_walk(replace(options, public_url="http://127.0.0.1:8080")) is None
