"""What the variables name is looked at before anything opens: each by itself, all at once, nothing made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OctKey

from adapters.system.keyfile import KeyFile
from domain.secret import Secret
from service.container import StartFailed, load_keys
from service.examining import examine
from service.options import Options
from tests.peers.ca import TestCA

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DSN = "postgresql://mailport:hunter2@db.example.com/mailport"


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(data_dir=tmp_path / "data")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "ring.json"
    KeyFile(path).create(now=NOW)
    return path


@pytest.fixture
def written(tmp_path: Path) -> Callable[[object], Path]:
    """Writes a file: text as it is, anything else as JSON."""

    def write(content: object) -> Path:
        path = tmp_path / "written"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def found(options: Options, *unusable: str) -> list[str]:
    """Names, without prefix, of everything that is wrong."""
    problems = examine(options, unusable=frozenset(unusable))
    assert all(problem.message and problem.remedy for problem in problems)
    assert all(not problem.message.startswith("MAILPORT_") for problem in problems), "the name is said twice"
    return [problem.name.removeprefix("MAILPORT_") for problem in problems]


def test_given_an_empty_environment_when_examined_then_nothing_is_wrong_and_nothing_was_made(options: Options) -> None:
    assert found(options) == []
    assert not options.data_dir.exists()


def test_given_everything_in_order_when_examined_then_nothing_is_wrong(
    options: Options, ca: TestCA, keys: Path, written: Callable[[object], Path], tmp_path: Path
) -> None:
    server = ca.issue("server")
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}))

    wrong = found(
        replace(
            options,
            database_url=Secret(DSN),
            keys_file=keys,
            egress_allow="10.0.0.0/8, relay.internal",
            tls_cert=server.certificate,
            tls_key=server.key,
            client_ca=ca.path,
            clients_file=written({"shop": {"tenant": "shop", "roles": ["send"]}}),
            jwks=str(jwks),
        )
    )

    assert wrong == []


def test_given_everything_wrong_when_examined_then_all_is_named_at_once(
    options: Options, ca: TestCA, written: Callable[[object], Path]
) -> None:
    broken = written("no json")

    wrong = found(
        replace(
            options,
            database_url=Secret("mysql://x"),
            keys_file=Path("/nope"),
            egress_allow="10.0.0.0/99",
            tls_cert=ca.issue("one").certificate,
            tls_key=ca.issue("other").key,
            client_ca=broken,
            clients_file=broken,
            jwks=str(broken),
        )
    )

    assert sorted(wrong) == [
        "CLIENTS_FILE", "CLIENT_CA", "DATABASE_URL", "EGRESS_ALLOW", "JWKS", "KEYS_FILE", "TLS_CERT",
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["mysql://x", "postgresql://u:hunter2@[bad", "hunter2"])
def test_given_a_database_url_that_cannot_be_read_when_examined_then_is_named_without_its_text(
    options: Options, keys: Path, url: str
) -> None:
    broken = replace(options, database_url=Secret(url), keys_file=keys)

    assert found(broken) == ["DATABASE_URL"]
    assert "hunter2" not in repr(examine(broken))


@pytest.mark.parametrize("database_url", [None, Secret(DSN)])
@pytest.mark.parametrize(
    "content", ["", "no json", "{}", '{"format": 1, "keys": []}'], ids=["empty", "no json", "no ring", "no key"]
)
def test_given_a_key_ring_that_cannot_be_used_when_examined_then_is_named(
    options: Options, written: Callable[[object], Path], content: str, database_url: Secret | None
) -> None:
    path = written(content)
    path.chmod(0o600)

    assert found(replace(options, database_url=database_url, keys_file=path)) == ["KEYS_FILE"]
    assert path.read_text() == content


def test_given_a_key_ring_that_others_may_read_when_examined_then_the_way_out_is_told(
    options: Options, keys: Path
) -> None:
    keys.chmod(0o644)

    [problem] = examine(replace(options, database_url=Secret(DSN), keys_file=keys))

    assert problem.name == "MAILPORT_KEYS_FILE"
    assert f"chmod 600 {keys}" in problem.message


def test_given_no_database_yet_when_a_new_ring_can_be_made_then_nothing_is_wrong(
    options: Options, tmp_path: Path
) -> None:
    assert found(replace(options, keys_file=tmp_path / "new.json")) == []
    assert not (tmp_path / "new.json").exists()


def test_given_no_database_yet_when_a_new_ring_has_no_folder_then_is_named(options: Options, tmp_path: Path) -> None:
    assert found(replace(options, keys_file=tmp_path / "nowhere" / "new.json")) == ["KEYS_FILE"]


@pytest.mark.parametrize("name", [None, "mistyped.json"])
def test_given_an_embedded_database_when_its_ring_is_not_there_then_no_other_is_made(
    options: Options, tmp_path: Path, name: str | None
) -> None:
    """What is stored would open with the former ring alone."""
    (options.data_dir / "pg").mkdir(parents=True)
    (options.data_dir / "pg" / "PG_VERSION").write_text("18\n")
    keys_file = tmp_path / name if name else None
    options = replace(options, keys_file=keys_file)

    [problem] = examine(options)
    with pytest.raises(StartFailed) as failed:
        load_keys(options, now=NOW)

    expected = keys_file or options.data_dir / "keys.json"
    assert problem.name == "MAILPORT_KEYS_FILE"
    assert str(expected) in problem.message
    assert "holds a database already" in problem.remedy
    assert failed.value.problem == problem
    assert not expected.exists()


def test_given_an_interrupted_first_start_when_examined_then_an_empty_folder_is_no_database(options: Options) -> None:
    (options.data_dir / "pg").mkdir(parents=True)

    assert found(options) == []
    assert load_keys(options, now=NOW).primary == 1


def test_given_a_database_of_ones_own_that_cannot_be_read_when_examined_then_the_ring_must_be_there_all_the_same(
    options: Options, keys: Path, tmp_path: Path
) -> None:
    assert found(replace(options, keys_file=tmp_path / "mistyped.json"), "DATABASE_URL") == ["KEYS_FILE"]
    assert found(replace(options, keys_file=keys), "DATABASE_URL") == []


@pytest.mark.parametrize("unusable", ["DATABASE_URL", "DATA_DIR"])
def test_given_no_way_to_know_where_the_ring_is_when_examined_then_nothing_is_said_of_it(
    options: Options, unusable: str
) -> None:
    (options.data_dir / "pg" / "base").mkdir(parents=True)

    assert found(options, unusable) == []


def test_given_keys_of_callers_that_cannot_be_used_when_examined_then_are_named(
    options: Options, written: Callable[[object], Path], tmp_path: Path
) -> None:
    secret = OctKey.generate_key(256).as_dict(private=True)
    sources = [
        "/nope/jwks.json",
        str(tmp_path),
        "http://id.example.com/keys",
        "https://[::1/keys",
        str(written({"keys": [secret]})),
    ]

    wrong = [found(replace(options, jwks=source)) for source in sources]

    assert wrong == [["JWKS"]] * len(sources)


def test_given_an_address_of_keys_when_examined_then_it_is_not_asked(options: Options) -> None:
    """A restart does not depend on an issuer that is away."""
    assert found(replace(options, jwks="https://127.0.0.1:1/keys")) == []
