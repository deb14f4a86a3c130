"""The sandbox's certificates: a CA of its own and a server certificate, kept in a folder and renewed in time."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.sandbox.issuing import Identity, new_authority, new_server

LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
"""Names every server certificate carries."""

RENEWAL_MARGIN: Final = timedelta(days=30)
"""A certificate with less than this to live is issued anew."""


@dataclass(frozen=True, slots=True)
class SandboxCertificates:
    """Where the certificates are. `ca_pem` is what a client must trust; it stays the same from run to run."""

    ca_path: Path
    ca_pem: str
    server_path: Path
    """Private key and certificate of the servers in one file, mode 0600."""

    def server_context(self) -> ssl.SSLContext:
        """Returns a context for the sandbox's servers: TLS 1.2 and 1.3, no client certificate asked for."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server_path)
        return context


def ensure_certificates(folder: Path, *, now: datetime, host_names: tuple[str, ...] = ()) -> SandboxCertificates:
    """
    Returns the certificates in *folder*, making what is missing, unreadable or within `RENEWAL_MARGIN` of its end.

    The folder becomes mode 0700, files with keys 0600. *host_names* are names or IP literals that the server
    certificate carries besides `LOCAL_NAMES`; a certificate that lacks one is issued anew under the same CA.
    A new CA always brings a new server certificate. Several processes may share the folder.

    Raises OSError if the folder cannot be written, ValueError if a host name is not ASCII.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    with _locked(folder / "lock"):
        authority = _usable(folder / "ca.key.pem", now)
        if authority is None:
            authority = new_authority(now)
            _write(folder / "ca.key.pem", authority.to_pem())
        # From the one file that holds key and certificate, so that a crash cannot leave two that do not match.
        ca_pem = authority.certificate.public_bytes(serialization.Encoding.PEM)
        if not _holds(folder / "ca.pem", ca_pem):
            _write(folder / "ca.pem", ca_pem)

        names = (*LOCAL_NAMES, *host_names)
        server = _usable(folder / "server.pem", now)
        if server is None or not _is_issued_by(server, authority) or not _names_of(server).issuperset(names):
            _write(folder / "server.pem", new_server(authority, names, now).to_pem())
    return SandboxCertificates(
        ca_path=folder / "ca.pem", ca_pem=ca_pem.decode("ascii"), server_path=folder / "server.pem"
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _usable(path: Path, now: datetime) -> Identity | None:
    try:
        pem = path.read_bytes()
        key = serialization.load_pem_private_key(pem, password=None)
        certificate = x509.load_pem_x509_certificate(pem)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return None
    lives = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEWAL_MARGIN
    return Identity(key=key, certificate=certificate) if lives else None


def _is_issued_by(server: Identity, authority: Identity) -> bool:
    try:
        server.certificate.verify_directly_issued_by(authority.certificate)
    except Exception:  # the library raises ValueError, TypeError or InvalidSignature; each means no
        return False
    return True


def _names_of(server: Identity) -> set[str]:
    names = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address | ipaddress.IPv4Network | ipaddress.IPv6Network]
    addresses = names.get_values_for_type(x509.IPAddress)
    return {*names.get_values_for_type(x509.DNSName), *map(str, addresses)}


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _write(path: Path, content: bytes) -> None:
    # mkstemp gives mode 0600 from the first moment on; the rename makes the change one step for readers.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(temporary).replace(path)
