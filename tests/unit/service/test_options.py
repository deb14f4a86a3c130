"""The environment: read in full, all problems at once and by name, nothing open to the world by mistake."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from domain.secret import Secret
from service.options import Address, LogFormat, Options, OptionsInvalid, ProcessRole, default_data_dir, load_options

HOME = {"HOME": "/home/olga"}
DSN = "postgresql://mailport:hunter2@db.example.com/mailport"


def loaded(**variables: str) -> Options:
    return load_options({**HOME, **{f"MAILPORT_{name}": value for name, value in variables.items()}})


def problems(**variables: str) -> set[str]:
    """Names, without prefix, of everything that is wrong."""
    with pytest.raises(OptionsInvalid) as refused:
        loaded(**variables)
    assert all(problem.message and problem.remedy for problem in refused.value.problems)
    names = [problem.name.removeprefix("MAILPORT_") for problem in refused.value.problems]
    assert len(names) == len(set(names)), "the same is said twice"
    return set(names)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "file.pem"
    path.write_text("anything\n")
    return str(path)


def test_given_an_empty_environment_when_read_then_is_usable_and_open_to_this_machine_alone() -> None:
    options = loaded()

    assert options.grpc_address == Address("127.0.0.1", 50051)
    assert options.web_address == Address("127.0.0.1", 8080)
    assert options.database_url is None
    assert options.roles == frozenset(ProcessRole)
    assert options.data_dir == Path("/home/olga/.local/share/mailport")
    assert options.log_format is LogFormat.JSON
    assert not options.has_identity


def test_given_everything_when_read_then_is_as_written(file: str) -> None:
    options = loaded(
        GRPC_ADDRESS="0.0.0.0:0",
        WEB_ADDRESS="[::]:8443",
        DATABASE_URL=DSN,
        DATA_DIR="data",
        KEYS_FILE="/etc/mailport/keys.json",
        PUBLIC_URL="https://mail.example.com/port/",
        ROLES="api, WEB",
        DATA_CENTER="eu-1",
        DATA_CENTERS="us-1,eu-1, us-1",
        EGRESS_ALLOW="10.0.0.0/8",
        PLAINTEXT_HOSTS="Relay.Internal, [::1], 127.0.0.1",
        TLS_CERT=file,
        TLS_KEY=file,
        CLIENT_CA=file,
        CLIENTS_FILE=file,
        JWKS="https://id.example.com/keys",
        JWT_ISSUER="https://id.example.com",
        JWT_AUDIENCE="mailport",
        INSECURE="0",
        LOG_LEVEL="DEBUG",
        LOG_FORMAT="text",
        CONTENT_RETENTION="36h",
        DELIVERY_RETENTION="90d",
    )

    assert options == Options(
        data_dir=Path("data"),
        grpc_address=Address("0.0.0.0", 0),
        web_address=Address("::", 8443),
        database_url=Secret(DSN),
        keys_file=Path("/etc/mailport/keys.json"),
        public_url="https://mail.example.com/port",
        roles=frozenset({ProcessRole.API, ProcessRole.WEB}),
        data_center="eu-1",
        data_centers=("us-1", "eu-1"),
        egress_allow="10.0.0.0/8",
        plaintext_hosts=frozenset({"relay.internal", "::1", "127.0.0.1"}),
        tls_cert=Path(file),
        tls_key=Path(file),
        client_ca=Path(file),
        clients_file=Path(file),
        jwks="https://id.example.com/keys",
        jwt_issuer="https://id.example.com",
        jwt_audience="mailport",
        insecure=False,
        log_level="debug",
        log_format=LogFormat.TEXT,
        content_retention=timedelta(hours=36),
        delivery_retention=timedelta(days=90),
    )


def test_given_empty_values_when_read_then_they_count_as_unset() -> None:
    assert loaded(GRPC_ADDRESS="", DATABASE_URL="", DATABASE_URL_FILE="", ROLES="", INSECURE="") == loaded()


def test_given_a_terminal_when_read_then_lines_are_text_unless_said_otherwise() -> None:
    assert load_options(HOME, is_terminal=True).log_format is LogFormat.TEXT
    assert load_options({**HOME, "MAILPORT_LOG_FORMAT": "json"}, is_terminal=True).log_format is LogFormat.JSON


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRPC_ADDRESS", "50051"),
        ("GRPC_ADDRESS", ":50051"),
        ("GRPC_ADDRESS", "::1"),
        ("GRPC_ADDRESS", "::1:50051"),
        ("GRPC_ADDRESS", "127.0.0.1:"),
        ("GRPC_ADDRESS", "127.0.0.1:65536"),
        ("GRPC_ADDRESS", "127.0.0.1:-1"),
        ("GRPC_ADDRESS", "127.0.0.1:" + "9" * 5000),
        ("GRPC_ADDRESS", "127.0.0.1:٣"),
        ("GRPC_ADDRESS", "http://127.0.0.1:50051"),
        ("WEB_ADDRESS", "a b:80"),
        ("CONTENT_RETENTION", "3"),
        ("CONTENT_RETENTION", "-1d"),
        ("CONTENT_RETENTION", "1.5d"),
        ("CONTENT_RETENTION", "٣d"),
        ("CONTENT_RETENTION", "1w"),
        ("CONTENT_RETENTION", "999999999d"),
        ("DELIVERY_RETENTION", "23h"),
        ("DELIVERY_RETENTION", "0s"),
        ("DELIVERY_RETENTION", "3651d"),
        ("PUBLIC_URL", "mail.example.com"),
        ("PUBLIC_URL", "ftp://mail.example.com"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://mail.example.com:99999"),
        ("PUBLIC_URL", "https://mail.example.com/?a=b"),
        ("PUBLIC_URL", "https://mail.example.com/?"),
        ("PUBLIC_URL", "https://mail.example.com/#a"),
        ("PUBLIC_URL", "https://mail .example.com"),
        ("PUBLIC_URL", "https://mail.example.com\r\nSet-Cookie: a"),
        ("PUBLIC_URL", "https://[::1"),
        ("ROLES", "api,sender"),
        ("ROLES", ","),
        ("PLAINTEXT_HOSTS", "relay.internal, https://relay.internal"),
        ("TLS_CERT", "/nowhere/cert.pem"),
        ("TLS_CERT", "/" + "x" * 5000),
        ("TLS_CERT", "/"),
        ("INSECURE", "yes"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("DATA_CENTER", "eu-1"),
        ("DATA_CENTERS", "a,,b"),
        ("DATA_CENTERS", "a,,b c"),
        ("DATA_CENTERS", "a b"),
        ("DATA_CENTERS", "a,"),
        ("DATA_CENTERS", ","),
        ("DATA_CENTERS", " "),
        ("DATA_CENTERS", "EU-1"),
        ("DATA_CENTERS", "eu/1"),
        ("DATA_CENTERS", "münchen"),
        ("DATA_CENTERS", "a" * 64),
        ("GRPC_ADRESS", "127.0.0.1:50051"),
    ],
)
def test_given_a_wrong_value_when_read_then_its_variable_is_named_and_nothing_else(name: str, value: str) -> None:
    assert problems(**{name: value}) == {name}


@pytest.mark.parametrize("name", ["a", "eu-1", "_a.b-c.", "0", "a" * 63])
def test_given_names_of_data_centers_when_read_then_stand_in_their_order_and_each_once(name: str) -> None:
    options = loaded(DATA_CENTERS=f" {name} , second,{name}", DATA_CENTER=name)

    assert options.data_centers == (name, "second")
    assert options.data_center == name


def test_given_a_name_that_no_data_center_can_have_when_read_then_both_variables_are_named() -> None:
    assert problems(DATA_CENTER="eu 1", DATA_CENTERS="eu 1") == {"DATA_CENTER", "DATA_CENTERS"}


def test_given_a_mistake_when_refused_then_what_could_be_read_comes_along() -> None:
    """So that more that is wrong can be found: all is reported at once."""
    with pytest.raises(OptionsInvalid) as refused:
        loaded(LOG_LEVEL="loud", GRPC_ADDRESS="nowhere", EGRESS_ALLOW="10.0.0.0/99")

    assert refused.value.readable == replace(loaded(), egress_allow="10.0.0.0/99")
    assert refused.value.unusable == {"LOG_LEVEL", "GRPC_ADDRESS"}


@pytest.mark.parametrize(
    ("listens", "opened"),
    [
        ("0.0.0.0:8080", "127.0.0.1:8080"),
        ("[::]:8080", "[::1]:8080"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("127.8.8.8:1", "127.8.8.8:1"),
        ("192.0.2.1:80", "192.0.2.1:80"),
        ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ("mail.example.com:80", "mail.example.com:80"),
    ],
)
def test_given_where_a_server_listens_when_opened_from_this_machine_then_is_an_address_that_browsers_take(
    listens: str, opened: str
) -> None:
    assert str(loaded(WEB_ADDRESS=listens, INSECURE="1").web_address.from_here) == opened


def test_given_many_mistakes_when_read_then_all_are_named_at_once() -> None:
    """The contradictions among the right ones too; what is wrong by itself contradicts nothing."""
    found = problems(
        GRPC_ADDRESS="nowhere",
        WEB_ADDRESS="0.0.0.0:8080",
        TLS_CERT="/nowhere/cert.pem",
        JWKS="keys.json",
        DATABASE_URL=DSN,
        LOG_LEVEL="loud",
        PUBLIK_URL="https://mail.example.com",
    )

    assert found == {"GRPC_ADDRESS", "TLS_CERT", "JWKS", "KEYS_FILE", "LOG_LEVEL", "PUBLIK_URL"}


def test_given_a_problem_when_shown_then_no_secret_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "dsn"
    path.write_bytes(b"\xff\xfehunter2")

    with pytest.raises(OptionsInvalid) as refused:
        loaded(DATABASE_URL_FILE=str(path), PUBLIC_URL="https://olga:hunter2@mail.example.com", LOG_LEVEL="x")

    assert len(refused.value.problems) == 3
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(refused.value.problems)


def test_given_a_secret_in_a_file_when_read_then_is_taken_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "dsn"
    path.write_text(DSN + "\n")

    options = loaded(DATABASE_URL_FILE=str(path), KEYS_FILE="keys.json")

    assert options.database_url == Secret(DSN)
    assert "hunter2" not in repr(options)


def test_given_a_secrets_file_that_is_missing_when_read_then_the_embedded_database_is_not_started_instead() -> None:
    assert problems(DATABASE_URL_FILE="/nowhere/dsn") == {"DATABASE_URL_FILE"}


def test_given_a_secrets_file_that_is_empty_when_read_then_the_embedded_database_is_not_started_instead(
    tmp_path: Path,
) -> None:
    path = tmp_path / "dsn"
    path.write_text("\n")

    assert problems(DATABASE_URL_FILE=str(path)) == {"DATABASE_URL_FILE"}


def test_given_a_secret_and_its_file_when_read_then_one_has_to_go(file: str) -> None:
    assert problems(DATABASE_URL=DSN, DATABASE_URL_FILE=file) == {"DATABASE_URL_FILE"}


def test_given_a_database_of_ones_own_when_no_key_ring_is_named_then_is_refused() -> None:
    assert problems(DATABASE_URL=DSN) == {"KEYS_FILE"}


@pytest.mark.parametrize("address", ["0.0.0.0:50051", "[::]:50051", "192.0.2.1:50051", "mail.example.com:50051"])
def test_given_an_address_that_others_reach_when_callers_are_unknown_then_is_refused(address: str) -> None:
    assert problems(GRPC_ADDRESS=address) == {"GRPC_ADDRESS"}
    assert problems(WEB_ADDRESS=address) == {"WEB_ADDRESS"}
    assert loaded(GRPC_ADDRESS=address, WEB_ADDRESS=address, INSECURE="1").insecure


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1", "LOCALHOST:1"])
def test_given_a_loopback_address_when_read_then_needs_nothing_more(address: str) -> None:
    assert loaded(GRPC_ADDRESS=address).grpc_address.is_loopback


def test_given_tls_without_identity_or_identity_without_tls_when_others_reach_it_then_is_refused(file: str) -> None:
    tls = {"TLS_CERT": file, "TLS_KEY": file}
    bearer = {"JWKS": file, "JWT_ISSUER": "https://id.example.com", "JWT_AUDIENCE": "mailport"}
    clients = {"CLIENT_CA": file, "CLIENTS_FILE": file}

    assert problems(GRPC_ADDRESS="0.0.0.0:1", **tls) == {"GRPC_ADDRESS"}
    assert problems(GRPC_ADDRESS="0.0.0.0:1", **bearer) == {"GRPC_ADDRESS"}
    assert loaded(GRPC_ADDRESS="0.0.0.0:1", **tls, **bearer).has_identity
    assert loaded(GRPC_ADDRESS="0.0.0.0:1", **tls, **clients).has_identity


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"TLS_CERT"}, "TLS_CERT"),
        ({"TLS_KEY"}, "TLS_CERT"),
        ({"TLS_CERT", "TLS_KEY", "CLIENT_CA"}, "CLIENTS_FILE"),
        ({"CLIENTS_FILE"}, "CLIENTS_FILE"),
        ({"CLIENTS_FILE", "CLIENT_CA"}, "CLIENT_CA"),
        ({"JWKS"}, "JWKS"),
        ({"JWT_ISSUER"}, "JWKS"),
        ({"JWT_AUDIENCE"}, "JWKS"),
        ({"JWT_ISSUER", "JWT_AUDIENCE"}, "JWKS"),
        ({"JWKS", "JWT_AUDIENCE"}, "JWKS"),
        ({"JWKS", "JWT_ISSUER"}, "JWKS"),
    ],
)
def test_given_half_of_what_belongs_together_when_read_then_the_rest_is_asked_for(
    given: set[str], named: str, file: str
) -> None:
    assert problems(**dict.fromkeys(given, file)) == {named}


def test_given_variables_of_others_when_read_then_they_are_passed_over() -> None:
    environment = {**HOME, "PATH": "/bin", "OTEL_SERVICE_NAME": "mailport", "MAILPORT_TESTS_DSN": "postgresql://"}

    assert load_options(environment) == load_options(HOME)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HOME": "/home/olga"}, "/home/olga/.local/share/mailport"),
        ({"HOME": "/home/olga", "XDG_DATA_HOME": "/data"}, "/data/mailport"),
        ({"HOME": "/home/olga", "XDG_DATA_HOME": "relative"}, "/home/olga/.local/share/mailport"),
        ({"HOME": "/home/olga", "XDG_DATA_HOME": ""}, "/home/olga/.local/share/mailport"),
    ],
)
def test_given_a_user_when_asked_for_the_data_folder_then_is_as_xdg_says(
    environment: dict[str, str], expected: str
) -> None:
    assert default_data_dir(environment) == Path(expected)


def test_given_a_user_without_home_when_read_then_a_folder_is_asked_for_only_where_none_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_home(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)

    with pytest.raises(OptionsInvalid) as refused:
        load_options({})
    options = load_options({"MAILPORT_DATA_DIR": "/var/lib/mailport"})

    assert [problem.name for problem in refused.value.problems] == ["MAILPORT_DATA_DIR"]
    assert options.data_dir == Path("/var/lib/mailport")


@pytest.mark.parametrize(
    ("address", "shown"), [(Address("127.0.0.1", 1), "127.0.0.1:1"), (Address("::1", 2), "[::1]:2")]
)
def test_given_an_address_when_shown_then_can_be_written_back(address: Address, shown: str) -> None:
    assert str(address) == shown
    assert loaded(GRPC_ADDRESS=shown).grpc_address == address


@pytest.mark.parametrize(("content", "delivery"), [("0s", "1d"), ("1440m", "1d"), ("90d", "90d")])
def test_given_spans_to_keep_things_when_the_content_goes_first_then_they_are_taken(
    content: str, delivery: str
) -> None:
    options = loaded(CONTENT_RETENTION=content, DELIVERY_RETENTION=delivery)

    assert options.content_retention <= options.delivery_retention


def test_given_content_that_would_outlive_its_delivery_when_read_then_is_refused() -> None:
    assert problems(CONTENT_RETENTION="31d") == {"CONTENT_RETENTION"}
    assert problems(CONTENT_RETENTION="2d", DELIVERY_RETENTION="1d") == {"CONTENT_RETENTION"}
    assert problems(CONTENT_RETENTION="2d", DELIVERY_RETENTION="1h") == {"DELIVERY_RETENTION"}
