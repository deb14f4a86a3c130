from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.sandbox.ca import RENEWAL_MARGIN, SandboxCertificates, ensure_certificates
from service.sandbox.issuing import AUTHORITY_LIFETIME, SERVER_LIFETIME

NOW = datetime.now(UTC)


def handshake(certificates: SandboxCertificates, host_name: str) -> str:
    """Runs a handshake in memory, as strict as Python 3.13 is, and returns the negotiated version."""
    context = ssl.create_default_context(cadata=certificates.ca_pem)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=host_name)
    server = certificates.server_context().wrap_bio(to_server, to_client, server_side=True)
    for peer in (client, server, client, server):
        try:
            peer.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.version() or ""


@pytest.mark.parametrize("host_name", ["localhost", "127.0.0.1", "::1"])
def test_given_an_empty_folder_when_ensuring_then_a_strict_client_trusts_every_local_name(
    tmp_path: Path, host_name: str
) -> None:
    certificates = ensure_certificates(tmp_path / "tls", now=NOW)

    version = handshake(certificates, host_name)

    assert version == "TLSv1.3"


def test_given_an_empty_folder_when_ensuring_then_another_name_is_not_trusted(tmp_path: Path) -> None:
    certificates = ensure_certificates(tmp_path, now=NOW)

    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(certificates, "mail.example.test")


def test_given_an_empty_folder_when_ensuring_then_nobody_else_can_read_the_keys(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "tls"

    certificates = ensure_certificates(folder, now=NOW)

    assert folder.stat().st_mode & 0o777 == 0o700
    with_keys = [path for path in folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert {path.name for path in with_keys} == {"ca.key.pem", "server.pem"}
    assert {path.stat().st_mode & 0o777 for path in with_keys} == {0o600}
    assert certificates.ca_path.read_text() == certificates.ca_pem


def test_given_valid_certificates_when_ensuring_again_then_nothing_changes(tmp_path: Path) -> None:
    first = ensure_certificates(tmp_path, now=NOW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    second = ensure_certificates(tmp_path, now=NOW + SERVER_LIFETIME - RENEWAL_MARGIN - timedelta(seconds=1))

    assert second == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_given_a_server_certificate_near_its_end_when_ensuring_then_the_same_ca_issues_another(tmp_path: Path) -> None:
    first = ensure_certificates(tmp_path, now=NOW - SERVER_LIFETIME + RENEWAL_MARGIN)
    old_server = first.server_path.read_bytes()

    second = ensure_certificates(tmp_path, now=NOW)

    assert second.ca_pem == first.ca_pem
    assert second.server_path.read_bytes() != old_server
    assert handshake(second, "localhost") == "TLSv1.3"


def test_given_a_ca_near_its_end_when_ensuring_then_both_are_new_and_fit(tmp_path: Path) -> None:
    first = ensure_certificates(tmp_path, now=NOW - AUTHORITY_LIFETIME + RENEWAL_MARGIN)

    second = ensure_certificates(tmp_path, now=NOW)

    assert second.ca_pem != first.ca_pem
    assert handshake(second, "localhost") == "TLSv1.3"


@pytest.mark.parametrize("name", ["ca.key.pem", "server.pem", "ca.pem"])
@pytest.mark.parametrize("content", [b"", b"not a certificate", None])
def test_given_a_damaged_file_when_ensuring_then_it_is_made_anew(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    ensure_certificates(tmp_path, now=NOW)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    certificates = ensure_certificates(tmp_path, now=NOW)

    assert handshake(certificates, "localhost") == "TLSv1.3"


def test_given_a_server_certificate_of_another_ca_when_ensuring_then_it_is_replaced(tmp_path: Path) -> None:
    mine = ensure_certificates(tmp_path / "mine", now=NOW)
    other = ensure_certificates(tmp_path / "other", now=NOW)
    mine.server_path.write_bytes(other.server_path.read_bytes())

    certificates = ensure_certificates(tmp_path / "mine", now=NOW)

    assert certificates.ca_pem == mine.ca_pem
    assert handshake(certificates, "localhost") == "TLSv1.3"


def test_given_a_further_host_name_when_ensuring_then_the_same_ca_issues_a_certificate_with_it(tmp_path: Path) -> None:
    first = ensure_certificates(tmp_path, now=NOW)

    second = ensure_certificates(tmp_path, now=NOW, host_names=("sandbox", "10.1.2.3"))

    assert second.ca_pem == first.ca_pem
    assert [handshake(second, name) for name in ("sandbox", "10.1.2.3", "localhost")] == ["TLSv1.3"] * 3


async def test_given_several_callers_at_once_when_ensuring_then_all_get_the_same_ca(tmp_path: Path) -> None:
    made = await asyncio.gather(*(asyncio.to_thread(ensure_certificates, tmp_path, now=NOW) for _ in range(8)))

    assert len({certificates.ca_pem for certificates in made}) == 1
    assert handshake(made[0], "localhost") == "TLSv1.3"
