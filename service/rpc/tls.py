"""Server TLS: certificates that are renewed on disk are taken up without a restart."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import cast

import grpc


class TlsFilesInvalid(ValueError):
    """The certificate files cannot be read; the text says which."""


def server_credentials(*, certificate: Path, key: Path, client_ca: Path | None) -> grpc.ServerCredentials:
    """
    Returns credentials from PEM files, read again for a handshake once one of them has changed.

    With *client_ca* a client must show a certificate of that authority. Files that cannot be read at the start raise
    TlsFilesInvalid; later the former ones stay in use, since a renewal may just be under way.
    """
    files = _Files(certificate, key, client_ca)
    initial = files.read()
    _check(certificate, key, client_ca)
    changed = cast(
        "Callable[[], grpc.ServerCertificateConfiguration]", files.changed
    )  # gRPC takes None for "as before"
    return grpc.dynamic_ssl_server_credentials(initial, changed, require_client_authentication=client_ca is not None)


def _check(certificate: Path, key: Path, client_ca: Path | None) -> None:
    """Reads the files as OpenSSL would; gRPC itself would start with broken ones and refuse every handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise TlsFilesInvalid(f"{certificate} and {key} are not a certificate and its key: {_why(error)}.") from error
    try:
        if client_ca is not None:
            context.load_verify_locations(client_ca)
    except (OSError, ValueError) as error:
        raise TlsFilesInvalid(f"{client_ca} holds no certificates: {_why(error)}.") from error


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or "it cannot be read"


class _Files:
    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        self._seen: tuple[object, ...] = ()

    def read(self) -> grpc.ServerCertificateConfiguration:
        self._seen = self._state()
        try:
            chain, key = self._certificate.read_bytes(), self._key.read_bytes()
            client_ca = self._client_ca.read_bytes() if self._client_ca else None
        except OSError as error:
            raise TlsFilesInvalid(f"{error.filename} cannot be read: {error.strerror or 'unknown error'}.") from error
        return grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=client_ca)

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns what changed, None for nothing; gRPC asks at each handshake, in a thread of its own."""
        if self._state() == self._seen:
            return None
        try:
            return self.read()
        except TlsFilesInvalid:
            return None

    def _state(self) -> tuple[object, ...]:
        found: list[object] = []
        for path in filter(None, (self._certificate, self._key, self._client_ca)):
            try:
                state = path.stat()
            except OSError:
                found.append(None)
            else:
                found.append((state.st_mtime_ns, state.st_size, state.st_ino))
        return tuple(found)
