from __future__ import annotations

from pathlib import Path

import grpc
import pytest
import typer

from mailport.v1 import mail_service_pb2 as api
from service.cli.connection import Connection
from tests.peers.ca import TestCA
from tests.unit.service.cli.conftest import Run
from tests.unit.service.cli.servicer import FakeMailport, served


@pytest.mark.parametrize("server", ["localhost", "localhost:", ":0", "localhost:smtp", "127.0.0.1:70000"])
def test_given_an_address_that_cannot_be_dialled_when_opened_then_is_wrong_usage(server: str) -> None:
    with pytest.raises(typer.BadParameter):
        Connection(server=server).open()


def test_given_the_service_s_own_wildcard_address_when_called_then_loopback_is_dialled(
    run: Run, mailport: FakeMailport
) -> None:
    mailport.answers["ListConfigurations"] = api.ListConfigurationsResponse()

    result = run("list", "--server", mailport.address.replace("127.0.0.1", "0.0.0.0"))

    assert result.exit_code == 0


def test_given_a_proxy_in_the_environment_when_called_then_loopback_is_dialled_without_it(
    run: Run, mailport: FakeMailport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    mailport.answers["ListConfigurations"] = api.ListConfigurationsResponse()

    result = run("list")

    assert result.exit_code == 0


def test_given_a_token_file_when_called_then_the_token_goes_along_and_is_not_printed(
    run: Run, mailport: FakeMailport, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("abc.def\n")
    mailport.answers["ListConfigurations"] = api.ListConfigurationsResponse()

    result = run("list", "--token-file", str(tmp_path / "token"))

    assert mailport.metadata[0]["authorization"] == "Bearer abc.def"
    assert "abc.def" not in result.output


@pytest.mark.parametrize("token", ["", "two tokens", "line\nbreak", "tökèn"])
def test_given_a_file_without_a_token_when_called_then_is_wrong_usage_and_its_text_is_not_printed(
    run: Run, mailport: FakeMailport, tmp_path: Path, token: str
) -> None:
    """P15: grpc would quote the metadata that it refuses."""
    (tmp_path / "credential").write_text(token, encoding="utf-8")

    result = run("list", "--token-file", str(tmp_path / "credential"))

    assert result.exit_code == 2
    assert mailport.requests == []
    assert not token or token not in result.output


def test_given_no_tls_when_a_token_would_leave_this_machine_then_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc.def")

    result = run("list", "--server", "mailport.example:50051", "--token-file", str(tmp_path / "token"))

    assert result.exit_code == 2
    assert "--server-tls" in " ".join(result.output.split())


def test_given_a_private_ca_and_a_client_certificate_when_called_then_both_sides_are_proven(
    run: Run, tmp_path: Path
) -> None:
    authority = TestCA(tmp_path / "ca")
    server, client = authority.issue("server"), authority.issue("client", uri="spiffe://example/billing")
    credentials = grpc.ssl_server_credentials(
        [(server.key.read_bytes(), server.certificate.read_bytes())],
        root_certificates=authority.path.read_bytes(),
        require_client_auth=True,
    )
    (tmp_path / "token").write_text("abc.def")
    fake = FakeMailport({"ListConfigurations": api.ListConfigurationsResponse()})
    trusted = ("--server-ca-file", str(authority.path), "--token-file", str(tmp_path / "token"))
    proven = (*trusted, "--server-cert-file", str(client.certificate), "--server-key-file", str(client.key))

    with served(fake, tls=credentials):
        unproven_result = run("list", "--server", fake.address, *trusted)
        result = run("list", "--server", fake.address, *proven)

    assert unproven_result.exit_code == 8
    assert result.exit_code == 0
    assert [call["authorization"] for call in fake.metadata] == ["Bearer abc.def"]


def test_given_a_certificate_without_its_key_when_called_then_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    certificate = TestCA(tmp_path).issue("client").certificate

    result = run("list", "--server-cert-file", str(certificate))

    assert result.exit_code == 2
