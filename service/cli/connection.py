"""How a client command reaches mailport: address, TLS, the caller's token."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import grpc
import typer

from service.cli.files import read_bytes, read_secret

DEFAULT_SERVER: Final = "127.0.0.1:50051"
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what is not dialled


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where mailport is and how the caller proves who it is; raises typer.BadParameter for what cannot be used."""

    server: Annotated[
        str, typer.Option(metavar="HOST:PORT", envvar="MAILPORT_GRPC_ADDRESS", help="Where mailport is.")
    ] = DEFAULT_SERVER
    server_tls: Annotated[
        bool, typer.Option("--server-tls", help="Reach it by TLS, trusting the public authorities.")
    ] = False
    server_ca_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Reach it by TLS, trusting these authorities (PEM).")
    ] = None
    server_cert_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate to show it (PEM), with --server-key-file.")
    ] = None
    server_key_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Key of that certificate (PEM).")] = None
    token_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Bearer token that says who calls.")] = None

    @property
    def is_secure(self) -> bool:
        """Tells whether the connection is by TLS."""
        return self.server_tls or self.server_ca_file is not None or self.server_cert_file is not None

    def open(self) -> grpc.Channel:
        """Returns a channel, which connects at the first call."""
        host, port = _split(self.server)
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # A proxy of the environment cannot reach this machine's own loopback.
        settings = [("grpc.enable_http_proxy", 0)] if _is_loopback(host) else []
        if self.is_secure:
            return grpc.secure_channel(target, self._credentials(), options=settings)
        if self.token_file is not None and not _is_loopback(host):
            raise typer.BadParameter(
                f"a token is not sent to {host} without TLS; add --server-tls, or --server-ca-file for a private CA",
                param_hint="--token-file",
            )
        return grpc.insecure_channel(target, options=settings)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Returns what goes along with each call: the bearer token, if there is one."""
        if self.token_file is None:
            return ()
        token = read_secret(self.token_file, option="--token-file")
        # grpc quotes metadata that it refuses in its error, and this is the caller's credential.
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise typer.BadParameter(f"{self.token_file} does not hold one token", param_hint="--token-file")
        return (("authorization", f"Bearer {token}"),)

    def _credentials(self) -> grpc.ChannelCredentials:
        if (self.server_cert_file is None) != (self.server_key_file is None):
            raise typer.BadParameter("a client certificate and its key go together", param_hint="--server-cert-file")
        return grpc.ssl_channel_credentials(
            root_certificates=_optional(self.server_ca_file, "--server-ca-file"),
            private_key=_optional(self.server_key_file, "--server-key-file"),
            certificate_chain=_optional(self.server_cert_file, "--server-cert-file"),
        )


def _optional(path: Path | None, option: str) -> bytes | None:
    return None if path is None else read_bytes(path, option=option)


def _split(server: str) -> tuple[str, int]:
    host, separator, port = server.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise typer.BadParameter(f"{server!r} is not host:port, e.g. {DEFAULT_SERVER}", param_hint="--server")
    if int(port) == 0:
        raise typer.BadParameter("port 0 is no port to dial; give the one that mailport printed", param_hint="--server")
    return _WILDCARDS.get(host, host), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
