"""The one test that builds the whole container: keyword arguments of providers are checked by nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.system.keyring import KeyRing
from domain.secret import Secret
from service.container import (
    StartFailed,
    caller_identity,
    container,
    egress_policy,
    given_dsn,
    load_keys,
)
from service.options import Options
from service.rpc.identity.certificates import CertificateIdentity
from service.rpc.identity.none import NoIdentity
from tests.fakes.environment import FakeClock

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(data_dir=tmp_path)


async def test_given_options_when_everything_is_built_then_nothing_is_missing(options: Options) -> None:
    built = container(
        options,
        dsn="postgresql://nobody@127.0.0.1:1/none",
        ring=KeyRing.generate(now=NOW),
        egress=egress_policy(""),
        callback_url="http://127.0.0.1:8080/oauth/callback",
    )

    parts = {name: provider() for name, provider in built.providers.items()}

    assert len(parts) == len(built.providers)
    assert all(part is not None for name, part in parts.items())
    assert parts["send"] is built.send()
    assert built.uow() is not built.uow()


def test_given_no_identity_configured_when_asked_then_everybody_is_the_default_tenant(options: Options) -> None:
    assert isinstance(caller_identity(options, FakeClock()), NoIdentity)


def test_given_a_list_of_clients_when_asked_then_certificates_decide(options: Options, tmp_path: Path) -> None:
    clients = tmp_path / "clients.json"
    clients.write_text(json.dumps({"spiffe://example.test/shop": {"tenant": "shop", "roles": ["send"]}}))

    identity = caller_identity(replace(options, clients_file=clients), FakeClock())

    assert isinstance(identity, CertificateIdentity)


def test_given_a_wrong_list_of_clients_when_starting_then_says_which_file(options: Options, tmp_path: Path) -> None:
    clients = tmp_path / "clients.json"
    clients.write_text("no json")

    with pytest.raises(StartFailed) as failed:
        caller_identity(replace(options, clients_file=clients), FakeClock())

    assert "MAILPORT_CLIENTS_FILE" in failed.value.message


def test_given_a_wrong_egress_list_when_starting_then_names_the_variable() -> None:
    with pytest.raises(StartFailed) as failed:
        egress_policy("10.0.0.0/99")

    assert "MAILPORT_EGRESS_ALLOW" in failed.value.message
    assert "10.0.0.0/99" in failed.value.message


def test_given_a_database_of_ones_own_when_the_key_ring_is_missing_then_none_is_made(tmp_path: Path) -> None:
    """A new ring beside an old database would make every stored secret unreadable."""
    keys = tmp_path / "keys.json"
    options = Options(data_dir=tmp_path, database_url=Secret("postgresql://db/x"), keys_file=keys)

    with pytest.raises(StartFailed) as failed:
        load_keys(options, now=NOW)

    assert str(keys) in failed.value.message
    assert not keys.exists()


def test_given_the_embedded_database_when_starting_twice_then_the_key_ring_is_made_once(options: Options) -> None:
    first = load_keys(options, now=NOW)

    second = load_keys(options, now=NOW)

    assert [key.number for key in second.keys] == [key.number for key in first.keys]
    assert second.digest_key == first.digest_key


def test_given_a_database_url_that_cannot_be_read_when_starting_then_its_password_is_not_shown(tmp_path: Path) -> None:
    options = Options(data_dir=tmp_path, database_url=Secret("postgresql://u:s3cr3t!@[bad"))

    with pytest.raises(StartFailed) as failed:
        given_dsn(options)

    assert "MAILPORT_DATABASE_URL" in failed.value.message
    assert "s3cr3t" not in str(failed.value)
    assert failed.value.__cause__ is None
